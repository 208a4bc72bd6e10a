//! Offsets that nobody needs any more: expired ones, and those of deleted topics.

use super::records::{self, GroupRecord};
use super::{Requester, Then};
use crate::broker::Broker;
use crate::event::Effect;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use group::{Group, OffsetChange};
use ids::{PartitionIndex, Time};
use sorted::SortedSet;
use wire::consumer_protocol_subscription::ConsumerProtocolSubscription;
use wire::{Message, Reader};

/// `offsets.retention.check.interval.ms` where nothing is configured.
const CHECK_INTERVAL_MS: u64 = 600_000;

impl Broker {
    /// When expired offsets are looked for after `now`.
    pub(super) fn next_retention(&self, now: Time) -> Time {
        let interval = self.configs();
        let interval = interval.broker_number("offsets.retention.check.interval.ms");
        let interval = u64::try_from(interval).unwrap_or(0);
        now.plus_millis(if interval == 0 {
            CHECK_INTERVAL_MS
        } else {
            interval
        })
    }

    /// Writes tombstones for offsets past `offsets.retention.minutes` (KIP-211), and for groups of
    /// which nothing is left.
    pub(super) fn expire_offsets(&mut self, now: Time, out: &mut Vec<Effect>) {
        let minutes = self.configs().broker_number("offsets.retention.minutes");
        let retention_ms = u64::try_from(minutes).unwrap_or(0).saturating_mul(60_000);
        let ids: Vec<Arc<str>> = self.loaded_groups();
        for id in ids {
            let Some(group) = self.coordinator.group(&id) else {
                continue;
            };
            if group.is_blank() {
                self.coordinator.take(&id);
            } else if group.check_delete().is_ok() && group.offsets.is_empty() {
                self.delete_group(now, &id, None, out);
            } else {
                let topics = subscribed_topics(group);
                let is_subscribed = |topic: &str| is_subscribed(&topics, topic);
                let expiry = group.offset_expiry();
                let offsets = &group.offsets;
                let changes = offsets.expired(now, retention_ms, expiry, &is_subscribed);
                self.write_offsets(now, &id, changes, None, out);
            }
        }
    }

    /// A topic is gone, and with it the offsets committed for it.
    pub(crate) fn coordinator_topic_removed(
        &mut self,
        now: Time,
        topic: &str,
        out: &mut Vec<Effect>,
    ) {
        for id in self.loaded_groups() {
            let Some(group) = self.coordinator.group(&id) else {
                continue;
            };
            let touched = group.offsets.touched().into_iter();
            let of_topic = touched.filter(|(name, _)| **name == *topic);
            let changes = of_topic.map(deletion).collect();
            self.write_offsets(now, &id, changes, None, out);
        }
    }

    /// Writes changes of a group's offsets as one batch; they are seen when it is committed.
    /// Without changes, or without the group, nothing happens.
    pub(crate) fn write_offsets(
        &mut self,
        now: Time,
        id: &str,
        changes: Vec<OffsetChange>,
        requester: Option<Requester>,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.coordinator.groups.get_mut(id) else {
            return;
        };
        if changes.is_empty() {
            return;
        }
        let records: Vec<GroupRecord> = changes
            .iter()
            .map(|change| records::offset(id, change))
            .collect();
        let then = Then::Offsets {
            id: entry.group.id().clone(),
            life: entry.life,
            ticket: entry.group.offsets.begin(changes),
            requester,
        };
        let partition = entry.partition;
        self.write(now, partition, &records, then, out);
    }

    /// Takes a group out and writes the tombstones of its offsets and its own. It must be empty.
    pub(crate) fn delete_group(
        &mut self,
        now: Time,
        id: &str,
        requester: Option<Requester>,
        out: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.coordinator.take(id) else {
            return;
        };
        let touched = entry.group.offsets.touched().into_iter();
        let mut records: Vec<GroupRecord> = touched
            .map(|place| records::offset(id, &deletion(place)))
            .collect();
        records.push(records::group_tombstone(id));
        let partition = entry.partition;
        let entry = Box::new(entry);
        let then = Then::Deleted { entry, requester };
        self.write(now, partition, &records, then, out);
    }

    fn loaded_groups(&self) -> Vec<Arc<str>> {
        let groups = self.coordinator.groups();
        groups.map(|group| group.id().clone()).collect()
    }
}

fn deletion((topic, partition): (Arc<str>, PartitionIndex)) -> OffsetChange {
    OffsetChange {
        topic,
        partition,
        commit: None,
    }
}

/// The topics a group's members subscribe to; `None` when a subscription cannot be read, and then
/// any topic may be one of them.
pub(crate) fn subscribed_topics(group: &Group) -> Option<SortedSet<String>> {
    let mut topics = SortedSet::new();
    for subscription in group.subscriptions() {
        let mut reader = Reader::new(subscription);
        let version = reader.i16().ok()?;
        // Later versions only add fields at the end.
        let version = version.min(ConsumerProtocolSubscription::MAX_VERSION);
        let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).ok()?;
        topics.extend(subscription.topics.iter().map(|topic| topic.to_string()));
    }
    Some(topics)
}

/// Whether `topic` is, or may be, among the subscribed ones.
pub(crate) fn is_subscribed(topics: &Option<SortedSet<String>>, topic: &str) -> bool {
    topics.as_ref().is_none_or(|topics| topics.contains(topic))
}
