//! DescribeCluster (key 60, versions 0–2): the cluster's id and its brokers (KIP-700); from v2 fenced ones
//! as well if asked for.
//!
//! Left out: asking a controller (v1, `endpoint_type` 2): a broker answers 114 to that, as in Kafka.

use super::metadata::{CLUSTER_OPERATIONS, NOT_ASKED, shown_controller};
use crate::broker::{Broker, Cx, Handled};
use ids::ErrorCode;
use wire::Str;
use wire::describe_cluster_request::DescribeClusterRequest;
use wire::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

/// `endpoint_type` of brokers.
const BROKERS: i8 = 1;
/// `endpoint_type` of controllers.
const CONTROLLERS: i8 = 2;

pub(crate) fn handle(broker: &Broker, cx: &Cx<'_>, request: &DescribeClusterRequest) -> Handled {
    let refused = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some(ErrorCode::MISMATCHED_ENDPOINT_TYPE),
        _ => Some(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
    };
    if let Some(code) = refused {
        return cx.reply(&DescribeClusterResponse {
            error_code: code.0,
            ..DescribeClusterResponse::default()
        });
    }
    let entries = broker.image.brokers().iter();
    let shown = entries.filter(|(_, entry)| !entry.fenced || request.include_fenced_brokers);
    let brokers = shown.map(|(id, entry)| DescribeClusterBroker {
        broker_id: id.0,
        host: Str::from(&*entry.host),
        port: i32::from(entry.port),
        rack: entry.rack.as_deref().map(Str::from),
        is_fenced: entry.fenced,
        ..DescribeClusterBroker::default()
    });
    cx.reply(&DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: Str::from(&*broker.config.cluster_id),
        controller_id: shown_controller(broker),
        brokers: brokers.collect(),
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..DescribeClusterResponse::default()
    })
}
