//! Where to read from: committed offsets, resets; and storing how far one has come.

use super::{Call, Consumer, Event, Isolation, Key, Place, Reset};
use crate::io::Output;
use crate::net::Node;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, NodeId, Offset, PartitionIndex, Time, TopicPartition};
use sorted::SortedMap;
use wire::Str;
use wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::list_offsets_response::ListOffsetsResponse;
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_commit_response::OffsetCommitResponse;
use wire::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::offset_fetch_response::OffsetFetchResponse;

/// Versions above name topics by id only, which a consumer need not know yet.
const OFFSETS_BY_NAME: i16 = 9;
/// Special timestamps of ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

impl Consumer {
    /// Looks up positions and stores offsets, as far as needed and possible now.
    pub(super) fn pump_offsets(&mut self, now: Time, out: &mut Vec<Output>) {
        self.pump_commit(now, out);
        if self.closing || self.failures > 0 && self.not_before > now {
            return;
        }
        self.ask_committed(now, out);
        self.ask_offsets(now, out);
    }

    fn pump_commit(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.config.group.is_none() {
            self.commit_wanted = false;
            return;
        }
        let may_commit = !self.is_member() || self.group.generation >= 0;
        if self.config.auto_commit && self.next_commit.is_some_and(|at| at <= now) {
            self.commit_wanted = true;
            let interval = u64::from(self.config.auto_commit_interval_ms);
            self.next_commit = Some(now.plus_millis(interval));
        }
        let busy = self
            .calls
            .values()
            .any(|call| matches!(call, Call::Commit(_)));
        if !self.commit_wanted || busy || !may_commit {
            return;
        }
        let due = self.uncommitted();
        if due.is_empty() {
            self.commit_wanted = false;
            return;
        }
        self.send_commit(now, due, out);
    }

    /// Offsets of what has been processed since the last commit.
    fn uncommitted(&self) -> Vec<(Key, Offset)> {
        let positions = self.positions.iter();
        let due = positions.filter_map(|(key, position)| {
            let at = position.processed?;
            (position.committed != Some(at)).then(|| (key.clone(), at))
        });
        due.collect()
    }

    fn send_commit(&mut self, now: Time, due: Vec<(Key, Offset)>, out: &mut Vec<Output>) {
        let found = self.coordinator::<OffsetCommitRequest>(now, OFFSETS_BY_NAME, out);
        let Some((node, version)) = found else {
            return;
        };
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for ((topic, partition), offset) in &due {
            if topics.last().is_none_or(|last| last.name != **topic) {
                topics.push(OffsetCommitRequestTopic {
                    name: Str::from(topic.as_ref()),
                    ..Default::default()
                });
            }
            let position = self.positions.get(&(topic.clone(), *partition));
            if let Some(last) = topics.last_mut() {
                last.partitions.push(OffsetCommitRequestPartition {
                    partition_index: *partition,
                    committed_offset: offset.0,
                    committed_leader_epoch: position.map_or(-1, |p| p.processed_epoch),
                    committed_metadata: Some(Str::EMPTY),
                    ..Default::default()
                });
            }
        }
        let request = OffsetCommitRequest {
            group_id: self.group_id(),
            generation_id_or_member_epoch: self.group.generation,
            member_id: Str::from(self.group.member_id.as_str()),
            group_instance_id: self.instance().filter(|_| version >= 7),
            topics,
            ..Default::default()
        };
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.calls.insert(correlation, Call::Commit(due));
            self.commit_wanted = false;
        }
    }

    pub(super) fn on_commit(
        &mut self,
        now: Time,
        sent: &[(Key, Offset)],
        version: i16,
        frame: Bytes,
        _: &mut Vec<Output>,
    ) {
        let Ok((_, response)) = wire::decode_response::<OffsetCommitResponse>(frame, version)
        else {
            self.lose_coordinator(now);
            return;
        };
        let partitions = response.topics.iter().flat_map(|topic| {
            let codes = topic.partitions.iter();
            codes.map(move |p| {
                (
                    topic.name.as_str(),
                    p.partition_index,
                    ErrorCode(p.error_code),
                )
            })
        });
        let answers: SortedMap<(&str, i32), ErrorCode> = partitions
            .map(|(topic, partition, code)| ((topic, partition), code))
            .collect();
        let mut stored = Vec::new();
        let mut failure = None;
        for (key, offset) in sent {
            match answers.get(&(key.0.as_ref(), key.1)) {
                Some(code) if code.is_ok() => {
                    if let Some(position) = self.positions.get_mut(key) {
                        position.committed = Some(*offset);
                    }
                    let (topic, partition) = (key.0.clone(), PartitionIndex(key.1));
                    stored.push((TopicPartition { topic, partition }, *offset));
                }
                Some(code) => failure = Some(*code),
                None => failure = Some(ErrorCode::UNKNOWN_SERVER_ERROR),
            }
        }
        if !stored.is_empty() {
            self.events.push_back(Event::Committed(stored));
        }
        if let Some(code) = failure {
            self.on_commit_error(now, code);
        }
    }

    fn on_commit_error(&mut self, now: Time, code: ErrorCode) {
        self.events.push_back(Event::CommitFailed(code));
        match code {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                self.commit_wanted = true;
                self.back_off(now);
            }
            ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::REQUEST_TIMED_OUT => {
                self.commit_wanted = true;
                self.lose_coordinator(now);
            }
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::FENCED_INSTANCE_ID
                if self.is_member() =>
            {
                self.on_group_error(now, code);
            }
            _ => {}
        }
    }

    /// Asks the group for the offsets of partitions that begin there.
    fn ask_committed(&mut self, now: Time, out: &mut Vec<Output>) {
        let needy = |place: Place| place == Place::NeedsCommitted;
        let keys = self.keys_at(needy);
        if keys.is_empty() {
            return;
        }
        if self.config.group.is_none() {
            let reset = self.config.reset;
            self.move_to(&keys, Place::NeedsReset(reset));
            return;
        }
        let found = self.coordinator::<OffsetFetchRequest>(now, OFFSETS_BY_NAME, out);
        let Some((node, version)) = found else {
            return;
        };
        let request = self.offset_fetch(&keys, version);
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            self.move_to(&keys, Place::AskingCommitted);
            self.calls.insert(correlation, Call::Committed(keys));
        }
    }

    fn offset_fetch(&self, keys: &[Key], version: i16) -> OffsetFetchRequest {
        let mut by_topic: SortedMap<&str, Vec<i32>> = SortedMap::new();
        for (topic, partition) in keys {
            by_topic.entry(topic.as_ref()).or_default().push(*partition);
        }
        let mut request = OffsetFetchRequest {
            require_stable: self.config.isolation == Isolation::ReadCommitted && version >= 7,
            ..Default::default()
        };
        if version >= 8 {
            let topic = |(name, partitions): (&str, Vec<i32>)| OffsetFetchRequestTopics {
                name: Str::from(name),
                partition_indexes: partitions,
                ..Default::default()
            };
            request.groups.push(OffsetFetchRequestGroup {
                group_id: self.group_id(),
                topics: Some(by_topic.into_iter().map(topic).collect()),
                ..Default::default()
            });
        } else {
            let topic = |(name, partitions): (&str, Vec<i32>)| OffsetFetchRequestTopic {
                name: Str::from(name),
                partition_indexes: partitions,
                ..Default::default()
            };
            request.group_id = self.group_id();
            request.topics = Some(by_topic.into_iter().map(topic).collect());
        }
        request
    }

    pub(super) fn on_committed_offsets(
        &mut self,
        now: Time,
        keys: Vec<Key>,
        version: i16,
        frame: Bytes,
        _: &mut Vec<Output>,
    ) {
        let Ok((_, response)) = wire::decode_response::<OffsetFetchResponse>(frame, version) else {
            self.ask_again(&keys);
            self.lose_coordinator(now);
            return;
        };
        let (code, offsets) = committed(&response);
        if !code.is_ok() {
            self.ask_again(&keys);
            if self.is_member() {
                self.on_group_error(now, code);
            } else {
                self.lose_coordinator(now);
            }
            return;
        }
        let reset = self.config.reset;
        for key in keys {
            let Some(position) = self.positions.get_mut(&key) else {
                continue;
            };
            if position.place != Place::AskingCommitted {
                continue;
            }
            match offsets.get(&(key.0.as_ref(), key.1)) {
                Some((code, _)) if !code.is_ok() => position.place = Place::NeedsCommitted,
                Some(&(_, offset)) if offset >= 0 => {
                    position.committed = Some(Offset(offset));
                    position.found(Offset(offset));
                }
                _ => position.place = Place::NeedsReset(reset),
            }
        }
    }

    /// Asks leaders for the first or last offsets of partitions that begin there.
    fn ask_offsets(&mut self, now: Time, out: &mut Vec<Output>) {
        let needy = |place: Place| matches!(place, Place::NeedsReset(_));
        let keys = self.keys_at(needy);
        let mut by_leader: SortedMap<NodeId, Vec<(Key, Reset)>> = SortedMap::new();
        let mut leaderless = Vec::new();
        for key in keys {
            let Some(Place::NeedsReset(reset)) = self.positions.get(&key).map(|p| p.place) else {
                continue;
            };
            if reset == Reset::None {
                self.refuse_reset(&key);
                continue;
            }
            match self
                .net
                .metadata()
                .partition(&key.0, key.1)
                .and_then(|known| known.leader)
            {
                Some(leader) => by_leader.entry(leader).or_default().push((key, reset)),
                None => leaderless.push(key),
            }
        }
        if !leaderless.is_empty() {
            self.look_for_leaders(now, &leaderless);
        }
        for (leader, asked) in by_leader {
            self.send_list_offsets(now, leader, asked, out);
        }
    }

    /// Asks for metadata again because of partitions that nobody leads, in a topic that is known perhaps for ever:
    /// one that has no such partition. Then that is not asked at once once more.
    pub(super) fn look_for_leaders(&mut self, now: Time, leaderless: &[Key]) {
        self.net.refresh_metadata();
        let metadata = self.net.metadata();
        let known = leaderless
            .iter()
            .any(|key| metadata.topic(&key.0).is_some());
        if known {
            self.back_off(now);
        }
    }

    fn refuse_reset(&mut self, key: &Key) {
        let (topic, partition) = key;
        let message =
            format!("Undefined offset with no reset policy for partitions: [{topic}-{partition}]");
        if let Some(position) = self.positions.get_mut(key) {
            position.place = Place::Nowhere;
        }
        self.error(ErrorCode::OFFSET_OUT_OF_RANGE, message);
    }

    fn send_list_offsets(
        &mut self,
        now: Time,
        leader: NodeId,
        asked: Vec<(Key, Reset)>,
        out: &mut Vec<Output>,
    ) {
        let node = Node::Broker(leader);
        if !self.net.ready(now, node, out) {
            return;
        }
        let Some(version) = self.net.version::<ListOffsetsRequest>(node, i16::MAX) else {
            return;
        };
        let mut topics: Vec<ListOffsetsTopic> = Vec::new();
        for ((topic, partition), reset) in &asked {
            if topics.last().is_none_or(|last| last.name != **topic) {
                topics.push(ListOffsetsTopic {
                    name: Str::from(topic.as_ref()),
                    ..Default::default()
                });
            }
            if let Some(last) = topics.last_mut() {
                last.partitions.push(ListOffsetsPartition {
                    partition_index: *partition,
                    timestamp: match *reset {
                        Reset::Earliest => EARLIEST,
                        Reset::Since(millis) => now.millis().saturating_sub(millis),
                        Reset::Latest | Reset::None => LATEST,
                    },
                    ..Default::default()
                });
            }
        }
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: self.isolation_level(),
            topics,
            timeout_ms: self.config.net.request_timeout_ms.cast_signed(),
            ..Default::default()
        };
        if let Some(correlation) = self.net.send(now, node, version, &request, out) {
            for (key, reset) in &asked {
                self.move_to(core::slice::from_ref(key), Place::AskingReset(*reset));
            }
            let keys: Vec<Key> = asked.into_iter().map(|(key, _)| key).collect();
            self.calls.insert(correlation, Call::ListOffsets(keys));
        }
    }

    pub(super) fn on_offsets(&mut self, now: Time, keys: Vec<Key>, version: i16, frame: Bytes) {
        let Ok((_, response)) = wire::decode_response::<ListOffsetsResponse>(frame, version) else {
            self.ask_again(&keys);
            self.back_off(now);
            return;
        };
        let mut failed = false;
        for key in keys {
            let topic = response.topics.iter().find(|topic| topic.name == *key.0);
            let answer = topic.and_then(|topic| {
                topic
                    .partitions
                    .iter()
                    .find(|answer| answer.partition_index == key.1)
            });
            let Some(position) = self.positions.get_mut(&key) else {
                continue;
            };
            let Place::AskingReset(reset) = position.place else {
                continue;
            };
            match answer {
                Some(answer) if ErrorCode(answer.error_code).is_ok() => match reset {
                    Reset::Since(_) if answer.offset < 0 => {
                        position.place = Place::NeedsReset(Reset::Latest);
                    }
                    _ => position.found(Offset(answer.offset.max(0))),
                },
                _ => {
                    position.place = Place::NeedsReset(reset);
                    failed = true;
                }
            }
        }
        if failed {
            self.net.refresh_metadata();
            self.back_off(now);
        } else {
            self.failures = 0;
        }
    }

    pub(super) fn isolation_level(&self) -> i8 {
        i8::from(self.config.isolation == Isolation::ReadCommitted)
    }

    fn keys_at(&self, wanted: impl Fn(Place) -> bool) -> Vec<Key> {
        let positions = self.positions.iter();
        positions
            .filter(|(_, p)| wanted(p.place))
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn move_to(&mut self, keys: &[Key], place: Place) {
        for key in keys {
            if let Some(position) = self.positions.get_mut(key) {
                position.place = place;
            }
        }
    }
}

type Committed<'a> = SortedMap<(&'a str, i32), (ErrorCode, i64)>;

/// The offsets in an answer of any version.
fn committed(response: &OffsetFetchResponse) -> (ErrorCode, Committed<'_>) {
    let mut offsets = SortedMap::new();
    let Some(group) = response.groups.first() else {
        for topic in &response.topics {
            for p in &topic.partitions {
                let answer = (ErrorCode(p.error_code), p.committed_offset);
                offsets.insert((topic.name.as_str(), p.partition_index), answer);
            }
        }
        return (ErrorCode(response.error_code), offsets);
    };
    for topic in &group.topics {
        for p in &topic.partitions {
            let answer = (ErrorCode(p.error_code), p.committed_offset);
            offsets.insert((topic.name.as_str(), p.partition_index), answer);
        }
    }
    (ErrorCode(group.error_code), offsets)
}
