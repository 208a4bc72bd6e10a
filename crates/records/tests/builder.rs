//! What is built here is what Kafka's client builds, and reads back as it was put in.

use brooklet_records as records;

use crate::support::{logs, partitions};
use records::{
    BatchBuilder, BatchOptions, BatchView, Batches, Compression, ControlType, EndTxnMarker,
    HeaderPair, Rules, TimestampType, decompress, validate,
};

#[test]
fn batches_of_kafka_are_built_again_byte_for_byte() {
    let mut plain = 0;
    for log in every_log() {
        let bytes = vectors::bytes(&log);
        for (position, batch) in Batches::new(&bytes) {
            let compacted = batch.attributes.has_delete_horizon() || batch.count == 0;
            if !batch.crc_is_valid() || compacted || had_gaps(&batch) {
                continue;
            }
            let none = batch.attributes.compression() == Ok(Compression::None);
            let again = rebuild(&batch);
            let name = format!("{log} at {position}");
            if none && !rewritten_by_broker(&batch) {
                assert_eq!(again, batch.bytes(), "{name}");
                plain += 1;
            } else {
                // Codecs may choose other bytes for the same records.
                let again = BatchView::parse(&again).expect("a whole batch");
                assert_eq!(opened(&again), opened(&batch), "{name}");
            }
        }
    }
    assert!(
        plain > 20,
        "only {plain} batches were compared byte for byte"
    );
}

#[test]
fn every_codec_gives_back_what_was_built_and_passes_validation() {
    for compression in Compression::ALL {
        for count in [1, 3, 500] {
            let options = BatchOptions {
                compression,
                ..BatchOptions::default()
            };
            let mut builder = BatchBuilder::new(options);
            for i in 0..count {
                let value = format!("value number {i} with some text that repeats");
                let headers: [HeaderPair<'_>; 2] = [(b"a", None), (b"b", Some(b"c"))];
                let key = i.to_string();
                let before = u64::from(builder.size());
                let bound = BatchBuilder::record_size_bound(
                    Some(key.as_bytes()),
                    Some(value.as_bytes()),
                    &headers,
                );
                let place = builder.append(
                    1_000 + i64::from(i % 7),
                    Some(key.as_bytes()),
                    Some(value.as_bytes()),
                    &headers,
                );
                assert_eq!(place, Ok(i));
                assert!(u64::from(builder.size()) - before <= bound);
            }
            let bytes = builder.build();
            let valid = validate(&bytes, &rules()).expect("a valid batch");
            assert_eq!(valid.header().count, count);
            assert_eq!(valid.max_timestamp_delta(), (count - 1).min(6));
            let view = BatchView::parse(&bytes).expect("a whole batch");
            let payload = decompress(&view, 1 << 20).expect("a sound payload");
            for (i, record) in records::records(&view, &payload).enumerate() {
                let record = record.expect("a sound record");
                assert_eq!(record.offset.0, i as i64);
                assert_eq!(record.key, Some(i.to_string().as_bytes()));
                assert_eq!(record.timestamp, 1_000 + i as i64 % 7);
                assert_eq!(record.headers().count(), 2);
            }
        }
    }
}

#[test]
fn log_append_time_gives_every_record_the_brokers_time() {
    let bytes = one_record(b"value");
    let rules = Rules {
        timestamp_type: TimestampType::LogAppendTime,
        now_millis: 77_000,
        ..rules()
    };
    let valid = validate(&bytes, &rules).expect("a valid batch");
    let mut out = Vec::new();
    valid.write_into(&mut out, ids::Offset(40), ids::LeaderEpoch(3));
    let stored = BatchView::parse(&out).expect("a whole batch");
    assert!(stored.crc_is_valid());
    assert_eq!(stored.partition_leader_epoch, ids::LeaderEpoch(3));
    let record = stored.records().and_then(|mut all| all.next());
    let record = record.expect("a record").expect("a sound record");
    assert_eq!((record.timestamp, record.offset), (77_000, ids::Offset(40)));
}

#[test]
fn a_marker_is_a_control_batch_that_clients_may_not_send() {
    let marker = EndTxnMarker {
        commit: true,
        coordinator_epoch: 5,
    };
    let mut builder = BatchBuilder::new(BatchOptions {
        control: true,
        transactional: true,
        producer_id: ids::ProducerId(9),
        producer_epoch: ids::ProducerEpoch(1),
        ..BatchOptions::default()
    });
    let appended = builder.append(1, Some(&marker.key()), Some(&marker.value()), &[]);
    assert_eq!(appended, Ok(0));
    let bytes = builder.build();
    assert_eq!(bytes.len(), 78, "as long as Kafka's");
    assert_eq!(
        validate(&bytes, &rules()).map(|_| ()),
        Err(records::Invalid::Control)
    );
    let record = BatchView::parse(&bytes).expect("a whole batch").records();
    let record = record.and_then(|mut all| all.next()).expect("a record");
    let record = record.expect("a sound record");
    let (key, value) = (record.key.unwrap_or(&[]), record.value.unwrap_or(&[]));
    assert_eq!(ControlType::from_key(key), Some(ControlType::Commit));
    assert_eq!(EndTxnMarker::parse(key, value), Some(marker));
}

#[test]
fn kafkas_markers_read_as_markers() {
    let (mut commits, mut aborts) = (0, 0);
    for log in logs("segments/transactions") {
        let bytes = vectors::bytes(&log);
        for (_, batch) in Batches::new(&bytes).filter(|(_, batch)| batch.attributes.is_control()) {
            let record = batch.records().and_then(|mut all| all.next());
            let record = record.expect("a record").expect("a sound record");
            let (key, value) = (record.key.unwrap_or(&[]), record.value.unwrap_or(&[]));
            match EndTxnMarker::parse(key, value).expect("a marker").commit {
                true => commits += 1,
                false => aborts += 1,
            }
        }
    }
    assert!(commits > 0 && aborts > 0);
}

fn rules() -> Rules {
    Rules {
        now_millis: 1_000,
        ..Rules::default()
    }
}

fn one_record(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    assert_eq!(builder.append(1_000, None, Some(value), &[]), Ok(0));
    builder.build()
}

fn every_log() -> Vec<String> {
    let all = partitions().into_iter();
    all.flat_map(|directory| logs(&directory)).collect()
}

/// Compaction keeps offsets, so records that remain are no longer counted 0, 1, 2, ….
fn had_gaps(batch: &BatchView<'_>) -> bool {
    batch.last_offset_delta != batch.count - 1
}

/// Brokers correct max timestamps and set their own, which keeps the client's base timestamp.
fn rewritten_by_broker(batch: &BatchView<'_>) -> bool {
    batch.attributes.timestamp_type() == TimestampType::LogAppendTime
}

/// Key, value and timestamp of a record.
type Opened = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

fn opened(batch: &BatchView<'_>) -> Vec<Opened> {
    let payload = decompress(batch, 1 << 24).expect("a sound payload");
    records::records(batch, &payload)
        .map(|record| {
            let record = record.expect("a sound record");
            let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            (own(record.key), own(record.value), record.timestamp)
        })
        .collect()
}

fn rebuild(batch: &BatchView<'_>) -> Vec<u8> {
    let payload = decompress(batch, 1 << 24).expect("a sound payload");
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: batch.base_offset,
        leader_epoch: batch.partition_leader_epoch,
        compression: batch.attributes.compression().expect("a codec"),
        level: None,
        timestamp_type: batch.attributes.timestamp_type(),
        producer_id: batch.producer_id,
        producer_epoch: batch.producer_epoch,
        base_sequence: batch.base_sequence,
        transactional: batch.attributes.is_transactional(),
        control: batch.attributes.is_control(),
    });
    for record in records::records(batch, &payload) {
        let record = record.expect("a sound record");
        let headers: Vec<HeaderPair<'_>> = record
            .headers()
            .map(|header| (header.key, header.value))
            .collect();
        let appended = builder.append(record.timestamp, record.key, record.value, &headers);
        assert!(appended.is_ok());
    }
    builder.build()
}
