//! Starting and killing brokers: what a disk holds is all that is left of one.

use crate::disk::{Dir, StoredLog};
use crate::faults::Death;
use crate::network::{CONTROLLER_PORT, FIRST_PORT};
use crate::said::Said;
use crate::starting::Starting;
use crate::state::State;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cluster::{
    BrokerConfig, ControllerConfig, Event, KeptSnapshot, ListenerEndpoint, LogId, MetadataLog,
    Node, NodeConfig, RaftConfig, Recovered, ReplicaKey, Tuning, Voter, Voters,
};
use ids::{NodeId, Offset, Rng, TopicIdPartition, Uuid};
use log::{Log, LogConfig, LogFile, Report};
use sorted::SortedMap;

/// The node that has the controller when there is one.
pub(crate) const CONTROLLER: NodeId = NodeId(1);

/// How this world's brokers differ from Kafka's defaults.
///
/// World time is not wall time: it stands still while nobody looks. So records of clients from
/// outside may be "from the future", and are let in as before Kafka 4.0 (KIP-937).
const PROPERTIES: &[(&str, &str)] =
    &[("log.message.timestamp.after.max.ms", "9223372036854775807")];

/// The id of a node's directory.
fn directory(node: NodeId) -> Uuid {
    Uuid::random(&mut Rng::new(node.0.unsigned_abs().into()))
}

impl State {
    /// Starts a node on what its disk holds.
    pub(crate) fn start_node(&mut self, id: NodeId) {
        if self.cluster.node(id).is_some() || self.starting.contains_key(&id) {
            return;
        }
        let now = self.now;
        let disk = self.disks.entry(id).or_default();
        let starting = Starting::new(disk, now);
        self.starting.insert(id, starting);
        self.go_on_starting(id);
    }

    /// A node whose logs are recovered begins to run.
    pub(crate) fn enter_node(&mut self, id: NodeId, recovered: Vec<(TopicIdPartition, Log)>) {
        let mut recovered: SortedMap<TopicIdPartition, Log> = recovered.into_iter().collect();
        let name = TopicIdPartition::metadata();
        let log = match recovered.remove(&name) {
            Some(log) => log,
            None => Log::new(metadata_config(), Offset(0), self.now),
        };
        let disk = self.disks.entry(id).or_default();
        let dir = disk.dirs.get(&name);
        let quorum_state = dir.and_then(|dir| dir.small(LogFile::QuorumState));
        let metadata = MetadataLog {
            quorum_state: quorum_state.cloned(),
            snapshot: dir.and_then(newest_snapshot),
            log,
        };
        let recovered = (recovered.into_iter()).map(|(name, log)| Recovered { name, log });
        let recovered: Vec<Recovered> = recovered.collect();
        disk.open(LogId::METADATA, name.clone());
        self.tell_opened(id, LogId::METADATA, &name);
        let incarnation = Uuid::random(&mut self.rng);
        let broker = BrokerConfig {
            node: id,
            cluster_id: Arc::from(self.cluster_id().to_string().as_str()),
            host: Arc::from("localhost"),
            port: FIRST_PORT + u16::try_from(id.0 - 1).unwrap_or(0),
            incarnation,
            directory: directory(id),
            previous_epoch: None,
            properties: self.properties_of(id),
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
        let config = match self.scenario.brokers {
            1 => NodeConfig::alone(broker, controller),
            _ => self.member(broker, controller),
        };
        match Node::new(config, metadata, recovered) {
            Ok(node) => self.cluster.insert(node),
            Err(damaged) => panic!("nothing here damages quorum-state: {damaged:?}"),
        }
        self.set_clock(id);
        self.tell_node(id, Event::Start);
    }

    /// A node of several: the first of them are controllers, which all find at ports of their own.
    fn member(&self, broker: BrokerConfig, controller: ControllerConfig) -> NodeConfig {
        let endpoint = |id: NodeId| ListenerEndpoint {
            listener: "CONTROLLER".into(),
            host: "localhost".into(),
            port: CONTROLLER_PORT + u16::try_from(id.0 - 1).unwrap_or(0),
        };
        let voter = |id: NodeId| Voter {
            key: ReplicaKey {
                id,
                directory: directory(id),
            },
            endpoints: Vec::from([endpoint(id)]),
            kraft_versions: (0, 1),
        };
        let controllers = 1..=i32::try_from(self.scenario.controllers).unwrap_or(1);
        let is_controller = controllers.contains(&broker.node.0);
        let endpoint = endpoint(broker.node);
        NodeConfig {
            quorum: RaftConfig {
                node: broker.node,
                directory: broker.directory,
                cluster_id: String::from(&*broker.cluster_id),
                controller: is_controller,
                static_voters: Voters::new(controllers.map(NodeId).map(voter).collect()),
                bootstrap_servers: 0,
                endpoints: Vec::from_iter(is_controller.then_some(endpoint)),
                tuning: Tuning::default(),
                seed: controller.seed,
            },
            bootstrap_servers: Vec::new(),
            broker: Some(broker),
            controller: is_controller.then_some(controller),
            snapshots: None,
        }
    }

    /// Stops a node as `kill -9` does: what it has written stays, everything else is gone. Of each log
    /// the writes that were ordered last are on the disk, all of them or none.
    pub(crate) fn kill_node(&mut self, id: NodeId) {
        self.end_node(id, Death::Kill);
    }

    /// A node is no more; its disk is what is left of it.
    pub(crate) fn end_node(&mut self, id: NodeId, death: Death) {
        self.stopping.remove(&id);
        self.paused.remove(&id);
        if self.starting.remove(&id).is_some() {
            self.end_life(id);
        }
        if let Some(node) = self.cluster.remove(id) {
            self.end_life(id);
            self.disconnect_node(id);
            let disk = self.disks.entry(id).or_default();
            for (log_id, name) in disk.close_all() {
                let disk = self.disks.entry(id).or_default();
                let pending = disk.take_all_pending(log_id);
                if let Some(log) = node.log(log_id) {
                    self.end_writes(id, &name, log, pending, death);
                }
            }
        }
        if death == Death::PowerLoss {
            self.lose_power(id);
        }
        self.tell_ended(id, death);
    }

    /// A log as a node's disk has it, whether the node runs or not.
    pub(crate) fn stored_log(
        &self,
        node: NodeId,
        name: &TopicIdPartition,
    ) -> Option<StoredLog<'_>> {
        let disk = self.disks.get(&node)?;
        let dir = disk.dirs.get(name)?;
        let running = self.cluster.node(node).zip(disk.id(name));
        let log = running.and_then(|(running, id)| running.log(id));
        let noted = dir.checkpoints();
        Some(StoredLog {
            dir,
            log_start: log.map_or(noted.log_start, Log::log_start),
            high_watermark: log.map_or(noted.high_watermark, Log::high_watermark),
        })
    }

    /// Every log of every node, with whose it is.
    pub(crate) fn stored_logs(&self) -> Vec<(NodeId, TopicIdPartition)> {
        let named = (self.disks.iter())
            .flat_map(|(node, disk)| disk.dirs.keys().map(|name| (*node, name.clone())));
        named.collect()
    }

    /// The cluster's id: made from the seed, so that it lasts as long as the scenario.
    pub(crate) fn cluster_id(&self) -> Uuid {
        Uuid::random(&mut Rng::new(self.scenario.seed()))
    }

    fn properties_of(&self, node: NodeId) -> SortedMap<String, String> {
        let mut properties = self.properties();
        let index = usize::try_from(node.0 - 1).unwrap_or(usize::MAX);
        if let Some(rack) = self.scenario.racks.get(index).filter(|it| !it.is_empty()) {
            properties.insert("broker.rack".to_string(), rack.clone());
        }
        properties
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

/// The newest snapshot of the metadata that a directory has; it was put there whole.
fn newest_snapshot(dir: &Dir) -> Option<KeptSnapshot> {
    let kept = dir.smalls().filter_map(|(file, bytes)| match file {
        LogFile::MetadataSnapshot(id) => Some(KeptSnapshot {
            id,
            bytes: bytes.clone(),
        }),
        _ => None,
    });
    kept.max_by_key(|kept| kept.id)
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
