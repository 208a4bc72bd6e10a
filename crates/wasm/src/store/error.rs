//! Everything that can go wrong with the store, as a code, parameters and a sentence.

use serde::Serialize;

/// What went wrong, in kinds that call for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The browser offers no IndexedDB or no Web Locks here (a private window, an insecure origin).
    Unavailable,
    /// Another tab holds the database open and does not let go.
    Blocked,
    /// The browser's storage for this site is full; nothing of the transaction was stored.
    Quota,
    /// The connection to the database broke. What was in flight may or may not be stored.
    Lost,
    /// Another tab owns the workspace by now; nothing of the transaction was stored.
    TakenOver,
    /// Another tab owns the workspace, so this one cannot change it.
    InUse,
    /// The database was there and is not any more: the browser or a person cleared it.
    Wiped,
    /// The transaction failed for another reason; nothing of it was stored.
    Aborted,
    /// A read failed as a whole.
    Unreadable,
}

/// A failure of the store. Serialized, it has the fields `code`, `workspace`, `detail` and `sentence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Told")]
pub struct StoreError {
    /// What went wrong.
    pub kind: Kind,
    /// Which workspace it happened to.
    pub workspace: String,
    /// What the browser said, for the curious; may be empty.
    pub detail: String,
}

/// How an error looks to the page.
#[derive(Serialize)]
struct Told {
    code: &'static str,
    workspace: String,
    detail: String,
    sentence: String,
}

impl Kind {
    /// Stable name of the kind: a key of the page's catalogue of words.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Blocked => "blocked",
            Self::Quota => "quota",
            Self::Lost => "lost",
            Self::TakenOver => "taken-over",
            Self::InUse => "in-use",
            Self::Wiped => "wiped",
            Self::Aborted => "aborted",
            Self::Unreadable => "unreadable",
        }
    }

    /// The kind that a DOMException's name and message stand for, `otherwise` where they say nothing.
    ///
    /// Safari reports a broken connection as an `UnknownError` that only its message tells apart.
    pub fn of_exception(name: &str, message: &str, otherwise: Self) -> Self {
        match name {
            "QuotaExceededError" => Self::Quota,
            "InvalidStateError" => Self::Lost,
            _ if message.contains("Connection to Indexed Database server lost") => Self::Lost,
            "UnknownError" if message.contains("connection") => Self::Lost,
            "SecurityError" | "NotSupportedError" => Self::Unavailable,
            _ => otherwise,
        }
    }
}

impl StoreError {
    /// What happened, to what, and what to do.
    pub fn sentence(&self) -> String {
        let it = &self.workspace;
        match self.kind {
            Kind::Unavailable => format!(
                "This browser window offers no storage for the workspace “{it}”. \
                 Open the page in a normal window, over https or on localhost."
            ),
            Kind::Blocked => format!(
                "Another tab holds the workspace “{it}” open and does not let go. Close that tab and try again."
            ),
            Kind::Quota => format!(
                "The browser's storage is full: the last step in “{it}” was not stored. \
                 Delete topics or workspaces, or free disk space, then continue."
            ),
            Kind::Lost => format!(
                "The connection to the stored logs of “{it}” broke. What was in flight may be lost; \
                 the workspace starts again from what is stored."
            ),
            Kind::TakenOver => format!(
                "Another tab has taken over the workspace “{it}”. Nothing more is stored from here; go on in that tab."
            ),
            Kind::InUse => format!(
                "The workspace “{it}” is open in another tab, which alone may change it. Close it there and try again."
            ),
            Kind::Wiped => format!(
                "The stored logs of “{it}” are gone: the browser or somebody cleared this site's data. \
                 Open the workspace again to start with an empty one."
            ),
            Kind::Aborted => format!(
                "The browser refused to store the last step in “{it}”. \
                 The workspace starts again from what is stored."
            ),
            Kind::Unreadable => {
                format!(
                    "The stored logs of “{it}” could not be read. Reload the page to try again."
                )
            }
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence())?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.detail)
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Told {
    fn from(error: StoreError) -> Self {
        let (code, sentence) = (error.kind.code(), error.sentence());
        Self {
            code,
            workspace: error.workspace,
            detail: error.detail,
            sentence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_known_by_name_or_by_safaris_message() {
        let kind = |name, message| Kind::of_exception(name, message, Kind::Aborted);
        assert_eq!(
            kind("InvalidStateError", "The database connection is closing."),
            Kind::Lost
        );
        let safari = "Connection to Indexed Database server lost. Refresh the page to try again";
        assert_eq!(kind("UnknownError", safari), Kind::Lost);
        assert_eq!(kind("UnknownError", "Internal error."), Kind::Aborted);
        assert_eq!(kind("QuotaExceededError", ""), Kind::Quota);
    }

    #[test]
    fn an_error_tells_the_page_its_code_its_parameters_and_a_sentence() {
        let workspace = "sandbox".to_string();
        let error = StoreError {
            kind: Kind::Quota,
            workspace,
            detail: "full".to_string(),
        };
        let json = serde_json::to_value(&error).expect("plain data");
        assert_eq!(json["code"], "quota");
        assert_eq!(json["workspace"], "sandbox");
        assert!(
            json["sentence"]
                .as_str()
                .is_some_and(|s| s.contains("sandbox"))
        );
    }
}
