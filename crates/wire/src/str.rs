use alloc::string::String;
use bytes::Bytes;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use crate::Malformed;

/// UTF-8 text that is cheap to clone: a slice of the frame it came in.
///
/// It keeps that whole frame alive; what is stored for long should be
/// [`detached`](Str::detached) from it.
#[derive(Clone, Default, Eq)]
pub struct Str(Bytes);

impl Str {
    /// The empty text.
    pub const EMPTY: Str = Str(Bytes::new());

    /// Text that lives in the program itself; nothing is allocated.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Str {
        Str(Bytes::from_static(text.as_bytes()))
    }

    /// The text in `bytes`, without copying them.
    ///
    /// # Errors
    /// `bytes` are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Str, Malformed> {
        // Nearly all texts are short ASCII, which is seen in less time.
        match bytes.is_ascii() || core::str::from_utf8(&bytes).is_ok() {
            true => Ok(Str(bytes)),
            false => Err(Malformed::Utf8),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked when it was made; checking again is the price of no unsafe code.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As much of the text's beginning as has at most `most` bytes.
    pub(crate) fn within(&self, most: usize) -> &[u8] {
        let end = self.as_str().floor_char_boundary(most);
        self.0.get(..end).unwrap_or_default()
    }

    /// The text as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A copy that no longer keeps a frame alive.
    #[must_use]
    pub fn detached(&self) -> Str {
        Str(Bytes::copy_from_slice(&self.0))
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Str) -> bool {
        ids::step();
        self.0 == other.0
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Str) -> Ordering {
        ids::step();
        self.0.cmp(&other.0)
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

/// Order and equality of UTF-8 are those of its bytes, so maps may be asked by `&str`.
impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        Str(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str(Bytes::from(text))
    }
}

impl From<Str> for String {
    fn from(text: Str) -> String {
        String::from(text.as_str())
    }
}

impl From<Str> for Bytes {
    fn from(text: Str) -> Bytes {
        text.0
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}
