//! Starting and killing brokers: what a disk holds is all that is left of one.

use crate::disk::Disk;
use crate::network::{FIRST_PORT, LATENCY_MICROS};
use crate::queue::Happening;
use crate::said::Said;
use crate::state::State;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use cluster::{
    Broker, BrokerConfig, ControllerConfig, Event, LogId, MetadataLog, Node, NodeConfig, Recovered,
};
use ids::{NodeId, Offset, Rng, Time, TopicIdPartition, Uuid};
use log::files::encode_leader_epochs;
use log::{Checkpoints, Log, LogConfig, LogFile, LogSlice, Recovery, Report};
use sorted::SortedMap;

/// The node that has the controller.
pub(crate) const CONTROLLER: NodeId = NodeId(1);

/// How this world's brokers differ from Kafka's defaults.
///
/// World time is not wall time: it stands still while nobody looks. So records of clients from
/// outside may be "from the future", and are let in as before Kafka 4.0 (KIP-937).
const PROPERTIES: &[(&str, &str)] =
    &[("log.message.timestamp.after.max.ms", "9223372036854775807")];

impl State {
    /// Starts a node on what its disk holds.
    pub(crate) fn start_node(&mut self, id: NodeId) {
        if self.cluster.node(id).is_some() {
            return;
        }
        let now = self.now;
        let disk = self.disks.entry(id).or_default();
        let mut kept = core::mem::take(&mut disk.kept);
        let metadata = TopicIdPartition::metadata();
        let quorum_state = disk.file(&metadata, LogFile::QuorumState);
        let metadata = MetadataLog {
            quorum_state: quorum_state.map(|bytes| Bytes::from(bytes.clone())),
            snapshot: None,
            log: match kept.remove(&metadata) {
                Some(log) => log,
                None => Log::new(metadata_config(), Offset(0), now),
            },
        };
        let recovered = kept.into_iter().map(|(name, log)| Recovered { name, log });
        let recovered: Vec<Recovered> = recovered.collect();
        disk.open(LogId::METADATA, TopicIdPartition::metadata());
        let incarnation = Uuid::random(&mut self.rng);
        let broker = BrokerConfig {
            node: id,
            cluster_id: Arc::from(self.cluster_id().to_string().as_str()),
            host: Arc::from("localhost"),
            port: FIRST_PORT + u16::try_from(id.0 - 1).unwrap_or(0),
            incarnation,
            directory: Uuid::random(&mut Rng::new(id.0.unsigned_abs().into())),
            previous_epoch: None,
            properties: self.properties(),
            seed: self.rng.next(),
            catalog: metadata::Catalog::default(),
        };
        let controller = ControllerConfig {
            node: id,
            incarnation,
            properties: self.properties(),
            seed: self.rng.next(),
            catalog: metadata::Catalog::default(),
            keeps_eligible_leaders: false,
        };
        let config = NodeConfig::alone(broker, controller);
        match Node::new(config, metadata, recovered) {
            Ok(node) => self.cluster.insert(node),
            Err(damaged) => panic!("nothing here damages quorum-state: {damaged:?}"),
        }
        self.tell_node(id, Event::Start);
    }

    /// Stops a node as `kill -9` does: what it has written stays, everything else is gone. Of each log
    /// the writes that were ordered last are on the disk, all of them or none.
    pub(crate) fn kill_node(&mut self, id: NodeId) {
        let Some(node) = self.cluster.remove(id) else {
            return;
        };
        self.end_life(id);
        let at = self.now.plus_micros(LATENCY_MICROS);
        for conn in self.network.of_node(id) {
            if let Some((actor, link)) = self.network.close(id, conn) {
                self.queue.push(at, Happening::Closed { actor, link });
            }
        }
        let disk = self.disks.entry(id).or_default();
        let mut cuts = Vec::new();
        for (log_id, name) in disk.close_all() {
            let Some(log) = node.log(log_id) else {
                continue;
            };
            // A write that was under way is done or not: the broker did not live to hear of it.
            let done = !disk.is_full() && self.rng.below(2) == 0;
            let (log, report) = recover(disk, &name, log, done, self.now);
            cuts.extend(said(&name, &report));
            disk.kept.insert(name, log);
        }
        // What no partition has claimed yet lies on the disk as it did.
        let unclaimed = node.broker().into_iter().flat_map(Broker::unclaimed);
        for (name, log) in unclaimed {
            disk.kept.insert(name.clone(), log.clone());
        }
        self.said.extend(cuts);
    }

    /// A log, whether its node runs or not.
    pub(crate) fn stored_log(&self, node: NodeId, name: &TopicIdPartition) -> Option<&Log> {
        let disk = self.disks.get(&node)?;
        match self.cluster.node(node) {
            Some(running) => match disk.id(name) {
                Some(id) => running.log(id),
                None => {
                    let mut unclaimed = running.broker()?.unclaimed();
                    unclaimed.find(|(of, _)| *of == name).map(|(_, log)| log)
                }
            },
            None => disk.kept.get(name),
        }
    }

    /// Every log of every node, with whose it is.
    pub(crate) fn stored_logs(&self) -> Vec<(NodeId, TopicIdPartition)> {
        let named = self.disks.iter().flat_map(|(node, disk)| {
            let names = disk.open_logs().map(|(_, name)| name);
            names
                .chain(disk.kept.keys())
                .map(|name| (*node, name.clone()))
        });
        named.collect()
    }

    /// The cluster's id: made from the seed, so that it lasts as long as the scenario.
    pub(crate) fn cluster_id(&self) -> Uuid {
        Uuid::random(&mut Rng::new(self.scenario.seed()))
    }

    fn properties(&self) -> SortedMap<String, String> {
        let mut properties: SortedMap<String, String> = PROPERTIES
            .iter()
            .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
            .collect();
        properties.extend(self.scenario.properties.clone());
        properties
    }
}

/// The configuration of the metadata log: it is kept whole.
pub(crate) fn metadata_config() -> LogConfig {
    LogConfig {
        retention_ms: -1,
        retention_bytes: -1,
        delete: false,
        ..LogConfig::default()
    }
}

/// Rebuilds a log from what is written of it, as a broker does that was killed; with what was ordered
/// and not confirmed when that was `done`.
fn recover(
    disk: &Disk,
    name: &TopicIdPartition,
    log: &Log,
    done: bool,
    now: Time,
) -> (Log, Report) {
    let checkpoints = Checkpoints {
        log_start: log.log_start(),
        ..Checkpoints::default()
    };
    let mut recovery = Recovery::new(log.config().clone(), checkpoints, now);
    let epochs = disk.file(name, LogFile::LeaderEpochs).cloned();
    let epochs = epochs.unwrap_or_else(|| encode_leader_epochs(log.leader_epochs()));
    recovery.file(LogFile::LeaderEpochs, Bytes::from(epochs));
    // Bytes above the stored end were ordered, and it was not heard whether they were written.
    let mut written = log.clone();
    let mut ops = Vec::new();
    if !done && written.store_failed(now, &mut ops).is_err() {
        return (log.clone(), Report::default());
    }
    let mut pieces = Vec::new();
    let sizes: Vec<(Offset, u32)> = written.segment_sizes().collect();
    for (segment, length) in sizes {
        // A log whose bytes are not all in memory is taken as it is: nothing simulated has
        // damaged it.
        match written.slice_pieces(&LogSlice {
            segment,
            position: 0,
            length,
        }) {
            Some(found) => pieces.push((segment, found)),
            None => return (written, Report::default()),
        }
    }
    for (segment, found) in pieces {
        recovery.segment(segment);
        for piece in found {
            recovery.bytes(piece);
        }
    }
    recovery.finish()
}

/// What a recovery gave up, for people.
pub(crate) fn said(name: &TopicIdPartition, report: &Report) -> Vec<Said> {
    let cut = |cut: &log::Cut| Said::Cut {
        log: name.to_string(),
        file: cut.file.name(),
        at: cut.position,
        bytes: cut.bytes,
        why: cut.reason.clone(),
    };
    report.cuts.iter().map(cut).collect()
}
