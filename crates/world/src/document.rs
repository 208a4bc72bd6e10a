//! JSON objects whose fields depend on one of them.
//!
//! A derived reader of such an object is compiled a second time, for values it has set aside until it
//! knows the kind; for the commands that was a good part of what the browser loads. Here the fields are
//! taken one by one, after the kind.

use alloc::format;
use alloc::string::String;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of an object that nobody has taken yet.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Document(Map<String, Value>);

impl Document {
    /// Takes a field; one that is missing counts as null.
    ///
    /// # Errors
    /// If it is not what a `T` is read from.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        let value = self.0.remove(name).unwrap_or(Value::Null);
        let missing = value.is_null();
        serde_json::from_value(value).map_err(|why| match missing {
            true => format!("missing field `{name}`"),
            false => format!("`{name}`: {why}"),
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// If there is a field left that nobody knows.
    pub(crate) fn end(self) -> Result<(), String> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(format!("unknown field `{name}`")),
            None => Ok(()),
        }
    }
}
