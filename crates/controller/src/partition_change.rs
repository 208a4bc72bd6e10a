//! What becomes of a partition: the one place where a new ISR, other replicas or other brokers lead to a
//! change record, with the election and the eligible leaders (KIP-966) that go with it.

use alloc::vec::Vec;
use ids::{NodeId, PartitionIndex, Uuid};
use metadata::{MetadataRecord, Partition};
use wire::partition_change_record::PartitionChangeRecord;

/// "No leader", as change records write it.
const NO_LEADER: NodeId = NodeId(-1);
/// "Leave the leader as it is", as change records write it.
const LEADER_UNCHANGED: i32 = -2;

/// Which leader is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Election {
    /// The one there is, else the first replica that loses nothing.
    Clean,
    /// The first replica, else as above.
    Preferred,
    /// As `Clean`, else the first replica that lives, even if records are lost.
    Unclean,
}

/// What a partition is to become. It begins as what it is; what is set is what changes.
pub(crate) struct Transition<'a> {
    partition: &'a Partition,
    /// Replicas that are to be in sync.
    pub(crate) isr: Vec<NodeId>,
    /// Replicas in order of preference.
    pub(crate) replicas: Vec<NodeId>,
    /// See [`Partition::adding`].
    pub(crate) adding: Vec<NodeId>,
    /// See [`Partition::removing`].
    pub(crate) removing: Vec<NodeId>,
    /// See [`Partition::recovering`].
    pub(crate) recovering: bool,
    /// Which leader is looked for.
    pub(crate) election: Election,
    /// `min.insync.replicas` of the topic; `None` while eligible leaders are not kept.
    pub(crate) min_isr: Option<usize>,
    /// A broker that may have lost what it had: it is eligible no more.
    pub(crate) unclean: Option<NodeId>,
    /// Where a replica lies from now on.
    pub(crate) moved: Option<(NodeId, Uuid)>,
}

/// What the brokers say about a replica.
pub(crate) trait Brokers {
    /// Whether it may lead.
    fn may_lead(&self, partition: &Partition, node: NodeId) -> bool;
    /// Where a new replica on it lies.
    fn directory(&self, node: NodeId) -> Uuid;
}

/// A leader, and whether records may be lost by electing it.
type Elected = (NodeId, bool);

impl<'a> Transition<'a> {
    /// No change yet.
    pub(crate) fn of(partition: &'a Partition) -> Transition<'a> {
        Transition {
            partition,
            isr: partition.isr.clone(),
            replicas: partition.replicas.clone(),
            adding: partition.adding.clone(),
            removing: partition.removing.clone(),
            recovering: partition.recovering,
            election: Election::Clean,
            min_isr: None,
            unclean: None,
            moved: None,
        }
    }

    /// The record that says what changes; `None` when nothing does.
    pub(crate) fn record(
        mut self,
        topic_id: Uuid,
        index: PartitionIndex,
        brokers: &dyn Brokers,
    ) -> Option<MetadataRecord> {
        let old = self.partition;
        self.complete_reassignment();
        let mut elr = self.eligible();
        let (leader, unclean) = self.elect(&elr, brokers);
        let mut record = PartitionChangeRecord {
            topic_id,
            partition_id: index.0,
            ..PartitionChangeRecord::default()
        };
        if leader != old.leader {
            record.leader = leader.0;
            if unclean {
                self.isr = alloc::vec![leader];
                self.recovering = true;
                elr.clear();
            } else if elr.contains(&leader) {
                elr.retain(|node| *node != leader);
                self.isr = alloc::vec![leader];
            }
        }
        // Without eligible leaders the last replica in sync stays in the ISR, so that only it leads again.
        if self.isr != old.isr && (!self.isr.is_empty() || self.min_isr.is_some()) {
            record.isr = Some(numbers(&self.isr));
        }
        // Whoever is removed is to hear of it as of an election, even if the leader stays.
        let is_kept = |node: &NodeId| self.replicas.contains(node);
        if record.leader == LEADER_UNCHANGED && !old.replicas.iter().all(is_kept) {
            record.leader = old.leader.0;
        }
        if elr != old.elr {
            record.eligible_leader_replicas = Some(numbers(&elr));
        }
        self.name_last_known(&mut record);
        self.set_assignment(&mut record, brokers);
        if self.recovering != old.recovering {
            record.leader_recovery_state = i8::from(self.recovering);
        }
        (!changes_nothing(&record)).then_some(MetadataRecord::PartitionChange(record))
    }

    /// A reassignment is complete when all that it adds is in sync.
    fn complete_reassignment(&mut self) {
        if self.adding.is_empty() && self.removing.is_empty() {
            return;
        }
        let stays = |node: &NodeId| !self.removing.contains(node);
        let isr: Vec<NodeId> = self
            .isr
            .iter()
            .copied()
            .filter(|node| stays(node))
            .collect();
        if isr.is_empty() || !self.adding.iter().all(|node| isr.contains(node)) {
            return;
        }
        self.replicas = (self.replicas.iter().copied())
            .filter(|node| stays(node))
            .collect();
        self.isr = isr;
        self.adding.clear();
        self.removing.clear();
    }

    /// Who may lead without loss though it is not in sync: whoever was in sync when the ISR fell below its
    /// minimum, and has not stopped uncleanly since.
    fn eligible(&self) -> Vec<NodeId> {
        let Some(min_isr) = self.min_isr else {
            return Vec::new();
        };
        if self.isr.len() >= min_isr.min(self.replicas.len()) {
            return Vec::new();
        }
        let former = self.partition.elr.iter().chain(&self.partition.isr);
        let mut elr: Vec<NodeId> = former
            .copied()
            .filter(|node| !self.isr.contains(node) && self.unclean != Some(*node))
            .filter(|node| self.replicas.contains(node))
            .collect();
        elr.sort_unstable();
        elr.dedup();
        elr
    }

    fn elect(&self, elr: &[NodeId], brokers: &dyn Brokers) -> Elected {
        let may_lead = |node: &NodeId| brokers.may_lead(self.partition, *node);
        let is_safe = |node: &NodeId| {
            let has_all = match self.isr.is_empty() {
                true => elr.contains(node),
                false => self.isr.contains(node),
            };
            has_all && may_lead(node)
        };
        let preferred = self.replicas.first().copied();
        let preferred = preferred.filter(|_| self.election == Election::Preferred);
        let safe = (preferred.into_iter())
            .chain([self.partition.leader])
            .chain(self.replicas.iter().copied())
            .find(is_safe);
        if let Some(leader) = safe {
            return (leader, false);
        }
        // The last leader's log is the best there is when nobody is known to have all.
        let is_lost = self.min_isr.is_some() && self.isr.is_empty() && elr.is_empty();
        if let [last] = *self.partition.last_known_elr
            && is_lost
            && may_lead(&last)
        {
            return (last, true);
        }
        if self.election == Election::Unclean
            && let Some(any) = self.replicas.iter().copied().find(may_lead)
        {
            return (any, true);
        }
        (NO_LEADER, false)
    }

    /// The last leader is remembered when the ISR becomes empty, and forgotten when there is a leader.
    fn name_last_known(&self, record: &mut PartitionChangeRecord) {
        let old = self.partition;
        if self.min_isr.is_none() {
            if !old.last_known_elr.is_empty() {
                record.last_known_elr = Some(Vec::new());
            }
            return;
        }
        let is_emptied = record.isr.as_ref().is_some_and(Vec::is_empty);
        let is_led = match record.leader {
            LEADER_UNCHANGED => old.leader().is_some(),
            leader => leader != NO_LEADER.0,
        };
        if is_emptied && old.last_known_elr != [old.leader] {
            record.last_known_elr = Some(alloc::vec![old.leader.0]);
        } else if is_led && !old.last_known_elr.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn set_assignment(&self, record: &mut PartitionChangeRecord, brokers: &dyn Brokers) {
        let old = self.partition;
        if self.replicas != old.replicas {
            record.replicas = Some(numbers(&self.replicas));
        }
        if self.removing != old.removing {
            record.removing_replicas = Some(numbers(&self.removing));
        }
        if self.adding != old.adding {
            record.adding_replicas = Some(numbers(&self.adding));
        }
        let directory = |node: &NodeId| match self.moved {
            Some((moved, directory)) if moved == *node => directory,
            _ => directory_of(old, *node).unwrap_or_else(|| brokers.directory(*node)),
        };
        if record.replicas.is_some() || self.moved.is_some() {
            let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
            if directories != old.directories {
                record.directories = Some(directories);
            }
        }
    }
}

/// Where a replica lies.
pub(crate) fn directory_of(partition: &Partition, node: NodeId) -> Option<Uuid> {
    let place = partition.replicas.iter().position(|other| *other == node)?;
    partition.directories.get(place).copied()
}

pub(crate) fn numbers(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

fn changes_nothing(record: &PartitionChangeRecord) -> bool {
    let nothing = PartitionChangeRecord {
        topic_id: record.topic_id,
        partition_id: record.partition_id,
        ..PartitionChangeRecord::default()
    };
    *record == nothing
}
