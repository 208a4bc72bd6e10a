//! Which APIs there are, in which versions.

use crate::generated::apis::FLEXIBLE_FROM;

pub use crate::generated::apis::APIS;

/// One API as the broker listener of Kafka 4.3.1 advertises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// The API's key.
    pub key: i16,
    /// The API's name as in the schema, without `Request`.
    pub name: &'static str,
    /// Lowest version advertised. `Produce` 0 to 2 are advertised but refused: librdkafka wants to see
    /// them (KIP-896).
    pub min: i16,
    /// Highest version advertised.
    pub max: i16,
    /// Lowest version with compact lengths and tagged fields (KIP-482); `i16::MAX` if none has.
    pub flexible_from: i16,
}

/// The row of an API, if it is advertised.
#[must_use]
pub fn api(key: i16) -> Option<&'static Api> {
    let at = APIS.binary_search_by_key(&key, |api| api.key).ok()?;
    APIS.get(at)
}

/// Lowest version of a request with compact lengths and tagged fields, of any API there is a schema for;
/// `i16::MAX` if none has.
#[must_use]
pub fn flexible_from(key: i16) -> Option<i16> {
    let at = FLEXIBLE_FROM.binary_search_by_key(&key, |row| row.0).ok()?;
    FLEXIBLE_FROM.get(at).map(|row| row.1)
}
