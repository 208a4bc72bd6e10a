//! Bytes from strangers: refused, in bounded memory, never with a panic.

use brooklet_records as records;

use crate::support::logs;
use records::{
    BatchBuilder, BatchOptions, BatchView, Batches, Compression, Corrupt, Fault, HEADER_LEN,
    Header, Invalid, Rules, ValidBatch, decompress, spans, validate,
};

/// Partitions of which a few batches are damaged in every way: all codecs, both kinds of timestamps.
const SEEDS: [&str; 4] = [
    "segments/compacted-tombstones",
    "segments/log-append-time",
    "segments/mixed-codecs",
    "segments/plain",
];

#[test]
fn mutated_batches_are_read_without_a_panic() {
    let mut rng = ids::Rng::new(2026);
    for seed in seeds() {
        for round in 0..400 {
            let mut bytes = seed.clone();
            for _ in 0..=rng.below(3) {
                mutate(&mut bytes, &mut rng);
            }
            // Half of them with a right checksum, so that the rest of the checks is reached.
            if round % 2 == 0 {
                reseal(&mut bytes);
            }
            look_at_everything(&bytes);
        }
    }
}

#[test]
fn every_prefix_of_a_batch_is_read_without_a_panic() {
    for seed in seeds() {
        for end in 0..seed.len() {
            look_at_everything(&seed[..end]);
        }
    }
}

#[test]
fn random_bytes_are_refused_by_every_codec_without_a_panic() {
    let mut rng = ids::Rng::new(7);
    for codec in Compression::ALL {
        let sound = codecs::compress(codec, None, &[b'x'; 3000]);
        for _ in 0..2000 {
            let mut bytes = sound.clone();
            for _ in 0..=rng.below(4) {
                mutate(&mut bytes, &mut rng);
            }
            if let Ok(plain) = codecs::decompress(codec, &bytes, 1 << 20) {
                assert!(plain.len() <= 1 << 20);
            }
        }
    }
}

#[test]
fn a_batch_that_expands_too_far_is_too_large() {
    for codec in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let bytes = zeros_in_a_record(codec, 8 << 20);
        let rules = Rules {
            max_uncompressed_bytes: 4 << 20,
            ..rules()
        };
        let refused = validate(&bytes, &rules).map(|_| ());
        let too_large = Invalid::Unreadable(Fault::Corrupt(Corrupt::TooLarge));
        assert_eq!(refused, Err(too_large), "{}", codec.name());
        assert!(validate(&bytes, &self::rules()).is_ok(), "{}", codec.name());
    }
}

#[test]
fn a_claimed_length_is_not_believed() {
    // A raw snappy block that says it holds 4 GiB less one byte.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61];
    let snappy = codecs::decompress(Compression::Snappy, &claim, u32::MAX);
    assert_eq!(snappy, Err(Corrupt::Malformed));
    // xerial chunks of -1 and of 2 GiB.
    for length in [u32::MAX, i32::MAX as u32] {
        let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(b"abc");
        assert!(codecs::decompress(Compression::Snappy, &framed, u32::MAX).is_err());
    }
    // A zstd frame with a window of 2 GiB, and one of 128 MiB that repeats a byte for ever.
    let window = |descriptor: u8| vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor];
    let huge = codecs::decompress(Compression::Zstd, &window(0xa8), u32::MAX);
    assert_eq!(huge, Err(Corrupt::TooLarge));
    let mut repeats = window(0x88);
    for _ in 0..2000 {
        // A block of 128 KiB of one byte: type RLE, not the last.
        repeats.extend_from_slice(&[0x02, 0x00, 0x10, b'z']);
    }
    let waiting = codecs::decompress(Compression::Zstd, &repeats, u32::MAX);
    assert_eq!(waiting, Err(Corrupt::TooLarge));
}

#[test]
fn codecs_stop_at_the_cap() {
    for codec in Compression::ALL {
        let packed = codecs::compress(codec, None, &vec![0; 1 << 20]);
        let over = codecs::decompress(codec, &packed, (1 << 20) - 1);
        assert_eq!(over, Err(Corrupt::TooLarge), "{}", codec.name());
        let whole = codecs::decompress(codec, &packed, 1 << 20);
        assert_eq!(whole.map(|plain| plain.len()), Ok(1 << 20));
    }
}

#[test]
fn a_record_with_wrong_lengths_is_an_invalid_record() {
    for (at, value) in [(61, 0x7f), (61, 0x01), (65, 0x03), (66, 0x03), (68, 0x02)] {
        let mut bytes = crate::support::hex(
            "000000000000000000000039ffffffff0227293eff0000000000000000018bcfe568000000018bcfe568\
             00ffffffffffffffffffffffffffff000000010e00000001027800",
        );
        bytes[at] = value;
        reseal(&mut bytes);
        let refused = validate(&bytes, &rules()).map(|_| ());
        let code = refused.map_err(|why| why.code());
        assert_eq!(code, Err(ids::ErrorCode::INVALID_RECORD), "{value} at {at}");
    }
}

fn look_at_everything(bytes: &[u8]) {
    let _ = validate(bytes, &rules());
    let _ = ValidBatch::from_log(bytes);
    let compacted = Rules {
        compacted: true,
        target: Some(Compression::None),
        ..rules()
    };
    let _ = validate(bytes, &compacted);
    for span in spans::record_spans(bytes) {
        assert!(span.end as usize <= bytes.len());
    }
    for (_, batch) in Batches::new(bytes) {
        if let Ok(payload) = decompress(&batch, 1 << 20) {
            for record in records::records(&batch, &payload).take(10_000).flatten() {
                assert!(record.headers().count() <= payload.len());
            }
        }
    }
}

/// Batches of every codec, from Kafka where there are some.
fn seeds() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Compression::ALL
        .into_iter()
        .map(|codec| zeros_in_a_record(codec, 300))
        .collect();
    for case in SEEDS {
        for log in logs(case) {
            let bytes = vectors::bytes(&log);
            let batches = Batches::new(&bytes).map(|(_, batch)| batch.bytes().to_vec());
            all.extend(batches.filter(|batch| batch.len() < 2000).take(3));
        }
    }
    for batch in &mut all {
        batch[..8].fill(0);
    }
    all
}

fn zeros_in_a_record(compression: Compression, length: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions {
        compression,
        ..BatchOptions::default()
    });
    let value = vec![0; length];
    let appended = builder.append(0, Some(b"k"), Some(&value), &[(b"h", Some(b"v"))]);
    assert_eq!(appended, Ok(0));
    assert_eq!(builder.append(5, None, None, &[]), Ok(1));
    builder.build()
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut ids::Rng) {
    let at = rng.below(bytes.len() as u64) as usize;
    match rng.below(5) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.below(256) as u8,
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5) as usize],
        3 if at > 0 => bytes.truncate(at),
        _ => bytes.insert(at, rng.below(256) as u8),
    }
}

/// Sets length and checksum to what the bytes are, where there is a header at all.
fn reseal(bytes: &mut [u8]) {
    if bytes.len() < HEADER_LEN as usize {
        return;
    }
    let length = bytes.len() as u32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = codecs::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    assert!(Header::peek(bytes).is_ok() || bytes[16] != 2);
    assert!(BatchView::parse(bytes).is_ok_and(|view| view.crc_is_valid()) || bytes[16] != 2);
}

fn rules() -> Rules {
    Rules {
        timestamp_after_max_ms: i64::MAX,
        max_message_bytes: 1 << 30,
        max_uncompressed_bytes: 16 << 20,
        ..Rules::default()
    }
}
