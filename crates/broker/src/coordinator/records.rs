//! Records of `__consumer_offsets`, in Kafka's schemas: a version of two bytes, then the fields.
//!
//! The key's version is the kind of the record: 0 and 1 an offset, 2 a classic group. Groups of other
//! kinds are left where they are.

use alloc::sync::Arc;
use bytes::Bytes;
use group::{Commit, GroupState, MemberState, OffsetChange};
use ids::{Generation, LeaderEpoch, Offset, PartitionIndex, Time};
use wire::group_metadata_key::GroupMetadataKey;
use wire::group_metadata_value::{GroupMetadataValue, MemberMetadata};
use wire::offset_commit_key::OffsetCommitKey;
use wire::offset_commit_value::OffsetCommitValue;
use wire::{Malformed, Message, Reader, Str, Writer};

/// Kinds of keys.
const OFFSET_KINDS: core::ops::RangeInclusive<i16> = 0..=1;
const OFFSET_KIND: i16 = 1;
const GROUP_KIND: i16 = 2;
/// What Kafka 4.3 writes: offsets with a topic id, groups with instance ids.
const OFFSET_VERSION: i16 = 4;
const GROUP_VERSION: i16 = 3;
/// The only version that holds the time at which an offset expires.
const EXPIRING_OFFSET_VERSION: i16 = 1;

/// A record to be written; without a value it is a tombstone.
#[derive(Clone, Debug)]
pub(crate) struct GroupRecord {
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Replayed {
    Offset {
        group: Arc<str>,
        change: OffsetChange,
    },
    Group {
        id: Arc<str>,
        state: Option<GroupState>,
    },
    /// Something this coordinator does not keep.
    Other,
}

/// A change of an offset.
pub(crate) fn offset(group: &str, change: &OffsetChange) -> GroupRecord {
    let key = OffsetCommitKey {
        group: Str::from(group),
        topic: Str::from(&*change.topic),
        partition: change.partition.0,
    };
    let value = change.commit.as_ref().map(|commit| {
        let version = match commit.expires_at {
            Some(_) => EXPIRING_OFFSET_VERSION,
            None => OFFSET_VERSION,
        };
        let value = OffsetCommitValue {
            offset: commit.offset.0,
            leader_epoch: commit.leader_epoch.0,
            metadata: Str::from(&*commit.metadata),
            commit_timestamp: commit.committed_at.millis(),
            expire_timestamp: commit.expires_at.map_or(-1, Time::millis),
            topic_id: commit.topic_id,
            ..OffsetCommitValue::default()
        };
        versioned(version, version, &value)
    });
    GroupRecord {
        key: versioned(OFFSET_KIND, 0, &key),
        value,
    }
}

/// A group's state.
pub(crate) fn group(id: &str, state: &GroupState) -> GroupRecord {
    let value = GroupMetadataValue {
        protocol_type: state.protocol_type.as_deref().map_or(Str::EMPTY, Str::from),
        generation: state.generation.0,
        protocol: state.protocol.as_deref().map(Str::from),
        leader: state.leader.as_deref().map(Str::from),
        current_state_timestamp: state.state_since.map_or(-1, Time::millis),
        members: state.members.iter().map(member).collect(),
        ..GroupMetadataValue::default()
    };
    GroupRecord {
        key: group_key(id),
        value: Some(versioned(GROUP_VERSION, GROUP_VERSION, &value)),
    }
}

/// The end of a group.
pub(crate) fn group_tombstone(id: &str) -> GroupRecord {
    GroupRecord {
        key: group_key(id),
        value: None,
    }
}

/// Reads a record back.
///
/// # Errors
/// When key or value do not fit their schema.
pub(crate) fn replay(key: &[u8], value: Option<&[u8]>) -> Result<Replayed, Malformed> {
    let mut key = Reader::new(Bytes::copy_from_slice(key));
    let kind = key.i16()?;
    let mut value = value.map(|value| Reader::new(Bytes::copy_from_slice(value)));
    if OFFSET_KINDS.contains(&kind) {
        let key = OffsetCommitKey::decode(&mut key, 0)?;
        let commit = value.as_mut().map(read_commit).transpose()?;
        return Ok(Replayed::Offset {
            group: Arc::from(&*key.group),
            change: OffsetChange {
                topic: Arc::from(&*key.topic),
                partition: PartitionIndex(key.partition),
                commit,
            },
        });
    }
    if kind == GROUP_KIND {
        let key = GroupMetadataKey::decode(&mut key, 0)?;
        return Ok(Replayed::Group {
            id: Arc::from(&*key.group),
            state: value.as_mut().map(read_state).transpose()?,
        });
    }
    Ok(Replayed::Other)
}

fn group_key(id: &str) -> Bytes {
    let group = Str::from(id);
    versioned(GROUP_KIND, 0, &GroupMetadataKey { group })
}

fn versioned<M: Message>(prefix: i16, version: i16, message: &M) -> Bytes {
    let mut out = Writer::new();
    out.i16(prefix);
    let encoded = message.encode(&mut out, version);
    // Names came in requests, whose strings are as short as those of records.
    debug_assert!(encoded.is_ok(), "a record does not fit its version");
    out.into_bytes().unwrap_or_default()
}

fn member(state: &MemberState) -> MemberMetadata {
    MemberMetadata {
        member_id: Str::from(&*state.member_id),
        group_instance_id: state.instance_id.as_deref().map(Str::from),
        client_id: Str::from(&*state.client_id),
        client_host: Str::from(&*state.client_host),
        rebalance_timeout: state.rebalance_timeout_ms,
        session_timeout: state.session_timeout_ms,
        subscription: state.subscription.clone(),
        assignment: state.assignment.clone(),
        ..MemberMetadata::default()
    }
}

fn read_commit(value: &mut Reader) -> Result<Commit, Malformed> {
    let version = value.i16()?;
    let value = OffsetCommitValue::decode(value, version)?;
    let expires = value.expire_timestamp;
    Ok(Commit {
        offset: Offset(value.offset),
        leader_epoch: LeaderEpoch(value.leader_epoch),
        metadata: Arc::from(&*value.metadata),
        committed_at: Time::from_millis(value.commit_timestamp),
        expires_at: (expires >= 0).then(|| Time::from_millis(expires)),
        topic_id: value.topic_id,
    })
}

fn read_state(value: &mut Reader) -> Result<GroupState, Malformed> {
    let version = value.i16()?;
    let value = GroupMetadataValue::decode(value, version)?;
    let text = |text: &Option<Str>| text.as_deref().map(Arc::from);
    let since = value.current_state_timestamp;
    let member = |member: &MemberMetadata| MemberState {
        member_id: Arc::from(&*member.member_id),
        instance_id: text(&member.group_instance_id),
        client_id: Arc::from(&*member.client_id),
        client_host: Arc::from(&*member.client_host),
        // Records of version 0 know one timeout only.
        rebalance_timeout_ms: if member.rebalance_timeout < 0 {
            member.session_timeout
        } else {
            member.rebalance_timeout
        },
        session_timeout_ms: member.session_timeout,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    };
    Ok(GroupState {
        protocol_type: Some(Arc::from(&*value.protocol_type)),
        generation: Generation(value.generation),
        protocol: text(&value.protocol),
        leader: text(&value.leader),
        state_since: (since >= 0).then(|| Time::from_millis(since)),
        members: value.members.iter().map(member).collect(),
    })
}
