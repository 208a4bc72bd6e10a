//! Metadata (key 3, versions 0–13): brokers, topics, partitions and who leads them.
//!
//! A topic that does not exist is created if the client and the broker allow it; this answer still says
//! 3, the next one knows it. Topics by id from v12.
//!
//! Left out: authorization; every operation is allowed.

use super::partition_row::PartitionRow;
use crate::auto_create::CREATED_MAX;
use crate::broker::{Broker, Cx, Handled};
use crate::event::{Effect, Note};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId, Uuid, check_topic_name};
use metadata::{Topic, is_internal};
use sorted::SortedSet;
use wire::Str;
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

/// Bits of the operations allowed on a topic: read, write, create, delete, alter, describe, and both configs.
pub(crate) const TOPIC_OPERATIONS: i32 = 3576;
/// Bits of the operations allowed on the cluster.
pub(crate) const CLUSTER_OPERATIONS: i32 = 8096;
/// "Not asked for", as the protocol writes it.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

/// Says whose question makes which topics.
fn note_made(cx: &mut Cx<'_>, names: &[Str]) {
    let client_id: Arc<str> = Arc::from(cx.client_id.as_deref().unwrap_or_default());
    let names = names.iter().take(CREATED_MAX);
    for name in names.filter(|name| !is_internal(name)) {
        cx.out.push(Effect::Note(Note::TopicMade {
            topic: Arc::from(&**name),
            client_id: client_id.clone(),
        }));
    }
}

pub(crate) fn handle(broker: &mut Broker, cx: &mut Cx<'_>, request: &MetadataRequest) -> Handled {
    let version = cx.caller.version;
    if let Some(refused) = refuse_ids(request, version) {
        return cx.reply(&refused);
    }
    let mut topics = Vec::new();
    let mut missing: Vec<Str> = Vec::new();
    match &request.topics {
        // An empty list means all topics in version 0, none later.
        Some(asked) if !(asked.is_empty() && version == 0) => {
            let mut seen: SortedSet<(Option<&str>, Uuid)> = SortedSet::new();
            let mut described: SortedSet<Uuid> = SortedSet::new();
            for ask in asked {
                // What is named twice, in one way or in several, is told once.
                if !seen.insert((ask.name.as_deref(), ask.topic_id)) {
                    continue;
                }
                match find(broker, ask) {
                    Some(topic) if described.insert(topic.id) => {
                        topics.push(row(broker, topic, request));
                    }
                    Some(_) => {}
                    None => topics.push(unknown(ask, &mut missing)),
                }
            }
        }
        _ => topics.extend(
            broker
                .image
                .topics()
                .map(|topic| row(broker, topic, request)),
        ),
    }
    let may_create = (version < 4 || request.allow_auto_topic_creation) && broker.may_auto_create();
    if may_create && !missing.is_empty() {
        broker.auto_create(&missing, cx.out);
        note_made(cx, &missing);
    }
    let brokers = broker
        .image
        .live_brokers()
        .map(|(id, entry)| MetadataResponseBroker {
            node_id: id.0,
            host: Str::from(&*entry.host),
            port: i32::from(entry.port),
            rack: entry.rack.as_deref().map(Str::from),
            ..MetadataResponseBroker::default()
        });
    let asked_cluster =
        request.include_cluster_authorized_operations && (8..=10).contains(&version);
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(Str::from(&*broker.config.cluster_id)),
        controller_id: shown_controller(broker),
        topics,
        cluster_authorized_operations: if asked_cluster {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..MetadataResponse::default()
    };
    cx.reply(&response)
}

/// A broker cannot reach clients' eyes as a controller, so Kafka names any live broker (KIP-590):
/// whoever is asked passes the request on.
pub(crate) fn shown_controller(broker: &Broker) -> i32 {
    let own = broker.config.node;
    let mut live = broker.image.live_brokers().map(|(id, _)| id);
    let any: Option<NodeId> = live
        .find(|id| *id == own)
        .or_else(|| broker.image.live_brokers().map(|(id, _)| id).next());
    any.map_or(-1, |id| id.0)
}

/// Versions 10 and 11 have topic ids in the request, but a broker does not look them up.
fn refuse_ids(request: &MetadataRequest, version: i16) -> Option<MetadataResponse> {
    let asked = request.topics.as_deref().unwrap_or_default();
    let code = if version < 12
        && asked
            .iter()
            .any(|ask| ask.name.is_none() || ask.topic_id != Uuid::ZERO)
    {
        ErrorCode::INVALID_REQUEST
    } else if asked
        .iter()
        .any(|ask| ask.name.is_none() && ask.topic_id == Uuid::ZERO)
    {
        ErrorCode::UNKNOWN_SERVER_ERROR
    } else {
        return None;
    };
    let topic = |ask: &MetadataRequestTopic| MetadataResponseTopic {
        error_code: code.0,
        name: Some(ask.name.clone().unwrap_or_default()),
        topic_id: ask.topic_id,
        topic_authorized_operations: NOT_ASKED,
        ..MetadataResponseTopic::default()
    };
    Some(MetadataResponse {
        topics: asked.iter().map(topic).collect(),
        controller_id: -1,
        cluster_authorized_operations: NOT_ASKED,
        ..MetadataResponse::default()
    })
}

fn find<'a>(broker: &'a Broker, ask: &MetadataRequestTopic) -> Option<&'a Arc<Topic>> {
    if ask.topic_id == Uuid::ZERO {
        ask.name.as_ref().and_then(|name| broker.image.topic(name))
    } else {
        broker.image.topic_by_id(ask.topic_id)
    }
}

/// The row of a topic that there is not.
fn unknown(ask: &MetadataRequestTopic, missing: &mut Vec<Str>) -> MetadataResponseTopic {
    let mut answer = MetadataResponseTopic {
        name: ask.name.clone(),
        topic_id: ask.topic_id,
        topic_authorized_operations: NOT_ASKED,
        ..MetadataResponseTopic::default()
    };
    answer.error_code = match &ask.name {
        _ if ask.topic_id != Uuid::ZERO => {
            answer.name = None;
            ErrorCode::UNKNOWN_TOPIC_ID.0
        }
        Some(name) if check_topic_name(name).is_err() => ErrorCode::INVALID_TOPIC_EXCEPTION.0,
        Some(name) => {
            answer.is_internal = is_internal(name);
            missing.push(name.clone());
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0
        }
        None => ErrorCode::UNKNOWN_TOPIC_ID.0,
    };
    answer
}

fn row(broker: &Broker, topic: &Topic, request: &MetadataRequest) -> MetadataResponseTopic {
    let partition = |(index, partition): (&ids::PartitionIndex, &metadata::Partition)| {
        let row = PartitionRow::of(broker, partition);
        MetadataResponsePartition {
            error_code: row.error_code,
            partition_index: index.0,
            leader_id: row.leader_id,
            leader_epoch: row.leader_epoch,
            replica_nodes: row.replica_nodes,
            isr_nodes: row.isr_nodes,
            offline_replicas: row.offline_replicas,
            ..MetadataResponsePartition::default()
        }
    };
    MetadataResponseTopic {
        name: Some(Str::from(&*topic.name)),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: topic.partitions.iter().map(partition).collect(),
        topic_authorized_operations: if request.include_topic_authorized_operations {
            TOPIC_OPERATIONS
        } else {
            NOT_ASKED
        },
        ..MetadataResponseTopic::default()
    }
}
