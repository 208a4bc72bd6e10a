//! Brokers that come and go, and what becomes of the partitions they have: ISRs shrink, others lead.

use crate::controller::Controller;
use crate::partition_change::{Brokers, Election, Transition, directory_of};
use alloc::vec::Vec;
use ids::{NodeId, PartitionIndex, Time, Uuid};
use metadata::{Image, MetadataRecord, Partition, Topic};
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;

/// Partitions of which one check makes leaders at most; the rest follows at once.
const ELECTIONS_PER_CHECK: usize = 1000;
/// A replica's directory when its broker has not said which of several it is (KIP-858).
pub(crate) const UNASSIGNED: Uuid = reserved(1);
/// A replica's directory that has failed.
const LOST: Uuid = reserved(2);

const fn reserved(number: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[15] = number;
    Uuid(bytes)
}

/// The brokers as the image has them, but for those whose state is about to change.
pub(crate) struct Judge<'a> {
    pub(crate) image: &'a Image,
    /// It leads nothing from now on.
    pub(crate) gone: Option<NodeId>,
    /// It may lead though the image still says that it is fenced.
    pub(crate) back: Option<NodeId>,
}

impl Brokers for Judge<'_> {
    fn may_lead(&self, partition: &Partition, node: NodeId) -> bool {
        let Some(entry) = self.image.brokers().get(&node) else {
            return false;
        };
        let is_active = self.gone != Some(node) && (self.back == Some(node) || entry.is_active());
        let Some(directory) = directory_of(partition, node) else {
            // Nothing is known of a replica that is about to be added, nor needed: it has no records.
            return false;
        };
        // Logs from before there were ids of directories lie in the only one.
        let is_known = |directory| entry.log_dirs.contains(&directory);
        let works = directory == Uuid::ZERO || directory == UNASSIGNED || is_known(directory);
        is_active && works && directory != LOST
    }

    fn directory(&self, node: NodeId) -> Uuid {
        match self
            .image
            .brokers()
            .get(&node)
            .map(|entry| &*entry.log_dirs)
        {
            Some([only]) => *only,
            _ => UNASSIGNED,
        }
    }
}

/// Why partitions are judged anew.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cause {
    /// A broker that leaves the ISR of every partition.
    pub(crate) gone: Option<NodeId>,
    /// A broker that may lead again.
    pub(crate) back: Option<NodeId>,
    /// A broker that stopped uncleanly, which makes it leave the ISR and the eligible leaders.
    pub(crate) unclean: Option<NodeId>,
}

impl Controller {
    /// Whether eligible leaders are kept (KIP-966).
    pub(crate) fn keeps_elr(&self) -> bool {
        self.image.feature("eligible.leader.replicas.version") > 0
    }

    /// Whether a broker serves and stays.
    pub(crate) fn is_active(&self, node: NodeId) -> bool {
        let entry = self.image.brokers().get(&node);
        entry.is_some_and(metadata::BrokerEntry::is_active)
    }

    /// The brokers as they are.
    pub(crate) fn brokers_now(&self) -> Judge<'_> {
        Judge {
            image: &self.image,
            gone: None,
            back: None,
        }
    }

    /// A transition of one of a topic's partitions, by the configs in force.
    pub(crate) fn transition<'a>(&self, topic: &str, partition: &'a Partition) -> Transition<'a> {
        let view = self.view();
        let mut transition = Transition::of(partition);
        if self.keeps_elr() {
            let least = view.topic_number(topic, "min.insync.replicas");
            transition.min_isr = Some(usize::try_from(least).unwrap_or(1).max(1));
        }
        if view.topic_text(topic, "unclean.leader.election.enable") == "true" {
            transition.election = Election::Unclean;
        }
        transition
    }

    /// Judges the partitions that are meant anew.
    pub(crate) fn judge_partitions(
        &self,
        cause: Cause,
        is_meant: &dyn Fn(Uuid, PartitionIndex, &Partition) -> bool,
    ) -> Vec<MetadataRecord> {
        let judge = Judge {
            image: &self.image,
            gone: cause.gone.or(cause.unclean),
            back: cause.back,
        };
        let mut records = Vec::new();
        for (topic, index, partition) in self.all_partitions() {
            if !is_meant(topic.id, index, partition) {
                continue;
            }
            let mut transition = self.transition(&topic.name, partition);
            let leaves = |node: &NodeId| cause.gone == Some(*node) || cause.unclean == Some(*node);
            transition.isr.retain(|node| !leaves(node));
            transition.unclean = cause.unclean;
            records.extend(transition.record(topic.id, index, &judge));
        }
        records
    }

    /// A broker leaves all ISRs, and its leaderships go to others.
    pub(crate) fn leave_isrs(&self, node: NodeId) -> Vec<MetadataRecord> {
        let cause = Cause {
            gone: Some(node),
            ..Cause::default()
        };
        self.judge_partitions(cause, &|_, _, partition| partition.isr.contains(&node))
    }

    /// A broker serves no more. It is said even of one that is fenced already, as Kafka does.
    pub(crate) fn fence(&self, node: NodeId, epoch: i64) -> Vec<MetadataRecord> {
        let mut records = self.leave_isrs(node);
        records.push(registration_change(node, epoch, |record| record.fenced = 1));
        records
    }

    /// A broker serves again: partitions without a leader may have one now.
    pub(crate) fn unfence(&self, node: NodeId, epoch: i64) -> Vec<MetadataRecord> {
        let cause = Cause {
            back: Some(node),
            ..Cause::default()
        };
        let mut records =
            alloc::vec![registration_change(node, epoch, |record| record.fenced = -1)];
        records
            .extend(self.judge_partitions(cause, &|_, _, partition| partition.leader().is_none()));
        records
    }

    /// A broker is about to stop: others lead first.
    pub(crate) fn begin_shutdown(&self, node: NodeId, epoch: i64) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        if !self.image.brokers()[&node].in_controlled_shutdown {
            let change = |record: &mut BrokerRegistrationChangeRecord| {
                record.in_controlled_shutdown = 1;
            };
            records.push(registration_change(node, epoch, change));
        }
        records.extend(self.leave_isrs(node));
        records
    }

    /// A broker stopped uncleanly and may have lost its last records.
    pub(crate) fn stopped_uncleanly(&self, node: NodeId) -> Vec<MetadataRecord> {
        if !self.keeps_elr() {
            return self.leave_isrs(node);
        }
        let cause = Cause {
            unclean: Some(node),
            ..Cause::default()
        };
        self.judge_partitions(cause, &|_, _, partition| {
            partition.isr.contains(&node) || partition.elr.contains(&node)
        })
    }

    /// Whether a broker leads anything.
    pub(crate) fn leads(&self, node: NodeId) -> bool {
        let mut all = self.all_partitions();
        all.any(|(_, _, partition)| partition.leader == node)
    }

    /// All partitions in order of names.
    pub(crate) fn all_partitions(
        &self,
    ) -> impl Iterator<Item = (&Topic, PartitionIndex, &Partition)> {
        self.image.topics().flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(move |(index, partition)| (&**topic, *index, partition))
        })
    }

    /// Begins to count the intervals of checks, and looks for what there is to mend.
    pub(crate) fn begin_checks(&mut self, now: Time) {
        self.checks = Checks {
            origin: now,
            ..Checks::default()
        };
        let is_led = |partition: &Partition| partition.leader().is_some();
        let off = |partition: &Partition| partition.replicas.first() != Some(&partition.leader);
        let unled = (self.all_partitions()).any(|(_, _, partition)| !is_led(partition));
        let off = (self.all_partitions()).any(|(_, _, partition)| off(partition));
        self.checks.preferred = off.then(|| self.next_check(now, PREFERRED_CHECK));
        self.checks.unclean = unled.then(|| self.next_check(now, UNCLEAN_CHECK));
    }

    /// Notes that a check of leaders is due at the end of this interval, if a record gives it something to do.
    pub(crate) fn plan_checks(&mut self, now: Time, record: &MetadataRecord) {
        let changed = match record {
            MetadataRecord::Partition(record) => (record.topic_id, record.partition_id),
            MetadataRecord::PartitionChange(record) => (record.topic_id, record.partition_id),
            _ => return,
        };
        let topic = self.image.topic_by_id(changed.0);
        let index = PartitionIndex(changed.1);
        let Some(partition) = topic.and_then(|topic| topic.partitions.get(&index)) else {
            return;
        };
        let is_off = partition.replicas.first() != Some(&partition.leader);
        let is_unled = partition.leader().is_none();
        if is_off && self.checks.preferred.is_none() {
            self.checks.preferred = Some(self.next_check(now, PREFERRED_CHECK));
        }
        if is_unled && self.checks.unclean.is_none() {
            self.checks.unclean = Some(self.next_check(now, UNCLEAN_CHECK));
        }
    }

    /// The end of the interval that has begun; intervals begin with the controller.
    fn next_check(&self, now: Time, (config, default, micros): (&str, u64, u64)) -> Time {
        let view = self.view();
        let set = view.broker_text(config).and_then(|text| text.parse().ok());
        let interval = set.unwrap_or(default).max(1).saturating_mul(micros);
        let passed = now.since(self.checks.origin) / interval;
        let until = passed.saturating_add(1).saturating_mul(interval);
        self.checks.origin.plus_micros(until)
    }

    /// Preferred replicas that can lead again do, and where configs allow it any replica does.
    pub(crate) fn check_leaders(&mut self, now: Time) -> Vec<MetadataRecord> {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if is_due(self.checks.preferred) {
            let is_off = self.view().broker_text("auto.leader.rebalance.enable") == Some("false");
            let (records, again) = match is_off {
                true => (Vec::new(), None),
                false => self.elect_again(now, Election::Preferred, PREFERRED_CHECK),
            };
            self.checks.preferred = again;
            return records;
        }
        if is_due(self.checks.unclean) {
            let (records, again) = self.elect_again(now, Election::Unclean, UNCLEAN_CHECK);
            self.checks.unclean = again;
            return records;
        }
        Vec::new()
    }

    /// What an election changes where it is needed, and when to look again.
    fn elect_again(
        &self,
        now: Time,
        election: Election,
        check: (&str, u64, u64),
    ) -> (Vec<MetadataRecord>, Option<Time>) {
        let judge = self.brokers_now();
        let mut records = Vec::new();
        let mut again = None;
        for (topic, index, partition) in self.all_partitions() {
            let is_needed = match election {
                Election::Preferred => partition.replicas.first() != Some(&partition.leader),
                _ => partition.leader().is_none(),
            };
            if !is_needed {
                continue;
            }
            if records.len() >= ELECTIONS_PER_CHECK {
                again = Some(now);
                break;
            }
            let mut transition = self.transition(&topic.name, partition);
            if election == Election::Preferred {
                transition.election = election;
            }
            match transition.record(topic.id, index, &judge) {
                Some(record) => records.push(record),
                None => again = Some(self.next_check(now, check)),
            }
        }
        (records, again)
    }
}

/// A config's name, its default, and how many microseconds are one of it.
const PREFERRED_CHECK: (&str, u64, u64) =
    ("leader.imbalance.check.interval.seconds", 300, 1_000_000);
const UNCLEAN_CHECK: (&str, u64, u64) = ("unclean.leader.election.interval.ms", 300_000, 1000);

/// When leaders are looked at next; `None` while there is nothing to mend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    /// When the controller began.
    pub(crate) origin: Time,
    /// Whether preferred replicas lead.
    pub(crate) preferred: Option<Time>,
    /// Whether there is a leader at all.
    pub(crate) unclean: Option<Time>,
}

pub(crate) fn registration_change(
    node: NodeId,
    epoch: i64,
    change: impl FnOnce(&mut BrokerRegistrationChangeRecord),
) -> MetadataRecord {
    let mut record = BrokerRegistrationChangeRecord {
        broker_id: node.0,
        broker_epoch: epoch,
        ..BrokerRegistrationChangeRecord::default()
    };
    change(&mut record);
    MetadataRecord::BrokerRegistrationChange(record)
}
