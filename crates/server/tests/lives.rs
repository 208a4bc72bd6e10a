//! Random lives of a data directory. Records come, topics are deleted and made anew, the server stops
//! in order or is killed, and then to its files is done what crashes, restores and people do to them.
//! Whatever it is: the next start serves every record that was acknowledged and recognises a batch
//! that is sent again, or it is refused, or says of which partition something is missing.
//!
//! The same seed is the same life. `BROOKLET_SEEDS` asks for more of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::node::Node;
use crate::common::recorder::Recorder;
use crate::common::{fetch_request, fetched};
use brooklet_server::{Files, Fsync};
use ids::{ProducerEpoch, ProducerId, Rng};
use records::{BatchBuilder, BatchOptions};
use std::collections::BTreeMap;
use wire::delete_topics_request::DeleteTopicsRequest;
use wire::delete_topics_response::DeleteTopicsResponse;
use wire::fetch_response::FetchResponse;
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const SEEDS: u64 = 40;
const ROUNDS: u32 = 12;
const TOPICS: [&str; 3] = ["orders", "other", "third"];
const MARKER: &str = ".kafka_cleanshutdown";
const CHECKPOINTS: [&str; 3] = [
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
    "log-start-offset-checkpoint",
];

/// Something that is done to the files of a stopped server.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Damage {
    Snapshot,
    Index,
    Epochs,
    Checkpoint,
    TopicIdEmptied,
    MarkerRemoved,
    Leftovers,
    Swap,
    PeoplesFiles,
    // From here on something is missing afterwards, or does not fit.
    Torn,
    SegmentGone,
    DirectoryGone,
    TopicIdGarbled,
    OtherNode,
    MetadataGone,
}

const HARMLESS: &[Damage] = &[
    Damage::Snapshot,
    Damage::Index,
    Damage::Epochs,
    Damage::Checkpoint,
    Damage::TopicIdEmptied,
    Damage::MarkerRemoved,
    Damage::Leftovers,
    Damage::Swap,
    Damage::PeoplesFiles,
];
const HARMFUL: &[Damage] = &[
    Damage::Torn,
    Damage::SegmentGone,
    Damage::DirectoryGone,
    Damage::TopicIdGarbled,
    Damage::OtherNode,
    Damage::MetadataGone,
];

struct Life {
    files: Recorder,
    rng: Rng,
    /// What has been acknowledged of each topic since it was made.
    acknowledged: BTreeMap<&'static str, Vec<Vec<u8>>>,
    values: u32,
}

impl Life {
    fn new(seed: u64) -> Life {
        Life {
            files: Recorder::default(),
            rng: Rng::new(seed),
            acknowledged: BTreeMap::new(),
            values: 0,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.below(end as u64) as usize
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Lives a life with this kind of damage at each stop; says what was done and what is missing
    /// without a word.
    fn go(&mut self, damages: &[Damage]) -> Result<(), String> {
        let mut node = Node::start(&self.files, Fsync::OnRoll);
        for round in 0..ROUNDS {
            self.deeds(&mut node);
            let clean = self.below(3) > 0;
            if clean {
                node.stop();
            }
            drop(node);
            self.files.forget_flushes();
            let before = self.files.copy();
            let damage = self.pick(damages);
            // Without a clean stop no checkpoint may know yet what there was.
            let topic = match HARMFUL.contains(&damage) && !clean {
                true => None,
                false => self.damage(damage),
            };
            let harmful = topic.filter(|_| HARMFUL.contains(&damage));
            let found = self.look(harmful);
            let case =
                |what| format!("round {round}, {damage:?} at {topic:?}, clean: {clean}: {what}");
            node = match found.map_err(case)? {
                Some(node) => node,
                None => {
                    self.files = before;
                    Node::start(&self.files, Fsync::OnRoll)
                }
            };
        }
        Ok(())
    }

    fn deeds(&mut self, node: &mut Node) {
        for _ in 0..4 + self.below(12) {
            let topic = self.pick(&TOPICS);
            if !self.acknowledged.contains_key(topic) {
                node.create(topic);
                self.acknowledged.insert(topic, Vec::new());
            } else if self.below(25) == 0 {
                let request = DeleteTopicsRequest {
                    topic_names: vec![Str::from(topic)],
                    timeout_ms: 1000,
                    ..DeleteTopicsRequest::default()
                };
                let answer: DeleteTopicsResponse = node.ask(4, &request);
                assert_eq!(answer.responses[0].error_code, 0);
                self.acknowledged.remove(topic);
                continue;
            }
            self.values += 1;
            let value = format!("value {} of the topic {topic}", self.values).into_bytes();
            let sequence = self.acknowledged[topic].len();
            assert_eq!(produce(node, topic, sequence, &value), (0, sequence as i64));
            self.acknowledged.get_mut(topic).unwrap().push(value);
        }
    }

    /// Starts, and compares. Gives no node where the directory was refused or something is missing,
    /// which is right only where that was `harmed`.
    fn look(&mut self, harmed: Option<&str>) -> Result<Option<Node>, String> {
        let mut node = match Node::try_start(&self.files, Fsync::OnRoll) {
            Ok(node) => node,
            Err(_) if harmed.is_some() => return Ok(None),
            Err(why) => return Err(format!("refused: {why}")),
        };
        let mut whole = true;
        for (topic, values) in &self.acknowledged {
            let found = read(&mut node, topic);
            if found == *values {
                let Some((last, value)) = values.len().checked_sub(1).zip(values.last()) else {
                    continue;
                };
                let again = produce(&mut node, topic, last, value);
                if again != (0, last as i64) || node.end(topic) != values.len() as i64 {
                    return Err(format!("{topic}: its last batch came once more: {again:?}"));
                }
                continue;
            }
            whole = false;
            let told = node
                .lines
                .all()
                .iter()
                .any(|line| line.contains(&format!("{topic}-0")));
            if harmed != Some(*topic) || !told {
                let (have, had) = (found.len(), values.len());
                return Err(format!("{topic}: {have} of {had} records, told: {told}"));
            }
        }
        Ok(Some(node).filter(|_| whole))
    }

    /// Does something to the files of a topic with records; gives the topic.
    fn damage(&mut self, damage: Damage) -> Option<&'static str> {
        let full: Vec<&str> = (self.acknowledged.iter())
            .filter(|(_, values)| !values.is_empty())
            .map(|(topic, _)| *topic)
            .collect();
        if full.is_empty() {
            return None;
        }
        let topic = self.pick(&full);
        let dir = format!("{topic}-0");
        match damage {
            Damage::Snapshot => self.spoil(&dir, ".snapshot"),
            Damage::Index => self.spoil(&dir, "index"),
            Damage::Epochs => self.spoil(&dir, "leader-epoch-checkpoint"),
            Damage::Checkpoint => {
                let name = self.pick(&CHECKPOINTS);
                self.spoil("", name);
            }
            Damage::TopicIdEmptied => self
                .files
                .create(&format!("{dir}/partition.metadata"))
                .unwrap(),
            Damage::MarkerRemoved => self.files.remove(MARKER).unwrap(),
            Damage::Leftovers => self.leave_behind(&dir),
            Damage::Swap => {
                let log = self.name(&dir, ".log");
                self.files.rename(&log, &format!("{log}.swap")).unwrap();
            }
            Damage::PeoplesFiles => {
                self.files.create_dir("keep-delete").unwrap();
                self.write(&format!("{dir}/README"), b"mine");
            }
            Damage::Torn => {
                let log = self.names(&dir, ".log").pop().unwrap();
                let length = self.bytes(&log).len();
                if length == 0 {
                    return None;
                }
                let left = self.below(length);
                self.files.set_len(&log, left as u64).unwrap();
            }
            Damage::SegmentGone => {
                let log = self.name(&dir, ".log");
                if self.bytes(&log).is_empty() {
                    return None;
                }
                self.files.remove(&log).unwrap();
                if self.below(2) == 0 {
                    let stem = log.strip_suffix("log").unwrap();
                    self.files.remove(&format!("{stem}index")).unwrap();
                    self.files.remove(&format!("{stem}timeindex")).unwrap();
                }
            }
            Damage::DirectoryGone => self.files.remove_dir(&dir).unwrap(),
            Damage::TopicIdGarbled => self.write(
                &format!("{dir}/partition.metadata"),
                b"version: 0\ntopic_id: ??\n",
            ),
            Damage::OtherNode => {
                let text = String::from_utf8(self.bytes("meta.properties")).unwrap();
                let other = text.replace("node.id=1", "node.id=2");
                self.write("meta.properties", other.as_bytes());
            }
            Damage::MetadataGone => self.files.remove_dir("__cluster_metadata-0").unwrap(),
        }
        Some(topic)
    }

    /// Empties, cuts, changes, overwrites or removes files whose names end like this.
    fn spoil(&mut self, dir: &str, end: &str) {
        for path in self.names(dir, end) {
            let mut bytes = self.bytes(&path);
            match self.below(6) {
                0 => self.files.remove(&path).unwrap(),
                1 => bytes.clear(),
                2 => bytes.truncate(bytes.len() / 2),
                3 => bytes.fill(0),
                4 if end == ".snapshot" => bytes = log::files::encode_snapshot([].into_iter()),
                _ if bytes.is_empty() => {}
                _ => {
                    let at = self.below(bytes.len());
                    bytes[at] ^= 1 << self.below(8);
                }
            }
            if self.names(dir, end).contains(&path) {
                self.write(&path, &bytes);
            }
        }
    }

    /// What a clean-up and a retention leave behind that were cut short.
    fn leave_behind(&mut self, dir: &str) {
        let logs = self.names(dir, ".log");
        let (first, any) = (&logs[0], self.pick(&logs));
        let half = self.bytes(first).len() / 2;
        let half = self.bytes(first)[..half].to_vec();
        self.write(&format!("{first}.cleaned"), &half);
        self.write(&format!("{any}.swap"), &half);
        self.write(&format!("{any}.deleted"), b"gone");
        self.write(
            &format!("{dir}/00000000000000000007.timeindex.tmp"),
            b"half",
        );
    }

    fn names(&mut self, dir: &str, end: &str) -> Vec<String> {
        let names = self.files.files(dir).unwrap().into_iter();
        let names = names.filter(|(name, _)| name.ends_with(end));
        let slash = if dir.is_empty() { "" } else { "/" };
        names
            .map(|(name, _)| format!("{dir}{slash}{name}"))
            .collect()
    }

    fn name(&mut self, dir: &str, end: &str) -> String {
        let names = self.names(dir, end);
        self.pick(&names)
    }

    fn bytes(&mut self, path: &str) -> Vec<u8> {
        self.files.read(path, 0, 1 << 20).unwrap().to_vec()
    }

    fn write(&mut self, path: &str, bytes: &[u8]) {
        self.files.create(path).unwrap();
        self.files.write(path, 0, bytes).unwrap();
    }
}

/// Produces one record of an idempotent producer: error code and offset.
fn produce(node: &mut Node, topic: &str, sequence: usize, value: &[u8]) -> (i16, i64) {
    let mut batch = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(5),
        producer_epoch: ProducerEpoch(0),
        base_sequence: sequence as i32,
        ..BatchOptions::default()
    });
    batch
        .append(node.now.millis(), None, Some(value), &[])
        .unwrap();
    let partition = PartitionProduceData {
        records: Records::Bytes(batch.build().into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::from(topic),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let answer: ProduceResponse = node.ask(9, &request);
    let answer = &answer.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// All values of a topic.
fn read(node: &mut Node, topic: &str) -> Vec<Vec<u8>> {
    let (mut values, mut from) = (Vec::new(), 0);
    while from < node.end(topic) {
        let answer: FetchResponse = node.ask(12, &fetch_request(topic, from, 0));
        let (error, _, found) = fetched(&answer, from);
        let Some((last, _)) = found.last().filter(|_| error == 0) else {
            break;
        };
        from = last + 1;
        values.extend(found.into_iter().map(|(_, value)| value));
    }
    values
}

fn seeds() -> u64 {
    let seeds = std::env::var("BROOKLET_SEEDS").ok();
    seeds.map_or(SEEDS, |text| {
        text.parse().expect("BROOKLET_SEEDS is a number")
    })
}

#[test]
fn no_record_is_missing_without_a_word_whatever_is_done_to_the_files() {
    let all = [HARMLESS, HARMFUL].concat();
    for seed in 0..seeds() {
        let lived = Life::new(seed).go(&all);
        assert_eq!(lived, Ok(()), "seed {seed}");
    }
}

#[test]
fn each_harm_that_is_not_expected_is_found_by_the_same_look() {
    for damage in HARMFUL {
        let missed = (0..SEEDS).all(|seed| {
            let mut life = Life::new(seed);
            let mut node = Node::start(&life.files, Fsync::OnRoll);
            life.deeds(&mut node);
            node.stop();
            drop(node);
            life.damage(*damage).is_none() || life.look(None).is_ok()
        });
        assert!(!missed, "{damage:?}");
    }
}
