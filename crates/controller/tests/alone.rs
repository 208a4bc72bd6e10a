//! A controller alone: its disk answers at once, and the brokers are this test.

use brooklet_controller::{Controller, ControllerConfig, Effect, Event, RequestId};
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, Time, Uuid};
use metadata::{Catalog, Image, MetadataRecord};
use sorted::SortedMap;
use std::collections::{BTreeMap, VecDeque};
use wire::alter_partition_request as alter;
use wire::alter_partition_response as altered;
use wire::broker_heartbeat_request::BrokerHeartbeatRequest;
use wire::broker_heartbeat_response::BrokerHeartbeatResponse;
use wire::broker_registration_request::{BrokerRegistrationRequest, Feature, Listener};
use wire::broker_registration_response::BrokerRegistrationResponse;
use wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use wire::create_topics_response::CreateTopicsResponse;
use wire::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use wire::update_features_response::UpdateFeaturesResponse;
use wire::{Message, RequestHeader, Str};

/// An offset that no metadata log here reaches.
pub(crate) const FAR: i64 = 1 << 40;
/// The id of the controller's own node.
pub(crate) const CONTROLLER: i32 = 100;

/// A broker as the test plays it.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) epoch: i64,
    pub(crate) incarnation: Uuid,
    pub(crate) directory: Uuid,
    pub(crate) rack: Option<String>,
}

pub(crate) struct Alone {
    pub(crate) controller: Controller,
    pub(crate) now: Time,
    /// Where its log ends; everything is committed at once.
    end: Offset,
    /// The records written since they were last taken.
    written: Vec<MetadataRecord>,
    pub(crate) brokers: BTreeMap<i32, Played>,
    asked: u64,
}

impl Alone {
    /// A controller that has started on an empty log.
    pub(crate) fn new(properties: &[(&str, &str)]) -> Alone {
        Alone::with_seed(properties, 1)
    }

    pub(crate) fn with_seed(properties: &[(&str, &str)], seed: u64) -> Alone {
        let properties = (properties.iter())
            .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
            .collect::<SortedMap<String, String>>();
        let config = ControllerConfig {
            node: NodeId(CONTROLLER),
            incarnation: Uuid([9; 16]),
            properties,
            seed,
            catalog: Catalog::default(),
            keeps_eligible_leaders: false,
        };
        let mut alone = Alone {
            controller: Controller::new(config),
            now: Time::from_millis(1_795_248_000_000),
            end: Offset(0),
            written: Vec::new(),
            brokers: BTreeMap::new(),
            asked: 0,
        };
        alone.step(Event::Leading {
            epoch: LeaderEpoch(1),
        });
        alone.take_written();
        alone
    }

    /// As [`Alone::new`], with eligible leaders kept, or not.
    pub(crate) fn with_elr(properties: &[(&str, &str)], level: i16) -> Alone {
        let mut alone = Alone::new(properties);
        alone.set_elr(level);
        alone.take_written();
        alone
    }

    pub(crate) fn set_elr(&mut self, level: i16) {
        let request = UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey {
                feature: Str::from("eligible.leader.replicas.version"),
                max_version_level: level,
                upgrade_type: 1,
                ..FeatureUpdateKey::default()
            }],
            ..UpdateFeaturesRequest::default()
        };
        let answer: UpdateFeaturesResponse = self.ask(1, &request);
        assert_eq!(answer.results[0].error_code, 0, "{answer:?}");
    }

    pub(crate) fn image(&self) -> &Image {
        self.controller.image()
    }

    /// Tells the controller a fact; commits what it appends, and gives its answer if there is one.
    fn step(&mut self, event: Event) -> Option<Bytes> {
        let mut events = VecDeque::from([event]);
        let mut reply = None;
        while let Some(event) = events.pop_front() {
            let mut effects = Vec::new();
            let (now, end) = (self.now, self.end);
            self.controller.step(now, end, event, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Append { epoch, batch } => {
                        let mut bytes = Vec::new();
                        batch.write_into(&mut bytes, self.end, epoch);
                        self.end = self.end.plus(batch.header().count.into());
                        let batch = Bytes::from(bytes);
                        let records = metadata::records_of(&batch).into_iter();
                        self.written
                            .extend(records.map(|(_, record)| record.unwrap()));
                        events.push_back(Event::Committed { batch });
                    }
                    Effect::Reply { frame, .. } => reply = Some(frame),
                    Effect::Refused { code, .. } => panic!("the controller refuses: {code:?}"),
                }
            }
        }
        reply
    }

    pub(crate) fn tick(&mut self) {
        self.step(Event::Tick);
    }

    pub(crate) fn take_written(&mut self) -> Vec<MetadataRecord> {
        std::mem::take(&mut self.written)
    }

    /// Undoes [`Alone::take_written`].
    pub(crate) fn put_back(&mut self, written: Vec<MetadataRecord>) {
        self.written = written;
    }

    pub(crate) fn ask<Q: Message, A: Message>(&mut self, version: i16, request: &Q) -> A {
        let header = RequestHeader {
            api_key: Q::API_KEY,
            api_version: version,
            correlation_id: 7,
            client_id: None,
        };
        let frame = wire::encode_request(&header, request).unwrap();
        self.asked += 1;
        let id = RequestId(self.asked);
        let reply = self.step(Event::Request { id, frame });
        wire::decode_response(reply.expect("an answer"), version)
            .unwrap()
            .1
    }

    /// A broker's process begins: it registers, with the epoch it had before if it stopped in order.
    pub(crate) fn register(&mut self, id: i32, previous_epoch: i64) -> BrokerRegistrationResponse {
        let played = self.brokers[&id].clone();
        let request = BrokerRegistrationRequest {
            broker_id: id,
            incarnation_id: played.incarnation,
            listeners: vec![Listener {
                name: Str::from("PLAINTEXT"),
                host: Str::from("127.0.0.1"),
                port: 19500 + u16::try_from(id).unwrap(),
                ..Listener::default()
            }],
            features: features(),
            rack: played.rack.map(Str::from),
            log_dirs: vec![played.directory],
            previous_broker_epoch: previous_epoch,
            ..BrokerRegistrationRequest::default()
        };
        let answer: BrokerRegistrationResponse = self.ask(4, &request);
        if answer.error_code == 0 {
            self.brokers.get_mut(&id).unwrap().epoch = answer.broker_epoch;
        }
        answer
    }

    /// A broker is there, and serves.
    pub(crate) fn join(&mut self, id: i32, rack: Option<&str>) {
        let byte = u8::try_from(id).unwrap();
        let played = Played {
            epoch: -1,
            incarnation: Uuid([byte; 16]),
            directory: Uuid([100 + byte % 100; 16]),
            rack: rack.map(str::to_string),
        };
        self.brokers.insert(id, played);
        assert_eq!(self.register(id, -1).error_code, 0);
        let answer = self.beat(id, |_| {});
        assert!(!answer.is_fenced, "{answer:?}");
    }

    /// A heartbeat of a broker that has read all metadata, but for what is changed about it.
    pub(crate) fn beat(
        &mut self,
        id: i32,
        change: impl FnOnce(&mut BrokerHeartbeatRequest),
    ) -> BrokerHeartbeatResponse {
        let mut request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.brokers[&id].epoch,
            current_metadata_offset: FAR,
            ..BrokerHeartbeatRequest::default()
        };
        change(&mut request);
        let version = if request.cordoned_log_dirs.is_some() {
            2
        } else {
            1
        };
        self.ask(version, &request)
    }

    /// Time passes; these brokers are heard of every second.
    pub(crate) fn pass(&mut self, seconds: u32, alive: &[i32], ticks: bool) {
        for _ in 0..seconds {
            self.now = self.now.plus_millis(1000);
            for id in alive {
                self.beat(*id, |_| {});
            }
            if ticks {
                self.tick();
            }
        }
    }

    /// Creates a topic with these replicas.
    pub(crate) fn create(
        &mut self,
        name: &str,
        assignment: &[Vec<i32>],
        configs: &[(&str, &str)],
    ) -> CreateTopicsResponse {
        let assignments =
            (0..)
                .zip(assignment)
                .map(|(index, replicas)| CreatableReplicaAssignment {
                    partition_index: index,
                    broker_ids: replicas.clone(),
                    ..CreatableReplicaAssignment::default()
                });
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: Str::from(*name),
            value: Some(Str::from(*value)),
            ..CreatableTopicConfig::default()
        });
        self.create_topic(CreatableTopic {
            name: Str::from(name),
            num_partitions: -1,
            replication_factor: -1,
            assignments: assignments.collect(),
            configs: configs.collect(),
            ..CreatableTopic::default()
        })
    }

    /// Creates a topic whose replicas the controller places.
    pub(crate) fn create_anywhere(
        &mut self,
        name: &str,
        count: i32,
        factor: i16,
    ) -> CreateTopicsResponse {
        self.create_topic(CreatableTopic {
            name: Str::from(name),
            num_partitions: count,
            replication_factor: factor,
            ..CreatableTopic::default()
        })
    }

    fn create_topic(&mut self, topic: CreatableTopic) -> CreateTopicsResponse {
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..CreateTopicsRequest::default()
        };
        self.ask(7, &request)
    }

    /// The leader of a partition proposes an ISR; gives the code, and what came of it.
    pub(crate) fn propose(
        &mut self,
        topic: &str,
        index: i32,
        isr: &[i32],
        change: impl FnOnce(&mut i32, &mut alter::PartitionData),
    ) -> altered::PartitionData {
        let topic = self.image().topic(topic).unwrap().clone();
        let partition = &topic.partitions[&ids::PartitionIndex(index)];
        let member = |id: &i32| alter::BrokerState {
            broker_id: *id,
            broker_epoch: self.brokers.get(id).map_or(-1, |played| played.epoch),
            ..alter::BrokerState::default()
        };
        let mut proposal = alter::PartitionData {
            partition_index: index,
            leader_epoch: partition.leader_epoch.0,
            partition_epoch: partition.partition_epoch,
            new_isr_with_epochs: isr.iter().map(member).collect(),
            ..alter::PartitionData::default()
        };
        let mut sender = partition.leader.0;
        change(&mut sender, &mut proposal);
        let request = alter::AlterPartitionRequest {
            broker_id: sender,
            broker_epoch: self.brokers[&sender].epoch,
            topics: vec![alter::TopicData {
                topic_id: topic.id,
                partitions: vec![proposal],
                ..alter::TopicData::default()
            }],
            ..alter::AlterPartitionRequest::default()
        };
        let mut answer: altered::AlterPartitionResponse = self.ask(3, &request);
        assert_eq!(answer.error_code, 0, "{answer:?}");
        answer.topics.remove(0).partitions.remove(0)
    }

    /// One partition: leader, ISR, eligible leaders, last known one.
    pub(crate) fn state(&self, topic: &str) -> (i32, Vec<i32>, Vec<i32>, Vec<i32>) {
        let partition = self.image().partition(topic, ids::PartitionIndex(0));
        let partition = partition.expect("the partition");
        let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<i32>>();
        (
            partition.leader.0,
            ids(&partition.isr),
            ids(&partition.elr),
            ids(&partition.last_known_elr),
        )
    }
}

/// What a broker of Kafka 4.3 says it speaks.
pub(crate) fn features() -> Vec<Feature> {
    let spoken = [
        ("metadata.version", 7, 30),
        ("kraft.version", 0, 1),
        ("eligible.leader.replicas.version", 0, 1),
    ];
    let feature = |(name, least, most)| Feature {
        name: Str::from(name),
        min_supported_version: least,
        max_supported_version: most,
        ..Feature::default()
    };
    spoken.into_iter().map(feature).collect()
}
