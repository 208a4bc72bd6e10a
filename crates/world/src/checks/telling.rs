//! What the rules are told, and when.

use super::{Batch, Bounds, Broken, Checks, Fact};
use crate::faults::Death;
use crate::network::End;
use crate::state::State;
use crate::world::World;
use alloc::boxed::Box;
use alloc::vec::Vec;
use cluster::{ClientEffect, DiskEffect, Effect, LogId, Reply};
use ids::{ConnId, NodeId, Offset, TopicIdPartition};
use log::{Log, LogFile, LogSlice, StoreOp};
use records::Batches;

/// Steps of nodes between two looks at all replicas of one; those that a step is about are looked at at once.
const LOOK_STEPS: u32 = 16;

impl World {
    /// From now on judges what happens by the rules that a cluster keeps; [`World::broken`] says what was
    /// found. A world with rules is the same world.
    pub fn watch_rules(&mut self) {
        let mut checks = Checks::default();
        let state = &mut self.state;
        for node in state.cluster.nodes() {
            let id = node.id();
            let open = state.disks.get(&id).into_iter();
            for (log, name) in open.flat_map(|disk| disk.open_logs()) {
                if let Some(found) = node.log(log) {
                    tell_began(&mut checks, state, id, name, found);
                }
                checks.opened(id, log, name);
            }
        }
        state.checks = Some(Box::new(checks));
    }

    /// Of each rule that was broken since [`World::watch_rules`], the first time.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.state.checks.iter().flat_map(|checks| checks.broken())
    }
}

impl State {
    /// A node has made a step about `touched`, and this is what it orders.
    pub(crate) fn tell_step(&mut self, node: NodeId, touched: Option<LogId>, effects: &[Effect]) {
        let Some(mut checks) = self.checks.take() else {
            return;
        };
        // What a follower is sent moves its high watermark in the same step, so what was appended comes first.
        for effect in effects {
            match effect {
                Effect::Disk(DiskEffect::Open { log, name }) => {
                    checks.opened(node, *log, name);
                    self.tell_bounds(&mut checks, node, *log);
                }
                Effect::Disk(DiskEffect::Remove { log }) => checks.removed(node, *log),
                Effect::Disk(DiskEffect::Store { log, ops, .. }) => {
                    for op in ops {
                        self.tell_op(&mut checks, node, *log, op);
                    }
                }
                _ => {}
            }
        }
        checks.steps = checks.steps.wrapping_add(1);
        if checks.steps.is_multiple_of(LOOK_STEPS) {
            let open = self.disks.get(&node).into_iter();
            for (log, _) in open.flat_map(|disk| disk.open_logs()) {
                self.tell_bounds(&mut checks, node, log);
            }
        } else {
            let ordered = effects.iter().flat_map(logs_of);
            touched
                .into_iter()
                .chain(ordered)
                .for_each(|log| self.tell_bounds(&mut checks, node, log));
        }
        for effect in effects {
            if let Effect::Client(ClientEffect::Reply { conn, reply }) = effect {
                self.tell_delivered(&mut checks, node, *conn, reply);
            }
        }
        self.checks = Some(checks);
    }

    fn tell_bounds(&self, checks: &mut Checks, node: NodeId, log: LogId) {
        if let Some(found) = self.cluster.log(node, log) {
            let broker = self.broker(node);
            let is_led = broker.is_some_and(|broker| broker.leads(log));
            checks.tell(self.now, node, log, &Fact::Bounds(bounds(found, is_led)));
        }
    }

    fn tell_op(&self, checks: &mut Checks, node: NodeId, log: LogId, op: &StoreOp) {
        let fact = match op {
            StoreOp::Append { .. } | StoreOp::AppendBatch(_) => {
                let batches = op
                    .appends()
                    .map(|slice| self.appended(node, log, op, &slice));
                for batch in batches.into_iter().flatten() {
                    checks.tell(self.now, node, log, &Fact::Appended(&batch));
                }
                return;
            }
            StoreOp::Roll { segment } => Fact::Rolled { segment: *segment },
            StoreOp::Delete {
                file: LogFile::Log(segment),
            } => Fact::Deleted { segment: *segment },
            StoreOp::Truncate { segment, position } => Fact::Truncated {
                segment: *segment,
                position: *position,
            },
            StoreOp::Put { .. } | StoreOp::Delete { .. } => return,
        };
        checks.tell(self.now, node, log, &fact);
    }

    fn appended(&self, node: NodeId, log: LogId, op: &StoreOp, slice: &LogSlice) -> Vec<Batch> {
        let mut batches = Vec::new();
        if let StoreOp::AppendBatch(batch) = op {
            let whole = [&batch.header, &*batch.records].concat();
            find_batches(slice, &whole, &mut batches);
        } else if let Some(log) = self.cluster.log(node, log) {
            find_all(log, slice, &mut batches);
        }
        let broker = self.broker(node);
        if broker.is_some_and(|broker| broker.leads(log)) {
            batches.iter_mut().for_each(|batch| batch.is_led = true);
        }
        batches
    }

    fn tell_delivered(&self, checks: &mut Checks, node: NodeId, conn: ConnId, reply: &Reply) {
        // A follower is sent what is not committed.
        if !matches!(self.network.end(node, conn), Some(End::Client(..))) {
            return;
        }
        for slice in &reply.slices {
            let mut batches = Vec::new();
            if let Some(log) = self.cluster.log(node, slice.log) {
                find_all(log, &slice.slice, &mut batches);
            }
            if let Some(last) = batches.last() {
                let end = last.next();
                checks.tell(self.now, node, slice.log, &Fact::Delivered { end });
            }
        }
    }

    /// A node that starts has found a log.
    pub(crate) fn tell_began(&mut self, node: NodeId, name: &TopicIdPartition, log: &Log) {
        if let Some(mut checks) = self.checks.take() {
            tell_began(&mut checks, self, node, name, log);
            self.checks = Some(checks);
        }
    }

    /// A node calls one of its logs so, before it makes a step.
    pub(crate) fn tell_opened(&mut self, node: NodeId, log: LogId, name: &TopicIdPartition) {
        if let Some(checks) = &mut self.checks {
            checks.opened(node, log, name);
        }
    }

    /// A node is gone.
    pub(crate) fn tell_ended(&mut self, node: NodeId, death: Death) {
        let (now, disk) = (self.now, self.disks.get(&node));
        let Some(checks) = &mut self.checks else {
            return;
        };
        checks.ended(now, node, |name, bounds| {
            let dir = disk.and_then(|disk| disk.dirs.get(name));
            let Some(dir) = dir else {
                return (Offset(0), Offset(0));
            };
            let noted = dir.checkpoints();
            let first = dir.segment_from(Offset(i64::MIN)).unwrap_or(Offset(0));
            // What the quorum has written it has flushed.
            let keeps = match death {
                Death::PowerLoss if !name.is_metadata() => noted.recovery_point,
                _ => bounds.stored,
            };
            (keeps, noted.log_start.max(first))
        });
    }

    /// A disk has lost or changed something.
    pub(crate) fn tell_damaged(&mut self, node: NodeId) {
        let now = self.now;
        if let Some(checks) = &mut self.checks {
            checks.damaged(now, node);
        }
    }
}

fn tell_began(
    checks: &mut Checks,
    state: &State,
    node: NodeId,
    name: &TopicIdPartition,
    log: &Log,
) {
    let (mut batches, mut is_vague) = (Vec::new(), false);
    let segments: Vec<(Offset, u32)> = log.segment_sizes().collect();
    for (segment, length) in &segments {
        let whole = LogSlice {
            segment: *segment,
            position: 0,
            length: *length,
        };
        is_vague |= !find_all(log, &whole, &mut batches);
    }
    if is_vague {
        batches.clear();
    }
    let fact = Fact::Began {
        bounds: bounds(log, false),
        segments: &segments,
        batches: &batches,
        is_vague,
    };
    checks.tell_resting(state.now, node, name, &fact);
}

fn bounds(log: &Log, is_led: bool) -> Bounds {
    Bounds {
        is_led,
        start: log.log_start(),
        stable: log.last_stable(),
        high_watermark: log.high_watermark(),
        stored: log.stored_end(),
        end: log.log_end(),
    }
}

/// The batches in a stretch of a log; says whether it is in memory.
fn find_all(log: &Log, slice: &LogSlice, found: &mut Vec<Batch>) -> bool {
    if slice.length == 0 {
        return true;
    }
    let Some(pieces) = log.slice_pieces(slice) else {
        return false;
    };
    let mut rest = *slice;
    for piece in pieces {
        find_batches(&rest, &piece, found);
        rest.position = (rest.position).saturating_add(u32::try_from(piece.len()).unwrap_or(0));
    }
    true
}

fn find_batches(slice: &LogSlice, bytes: &[u8], found: &mut Vec<Batch>) {
    for (at, view) in Batches::new(bytes) {
        found.push(Batch::of(
            slice.segment,
            slice.position.saturating_add(at),
            &view,
        ));
    }
}

/// The logs that an effect is about.
fn logs_of(effect: &Effect) -> Vec<LogId> {
    match effect {
        Effect::Disk(DiskEffect::Store { log, .. }) => Vec::from([*log]),
        Effect::Client(ClientEffect::Reply { reply, .. }) => {
            reply.slices.iter().map(|slice| slice.log).collect()
        }
        _ => Vec::new(),
    }
}
