//! What must hold whatever happens. The watch is told facts and keeps a model of its own.

use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, SnapshotId};
use log::{Log, Read};
use raft::{Effect, Raft, Request, Response};
use records::Batches;
use std::collections::BTreeMap;

/// A batch as it lies in a log, by what must not differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) next: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) crc: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Watch {
    leaders: BTreeMap<LeaderEpoch, NodeId>,
    votes: BTreeMap<(NodeId, i32), i32>,
    /// By base offset.
    committed: BTreeMap<Offset, Entry>,
    committed_end: Offset,
    /// By epoch and base offset: no two logs have different batches there, nor different ones before.
    matching: BTreeMap<(LeaderEpoch, Offset), (Entry, u64)>,
}

/// A node's log as the watch has seen it last.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) committed: Offset,
}

pub(crate) type Broken = String;

/// The batches of a log from an offset on, by base offset; all of them are in memory.
pub(crate) fn entries(log: &Log, from: Offset) -> BTreeMap<Offset, Entry> {
    let mut found = BTreeMap::new();
    let mut at = from.max(log.log_start());
    while let Ok(Read::Slice(slice)) = log.read(at, u32::MAX, log.log_end(), true)
        && slice.length > 0
    {
        for piece in log.slice_bytes(&slice).expect("it is in memory") {
            for (_, batch) in Batches::new(piece) {
                at = batch.next_offset();
                let entry = Entry {
                    next: at,
                    epoch: batch.partition_leader_epoch,
                    crc: batch.crc,
                };
                found.insert(batch.base_offset, entry);
            }
        }
    }
    found
}

impl Watch {
    pub(crate) fn epochs(&self) -> usize {
        self.leaders.len()
    }

    pub(crate) fn committed_end(&self) -> Offset {
        self.committed_end
    }

    /// What a snapshot of everything below `end` says: the checksums of all that was committed.
    pub(crate) fn content(&self, end: Offset) -> Vec<u8> {
        let below = self.committed.range(..end);
        below
            .flat_map(|(_, entry)| entry.crc.to_be_bytes())
            .collect()
    }

    pub(crate) fn is_content(&self, id: SnapshotId, bytes: &Bytes) -> bool {
        bytes.ends_with(&self.content(id.end))
    }

    pub(crate) fn boundary(&self, end: Offset) -> Option<SnapshotId> {
        let (_, entry) = self.committed.range(..end).next_back()?;
        (entry.next == end).then_some(SnapshotId {
            end,
            epoch: entry.epoch,
        })
    }

    /// Someone leads.
    pub(crate) fn leads(&mut self, node: NodeId, raft: &Raft) -> Result<(), Broken> {
        let epoch = raft.election().epoch;
        match self.leaders.insert(epoch, node) {
            Some(other) if other != node => {
                Err(format!("{epoch}: {other} and {node} lead in one epoch"))
            }
            _ => Ok(()),
        }
    }

    /// Something has left a node.
    pub(crate) fn said(&mut self, node: NodeId, effect: &Effect) -> Result<(), Broken> {
        let (epoch, candidate) = match effect {
            Effect::Send {
                request: Request::Vote(vote),
                ..
            } => {
                let part = &vote.topics[0].partitions[0];
                if part.pre_vote {
                    return Ok(());
                }
                (part.replica_epoch, part.replica_id)
            }
            _ => return Ok(()),
        };
        self.voted(node, epoch, candidate)
    }

    /// A node's answer to a request; says whether it gives its vote.
    pub(crate) fn answered(
        &mut self,
        node: NodeId,
        request: &Request,
        response: &Response,
    ) -> Result<bool, Broken> {
        let (Request::Vote(vote), Response::Vote(answer)) = (request, response) else {
            return Ok(false);
        };
        let asked = &vote.topics[0].partitions[0];
        let granted = answer
            .topics
            .first()
            .is_some_and(|topic| topic.partitions[0].vote_granted);
        let granted = granted && !asked.pre_vote;
        if granted {
            self.voted(node, asked.replica_epoch, asked.replica_id)?;
        }
        Ok(granted)
    }

    fn voted(&mut self, node: NodeId, epoch: i32, candidate: i32) -> Result<(), Broken> {
        match self.votes.insert((node, epoch), candidate) {
            Some(before) if before != candidate => Err(format!(
                "{node} voted for {before} and for {candidate} in epoch {epoch}"
            )),
            _ => Ok(()),
        }
    }

    /// A node says that everything below is committed.
    pub(crate) fn commits(
        &mut self,
        node: NodeId,
        raft: &Raft,
        seen: &mut Seen,
        upto: Offset,
    ) -> Result<(), Broken> {
        if upto <= seen.committed {
            return Err(format!(
                "{node}: the high watermark goes from {} to {upto}",
                seen.committed
            ));
        }
        if upto > raft.log().log_end() {
            return Err(format!("{node}: commits {upto}, past its log's end"));
        }
        let log = entries(raft.log(), seen.committed);
        seen.committed = upto;
        for (base, entry) in log.range(..upto) {
            match self.committed.get(base) {
                Some(known) if known != entry => {
                    return Err(format!(
                        "{node}: {base} is {entry:?}, committed was {known:?}"
                    ));
                }
                Some(_) => {}
                None if *base < self.committed_end => {
                    return Err(format!(
                        "{node}: commits a batch at {base} where there was none"
                    ));
                }
                None => {
                    self.committed.insert(*base, *entry);
                    self.committed_end = entry.next;
                }
            }
        }
        Ok(())
    }

    /// A node leads and may append: it has everything that was ever committed.
    pub(crate) fn may_append(&self, node: NodeId, raft: &Raft) -> Result<(), Broken> {
        let start = raft.log().log_start();
        let log = entries(raft.log(), start);
        for (base, entry) in self.committed.range(start..) {
            if log.get(base) != Some(entry) {
                return Err(format!(
                    "{node}: leads without what was committed at {base}: {entry:?}"
                ));
            }
        }
        Ok(())
    }

    /// If two logs have a batch of one epoch at one offset, they are the same up to there.
    pub(crate) fn logs_match(&mut self, node: NodeId, raft: &Raft) -> Result<(), Broken> {
        // What is before a log's start was committed, and is the same for all.
        let start = raft.log().log_start();
        let mut chain = chained(0, self.committed.range(..start));
        // What is not stored nobody else has seen, and a crash may take it away with its epoch.
        let stored = raft.log().stored_end();
        for (base, entry) in entries(raft.log(), start).range(..stored) {
            chain = chained(chain, std::iter::once((base, entry)));
            let known = self
                .matching
                .entry((entry.epoch, *base))
                .or_insert((*entry, chain));
            if *known != (*entry, chain) {
                return Err(format!(
                    "{node}: its log differs up to {base} of epoch {}",
                    entry.epoch
                ));
            }
        }
        Ok(())
    }
}

fn chained<'a>(chain: u64, entries: impl Iterator<Item = (&'a Offset, &'a Entry)>) -> u64 {
    entries.fold(chain, |chain, (base, entry)| {
        let mix = u64::from(entry.crc) ^ (base.0 as u64) << 32 ^ (entry.epoch.0 as u64) << 48;
        (chain.rotate_left(7) ^ mix).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}
