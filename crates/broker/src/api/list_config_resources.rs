//! ListConfigResources (key 74, versions 0–1): names of what can have configs (KIP-1142).
//!
//! v0 is the older ListClientMetricsResources and answers those. v1 without types means all of them.
//!
//! Groups and client metrics are listed once they have configs.

use crate::broker::{Broker, Cx, Handled};
use alloc::format;
use alloc::vec::Vec;
use ids::ErrorCode;
use metadata::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use wire::Str;
use wire::list_config_resources_request::ListConfigResourcesRequest;
use wire::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};

const ALL: &[i8] = &[TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(crate) fn handle(
    broker: &Broker,
    cx: &Cx<'_>,
    request: &ListConfigResourcesRequest,
) -> Handled {
    let asked: &[i8] = match request.resource_types.as_slice() {
        _ if cx.caller.version == 0 => &[CLIENT_METRICS],
        [] => ALL,
        types => types,
    };
    if asked.iter().any(|kind| !ALL.contains(kind)) {
        return cx.reply(&ListConfigResourcesResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION.0,
            ..ListConfigResourcesResponse::default()
        });
    }
    let row = |kind: i8, name: Str| ConfigResource {
        resource_name: name,
        resource_type: kind,
        ..ConfigResource::default()
    };
    let mut found: Vec<ConfigResource> = Vec::new();
    for kind in ALL.iter().copied().filter(|kind| asked.contains(kind)) {
        match kind {
            TOPIC => {
                let topics = broker.image.topics();
                found.extend(topics.map(|topic| row(kind, Str::from(&*topic.name))));
            }
            BROKER | BROKER_LOGGER => {
                let brokers = broker.image.brokers().keys();
                found.extend(brokers.map(|id| row(kind, Str::from(format!("{id}")))));
            }
            _ => {
                let names = broker.image.configured(kind);
                found.extend(names.map(|name| row(kind, Str::from(&**name))));
            }
        }
    }
    cx.reply(&ListConfigResourcesResponse {
        config_resources: found,
        ..ListConfigResourcesResponse::default()
    })
}
