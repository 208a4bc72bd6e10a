//! What brokers of a cluster have of each other's partitions, whoever dies.

use crate::quorum::create;
use crate::support::Bench;
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, PartitionIndex};
use records::{BatchBuilder, BatchOptions, Batches};
use wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::produce_response::ProduceResponse;
use wire::{Records, Str};

const PARTITION: PartitionIndex = PartitionIndex(0);

/// Sends a record to a broker with acks=all; its code.
fn produce(bench: &mut Bench, id: i32, value: &str) -> i16 {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    let (now, value) = (bench.now.millis(), value.as_bytes());
    batch.append(now, None, Some(value), &[]).unwrap();
    let mut bytes = Vec::new();
    (batch.into_valid()).write_into(&mut bytes, Offset(0), LeaderEpoch(-1));
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: Str::from("t"),
            partition_data: vec![PartitionProduceData {
                index: PARTITION.0,
                records: Records::Bytes(Bytes::from(bytes)),
                ..PartitionProduceData::default()
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let answer: ProduceResponse = bench.ask(id, 9, &request);
    answer.responses[0].partition_responses[0].error_code
}

/// Who leads the partition, as its own broker knows as well.
fn leader(bench: &Bench) -> Option<NodeId> {
    let known = |id: i32| bench.image(id).partition("t", PARTITION)?.leader();
    let leader = known(101)?;
    let runs = bench.running().contains(&leader.0);
    (runs && known(leader.0) == Some(leader)).then_some(leader)
}

fn in_sync(bench: &Bench) -> usize {
    let partition = bench.image(101).partition("t", PARTITION);
    partition.map_or(0, |partition| partition.isr.len())
}

fn log(bench: &Bench, id: i32) -> &log::Log {
    let broker = bench.node(id).broker().unwrap();
    let found = broker.find_replica("t", PARTITION).unwrap();
    broker.log(found).unwrap()
}

fn bytes(bench: &Bench, id: i32) -> Vec<u8> {
    let log = log(bench, id);
    match log.read(Offset(0), u32::MAX, log.log_end(), true) {
        Ok(log::Read::Slice(slice)) => log.slice_pieces(&slice).unwrap().concat(),
        other => panic!("{other:?}"),
    }
}

fn values(bytes: &[u8]) -> Vec<String> {
    let batches = Batches::new(bytes);
    let records = batches.flat_map(|(_, batch)| {
        let records = batch.records().unwrap();
        let values = records.map(|record| record.unwrap().value.unwrap().to_vec());
        values.collect::<Vec<_>>()
    });
    let text = |value| String::from_utf8(value).unwrap();
    records.map(text).collect()
}

#[test]
fn what_is_acknowledged_by_all_outlives_each_leader_and_returns_to_who_was_away() {
    let mut bench = Bench::split(1, 3);
    bench.start_all();
    bench.run_until(10_000, Bench::all_serve);
    assert_eq!(create(&mut bench, 1, "t"), 0);
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        bench.run_until(20_000, |bench| leader(bench).is_some());
        let led_by = leader(&bench).unwrap().0;
        for at in 0..3 {
            let value = format!("round {round}, record {at}");
            assert_eq!(produce(&mut bench, led_by, &value), 0);
            acknowledged.push(value);
        }
        bench.kill(led_by);
        bench.run_until(20_000, |bench| leader(bench).is_some());
        let next = leader(&bench).unwrap().0;
        let value = format!("round {round}, without {led_by}");
        assert_eq!(produce(&mut bench, next, &value), 0);
        acknowledged.push(value);
        bench.start(led_by);
        bench.run_until(30_000, |bench| in_sync(bench) == 3);
    }
    bench.run(1_500);
    let first = bytes(&bench, 1);
    assert_eq!(values(&first), acknowledged);
    for id in [2, 3] {
        assert_eq!(bytes(&bench, id), first, "broker {id}");
    }
    for id in 1..=3 {
        let log = log(&bench, id);
        assert_eq!(log.leader_epochs(), self::log(&bench, 1).leader_epochs());
        assert_eq!(log.high_watermark(), log.log_end());
    }
}
