//! Carrying out faults.

use crate::disk::{DiskWrite, Pending, Write};
use crate::fault::{Failing, Fault, Moment, Ways};
use crate::network::{Fate, Host, Reset};
use crate::queue::Happening;
use crate::state::State;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use cluster::{Event, LogId, Node};
use ids::{NodeId, TopicIdPartition};
use log::{Log, StoreOp};

/// Time that stopping in order may take, in milliseconds.
const STOP_MS: u64 = 2_000;

/// How a node ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// Of each log the writes that were under way are done, all of them or none.
    Kill,
    /// Of each log a beginning of them is done.
    Tear,
    /// None is done, and what was not flushed is gone.
    PowerLoss,
    /// All are done, and the logs are closed.
    Stop,
}

type Answer = Result<(), (&'static str, String)>;

impl State {
    /// Lets a fault happen.
    pub(crate) fn fault(&mut self, fault: &Fault) -> Answer {
        if let Some(node) = fault.node() {
            self.known_host(node, 1)?;
        }
        if let Some((from, to)) = fault.link() {
            self.known_host(from, 0)?;
            self.known_host(to, 0)?;
        }
        match fault {
            Fault::Kill { node } => self.kill_node(NodeId(*node)),
            Fault::Stop { node } => self.stop_node(NodeId(*node)),
            Fault::Start { node } => self.start_node(NodeId(*node)),
            Fault::Pause { node } => self.pause_node(NodeId(*node)),
            Fault::Resume { node } => self.resume_node(NodeId(*node)),
            Fault::PowerLoss { node } => self.end_node(NodeId(*node), Death::PowerLoss),
            Fault::Tear { node } => self.tear(NodeId(*node)),
            Fault::Skew { node, ms } => self.skew(NodeId(*node), *ms),
            Fault::Wipe { node } => self.wipe(NodeId(*node)),
            Fault::Flip { node } => return self.flip(NodeId(*node)),
            Fault::Fill { node } => self.disks.entry(NodeId(*node)).or_default().fill(true),
            Fault::Free { node } => self.disks.entry(NodeId(*node)).or_default().fill(false),
            Fault::SlowDisk { node, ms } => {
                let disk = self.disks.entry(NodeId(*node)).or_default();
                disk.slow(u64::from(*ms) * 1_000);
            }
            Fault::Isolate { node, how, ways } => self.isolate(NodeId(*node), *how, *ways),
            Fault::HealAll => self.heal_all(),
            Fault::Cut { .. }
            | Fault::BlackHole { .. }
            | Fault::Slow { .. }
            | Fault::Delay { .. }
            | Fault::Reset { .. }
            | Fault::Heal { .. } => self.link_fault(fault),
        }
        Ok(())
    }

    fn known_host(&self, number: i32, least: i32) -> Answer {
        match number >= least && (number == 0 || self.disks.contains_key(&NodeId(number))) {
            true => Ok(()),
            false => Err(("unknown-broker", format!("There is no broker {number}."))),
        }
    }

    fn link_fault(&mut self, fault: &Fault) {
        let Some((from, to)) = fault.link() else {
            return;
        };
        let (from, to) = (host(from), host(to));
        match fault {
            Fault::Cut { .. } => self.fail(from, to, Failing::Cut),
            Fault::BlackHole { .. } => self.fail(from, to, Failing::BlackHole),
            Fault::Slow {
                bytes_per_second, ..
            } => self.network.wire(from, to).bytes_per_second = Some(u64::from(*bytes_per_second)),
            Fault::Delay { ms, jitter_ms, .. } => {
                let wire = self.network.wire(from, to);
                wire.latency = u64::from(*ms) * 1_000;
                wire.jitter = u64::from(*jitter_ms) * 1_000;
            }
            Fault::Reset { moment, .. } => {
                // A response goes the other way.
                let (wire, reset) = match moment {
                    Moment::Request => (self.network.wire(from, to), Reset::Request),
                    Moment::Response => (self.network.wire(to, from), Reset::Response),
                };
                wire.reset = Some(reset);
            }
            _ => self.heal(from, to),
        }
    }

    fn fail(&mut self, from: Host, to: Host, how: Failing) {
        let fate = match how {
            Failing::Cut => Fate::Cut,
            Failing::BlackHole => Fate::Swallows,
        };
        self.network.wire(from, to).fate = fate;
        if fate == Fate::Cut {
            for end in self.network.between(from, to) {
                self.break_connection(end);
            }
        }
    }

    fn isolate(&mut self, node: NodeId, how: Failing, ways: Ways) {
        let others = self.disks.keys().filter(|other| **other != node);
        let others: Vec<Host> = others.map(|other| Host::Node(*other)).collect();
        let node = Host::Node(node);
        for other in others.into_iter().chain([Host::Clients]) {
            if ways != Ways::Out {
                self.fail(other, node, how);
            }
            if ways != Ways::In {
                self.fail(node, other, how);
            }
        }
    }

    fn heal(&mut self, from: Host, to: Host) {
        self.network.mend(from, to);
        self.network.mend(to, from);
        self.send_held(from, to);
    }

    fn heal_all(&mut self) {
        for (from, to) in self.network.changed() {
            self.heal(from, to);
        }
        for disk in self.disks.values_mut() {
            disk.fill(false);
            disk.slow(0);
        }
    }

    fn skew(&mut self, node: NodeId, ms: i32) {
        self.skews.insert(node, i64::from(ms) * 1_000);
        self.set_clock(node);
    }

    /// Sets a node's clock on the wall as it is skewed.
    pub(crate) fn set_clock(&mut self, node: NodeId) {
        let skew = self.skews.get(&node).copied();
        if let Some((node, skew)) = self.cluster.node_mut(node).zip(skew) {
            node.set_wall_ahead(skew);
        }
    }

    fn pause_node(&mut self, node: NodeId) {
        if self.cluster.node(node).is_some() {
            self.paused.entry(node).or_default();
        }
    }

    /// What came meanwhile waits for a node that goes on, in its order.
    fn resume_node(&mut self, node: NodeId) {
        let Some(waiting) = self.paused.remove(&node) else {
            return;
        };
        for event in waiting {
            self.tell_node(node, event);
        }
        self.tell_node(node, Event::Tick);
    }

    /// Keeps an event for a node that stands still.
    pub(crate) fn hold_event(&mut self, node: NodeId, event: Event) {
        if let Some(waiting) = self.paused.get_mut(&node)
            && !matches!(event, Event::Tick)
        {
            waiting.push(event);
        }
    }

    /// Begins to stop a node in order.
    fn stop_node(&mut self, node: NodeId) {
        if self.cluster.node(node).is_none() || self.stopping.contains(&node) {
            return;
        }
        self.stopping.insert(node);
        let (at, life) = (self.now.plus_millis(STOP_MS), self.life(node));
        self.queue.push(at, Happening::StopNode { node, life });
        self.tell_node(node, Event::Shutdown);
    }

    /// A node that is to stop does, once its controller lets it.
    pub(crate) fn stop_if_allowed(&mut self, node: NodeId) {
        if !self.stopping.contains(&node) {
            return;
        }
        if self.cluster.node(node).is_some_and(Node::may_stop) {
            self.end_node(node, Death::Stop);
        }
    }

    /// A disk is torn at the write that is under way, or else at the next one.
    fn tear(&mut self, node: NodeId) {
        let disk = self.disks.entry(node).or_default();
        match disk.is_busy() {
            true => self.end_node(node, Death::Tear),
            false => disk.tear_next(),
        }
    }

    fn wipe(&mut self, node: NodeId) {
        self.kill_node(node);
        self.tell_damaged(node);
        let disk = self.disks.entry(node).or_default();
        for name in disk.wipe() {
            if self.keeps_writes {
                let op = None;
                self.writes.push(DiskWrite { node, name, op });
            }
        }
    }

    fn flip(&mut self, node: NodeId) -> Answer {
        self.tell_damaged(node);
        let disk = self.disks.entry(node).or_default();
        match disk.flip(&mut self.rng) {
            true => Ok(()),
            false => Err((
                "nothing-there",
                format!("There is no byte of a record in memory on the disk of broker {node}."),
            )),
        }
    }

    /// What becomes of the writes of a log that were under way.
    pub(crate) fn end_writes(
        &mut self,
        node: NodeId,
        name: &TopicIdPartition,
        log: &Log,
        pending: VecDeque<Pending>,
        death: Death,
    ) {
        let writes = pending.into_iter().flat_map(|pending| pending.writes);
        match death {
            // A write that was under way is done or not: the broker did not live to hear of it.
            Death::Kill => {
                let full = self.disks.get(&node).is_some_and(|disk| disk.is_full());
                if !full && self.rng.below(2) == 0 {
                    writes.for_each(|write| self.write(node, name, write, Some(log)));
                }
            }
            Death::PowerLoss => {}
            Death::Tear => {
                let mut writes: Vec<Write> = writes.collect();
                let done = self.rng.below(writes.len() as u64 + 1);
                writes.truncate(usize::try_from(done).unwrap_or(usize::MAX));
                let last = writes.pop();
                for write in writes {
                    self.write(node, name, write, Some(log));
                }
                if let Some(torn) = last.and_then(|write| self.torn(write)) {
                    self.write(node, name, torn, None);
                }
            }
            Death::Stop => {
                writes.for_each(|write| self.write(node, name, write, Some(log)));
                self.close_log(node, name, log);
            }
        }
    }

    /// A beginning of a write; `None` of what is written whole or not at all.
    fn torn(&mut self, write: Write) -> Option<Write> {
        let StoreOp::Append {
            segment,
            position,
            length,
        } = write.op
        else {
            return None;
        };
        let kept = u32::try_from(self.rng.below(u64::from(length))).unwrap_or(0);
        let mut left = kept as usize;
        let mut bytes = write.bytes;
        bytes.retain_mut(|piece| {
            piece.truncate(left);
            left -= piece.len();
            !piece.is_empty()
        });
        let op = StoreOp::Append {
            segment,
            position,
            length: kept,
        };
        Some(Write { op, bytes })
    }

    fn close_log(&mut self, node: NodeId, name: &TopicIdPartition, log: &Log) {
        let mut closed = log.clone();
        let mut ops = Vec::new();
        if !log.is_idle() {
            closed.close(&mut ops);
        }
        for op in ops {
            self.write(node, name, Write::new(op), Some(log));
        }
        if let Some(dir) = self.dir_mut(node, name) {
            dir.close(&closed);
        }
    }

    /// The power of a disk is gone: what is left of its files is what its node starts from.
    pub(crate) fn lose_power(&mut self, node: NodeId) {
        let Some(disk) = self.disks.get_mut(&node) else {
            return;
        };
        for (name, dir) in disk.dirs.iter_mut() {
            dir.lose_power(&mut self.rng);
            if let Some((segment, position)) = dir.segment_sizes().last()
                && self.keeps_writes
            {
                let (name, op) = (name.clone(), StoreOp::Truncate { segment, position });
                let op = Some(op);
                self.writes.push(DiskWrite { node, name, op });
            }
        }
    }

    /// A write is done; says whether the node has died of it.
    pub(crate) fn tears_now(&mut self, node: NodeId, log: LogId) -> bool {
        let disk = self.disks.get_mut(&node);
        let torn = disk.is_some_and(|disk| disk.tears(log));
        if torn {
            self.end_node(node, Death::Tear);
        }
        torn
    }
}

fn host(number: i32) -> Host {
    match number {
        0 => Host::Clients,
        number => Host::Node(NodeId(number)),
    }
}
