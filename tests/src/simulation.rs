//! A life on a seed: a broker under producers and groups, killed, filled up and changed at random, and
//! a [`Watch`] that knows what must hold.
//!
//! The same seed is the same life, so a violation is repeated by its seed alone.

mod settled;
mod watch;

use bytes::Bytes;
use ids::Rng;
use std::fmt;
use watch::Watch;
use wire::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::{Message, RequestHeader};
use world::{
    Command, Fault, GroupChange, How, Input, MemberSpec, Moment, ProducerChange, Scenario, World,
};

/// Events between two looks at what must hold.
const LOOK_EVENTS: u64 = 7;
/// Things that happen in a life.
const DEEDS: u32 = 40;
/// Events within which a moment for a kill is looked for.
const MOMENT_EVENTS: u32 = 400;
/// How long a broker that is stopped in order may take, in world milliseconds.
const STOP_MS: u64 = 2_100;
/// How long everything may take to settle, in world milliseconds: longer than any timeout of a client.
const SETTLE_MS: u64 = 40_000;
/// How long a client takes to hear of new partitions: `metadata.max.age.ms`, and a little.
const METADATA_AGE_MS: u64 = 305_000;
/// The room on the disk of a life in which it gets full, in bytes, and how much more it may take before
/// the next look at it.
const ROOM: u64 = 1 << 20;
const ROOM_SLACK: u64 = (1 << 20) + (128 << 10);

/// A rule was broken.
#[derive(Debug)]
pub struct Violation {
    /// The life's seed.
    pub seed: u64,
    /// After how many events it was seen.
    pub event: u64,
    /// What was broken, and where.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { seed, event, what } = self;
        write!(f, "seed {seed}, event {event}: {what}")
    }
}

/// What a life came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// Events that happened.
    pub events: u64,
    /// How often the broker was killed.
    pub kills: u32,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// World time, in milliseconds.
    pub millis: u64,
}

/// Lives one life.
///
/// # Errors
/// The first rule that was broken.
pub fn live(seed: u64) -> Result<Life, Violation> {
    let mut life = Living::new(seed);
    let outcome = life.go();
    let event = life.world.trace().events();
    match outcome {
        Ok(()) => Ok(Life {
            events: event,
            kills: life.kills,
            acknowledged: life.world.sent().map(|(_, sent, _)| sent).sum(),
            millis: life.world.world_millis(),
        }),
        Err(what) => Err(Violation { seed, event, what }),
    }
}

/// What a check found: the rule that is broken, in words.
type Checked = Result<(), String>;

struct Living {
    world: World,
    watch: Watch,
    chance: Rng,
    kills: u32,
    members: u32,
    gets_full: bool,
    has_grown: bool,
}

impl Living {
    fn new(seed: u64) -> Living {
        let mut chance = Rng::new(seed);
        let gets_full = chance.below(3) == 0;
        let scenario = scenario(seed, gets_full, &mut chance);
        let mut world = World::new(scenario).expect("it keeps to the limits");
        world.watch_rules();
        let mut watch = Watch::default();
        if gets_full {
            world.bound_disks(ROOM);
            watch.has_room_for(Some(ROOM + ROOM_SLACK));
        }
        Living {
            world,
            watch,
            chance,
            kills: 0,
            members: 10,
            gets_full,
            has_grown: false,
        }
    }

    fn go(&mut self) -> Checked {
        self.pass(3_000)?;
        for _ in 0..DEEDS {
            let events = self.chance.below(300);
            self.events(events)?;
            self.deed()?;
        }
        self.settle()
    }

    /// Lets so many things happen.
    fn events(&mut self, count: u64) -> Checked {
        for left in (0..count).rev() {
            if !self.world.step() {
                break;
            }
            if left % LOOK_EVENTS == 0 {
                self.watch.look(&self.world)?;
            }
        }
        self.world.take_said();
        self.judge()
    }

    /// What the world's own rules say.
    fn judge(&self) -> Checked {
        match self.world.broken().next() {
            Some(broken) => Err(broken.to_string()),
            None => Ok(()),
        }
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) -> Checked {
        self.pass_looking(millis, LOOK_EVENTS)
    }

    fn pass_looking(&mut self, millis: u64, every: u64) -> Checked {
        let until = self.world.now().plus_millis(millis);
        while self.world.run_until(until, every) > 0 {
            self.watch.look(&self.world)?;
        }
        self.world.take_said();
        self.judge()
    }

    fn command(&mut self, command: Command) {
        self.world.input(Input::Command(command));
    }

    /// Something happens.
    fn deed(&mut self) -> Checked {
        match self.chance.below(6) {
            0 => self.alter_config(),
            1 => self.open_session(),
            2 => self.trouble()?,
            _ => {}
        }
        match self.chance.below(12) {
            0..=4 => return self.crash(),
            5 => self.add_member(),
            6 => self.remove_member(),
            7 => self.seek(),
            8 => self.change_rate(),
            9 => self.add_partition(),
            10 => self.delete_records()?,
            _ => {
                let millis = self.chance.below(4_000);
                return self.pass(millis);
            }
        }
        Ok(())
    }

    /// Kills the broker, most of the time while it waits for a write.
    fn crash(&mut self) -> Checked {
        let awaited = [None, Some("orders"), Some("__consumer_offsets")];
        if let Some(topic) = awaited[self.chance.below(3) as usize] {
            for _ in 0..MOMENT_EVENTS {
                if self.is_writing(topic) || !self.world.step() {
                    break;
                }
            }
        }
        self.watch.look_at_all(&self.world)?;
        self.kills += 1;
        let death = match self.chance.below(4) {
            0 if self.is_writing("orders") => Fault::Tear { node: 1 },
            1 => {
                self.fault(Fault::Stop { node: 1 });
                // Between two looks it may go on and be gone.
                self.pass_looking(STOP_MS, 1)?;
                Fault::Kill { node: 1 }
            }
            _ => Fault::Kill { node: 1 },
        };
        self.watch.killed();
        self.fault(death);
        let millis = self.chance.below(1_500);
        self.pass(millis)?;
        self.fault(Fault::Start { node: 1 });
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        self.command(Command::Fault { fault });
    }

    /// Something is wrong for a while that the broker lives through.
    fn trouble(&mut self) -> Checked {
        let link = [vec![0, 1], vec![1, 0]][self.chance.below(2) as usize].clone();
        let ms = 1 + self.chance.below(200) as u32;
        let fault = match self.chance.below(8) {
            0 => Fault::Cut { link },
            1 => Fault::BlackHole { link },
            2 => Fault::Slow {
                link,
                bytes_per_second: 20_000,
            },
            3 => Fault::Delay {
                link,
                ms,
                jitter_ms: 50,
            },
            4 => Fault::SlowDisk { node: 1, ms },
            5 => Fault::Pause { node: 1 },
            6 => Fault::Reset {
                link: vec![0, 1],
                moment: Moment::Request,
            },
            _ => Fault::Reset {
                link: vec![0, 1],
                moment: Moment::Response,
            },
        };
        self.fault(fault);
        let millis = self.chance.below(3_000);
        self.pass(millis)?;
        self.fault(Fault::Resume { node: 1 });
        self.fault(Fault::HealAll);
        Ok(())
    }

    /// Whether something has been ordered to be written and no more.
    fn is_writing(&self, topic: &str) -> bool {
        let partitions = 0..self.world.partition_count(topic);
        let mut logs = partitions.filter_map(|p| self.world.partition_log(topic, p));
        logs.any(|log| log.stored_end() < log.log_end())
    }

    fn add_member(&mut self) {
        let group_id = ["billing", "search"][self.chance.below(2) as usize].to_string();
        self.members += 1;
        let name = format!("{group_id}-{}", self.members);
        let member = MemberSpec { name };
        self.command(Command::AddMember { group_id, member });
    }

    /// One member goes; a group keeps its last one.
    fn remove_member(&mut self) {
        let groups = self.world.actors().groups;
        let group = &groups[self.chance.below(groups.len() as u64) as usize];
        if group.members.len() < 2 {
            return;
        }
        let which = self.chance.below(group.members.len() as u64) as usize;
        let how = [How::Leave, How::Kill][self.chance.below(2) as usize];
        self.command(Command::RemoveMember {
            group_id: group.group_id.clone(),
            name: group.members[which].name.clone(),
            how,
        });
    }

    /// Only `search` is ever moved, so that what `billing` has committed must not fall.
    fn seek(&mut self) {
        let end = self.world.partition_log("orders", 0);
        let end = end.map_or(0, |log| log.high_watermark().0);
        let offset = self.chance.below(end.unsigned_abs() + 1);
        self.watch.moved("search");
        self.command(Command::SeekMember {
            group_id: "search".to_string(),
            topic: "orders".to_string(),
            partition: 0,
            offset: i64::try_from(offset).unwrap_or(0),
        });
    }

    fn change_rate(&mut self) {
        let name = ["once", "again", "short", "cut"][self.chance.below(4) as usize].to_string();
        let change = ProducerChange {
            rate: Some(u32::try_from(self.chance.below(120)).unwrap_or(1)),
            linger_ms: Some(u32::try_from(self.chance.below(40)).unwrap_or(1)),
            ..ProducerChange::default()
        };
        self.command(Command::UpdateProducer { name, change });
    }

    fn add_partition(&mut self) {
        let partitions = self.world.partition_count("orders").unsigned_abs() + 1;
        if partitions > 1 && partitions < 7 {
            let name = "orders".to_string();
            self.has_grown = true;
            self.command(Command::AddPartitions { name, partitions });
        }
    }

    /// Deletes records of `cut` below a committed offset, and waits for the answer.
    fn delete_records(&mut self) -> Checked {
        let Some(log) = self.world.partition_log("cut", 0) else {
            return Ok(());
        };
        let end = log.high_watermark().0.unsigned_abs();
        let offset = i64::try_from(self.chance.below(end + 1)).unwrap_or(0);
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: "cut".into(),
                partitions: vec![DeleteRecordsPartition {
                    offset,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            timeout_ms: 1_000,
            ..Default::default()
        };
        let id = self.world.input(Input::Connect { broker: 1 });
        let frame = frame_of(&request, 2);
        self.world.input(Input::Frame { id, frame });
        self.pass(20)?;
        self.world.input(Input::Close { id });
        Ok(())
    }

    /// Sets a config without effect, which the controller has to store; nobody waits for the answer. It is
    /// as long as a batch of records, so that a full disk has no room for it either.
    fn alter_config(&mut self) {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: 2,
                resource_name: "orders".into(),
                configs: vec![AlterableConfig {
                    name: "follower.replication.throttled.replicas".into(),
                    value: Some(["1:1"; 1_000].join(",").into()),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        self.ask(frame_of(&request, 1));
    }

    /// Opens fetch sessions that are never used, one more than there may be.
    fn open_session(&mut self) {
        let request = FetchRequest {
            session_epoch: 0,
            topics: vec![FetchTopic {
                topic: "orders".into(),
                partitions: vec![FetchPartition::default()],
                ..Default::default()
            }],
            ..Default::default()
        };
        for _ in 0..=watch::SESSIONS_MAX {
            self.ask(frame_of(&request, 11));
        }
    }

    /// A client of its own asks, and stays.
    fn ask(&mut self, frame: Bytes) {
        let id = self.world.input(Input::Connect { broker: 1 });
        self.world.input(Input::Frame { id, frame });
    }

    /// One last member falls silent; then everything that was begun comes to its end.
    fn settle(&mut self) -> Checked {
        self.command(Command::StartBroker { broker: 1 });
        if self.gets_full {
            self.world.bound_disks(u64::MAX);
            self.watch.has_room_for(None);
        }
        for name in ["once", "again", "short", "cut"] {
            let change = ProducerChange {
                paused: Some(true),
                ..ProducerChange::default()
            };
            let name = name.to_string();
            self.command(Command::UpdateProducer { name, change });
        }
        for group_id in ["billing", "search"] {
            let change = GroupChange {
                rate: Some(0),
                ..GroupChange::default()
            };
            let group_id = group_id.to_string();
            self.command(Command::UpdateGroup { group_id, change });
        }
        // By then nothing else makes a group rebalance.
        self.pass(SETTLE_MS / 2)?;
        let groups = self.world.actors().groups;
        if let Some(group) = groups.iter().find(|group| group.members.len() > 1) {
            self.command(Command::RemoveMember {
                group_id: group.group_id.clone(),
                name: group.members[0].name.clone(),
                how: How::Kill,
            });
        }
        let known = if self.has_grown { METADATA_AGE_MS } else { 0 };
        self.pass_looking(SETTLE_MS + known, 50 * LOOK_EVENTS)?;
        settled::check(&mut self.world, &self.watch)
    }
}

fn frame_of<M: Message>(message: &M, version: i16) -> Bytes {
    let header = RequestHeader {
        api_key: M::API_KEY,
        api_version: version,
        correlation_id: 1,
        client_id: Some("simulation".into()),
    };
    wire::encode_request(&header, message).expect("the request can be written")
}

/// Topics, producers and groups of a life: `orders` keeps all, `short` only the last seconds, of `cut`
/// records are deleted by request.
fn scenario(seed: u64, gets_full: bool, chance: &mut Rng) -> Scenario {
    let mut pick =
        |choices: &[&str]| choices[chance.below(choices.len() as u64) as usize].to_string();
    let (roll, codec) = (
        pick(&["1500", "6000", "604800000"]),
        pick(&["none", "none", "lz4", "zstd"]),
    );
    let (linger, size) = (
        pick(&["0", "3", "20"]),
        pick(if gets_full { &["900"] } else { &["0", "900"] }),
    );
    let (partitions, assignor) = (
        pick(&["1", "2", "4"]),
        pick(&["range", "range", "roundrobin"]),
    );
    let producer = |name: &str, topic: &str, rate: u32, idempotent: bool, acks: &str| {
        format!(
            r#"{{"name": "{name}", "topic": "{topic}", "rate": {rate}, "valueTemplate": "{name}:{{n}}",
                "valueSize": {size}, "key": {{"mode": "cycle", "keys": 9}}, "partitioner": {{"by": "key"}},
                "acks": "{acks}", "idempotent": {idempotent}, "batchSize": 16384, "lingerMs": {linger},
                "compression": "{codec}", "paused": false}}"#
        )
    };
    let group = |id: &str, topics: &str, rate: u32| {
        format!(
            r#"{{"groupId": "{id}", "topics": [{topics}], "assignor": "{assignor}", "rate": {rate},
                "autoCommit": true, "autoCommitIntervalMs": 200, "autoOffsetReset": "earliest",
                "sessionTimeoutMs": 6000, "members": [{{"name": "{id}-1"}}, {{"name": "{id}-2"}}],
                "paused": false}}"#
        )
    };
    let producers = [
        producer("once", "orders", 60, true, "all"),
        producer("again", "orders", 30, false, "1"),
        producer("short", "short", 40, true, "all"),
        producer("cut", "cut", 40, true, "all"),
    ];
    let groups = [
        group("billing", r#""orders", "cut""#, 0),
        group("search", r#""orders""#, 50),
    ];
    let text = format!(
        r#"{{"version": 1, "seed": "{seed}", "brokers": 1,
            "properties": {{"log.retention.check.interval.ms": "700",
                "max.incremental.fetch.session.cache.slots": "{}"}},
            "topics": [
                {{"name": "orders", "partitions": {partitions}, "config": {{"segment.ms": "{roll}"}}}},
                {{"name": "short", "partitions": 1, "config": {{"segment.ms": "900", "retention.ms": "{}"}}}},
                {{"name": "cut", "partitions": 1, "config": {{"segment.ms": "{roll}"}}}}
            ],
            "producers": [{}], "groups": [{}]}}"#,
        watch::SESSIONS_MAX,
        watch::RETENTION_MS,
        producers.join(","),
        groups.join(",")
    );
    Scenario::parse(&text).expect("a scenario")
}
