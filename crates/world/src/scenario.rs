//! Scenarios: what a lesson starts from, a link carries, and `brooklet run` executes.

use crate::command::{Acks, Codec, Command, KeyMode, PartitionerSpec};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sorted::SortedMap;

/// Hard limits on what a scenario may ask for; a link must not be able to stop a tab.
/// Kafka has no bound; each of these is a node with a disk and a page that shows it.
const BROKERS_MAX: u32 = 50;
const CONTROLLERS: [u32; 2] = [1, 3];
const TOPICS_MAX: usize = 1_000;
const ACTORS_MAX: usize = 1_000;
const PARTITIONS_MAX: u32 = 1_000;
const RATE_MAX: u32 = 1_000_000;
const EVENTS_MAX: usize = 10_000;

/// A world to begin with. Unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Always 1.
    pub version: u32,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The only source of chance, a decimal number.
    pub seed: String,
    /// Milliseconds since the Unix epoch at which the world's time begins.
    #[serde(default = "default_start")]
    pub start_ms: u64,
    /// How many brokers.
    pub brokers: u32,
    /// How many of them are controllers as well, 1 or 3: those with the lowest numbers.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub controllers: u32,
    /// `broker.rack` of each broker, from the first on; none where it is empty or the list ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
    /// How fast the page runs it; no matter to the world.
    #[serde(default, skip_serializing)]
    pub speed: Option<IgnoredAnyEq>,
    /// Broker properties beside Kafka's defaults.
    #[serde(default)]
    pub properties: SortedMap<String, String>,
    /// Topics to create.
    pub topics: Vec<TopicSpec>,
    /// Producers to place.
    pub producers: Vec<ProducerSpec>,
    /// Groups to place.
    pub groups: Vec<GroupSpec>,
    /// Commands that happen by themselves.
    #[serde(default)]
    pub events: Vec<TimedCommand>,
}

/// A field that is accepted and not looked at.
#[derive(Clone, Debug)]
pub struct IgnoredAnyEq;

impl PartialEq for IgnoredAnyEq {
    fn eq(&self, _: &IgnoredAnyEq) -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for IgnoredAnyEq {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<IgnoredAnyEq, D::Error> {
        IgnoredAny::deserialize(from).map(|_| IgnoredAnyEq)
    }
}

/// 2026-01-01T00:00:00Z: worlds without a start of their own begin here.
fn default_start() -> u64 {
    1_767_225_600_000
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

/// A command at a world time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedCommand {
    /// Milliseconds since the world began.
    pub at: u64,
    /// What happens.
    pub command: Command,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas each has; the brokers' `default.replication.factor` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u32>,
    /// Its configs in Kafka's names and text.
    #[serde(default)]
    pub config: SortedMap<String, String>,
}

/// A producer on the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProducerSpec {
    /// Unique among producers; also its `client.id`.
    pub name: String,
    /// Where it sends to.
    pub topic: String,
    /// Records per second of world time; 0 sends only what it is given.
    pub rate: u32,
    /// Text of each value, with `{n}`, `{key}`, `{time}` and `{random}` filled in.
    pub value_template: String,
    /// Values are padded with dots to this many bytes; 0 pads nothing.
    pub value_size: u32,
    /// How it makes keys.
    pub key: KeyMode,
    /// How records get a partition.
    pub partitioner: PartitionerSpec,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`.
    pub idempotent: bool,
    /// `batch.size` in bytes.
    pub batch_size: u32,
    /// `linger.ms`.
    pub linger_ms: u32,
    /// `compression.type`.
    pub compression: Codec,
    /// Sends nothing by itself while true.
    pub paused: bool,
}

/// A member of a group on the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSpec {
    /// Unique in its group; also its `client.id`.
    pub name: String,
}

/// A consumer group on the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupSpec {
    /// `group.id`.
    pub group_id: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
    /// One of `range`, `roundrobin`.
    pub assignor: String,
    /// Records per second that each member handles; 0 is as fast as it can.
    pub rate: u32,
    /// `enable.auto.commit`.
    pub auto_commit: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval_ms: u32,
    /// `auto.offset.reset`. One of `earliest`, `latest`, `none`.
    pub auto_offset_reset: String,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u32,
    /// Its members.
    pub members: Vec<MemberSpec>,
    /// Members stay in the group but handle nothing while true.
    pub paused: bool,
}

/// Why a scenario is refused: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(pub String);

impl Scenario {
    /// Reads a scenario document.
    ///
    /// # Errors
    /// With what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let refuse = |why| ScenarioError(format!("the scenario is not one Brooklet reads: {why}"));
        let document: Value = serde_json::from_str(text).map_err(refuse)?;
        let scenario: Scenario = serde_json::from_value(document).map_err(refuse)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The document of this scenario.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Its seed as a number; text that is none counts as 0.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.parse().unwrap_or(0)
    }

    /// Says whether the scenario keeps to the limits.
    ///
    /// # Errors
    /// With the limit it breaks.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let refuse = |text: &str| Err(ScenarioError(text.to_string()));
        if self.version != 1 {
            return refuse("the scenario's version is not 1; this Brooklet is too old for it");
        }
        if self.seed.parse::<u64>().is_err() {
            return refuse("the scenario's seed is not a decimal number below 2^64");
        }
        if self.brokers == 0 || self.brokers > BROKERS_MAX {
            return refuse("the scenario asks for another number of brokers than 1 to 50");
        }
        if !CONTROLLERS.contains(&self.controllers) || self.controllers > self.brokers {
            return refuse(
                "the scenario asks for another number of controllers than 1 or 3, or for more than brokers",
            );
        }
        if self.racks.len() > self.brokers as usize {
            return refuse("the scenario has more racks than brokers");
        }
        let members: usize = self.groups.iter().map(|group| group.members.len()).sum();
        if self.producers.len() + members > ACTORS_MAX {
            return refuse("the scenario asks for more than 1000 producers and members");
        }
        if self.topics.len() > TOPICS_MAX
            || self
                .topics
                .iter()
                .any(|topic| topic.partitions > PARTITIONS_MAX)
        {
            return refuse(
                "the scenario asks for more than 1000 topics, or more than 1000 partitions of one",
            );
        }
        if self
            .producers
            .iter()
            .any(|producer| producer.rate > RATE_MAX)
        {
            return refuse("a producer of the scenario has a rate above 1000000 records/s");
        }
        if self.events.len() > EVENTS_MAX {
            return refuse("the scenario has more than 10000 events");
        }
        Ok(())
    }
}
