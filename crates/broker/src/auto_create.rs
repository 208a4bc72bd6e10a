//! Topics that are created because somebody needs them.

use crate::broker::Broker;
use crate::event::Effect;
use alloc::vec::Vec;
use metadata::OFFSETS_TOPIC;
use wire::Str;
use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};

/// Version in which the broker asks for topics.
const CREATE_TOPICS_VERSION: i16 = 7;
/// Topics that one request creates on the way at most. Whoever names more asks again for the others.
pub(crate) const CREATED_MAX: usize = 1_000;

impl Broker {
    /// Whether a topic that a client names may be created on the way.
    pub(crate) fn may_auto_create(&self) -> bool {
        self.configs()
            .broker("auto.create.topics.enable")
            .is_some_and(|found| found.value == "true")
    }

    /// Asks the controller to create topics with the defaults; nobody waits for the answer,
    /// clients ask for their metadata again.
    pub(crate) fn auto_create(&mut self, names: &[Str], out: &mut Vec<Effect>) {
        let topic = |name: &Str| {
            let mut topic = CreatableTopic {
                name: name.clone(),
                num_partitions: -1,
                replication_factor: -1,
                ..CreatableTopic::default()
            };
            if &**name == OFFSETS_TOPIC {
                self.shape_offsets_topic(&mut topic);
            }
            topic
        };
        let topics = names.iter().take(CREATED_MAX).map(topic).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: 30_000,
            ..CreateTopicsRequest::default()
        };
        self.ask(&request, CREATE_TOPICS_VERSION, out);
    }

    /// `__consumer_offsets` as Kafka creates it; with fewer brokers than its replication
    /// factor it gets as many replicas as there are brokers.
    fn shape_offsets_topic(&self, topic: &mut CreatableTopic) {
        let configs = self.configs();
        topic.num_partitions =
            i32::try_from(configs.broker_number("offsets.topic.num.partitions")).unwrap_or(50);
        let live = i64::try_from(self.image.live_brokers().count()).unwrap_or(i64::MAX);
        let factor = configs
            .broker_number("offsets.topic.replication.factor")
            .min(live)
            .max(1);
        topic.replication_factor = i16::try_from(factor).unwrap_or(1);
        let segment_bytes =
            alloc::format!("{}", configs.broker_number("offsets.topic.segment.bytes"));
        let settings = [
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", &segment_bytes),
        ];
        topic.configs = settings
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: Str::from(*name),
                value: Some(Str::from(*value)),
                ..CreatableTopicConfig::default()
            })
            .collect();
    }
}
