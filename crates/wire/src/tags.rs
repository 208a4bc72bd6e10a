use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::{Malformed, Reader, Writer};

/// Tagged fields (KIP-482) that the schema does not know, kept so that they can be sent on.
/// Takes one word when empty, which it nearly always is.
///
/// It is shared only because what drops an `Arc` is short enough to stand wherever a message is
/// dropped, which a `Box` of a list is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Option<Arc<Vec<Tag>>>);

/// One tagged field as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The field's number.
    pub tag: u32,
    /// The field's value, undecoded.
    pub value: Bytes,
}

impl Tags {
    /// No tagged fields.
    pub const NONE: Tags = Tags(None);

    /// The fields, in ascending order of their tags.
    #[must_use]
    pub fn as_slice(&self) -> &[Tag] {
        self.0.as_ref().map_or(&[], |tags| tags.as_slice())
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Adds a field, keeping the order.
    pub fn push(&mut self, tag: u32, value: Bytes) {
        let tags = Arc::make_mut(self.0.get_or_insert_default());
        let at = tags.partition_point(|t| t.tag <= tag);
        tags.insert(at, Tag { tag, value });
    }
}

impl Reader {
    /// The tagged fields that end a struct. `known` reads a field's value and says true, or touches
    /// nothing and says false, in which case the field goes to `unknown`.
    pub(crate) fn tags(
        &mut self,
        unknown: &mut Tags,
        known: &mut dyn FnMut(u32, &mut Reader) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        match self.uvarint()? {
            0 => Ok(()),
            count => self.some_tags(count, unknown, known),
        }
    }

    fn some_tags(
        &mut self,
        count: u32,
        unknown: &mut Tags,
        known: &mut dyn FnMut(u32, &mut Reader) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let mut last = None;
        for _ in 0..count {
            let tag = self.uvarint()?;
            if last.is_some_and(|last| tag <= last) {
                return Err(Malformed::TagOrder);
            }
            last = Some(tag);
            let len = self.uvarint()?;
            self.within(len, &mut |r| {
                if !known(tag, r)? {
                    unknown.push(tag, r.rest());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Tagged fields of a struct whose schema knows none.
    pub(crate) fn unknown_tags(&mut self, unknown: &mut Tags) -> Result<(), Malformed> {
        self.tags(unknown, &mut |_, _| Ok(false))
    }
}

/// Collects the tagged fields of one struct that are to be written.
pub(crate) struct KnownTags {
    tags: Tags,
    status: Result<(), crate::Unencodable>,
}

impl KnownTags {
    pub(crate) fn new() -> KnownTags {
        KnownTags {
            tags: Tags::NONE,
            status: Ok(()),
        }
    }

    /// Adds field `tag` with the value that `value` writes.
    pub(crate) fn add(&mut self, tag: u32, value: &mut dyn FnMut(&mut Writer)) {
        let mut w = Writer::new();
        value(&mut w);
        match w.into_bytes() {
            Ok(bytes) => self.tags.push(tag, bytes),
            Err(error) => self.status = Err(error),
        }
    }
}

impl Writer {
    /// Writes known and unknown tagged fields in ascending order.
    pub(crate) fn tags(&mut self, known: KnownTags, unknown: &Tags) {
        if known.tags.is_empty() && known.status.is_ok() {
            return self.unknown_tags(unknown);
        }
        self.check(known.status);
        let mut all = known.tags;
        for tag in unknown.as_slice() {
            all.push(tag.tag, tag.value.clone());
        }
        self.unknown_tags(&all);
    }

    /// Writes tagged fields as they are.
    pub(crate) fn unknown_tags(&mut self, tags: &Tags) {
        let tags = tags.as_slice();
        if tags.is_empty() {
            return self.i8(0);
        }
        self.uvarint_len(tags.len(), 0);
        for tag in tags {
            self.uvarint(tag.tag);
            self.uvarint_len(tag.value.len(), 0);
            self.raw(&tag.value);
        }
    }
}
