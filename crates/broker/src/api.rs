//! The APIs, one file each, and the table that says which are spoken.

pub(crate) mod api_versions;
pub(crate) mod delete_records;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_topic_partitions;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod forwarded;
pub(crate) mod groups;
pub(crate) mod init_producer_id;
pub(crate) mod list_config_resources;
pub(crate) mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod partition_row;
pub(crate) mod produce;
pub(crate) mod sasl_handshake;

use crate::broker::{Broker, Cx, Handled};
use crate::event::Closing;
use wire::{Message, Reader};

/// Kafka's sentence for error 42 where it has none of its own.
pub(crate) const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by \
    the client library or the message was sent to an incompatible broker. See the broker logs for more \
    details.";

/// Decodes a body and hands it to its API; a body that is none closes the connection, as in Kafka.
fn with<M: Message>(
    cx: &mut Cx<'_>,
    mut body: Reader,
    handle: impl FnOnce(&mut Cx<'_>, M) -> Handled,
) -> Handled {
    match M::decode(&mut body, cx.caller.version) {
        Ok(message) => handle(cx, message),
        Err(_) => Handled::Close(Closing::Malformed),
    }
}

/// Hands a request to its API; the controller gets the frame as it came.
pub(crate) fn dispatch(broker: &mut Broker, cx: &mut Cx<'_>, body: Reader) -> Handled {
    let (api_key, version) = (cx.caller.api_key, cx.caller.version);
    let spoken = api_versions::spoken(api_key);
    if api_key == 18 && spoken.is_none_or(|api| !(api.min..=api.max).contains(&version)) {
        return api_versions::unsupported(cx);
    }
    if spoken.is_none_or(|api| version < api_versions::least_accepted(api) || version > api.max) {
        return Handled::Close(Closing::Unsupported { api_key, version });
    }
    match api_key {
        0 => with(cx, body, |cx, m| produce::handle(broker, cx, m)),
        1 => with(cx, body, |cx, m| fetch::handle(broker, cx, m)),
        2 => with(cx, body, |cx, m| list_offsets::handle(broker, cx, m)),
        3 => with(cx, body, |cx, m| metadata::handle(broker, cx, &m)),
        8..=9 | 11..=16 | 42 | 47 | 69 => groups::dispatch(broker, cx, body),
        10 => with(cx, body, |cx, m| find_coordinator::handle(broker, cx, &m)),
        18 => with(cx, body, |cx, m| api_versions::handle(broker, cx, &m)),
        19 | 20 | 33 | 37 | 43..=46 | 55 | 57 | 64 => forwarded::handle(broker, cx, body),
        _ => dispatch_later(broker, cx, body),
    }
}

/// The APIs that no client needs to begin; they stay by themselves, so that a page that begins need not
/// load them.
#[inline(never)]
fn dispatch_later(broker: &mut Broker, cx: &mut Cx<'_>, body: Reader) -> Handled {
    let (api_key, version) = (cx.caller.api_key, cx.caller.version);
    match api_key {
        17 => sasl_handshake::handle(cx),
        21 => with(cx, body, |cx, m| delete_records::handle(broker, cx, &m)),
        22 => with(cx, body, |cx, m| init_producer_id::handle(broker, cx, &m)),
        23 => with(cx, body, |cx, m| {
            offset_for_leader_epoch::handle(broker, cx, &m)
        }),
        32 => with(cx, body, |cx, m| describe_configs::handle(broker, cx, &m)),
        35 => with(cx, body, |cx, m| describe_log_dirs::handle(broker, cx, &m)),
        60 => with(cx, body, |cx, m| describe_cluster::handle(broker, cx, &m)),
        61 => with(cx, body, |cx, m| describe_producers::handle(broker, cx, &m)),
        74 => with(cx, body, |cx, m| {
            list_config_resources::handle(broker, cx, &m)
        }),
        75 => with(cx, body, |cx, m| {
            describe_topic_partitions::handle(broker, cx, &m)
        }),
        _ => Handled::Close(Closing::Unsupported { api_key, version }),
    }
}
