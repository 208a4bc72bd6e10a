//! Lines for the person who runs the server.

use std::fmt;
use std::sync::Arc;

/// Where log lines go.
#[derive(Clone)]
pub struct Console(Arc<dyn Fn(&str) + Send + Sync>);

impl Console {
    /// Lines go to standard error.
    #[must_use]
    pub fn stderr() -> Console {
        Console::to(|line| eprintln!("{line}"))
    }

    /// Lines go to this function.
    #[must_use]
    pub fn to(say: impl Fn(&str) + Send + Sync + 'static) -> Console {
        Console(Arc::new(say))
    }

    /// Says one line.
    pub fn say(&self, line: impl AsRef<str>) {
        (self.0)(line.as_ref());
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}
