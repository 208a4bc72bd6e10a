//! What can go wrong while setting up, as sentences for a person.

use std::fmt::Display;
use std::path::Path;

pub(crate) type Outcome<T = ()> = Result<T, Trouble>;

/// Why a step did not happen. Every text says what happened, to what, and what to do.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A tool is not there and could not be installed: a test that needs it is skipped.
    Missing(String),
    /// Something that should have worked did not.
    Failed(String),
    /// The command line is wrong.
    Usage(String),
}

impl Trouble {
    /// Wraps an I/O error on `path`; `doing` completes "could not …".
    pub(crate) fn io(doing: &str, path: &Path, error: impl Display) -> Trouble {
        Trouble::Failed(format!("could not {doing} {}: {error}.", path.display()))
    }
}
