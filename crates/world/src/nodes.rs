//! Starting and killing brokers: what a disk holds is all that is left of one.

use crate::disk::StoredLog;
use crate::faults::Death;
use crate::network::FIRST_PORT;
use crate::said::Said;
use crate::starting::Starting;
use crate::state::State;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cluster::{BrokerConfig, ControllerConfig, Event, LogId, Node, NodeConfig, Recovered};
use ids::{NodeId, Offset, Rng, TopicIdPartition, Uuid};
use log::{Log, LogConfig, Report};
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
        let metadata = match recovered.remove(&TopicIdPartition::metadata()) {
            Some(log) => log,
            None => Log::new(metadata_config(), Offset(0), self.now),
        };
        let recovered = (recovered.into_iter()).map(|(name, log)| Recovered { name, log });
        let recovered: Vec<Recovered> = recovered.collect();
        if id == CONTROLLER {
            let disk = self.disks.entry(id).or_default();
            disk.open(LogId::METADATA, TopicIdPartition::metadata());
            self.tell_opened(id, LogId::METADATA, &TopicIdPartition::metadata());
        }
        let incarnation = Uuid::random(&mut self.rng);
        let broker = BrokerConfig {
            node: id,
            cluster_id: Arc::from(self.cluster_id().to_string().as_str()),
            host: Arc::from("localhost"),
            port: FIRST_PORT + u16::try_from(id.0 - 1).unwrap_or(0),
            incarnation,
            directory: Uuid::random(&mut Rng::new(id.0.unsigned_abs().into())),
            properties: self.properties(),
            seed: self.rng.next(),
            catalog: metadata::Catalog::default(),
        };
        let controller = (id == CONTROLLER).then(|| ControllerConfig {
            node: id,
            incarnation,
            properties: self.properties(),
            seed: self.rng.next(),
            catalog: metadata::Catalog::default(),
        });
        let peers = (1..=i32::try_from(self.scenario.brokers).unwrap_or(1))
            .map(NodeId)
            .filter(|peer| *peer != id);
        let config = NodeConfig {
            broker,
            controller,
            controller_node: CONTROLLER,
            peers: peers.collect(),
        };
        self.cluster
            .insert(Node::new(config, metadata.into(), recovered));
        self.set_clock(id);
        self.tell_node(id, Event::Start);
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
