//! A life on a seed with three brokers: killed, stopped, cut off, paused and slowed down at random, until
//! everything is made good again and must come to the same.
//!
//! The same seed is the same life, so a violation is repeated by its seed alone.

mod converged;

use crate::simulation::{Life, Violation};
use ids::{NodeId, Rng};
use world::{Command, Failing, Fault, Input, Moment, ProducerChange, Scenario, Ways, World};

/// Brokers of a life.
const BROKERS: i32 = 3;
/// Things that happen in a life.
const DEEDS: u32 = 24;
/// Events within which a moment for a kill is looked for.
const MOMENT_EVENTS: u32 = 400;
/// How long everything may take to come to rest, in world milliseconds: longer than any session or timeout.
const HEAL_MS: u64 = 60_000;
/// How often it is looked again after that, and how long it is waited in between.
const HEAL_TRIES: u32 = 6;

/// Seconds that a node gets to be in sync again after its disk has forgotten something.
const POWER_TRIES: u32 = 40;

/// What a check found: the rule that is broken, in words.
type Checked = Result<(), String>;

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

struct Living {
    world: World,
    chance: Rng,
    kills: u32,
}

impl Living {
    fn new(seed: u64) -> Living {
        let mut chance = Rng::new(seed);
        let scenario = scenario(seed, &mut chance);
        let mut world = World::new(scenario).expect("it keeps to the limits");
        world.watch_rules();
        Living {
            world,
            chance,
            kills: 0,
        }
    }

    fn go(&mut self) -> Checked {
        self.pass(6_000)?;
        for _ in 0..DEEDS {
            let millis = self.chance.below(1_500);
            self.pass(millis)?;
            self.deed()?;
        }
        self.heal()
    }

    /// Lets time pass; what the world's rules say of it.
    fn pass(&mut self, millis: u64) -> Checked {
        let until = self.world.now().plus_millis(millis);
        while self.world.run_until(until, 1_000) > 0 {}
        self.world.take_said();
        match self.world.broken().next() {
            Some(broken) => Err(broken.to_string()),
            None => Ok(()),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.world.input(Input::Command(Command::Fault { fault }));
    }

    fn any(&mut self, count: u64) -> i32 {
        i32::try_from(self.chance.below(count)).unwrap_or(0)
    }

    fn node(&mut self) -> i32 {
        1 + self.any(u64::from(BROKERS.unsigned_abs()))
    }

    /// A direction between two hosts, of which 0 is the clients.
    fn link(&mut self) -> Vec<i32> {
        let from = self.any(4);
        vec![from, (from + 1 + self.any(3)) % 4]
    }

    fn deed(&mut self) -> Checked {
        match self.chance.below(10) {
            0..=3 => self.end_node(),
            4 => {
                // Nothing is waited for: what was begun earlier and this happen together.
                let (node, ms) = (self.node(), 1 + self.chance.below(100) as u32);
                self.fault(Fault::SlowDisk { node, ms });
                Ok(())
            }
            5 | 6 => self.link_trouble(),
            7 => {
                let node = self.node();
                self.fault(Fault::Pause { node });
                let millis = self.chance.below(14_000);
                self.pass(millis)?;
                self.fault(Fault::Resume { node });
                Ok(())
            }
            8 => {
                let node = self.node();
                let how = [Failing::Cut, Failing::BlackHole][self.any(2) as usize];
                let ways = [Ways::In, Ways::Out, Ways::Both][self.any(3) as usize];
                self.fault(Fault::Isolate { node, how, ways });
                let millis = self.chance.below(15_000);
                self.pass(millis)?;
                self.fault(Fault::HealAll);
                Ok(())
            }
            _ => {
                self.fault(Fault::HealAll);
                Ok(())
            }
        }
    }

    /// A node ends, most of the time while it writes, and begins again before or after it is missed.
    fn end_node(&mut self) -> Checked {
        let node = self.node();
        if self.chance.below(2) == 0 {
            for _ in 0..MOMENT_EVENTS {
                if self.is_writing(node) || !self.world.step() {
                    break;
                }
            }
        }
        self.kills += 1;
        let end = match self.chance.below(5) {
            0 => Fault::Stop { node },
            1 if converged::in_sync(&self.world).is_ok() => return self.lose_power(node),
            2 if self.is_writing(node) => Fault::Tear { node },
            _ => Fault::Kill { node },
        };
        self.fault(end);
        let most = [300, 3_000, 14_000][self.any(3) as usize];
        let millis = self.chance.below(most);
        self.pass(millis)?;
        self.fault(Fault::Start { node });
        Ok(())
    }

    /// A disk forgets what was not flushed. That costs nothing acknowledged as long as another in-sync replica
    /// has it, so all is well before, and again before the next node ends.
    fn lose_power(&mut self, node: i32) -> Checked {
        self.fault(Fault::PowerLoss { node });
        let millis = self.chance.below(14_000);
        self.pass(millis)?;
        self.fault(Fault::Start { node });
        self.fault(Fault::HealAll);
        for _ in 0..POWER_TRIES {
            self.pass(1_000)?;
            if converged::in_sync(&self.world).is_ok() {
                break;
            }
        }
        Ok(())
    }

    fn is_writing(&self, node: i32) -> bool {
        let partitions = 0..self.world.partition_count("orders");
        let mut logs = partitions.filter_map(|p| self.world.replica_log(NodeId(node), "orders", p));
        logs.any(|log| log.stored_end() < log.log_end())
    }

    fn link_trouble(&mut self) -> Checked {
        let link = self.link();
        let ms = 1 + self.chance.below(200) as u32;
        let fault = match self.chance.below(6) {
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
            4 => Fault::Reset {
                link,
                moment: Moment::Request,
            },
            _ => Fault::Reset {
                link,
                moment: Moment::Response,
            },
        };
        self.fault(fault);
        let millis = self.chance.below(4_000);
        self.pass(millis)
    }

    /// Everything is made good, and nothing new is sent: all must come to the same.
    fn heal(&mut self) -> Checked {
        for node in 1..=BROKERS {
            self.fault(Fault::Resume { node });
            self.fault(Fault::SlowDisk { node, ms: 0 });
            // One that was still to stop is gone by then.
            self.pass(2_100)?;
            self.fault(Fault::Start { node });
        }
        self.fault(Fault::HealAll);
        self.pass(HEAL_MS / 2)?;
        for name in ["once", "again"] {
            let change = ProducerChange {
                paused: Some(true),
                ..ProducerChange::default()
            };
            let name = name.to_string();
            self.world
                .input(Input::Command(Command::UpdateProducer { name, change }));
        }
        self.pass(HEAL_MS)?;
        for _ in 0..HEAL_TRIES {
            if converged::check(&self.world).is_ok() {
                break;
            }
            self.pass(HEAL_MS / 2)?;
        }
        converged::check(&self.world)
    }
}

fn scenario(seed: u64, chance: &mut Rng) -> Scenario {
    let mut pick =
        |choices: &[&str]| choices[chance.below(choices.len() as u64) as usize].to_string();
    let partitions = pick(&["1", "3", "6"]);
    let controllers = pick(&["1", "3"]);
    let (linger, roll) = (pick(&["0", "5"]), pick(&["1500", "604800000"]));
    let producer = |name: &str, rate: u32, idempotent: bool| {
        format!(
            r#"{{"name": "{name}", "topic": "orders", "rate": {rate}, "valueTemplate": "{name}:{{n}}",
                "valueSize": 0, "key": {{"mode": "cycle", "keys": 9}}, "partitioner": {{"by": "key"}},
                "acks": "all", "idempotent": {idempotent}, "batchSize": 16384, "lingerMs": {linger},
                "compression": "none", "paused": false}}"#
        )
    };
    let producers = [producer("once", 40, true), producer("again", 20, false)];
    let text = format!(
        r#"{{"version": 1, "seed": "{seed}", "brokers": {BROKERS}, "controllers": {controllers},
            "properties": {{"offsets.topic.replication.factor": "3", "replica.lag.time.max.ms": "10000",
                "offsets.topic.num.partitions": "3"}},
            "topics": [{{"name": "orders", "partitions": {partitions}, "replicationFactor": 3,
                "config": {{"min.insync.replicas": "2", "segment.ms": "{roll}"}}}}],
            "producers": [{}],
            "groups": [{{"groupId": "billing", "topics": ["orders"], "assignor": "range", "rate": 0,
                "autoCommit": true, "autoCommitIntervalMs": 500, "autoOffsetReset": "earliest",
                "sessionTimeoutMs": 6000, "members": [{{"name": "billing-1"}}, {{"name": "billing-2"}}],
                "paused": false}}]}}"#,
        producers.join(",")
    );
    Scenario::parse(&text).expect("the life's scenario is one")
}
