//! Logs whose bytes are not in memory: the shell has kept them, and the world waits for them.

use brooklet_world as world;
use bytes::Bytes;
use ids::{NodeId, Time, TopicIdPartition};
use log::LogSlice;
use std::collections::BTreeMap;
use world::{Command, Input, Looked, Scenario, World};

/// A shell that keeps every log's bytes, and lets the world keep as few as it can.
struct Shell {
    world: World,
    stored: BTreeMap<(NodeId, TopicIdPartition, i64), Vec<u8>>,
    loads: u64,
    evicts: bool,
}

impl Shell {
    fn new(evicts: bool) -> Shell {
        let mut scenario = Scenario::parse(include_str!("orders.json")).expect("a scenario");
        scenario.producers[0].value_size = 4_000;
        scenario.producers[0].rate = 40;
        let mut world = World::new(scenario).expect("the scenario is fine");
        world.keep_writes();
        Shell {
            world,
            stored: BTreeMap::new(),
            loads: 0,
            evicts,
        }
    }

    /// Keeps what was written, then lets go of it.
    fn keep(&mut self) {
        for write in self.world.take_writes() {
            let Some(log) = self.world.stored_log(write.node, &write.name) else {
                continue;
            };
            for (segment, size) in log.segment_sizes() {
                let key = (write.node, write.name.clone(), segment.0);
                let kept = self.stored.entry(key).or_default();
                kept.truncate(size as usize);
                let slice = LogSlice {
                    segment,
                    position: u32::try_from(kept.len()).expect("a segment"),
                    length: size - u32::try_from(kept.len()).expect("a segment"),
                };
                let pieces = log.slice_pieces(&slice).expect("what is new is in memory");
                kept.extend(pieces.concat());
            }
        }
        if self.evicts {
            self.world.evict(0);
        }
    }

    fn read(&mut self, node: NodeId, name: &TopicIdPartition, slice: &LogSlice) -> Bytes {
        self.loads += 1;
        let stored = &self.stored[&(node, name.clone(), slice.segment.0)];
        let from = slice.position as usize;
        Bytes::copy_from_slice(&stored[from..from + slice.length as usize])
    }

    fn serve(&mut self) {
        while self.world.stands_still() {
            for wanted in self.world.owed() {
                let bytes = self.read(wanted.node, &wanted.name, &wanted.slice);
                self.world.loaded(wanted.node, wanted.token, bytes);
            }
        }
    }

    fn run(&mut self, millis: u64) {
        let until = self.world.now().plus_millis(millis);
        self.run_until(until);
    }

    fn run_until(&mut self, until: Time) {
        while self.world.run_until(until, 500) == 500 || self.world.stands_still() {
            self.serve();
            self.keep();
        }
        self.keep();
    }

    fn command(&mut self, text: &str) {
        let command: Command = serde_json::from_str(text).expect("a command");
        self.world.input(Input::Command(command));
    }

    /// A minute of reading again and again from the beginning.
    fn live(&mut self) {
        self.run(20_000);
        for _ in 0..3 {
            for partition in 0..3 {
                self.command(&format!(
                    r#"{{"do": "seekMember", "groupId": "billing", "topic": "orders",
                        "partition": {partition}, "offset": 0}}"#
                ));
            }
            self.run(10_000);
        }
    }
}

#[test]
fn a_world_with_nothing_in_memory_is_the_same_world() {
    let (mut cold, mut hot) = (Shell::new(true), Shell::new(false));
    cold.live();
    hot.live();
    assert_eq!((cold.loads > 20, hot.loads), (true, 0), "{}", cold.loads);
    assert_eq!(cold.world.snapshot(), hot.world.snapshot());
}

#[test]
fn a_broker_starts_from_bytes_that_only_the_shell_has() {
    let (mut cold, mut hot) = (Shell::new(true), Shell::new(false));
    for shell in [&mut cold, &mut hot] {
        shell.run(20_000);
        shell.command(r#"{"do": "killBroker", "broker": 1}"#);
        shell.run(1_000);
        let before = shell.loads;
        shell.command(r#"{"do": "startBroker", "broker": 1}"#);
        shell.serve();
        assert_eq!(shell.loads > before, shell.evicts, "{}", shell.loads);
        shell.run(5_000);
    }
    assert_eq!(cold.world.snapshot(), hot.world.snapshot());
    let ends = |shell: &Shell| {
        let logs = (0..3).filter_map(|p| shell.world.partition_log("orders", p));
        logs.map(|log| log.log_end().0).sum::<i64>()
    };
    assert!(ends(&cold) > 500, "{}", ends(&cold));
}

#[test]
fn the_past_is_the_same_when_its_bytes_must_be_read_again() {
    let (mut cold, mut hot) = (Shell::new(true), Shell::new(false));
    cold.live();
    hot.live();
    for millis in [41_000, 25_500, 33_000] {
        let before = cold.loads;
        cold.world.seek(millis);
        assert!(cold.world.is_playing(), "it must wait for bytes");
        cold.serve();
        hot.world.seek(millis);
        assert_eq!(cold.world.world_millis(), millis);
        assert_eq!(cold.world.snapshot(), hot.world.snapshot(), "at {millis}");
        assert!(cold.loads > before);
    }
    cold.world.seek_present();
    hot.world.seek_present();
    assert_eq!(cold.world.snapshot(), hot.world.snapshot());
}

#[test]
fn an_undone_deletion_brings_back_records_that_are_only_in_the_store() {
    let mut shell = Shell::new(true);
    shell.run(20_000);
    let id = |shell: &Shell| {
        let topics = shell.world.snapshot().topics;
        topics.first().map(|topic| topic.topic_id.clone())
    };
    let first = id(&shell);
    // Its producer makes it anew, under another id.
    shell.command(r#"{"do": "deleteTopic", "name": "orders"}"#);
    shell.run(3_000);
    assert_ne!(id(&shell), first);
    assert!(shell.world.undo());
    shell.serve();
    shell.keep();
    assert_eq!(id(&shell), first);
    let mut look = shell.world.look("orders", 0).expect("the topic is back");
    let records = loop {
        match look.records(0, 50) {
            Looked::Found(records) => break records,
            Looked::Nothing => panic!("no records"),
            Looked::Cold(slice) => {
                let (node, name) = look.place();
                let bytes = shell.read(node, &name.clone(), &slice);
                assert!(look.install(&slice, bytes));
            }
        }
    };
    assert_eq!(records.len(), 50);
    assert_eq!(records[0].offset, "0");
}

#[test]
fn the_logs_of_a_stopped_broker_are_still_stored() {
    let mut shell = Shell::new(false);
    shell.run(5_000);
    let end = |shell: &Shell, name: &TopicIdPartition| {
        let log = shell.world.stored_log(NodeId(1), name);
        log.map(|log| log.size())
    };
    let mut names: Vec<TopicIdPartition> = shell
        .stored
        .keys()
        .map(|(_, name, _)| name.clone())
        .collect();
    names.dedup();
    shell.command(r#"{"do": "killBroker", "broker": 1}"#);
    assert!(names.len() > 3, "{names:?}");
    for name in &names {
        assert!(end(&shell, name).is_some(), "{name:?} is gone");
    }
}
