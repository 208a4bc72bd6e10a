//! OffsetFetch (key 9, versions 1–10): how far groups have read.
//!
//! What is not committed, of a group or partition that may not even exist, has offset −1. A null list of
//! topics means all (v2); v8 asks for several groups, v10 names topics by id. `RequireStable` (v7) has no
//! effect as long as there are no transactions. Offsets of a topic's earlier life are not shown by id.
//!
//! Left out: member epochs of KIP-848, which classic groups ignore.

use crate::broker::{Broker, Cx, Handled};
use alloc::vec::Vec;
use group::{Commit, Group};
use ids::{ErrorCode, PartitionIndex, Uuid};
use sorted::SortedSet;
use wire::Str;
use wire::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &OffsetFetchRequest,
) -> Handled {
    let mut response = OffsetFetchResponse::default();
    if cx.caller.version >= 8 {
        // A group that is named twice is answered once: it may have offsets of every partition.
        let mut seen: SortedSet<&Str> = SortedSet::new();
        let groups = request.groups.iter();
        for asked in groups.filter(|asked| seen.insert(&asked.group_id)) {
            let answer = fetch(broker, cx, asked);
            response.groups.push(answer);
        }
        return cx.reply(&response);
    }
    let answer = fetch(broker, cx, &single(request));
    if cx.caller.version >= 2 {
        response.error_code = answer.error_code;
    }
    response.topics = answer.topics.into_iter().map(older).collect();
    cx.reply(&response)
}

/// A request of before v8 in the shape of a later one.
fn single(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topic = |topic: &OffsetFetchRequestTopic| OffsetFetchRequestTopics {
        name: topic.name.clone(),
        partition_indexes: topic.partition_indexes.clone(),
        ..OffsetFetchRequestTopics::default()
    };
    let topics = request.topics.as_ref();
    OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    }
}

fn older(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..OffsetFetchResponsePartition::default()
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..OffsetFetchResponseTopic::default()
    }
}

fn fetch(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    asked: &OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let version = cx.caller.version;
    let mut answer = OffsetFetchResponseGroup {
        group_id: asked.group_id.clone(),
        ..OffsetFetchResponseGroup::default()
    };
    if let Err(code) = broker.coordinate(cx.now, &asked.group_id, cx.out) {
        answer.error_code = code.0;
        // v1 has no other place for the error.
        if version < 2 {
            let topics = asked.topics.iter().flatten();
            answer.topics = topics.map(|topic| refused(topic, code)).collect();
        }
        return answer;
    }
    let group = broker.coordinator.group(&asked.group_id);
    answer.topics = match &asked.topics {
        Some(topics) => topics
            .iter()
            .map(|topic| fetch_topic(broker, version, group, topic))
            .collect(),
        None => group.map_or_else(Vec::new, |group| fetch_all(broker, version, group)),
    };
    answer
}

fn fetch_topic(
    broker: &Broker,
    version: i16,
    group: Option<&Group>,
    topic: &OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    let name = if version >= 10 {
        match broker.image.topic_by_id(topic.topic_id) {
            Some(found) => Str::from(&*found.name),
            None => return refused(topic, ErrorCode::UNKNOWN_TOPIC_ID),
        }
    } else {
        topic.name.clone()
    };
    let partition = |index: &i32| {
        let commit = group.and_then(|group| group.offsets.fetch(&name, PartitionIndex(*index)));
        let commit = commit.filter(|commit| is_same_topic(commit, topic.topic_id));
        row(*index, commit)
    };
    OffsetFetchResponseTopics {
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..named(topic)
    }
}

/// Whether a commit is about the topic of this id, as far as both are known.
fn is_same_topic(commit: &Commit, id: Uuid) -> bool {
    id == Uuid::ZERO || commit.topic_id == Uuid::ZERO || commit.topic_id == id
}

fn fetch_all(broker: &Broker, version: i16, group: &Group) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (name, partition, commit) in group.offsets.iter() {
        let known = topics.last().is_some_and(|last| *last.name == **name);
        if !known {
            topics.push(OffsetFetchResponseTopics {
                name: Str::from(&**name),
                ..OffsetFetchResponseTopics::default()
            });
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(row(partition.0, Some(commit)));
        }
    }
    if version >= 10 {
        // A topic that is gone has no id to be named by.
        topics.retain_mut(|topic| match broker.image.topic(&topic.name) {
            Some(found) => {
                topic.topic_id = found.id;
                topic.name = Str::EMPTY;
                true
            }
            None => false,
        });
    }
    topics
}

fn named(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        ..OffsetFetchResponseTopics::default()
    }
}

fn refused(topic: &OffsetFetchRequestTopics, code: ErrorCode) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| OffsetFetchResponsePartitions {
        error_code: code.0,
        ..row(*index, None)
    };
    OffsetFetchResponseTopics {
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..named(topic)
    }
}

fn row(index: i32, commit: Option<&Commit>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: commit.map_or(-1, |commit| commit.offset.0),
        committed_leader_epoch: commit.map_or(-1, |commit| commit.leader_epoch.0),
        metadata: Some(commit.map_or(Str::EMPTY, |commit| Str::from(&*commit.metadata))),
        ..OffsetFetchResponsePartitions::default()
    }
}
