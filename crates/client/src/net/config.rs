//! Settings of connections and metadata.

use alloc::sync::Arc;
use alloc::vec::Vec;
use wire::Str;

/// What a client is set to; defaults are Kafka's own.
#[derive(Clone, Debug)]
pub struct Config {
    /// `client.id`.
    pub client_id: Str,
    /// `bootstrap.servers`.
    pub bootstrap: Vec<(Arc<str>, u16)>,
    /// The addresses are controllers' (`bootstrap.controllers`): they, too, are all that is known of the cluster.
    pub controllers: bool,
    /// `request.timeout.ms`.
    pub request_timeout_ms: u32,
    /// `retry.backoff.ms`, doubled with every attempt.
    pub retry_backoff_ms: u32,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max_ms: u32,
    /// `reconnect.backoff.ms`, doubled with every attempt.
    pub reconnect_backoff_ms: u32,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max_ms: u32,
    /// `socket.connection.setup.timeout.ms`.
    pub connect_timeout_ms: u32,
    /// `metadata.max.age.ms`.
    pub metadata_max_age_ms: u32,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: u32,
    /// `allow.auto.create.topics`; producers always say yes.
    pub auto_create_topics: bool,
}

impl Config {
    /// Kafka's defaults for a client that calls itself `client_id`.
    #[must_use]
    pub fn new(client_id: &str, bootstrap: Vec<(Arc<str>, u16)>) -> Config {
        Config {
            client_id: Str::from(client_id),
            bootstrap,
            controllers: false,
            request_timeout_ms: 30_000,
            retry_backoff_ms: 100,
            retry_backoff_max_ms: 1000,
            reconnect_backoff_ms: 50,
            reconnect_backoff_max_ms: 1000,
            connect_timeout_ms: 10_000,
            metadata_max_age_ms: 300_000,
            max_in_flight: 5,
            auto_create_topics: true,
        }
    }
}
