use super::*;
use crate::fake::{Fake, Machine, TOPIC};
use records::{BatchBuilder, BatchOptions, Compression};

impl Machine for Consumer {
    fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        Consumer::step(self, now, input, out);
    }
    fn next_deadline(&self) -> Option<Time> {
        Consumer::next_deadline(self)
    }
}

fn log(fake: &mut Fake, partition: i32, values: &[&str], compression: Compression) {
    let mut builder = BatchBuilder::new(BatchOptions {
        compression,
        ..Default::default()
    });
    for value in values {
        builder
            .append(1, Some(b"k"), Some(value.as_bytes()), &[(b"h", None)])
            .unwrap();
    }
    let (batches, end) = fake.logs.entry(partition).or_default();
    batches.push((*end, Bytes::from(builder.build())));
    *end += values.len() as i64;
}

fn assigned(begin: Begin) -> Consumer {
    let at = TopicPartition {
        topic: TOPIC.into(),
        partition: PartitionIndex(0),
    };
    let config = Config::new("test", alloc::vec![("localhost".into(), 9092)]);
    let subscription = Subscription::Assign(alloc::vec![(at, begin)]);
    Consumer::new(config, subscription, Rng::new(1))
}

fn values(consumer: &mut Consumer, fake: &mut Fake, max: usize) -> Vec<String> {
    fake.run(consumer, |_, consumer| consumer.has_records());
    let records = consumer.poll_records(fake.now, max);
    let text = |r: &ConsumedRecord| String::from_utf8_lossy(r.value.as_ref().unwrap()).into();
    records.iter().map(text).collect()
}

#[test]
fn an_assigned_partition_is_read_from_where_it_is_told() {
    let mut fake = Fake::new(1);
    log(&mut fake, 0, &["a", "b"], Compression::None);
    log(&mut fake, 0, &["c"], Compression::Gzip);
    let mut consumer = assigned(Begin::Earliest);
    assert_eq!(values(&mut consumer, &mut fake, 2), ["a", "b"]);
    assert_eq!(values(&mut consumer, &mut fake, 2), ["c"]);
    let (_, _, position) = consumer.positions().next().unwrap();
    assert_eq!(position.position, Some(Offset(3)));
    assert_eq!(position.high_watermark, Offset(3));
    assert_eq!(fake.seen[..4], [18, 3, 2, 1]);
}

#[test]
fn an_offset_out_of_range_is_reset() {
    let mut fake = Fake::new(1);
    log(&mut fake, 0, &["a"], Compression::None);
    let mut consumer = assigned(Begin::At(Offset(99)));
    fake.run(&mut consumer, |_, consumer| {
        consumer.positions().next().unwrap().2.position == Some(Offset(1))
    });
    log(&mut fake, 0, &["b"], Compression::None);
    assert_eq!(values(&mut consumer, &mut fake, 9), ["b"]);
}

fn member() -> Consumer {
    let mut config = Config::new("test", alloc::vec![("localhost".into(), 9092)]);
    config.group = Some("g".into());
    config.reset = Reset::Earliest;
    let topics = Subscription::Topics([Arc::from(TOPIC)].into_iter().collect());
    Consumer::new(config, topics, Rng::new(1))
}

#[test]
fn a_member_joins_reads_commits_what_it_processed_and_leaves() {
    let mut fake = Fake::new(2);
    log(&mut fake, 0, &["a", "b"], Compression::None);
    let mut consumer = member();
    assert_eq!(values(&mut consumer, &mut fake, 1), ["a"]);
    assert_eq!(consumer.generation(), 1);
    let expected = [18, 3, 10, 18, 11, 11, 14, 9];
    assert_eq!(fake.seen[..8], expected);
    // Handed out, but not processed before the next poll.
    fake.run(&mut consumer, |fake, _| fake.seen.contains(&8));
    assert_eq!(fake.stored.get(&0), Some(&0));
    assert_eq!(values(&mut consumer, &mut fake, 1), ["b"]);
    consumer.close();
    fake.run(&mut consumer, |_, consumer| consumer.is_closed());
    assert_eq!(fake.stored.get(&0), Some(&2));
    assert_eq!(fake.seen.last(), Some(&13));
}

#[test]
fn a_rebalance_stores_offsets_first_and_goes_on_where_it_was() {
    let mut fake = Fake::new(1);
    log(&mut fake, 0, &["a", "b"], Compression::None);
    let mut consumer = member();
    assert_eq!(values(&mut consumer, &mut fake, 2), ["a", "b"]);
    consumer.poll_records(fake.now, 1);
    fake.heartbeat_error = ErrorCode::REBALANCE_IN_PROGRESS.0;
    fake.run(&mut consumer, |_, consumer| {
        consumer.generation() == 2 && consumer.is_stable()
    });
    assert_eq!(fake.stored.get(&0), Some(&2));
    log(&mut fake, 0, &["c"], Compression::None);
    assert_eq!(values(&mut consumer, &mut fake, 9), ["c"]);
}

#[test]
fn a_seek_drops_what_was_fetched() {
    let mut fake = Fake::new(1);
    log(&mut fake, 0, &["a"], Compression::None);
    log(&mut fake, 0, &["b"], Compression::None);
    let mut consumer = assigned(Begin::Earliest);
    assert_eq!(values(&mut consumer, &mut fake, 1), ["a"]);
    consumer.seek(TOPIC, PartitionIndex(0), Begin::At(Offset(0)));
    assert_eq!(values(&mut consumer, &mut fake, 9), ["a", "b"]);
}
