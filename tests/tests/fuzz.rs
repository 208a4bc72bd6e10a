//! The fuzz targets on their corpus, and on many damaged copies of it, the same in each run.

use ids::Rng;
use std::fs;
use tests::fuzz;

/// A damaged copy is made of one, two or more of these.
fn mutate(chance: &mut Rng, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let at = usize::try_from(chance.below(bytes.len() as u64 + 1)).expect("an index");
        let byte = chance.below(256) as u8;
        match chance.below(6) {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            3 if at < bytes.len() => bytes[at] = byte,
            // A length that claims too much.
            4 if at + 4 <= bytes.len() => {
                bytes[at..at + 4].copy_from_slice(&[0x7f, 0xff, 0xff, byte])
            }
            _ => {
                let end = (at + 16).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

fn replay(name: &str, mutants: u64, target: fn(&[u8])) {
    let folder = format!("{}/fuzz-corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(&folder).expect("the corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    let mut chance = Rng::new(20_260_101);
    for file in &files {
        let seed = fs::read(file).expect("a file of the corpus");
        target(&seed);
        for _ in 0..mutants / files.len() as u64 {
            target(&mutate(&mut chance, &seed));
        }
    }
    target(&[]);
}

#[test]
fn no_request_frame_panics() {
    replay("request-frame", 20_000, fuzz::request_frame);
}

#[test]
fn no_response_frame_panics() {
    replay("response-frame", 500, fuzz::response_frame);
}

#[test]
fn no_record_batch_panics() {
    replay("record-batch", 5_000, fuzz::record_batch);
}

#[test]
fn no_bytes_of_a_log_stop_its_recovery() {
    replay("log-recovery", 2_000, fuzz::log_recovery);
}

#[test]
fn no_frame_stops_a_node() {
    replay("step", 300, fuzz::step);
}

#[test]
fn no_document_panics_as_a_scenario() {
    replay("scenario", 1_000, fuzz::scenario);
}
