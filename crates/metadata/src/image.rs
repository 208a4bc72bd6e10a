//! The image: what the metadata log adds up to.

use crate::record::{MetadataRecord, records_of};
use crate::snapshot::Snapshot;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{LeaderEpoch, Mutant, NodeId, Offset, PartitionIndex, Uuid, is_planted};
use sorted::SortedMap;
use wire::broker_registration_change_record::BrokerRegistrationChangeRecord;
use wire::config_record::ConfigRecord;
use wire::partition_change_record::PartitionChangeRecord;
use wire::partition_record::PartitionRecord;
use wire::register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord};
use wire::register_controller_record::RegisterControllerRecord;

/// No leader, as partition records write it.
const NO_LEADER: NodeId = NodeId(-1);
/// "Leave the leader as it is", as partition change records write it.
const LEADER_UNCHANGED: i32 = -2;

/// Records that say nothing of a snapshot's concern: that nothing is new, and where a transaction begins, ends or
/// is given up.
const MEANINGLESS: [u32; 4] = [20, 23, 24, 25];

/// A registered broker.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerEntry {
    /// Offset of its registration record; requests with an older one are stale.
    pub epoch: i64,
    /// New with every start of the broker process.
    pub incarnation: Uuid,
    /// Where clients reach it.
    pub host: Arc<str>,
    /// Port of `host`.
    pub port: u16,
    /// All its listeners, of which that is the first.
    pub listeners: Vec<BrokerEndpoint>,
    /// `broker.rack`, if set.
    pub rack: Option<Arc<str>>,
    /// Fenced brokers lead nothing and are not shown to clients.
    pub fenced: bool,
    /// It hands its leaderships over before it stops, and joins no ISR any more.
    pub in_controlled_shutdown: bool,
    /// Its log directories that work (KIP-858).
    pub log_dirs: Vec<Uuid>,
    /// Those that get no new replicas (KIP-1066); `None` before it has said so.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// The features it speaks: name, least and highest level.
    pub features: Vec<(Arc<str>, i16, i16)>,
    /// Offset of its latest registration record. It may be above the epoch: what an unclean stop costs comes
    /// first in the same batch.
    pub registered_at: Offset,
}

impl BrokerEntry {
    /// Whether it may lead and be in sync: it is neither fenced nor about to stop.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    fn change(&mut self, body: &BrokerRegistrationChangeRecord) {
        match body.fenced {
            1 => self.fenced = true,
            -1 => self.fenced = false,
            _ => {}
        }
        if body.in_controlled_shutdown == 1 {
            self.in_controlled_shutdown = true;
        }
        if !body.log_dirs.is_empty() {
            self.log_dirs.clone_from(&body.log_dirs);
        }
        if body.cordoned_log_dirs.is_some() {
            self.cordoned_log_dirs.clone_from(&body.cordoned_log_dirs);
        }
    }
}

/// One partition's assignment and leadership.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Its replicas in order of preference.
    pub replicas: Vec<NodeId>,
    /// The replicas that are in sync.
    pub isr: Vec<NodeId>,
    /// Replicas that may lead without loss though they are not in sync (KIP-966).
    pub elr: Vec<NodeId>,
    /// The last leader of a partition that has lost all replicas in sync; Kafka keeps one of them.
    pub last_known_elr: Vec<NodeId>,
    /// Replicas that a reassignment adds; they are among `replicas`.
    pub adding: Vec<NodeId>,
    /// Replicas that leave when the reassignment is complete; they are among `replicas`.
    pub removing: Vec<NodeId>,
    /// The leader was elected though records may be lost, and has not recovered from it yet.
    pub recovering: bool,
    /// The leader; `NodeId(-1)` is none.
    pub leader: NodeId,
    /// Grows with every change of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with every change of the partition.
    pub partition_epoch: i32,
    /// Directory ids of the replicas (KIP-858), as the records hold them.
    pub directories: Vec<Uuid>,
}

impl Partition {
    /// The leader, if there is one.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        (self.leader != NO_LEADER).then_some(self.leader)
    }

    /// Whether a reassignment is under way (KIP-455).
    #[must_use]
    pub fn is_being_reassigned(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// Makes of it what a change record says.
    pub fn change(&mut self, body: &PartitionChangeRecord) {
        let lists = [
            (&body.isr, &mut self.isr),
            (&body.replicas, &mut self.replicas),
            (&body.adding_replicas, &mut self.adding),
            (&body.removing_replicas, &mut self.removing),
            (&body.eligible_leader_replicas, &mut self.elr),
            (&body.last_known_elr, &mut self.last_known_elr),
        ];
        for (new, list) in lists {
            if let Some(new) = new {
                *list = nodes(new);
            }
        }
        if let Some(directories) = &body.directories {
            self.directories.clone_from(directories);
        }
        match body.leader_recovery_state {
            0 => self.recovering = false,
            1 => self.recovering = true,
            _ => {}
        }
        if body.leader != LEADER_UNCHANGED {
            // Setting the leader raises its epoch, even to the same leader: every
            // record that names a leader is an election.
            self.leader = NodeId(body.leader);
            if !is_planted(Mutant::LeaderEpochKept) {
                self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
            }
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }
}

/// A topic with its partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; a topic created again under the same name has another.
    pub id: Uuid,
    /// Its partitions by number.
    pub partitions: SortedMap<PartitionIndex, Partition>,
}

/// What a record changed, for whoever acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A partition appeared or its leadership or replicas changed.
    Partition {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's number.
        partition: PartitionIndex,
    },
    /// A topic is gone, with all its partitions.
    TopicRemoved {
        /// The topic's name.
        topic: Arc<str>,
        /// The id it had.
        id: Uuid,
    },
    /// A topic's or broker's configs changed.
    Config {
        /// Resource type ([`crate::TOPIC`] or [`crate::BROKER`]).
        kind: i8,
        /// The resource's name.
        name: Arc<str>,
    },
    /// A broker registered, was fenced, unfenced or unregistered.
    Broker(NodeId),
}

/// The dynamic configs of one resource: values by name.
pub type Configs = SortedMap<Arc<str>, Arc<str>>;

/// The cluster's metadata at one offset of its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    brokers: SortedMap<NodeId, BrokerEntry>,
    topics: SortedMap<Arc<str>, Arc<Topic>>,
    names: SortedMap<Uuid, Arc<str>>,
    configs: SortedMap<i8, SortedMap<Arc<str>, Configs>>,
    /// Bytes of all names and values in `configs`, that of the resource with each of them.
    config_bytes: usize,
    features: SortedMap<Arc<str>, i16>,
    controllers: SortedMap<NodeId, RegisterControllerRecord>,
    next_producer_id: i64,
    /// It was told something that it does not keep.
    is_partial: bool,
    end: Offset,
}

impl Image {
    /// Applies the record at `offset`; records must come in log order.
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord) -> Option<Change> {
        self.end = offset.plus(1);
        match record {
            MetadataRecord::RegisterBroker(body) => Some(self.register(offset, body)),
            MetadataRecord::BrokerRegistrationChange(body) => {
                let id = NodeId(body.broker_id);
                self.brokers.get_mut(&id)?.change(body);
                Some(Change::Broker(id))
            }
            MetadataRecord::UnregisterBroker(body) => {
                let id = NodeId(body.broker_id);
                self.brokers.remove(&id)?;
                Some(Change::Broker(id))
            }
            MetadataRecord::ClearElr(body) => {
                self.clear_elr(&body.topic_name);
                None
            }
            MetadataRecord::Topic(body) => {
                let name: Arc<str> = Arc::from(&*body.name);
                let topic = Topic {
                    name: name.clone(),
                    id: body.topic_id,
                    partitions: SortedMap::new(),
                };
                self.names.insert(body.topic_id, name.clone());
                self.topics.insert(name, Arc::new(topic));
                None
            }
            MetadataRecord::Partition(body) => self.add_partition(body),
            MetadataRecord::PartitionChange(body) => self.change_partition(body),
            MetadataRecord::RemoveTopic(body) => self.remove_topic(body.topic_id),
            MetadataRecord::Config(body) => {
                let name: Arc<str> = Arc::from(&*body.resource_name);
                self.configure(body.resource_type, &name, body);
                Some(Change::Config {
                    kind: body.resource_type,
                    name,
                })
            }
            MetadataRecord::FeatureLevel(body) => {
                self.features
                    .insert(Arc::from(&*body.name), body.feature_level);
                None
            }
            MetadataRecord::ProducerIds(body) => {
                self.next_producer_id = body.next_producer_id;
                None
            }
            MetadataRecord::RegisterController(body) => {
                let id = NodeId(body.controller_id);
                self.controllers.insert(id, detached(body));
                None
            }
            MetadataRecord::Other { kind, .. } => {
                self.is_partial |= !MEANINGLESS.contains(kind);
                None
            }
        }
    }

    /// Takes up what a snapshot holds; says whether all of it could be read. Its records have offsets of its own:
    /// here they all bear that of the last one it stands for.
    pub fn load(&mut self, snapshot: &Snapshot) -> bool {
        let end = snapshot.id().end;
        let last = Offset(end.0.saturating_sub(1));
        let mut whole = true;
        for (_, record) in snapshot.batches().iter().flat_map(records_of) {
            match record {
                Ok(record) => _ = self.apply(last, &record),
                Err(_) => whole = false,
            }
        }
        self.advance(end);
        whole
    }

    /// Everything below an offset is in it, though the last records may say nothing: the quorum's own, or
    /// those of a snapshot, which has offsets of its own.
    pub fn advance(&mut self, end: Offset) {
        self.end = end;
    }

    /// The offset after the last record applied.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// All registered brokers, fenced ones too.
    #[must_use]
    pub fn brokers(&self) -> &SortedMap<NodeId, BrokerEntry> {
        &self.brokers
    }

    /// The brokers that serve clients.
    pub fn live_brokers(&self) -> impl Iterator<Item = (NodeId, &BrokerEntry)> {
        self.brokers
            .iter()
            .filter(|(_, broker)| !broker.fenced)
            .map(|(id, broker)| (*id, broker))
    }

    /// The controllers that have registered, as they have.
    #[must_use]
    pub fn controllers(&self) -> &SortedMap<NodeId, RegisterControllerRecord> {
        &self.controllers
    }

    /// Whether the log has said something that is not kept here: then it must stay.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// All topics in name order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// Number of topics.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Number of partitions of all topics.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.topics
            .values()
            .map(|topic| topic.partitions.len())
            .sum()
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// The topic with this id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// One partition.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: PartitionIndex) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(&partition)
    }

    /// A dynamic config's value, as the log holds it.
    #[must_use]
    pub fn config(&self, kind: i8, resource: &str, name: &str) -> Option<&str> {
        Some(self.configs_of(kind, resource)?.get(name)?)
    }

    /// All dynamic configs of a resource.
    #[must_use]
    pub fn configs_of(&self, kind: i8, resource: &str) -> Option<&Configs> {
        self.configs.get(&kind)?.get(resource)
    }

    /// The names of all resources of a kind that have dynamic configs.
    pub fn configured(&self, kind: i8) -> impl Iterator<Item = &Arc<str>> {
        let resources = self.configs.get(&kind);
        resources.into_iter().flat_map(SortedMap::keys)
    }

    /// All dynamic configs: the kind of resource, the resource, and its values.
    pub fn all_configs(&self) -> impl Iterator<Item = (i8, &Arc<str>, &Configs)> {
        let kinds = self.configs.iter();
        kinds.flat_map(|(kind, resources)| {
            (resources.iter()).map(move |(resource, values)| (*kind, resource, values))
        })
    }

    /// Bytes that all dynamic configs take: the names of resource and config, and the value.
    #[must_use]
    pub fn config_bytes(&self) -> usize {
        self.config_bytes
    }

    /// A dynamic config of one broker alone, as the log holds it.
    #[must_use]
    pub fn broker_config(&self, node: NodeId, name: &str) -> Option<&str> {
        let brokers = self.configs.get(&crate::BROKER)?;
        let (_, values) = brokers
            .iter()
            .find(|(resource, _)| resource.parse() == Ok(node.0))?;
        Some(values.get(name)?)
    }

    /// A feature's level in force; 0 when it was never set.
    #[must_use]
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All features in force.
    #[must_use]
    pub fn features(&self) -> &SortedMap<Arc<str>, i16> {
        &self.features
    }

    /// The first producer id that has not been given to any broker.
    #[must_use]
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    fn configure(&mut self, kind: i8, resource: &Arc<str>, body: &ConfigRecord) {
        let resources = self.configs.entry(kind).or_default();
        let values = resources.entry(resource.clone()).or_default();
        let before = values
            .get(&*body.name)
            .map_or(0, |old| size(resource, &body.name, old));
        let after = (body.value.as_ref()).map_or(0, |value| size(resource, &body.name, value));
        match &body.value {
            Some(value) => values.insert(Arc::from(&*body.name), Arc::from(&**value)),
            None => values.remove(&*body.name),
        };
        self.config_bytes = (self.config_bytes + after).saturating_sub(before);
        if values.is_empty() {
            resources.remove(resource);
        }
    }

    fn remove_topic(&mut self, id: Uuid) -> Option<Change> {
        let name = self.names.remove(&id)?;
        self.topics.remove(&name);
        let topics = self.configs.get_mut(&crate::TOPIC);
        if let Some(gone) = topics.and_then(|topics| topics.remove(&name)) {
            let sizes = gone.iter().map(|(key, value)| size(&name, key, value));
            self.config_bytes = self.config_bytes.saturating_sub(sizes.sum());
        }
        Some(Change::TopicRemoved { topic: name, id })
    }

    fn register(&mut self, offset: Offset, body: &RegisterBrokerRecord) -> Change {
        let (host, port) = body
            .end_points
            .first()
            .map_or((Arc::from(""), 0), |endpoint| {
                (Arc::from(&*endpoint.host), endpoint.port)
            });
        let id = NodeId(body.broker_id);
        let listener = |of: &BrokerEndpoint| BrokerEndpoint {
            name: of.name.detached(),
            host: of.host.detached(),
            ..of.clone()
        };
        let entry = BrokerEntry {
            listeners: body.end_points.iter().map(listener).collect(),
            epoch: body.broker_epoch,
            incarnation: body.incarnation_id,
            host,
            port,
            rack: body.rack.as_ref().map(|rack| Arc::from(&**rack)),
            fenced: body.fenced,
            in_controlled_shutdown: body.in_controlled_shutdown,
            log_dirs: body.log_dirs.clone(),
            cordoned_log_dirs: body.cordoned_log_dirs.clone(),
            features: body.features.iter().map(feature).collect(),
            registered_at: offset,
        };
        self.brokers.insert(id, entry);
        Change::Broker(id)
    }

    /// A lower `min.insync.replicas` makes what is known of eligible leaders worthless; an empty name means
    /// all topics.
    fn clear_elr(&mut self, name: &str) {
        let is_stale = |partition: &Partition| {
            !partition.elr.is_empty() || !partition.last_known_elr.is_empty()
        };
        for topic in self.topics.values_mut() {
            let meant = name.is_empty() || *topic.name == *name;
            if meant && topic.partitions.values().any(is_stale) {
                let partitions = Arc::make_mut(topic).partitions.values_mut();
                for partition in partitions.filter(|partition| is_stale(partition)) {
                    partition.change(&PartitionChangeRecord {
                        eligible_leader_replicas: Some(Vec::new()),
                        last_known_elr: Some(Vec::new()),
                        ..PartitionChangeRecord::default()
                    });
                }
            }
        }
    }

    fn add_partition(&mut self, body: &PartitionRecord) -> Option<Change> {
        let name = self.names.get(&body.topic_id)?.clone();
        let topic = Arc::make_mut(self.topics.get_mut(&name)?);
        let partition = Partition {
            replicas: nodes(&body.replicas),
            isr: nodes(&body.isr),
            elr: (body.eligible_leader_replicas.as_deref()).map_or_else(Vec::new, nodes),
            last_known_elr: (body.last_known_elr.as_deref()).map_or_else(Vec::new, nodes),
            adding: nodes(&body.adding_replicas),
            removing: nodes(&body.removing_replicas),
            recovering: body.leader_recovery_state == 1,
            leader: NodeId(body.leader),
            leader_epoch: LeaderEpoch(body.leader_epoch),
            partition_epoch: body.partition_epoch,
            directories: body.directories.clone(),
        };
        let index = PartitionIndex(body.partition_id);
        topic.partitions.insert(index, partition);
        Some(Change::Partition {
            topic: name,
            partition: index,
        })
    }

    fn change_partition(&mut self, body: &PartitionChangeRecord) -> Option<Change> {
        let name = self.names.get(&body.topic_id)?.clone();
        let topic = Arc::make_mut(self.topics.get_mut(&name)?);
        let index = PartitionIndex(body.partition_id);
        let partition = topic.partitions.get_mut(&index)?;
        partition.change(body);
        Some(Change::Partition {
            topic: name,
            partition: index,
        })
    }
}

/// A record that holds no part of a batch.
fn detached(body: &RegisterControllerRecord) -> RegisterControllerRecord {
    let mut body = body.clone();
    for endpoint in &mut body.end_points {
        endpoint.name = endpoint.name.detached();
        endpoint.host = endpoint.host.detached();
    }
    for feature in &mut body.features {
        feature.name = feature.name.detached();
    }
    body
}

fn feature(body: &BrokerFeature) -> (Arc<str>, i16, i16) {
    (
        Arc::from(&*body.name),
        body.min_supported_version,
        body.max_supported_version,
    )
}

fn size(resource: &str, name: &str, value: &str) -> usize {
    resource.len() + name.len() + value.len()
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}
