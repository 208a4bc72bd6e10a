//! A node that starts: its logs are recovered from what its disk holds, and from nothing else.
//!
//! Bytes that only the shell has are asked for on the way, a stretch at a time, and the world stands still
//! meanwhile; so a log that is larger than memory is never in it as a whole.

use crate::disk::{Disk, Stretch, Write};
use crate::nodes::{metadata_config, said};
use crate::said::Said;
use crate::state::State;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{NodeId, Offset, Time, Token, TopicIdPartition};
use log::{Log, LogConfig, LogSlice, Recovery, Report};

/// Bytes of one log that stay in memory while it is read from the shell.
const RECOVERY_BYTES: u64 = 32 << 20;
/// The first of the tokens by which a start asks for bytes: no node ever comes to it.
const TOKENS: u64 = 1 << 63;

/// A node whose logs are being recovered.
#[derive(Clone, Debug)]
pub(crate) struct Starting {
    /// Logs that have not been begun, the last first.
    todo: Vec<TopicIdPartition>,
    feeding: Option<Feeding>,
    done: Vec<(TopicIdPartition, Log, Report)>,
    asked: u64,
    now: Time,
}

/// A log that is being fed.
#[derive(Clone, Debug)]
struct Feeding {
    name: TopicIdPartition,
    recovery: Recovery,
    /// The segment that is fed, and up to where.
    segment: Offset,
    position: u32,
    /// Some of it came from the shell.
    was_cold: bool,
}

/// What a step of a start came to.
enum Fed {
    /// These bytes are needed.
    Needs(TopicIdPartition, LogSlice),
    /// There is nothing left.
    Done,
}

impl Starting {
    pub(crate) fn new(disk: &mut Disk, now: Time) -> Starting {
        let ready = core::mem::take(&mut disk.ready);
        let todo = disk.dirs.keys().rev();
        Starting {
            todo: todo
                .filter(|name| !ready.contains_key(name))
                .cloned()
                .collect(),
            feeding: None,
            done: (ready.into_iter())
                .map(|(name, log)| (name, log, Report::default()))
                .collect(),
            asked: 0,
            now,
        }
    }

    /// Whether bytes that came for this token are for a start.
    pub(crate) fn asked(token: Token) -> bool {
        token.0 >= TOKENS
    }

    fn begin(&self, disk: &Disk, name: TopicIdPartition) -> Feeding {
        let config = match name.is_metadata() {
            true => metadata_config(),
            false => LogConfig::default(),
        };
        let dir = disk.dirs.get(&name);
        let checkpoints = dir.map(|dir| dir.checkpoints()).unwrap_or_default();
        let mut recovery = Recovery::new(config, checkpoints, self.now);
        for (file, bytes) in dir.into_iter().flat_map(|dir| dir.smalls()) {
            recovery.file(file, bytes.clone());
        }
        let segment = dir.and_then(|dir| dir.segment_from(Offset(i64::MIN)));
        if let Some(segment) = segment {
            recovery.segment(segment);
        }
        Feeding {
            name,
            recovery,
            segment: segment.unwrap_or(Offset(i64::MAX)),
            position: 0,
            was_cold: false,
        }
    }

    /// Goes on until there is nothing left, or bytes are needed that are not in memory.
    fn feed(&mut self, disk: &Disk) -> Fed {
        loop {
            let feeding = match self.feeding.take() {
                Some(feeding) => feeding,
                None => match self.todo.pop() {
                    Some(name) => self.begin(disk, name),
                    None => return Fed::Done,
                },
            };
            match feeding.go_on(disk) {
                Ok((name, recovery)) => {
                    let (log, report) = recovery.finish();
                    self.done.push((name, log, report));
                }
                Err((feeding, slice)) => {
                    let name = feeding.name.clone();
                    self.feeding = Some(feeding);
                    return Fed::Needs(name, slice);
                }
            }
        }
    }

    /// Takes the bytes that were needed. A shell that does not have them gives none: the log ends there.
    fn take(&mut self, bytes: Bytes) {
        let Some(feeding) = &mut self.feeding else {
            return;
        };
        feeding.was_cold = true;
        match u32::try_from(bytes.len()) {
            Ok(length) if length > 0 => {
                feeding.position = feeding.position.saturating_add(length);
                feeding.recovery.bytes(bytes);
                feeding.recovery.evict(RECOVERY_BYTES);
            }
            _ => feeding.position = u32::MAX,
        }
    }
}

impl Feeding {
    /// Feeds what is in memory: gives the recovery at the end of the log, or what is needed before.
    #[expect(
        clippy::result_large_err,
        reason = "it is the feeding itself that goes on"
    )]
    fn go_on(mut self, disk: &Disk) -> Result<(TopicIdPartition, Recovery), (Feeding, LogSlice)> {
        let Some(dir) = disk.dirs.get(&self.name) else {
            return Ok((self.name, self.recovery));
        };
        loop {
            match dir.at(self.segment, self.position) {
                Some(Stretch::Here(bytes)) => {
                    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    self.position = self.position.saturating_add(length);
                    self.recovery.bytes(bytes);
                    if self.was_cold {
                        self.recovery.evict(RECOVERY_BYTES);
                    }
                }
                Some(Stretch::Cold(length)) => {
                    let (segment, position) = (self.segment, self.position);
                    let slice = LogSlice {
                        segment,
                        position,
                        length,
                    };
                    return Err((self, slice));
                }
                None => {
                    let next = self.segment.0.checked_add(1).map(Offset);
                    let Some(next) = next.and_then(|next| dir.segment_from(next)) else {
                        return Ok((self.name, self.recovery));
                    };
                    self.recovery.segment(next);
                    (self.segment, self.position) = (next, 0);
                }
            }
        }
    }
}

impl State {
    /// Begins to start a node, or goes on with it.
    pub(crate) fn go_on_starting(&mut self, id: NodeId) {
        let disk = self.disks.entry(id).or_default();
        let Some(starting) = self.starting.get_mut(&id) else {
            return;
        };
        match starting.feed(disk) {
            Fed::Needs(name, slice) => {
                starting.asked += 1;
                let token = Token(TOKENS + starting.asked);
                self.owe_to_start(id, name, token, slice);
            }
            Fed::Done => {
                let starting = self.starting.remove(&id);
                let done = starting.map(|starting| starting.done).unwrap_or_default();
                let recovered = self.settle_recovered(id, done);
                self.enter_node(id, recovered);
            }
        }
    }

    /// Hands a start the bytes that it has asked for.
    pub(crate) fn feed_start(&mut self, id: NodeId, bytes: Bytes) {
        if let Some(starting) = self.starting.get_mut(&id) {
            starting.take(bytes);
            self.go_on_starting(id);
        }
    }

    /// Makes the files what the recovered logs are, and says what was given up.
    fn settle_recovered(
        &mut self,
        node: NodeId,
        done: Vec<(TopicIdPartition, Log, Report)>,
    ) -> Vec<(TopicIdPartition, Log)> {
        let mut recovered = Vec::with_capacity(done.len());
        for (name, log, report) in done {
            let cuts: Vec<Said> = said(&name, &report);
            self.said.extend(cuts);
            self.tell_began(node, &name, &log);
            for op in report.ops {
                self.write(node, &name, Write::new(op), Some(&log));
            }
            if let Some(dir) = self.dir_mut(node, &name) {
                dir.begin();
            }
            recovered.push((name, log));
        }
        recovered
    }
}
