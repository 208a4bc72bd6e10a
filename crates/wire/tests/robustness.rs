//! Broken frames: refused without a panic and without memory out of proportion.

#![allow(clippy::unwrap_used)] // Clippy takes only the tests themselves for tests, not their helpers.

extern crate brooklet_wire as wire;

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use common::{Kind, exchanges, hex, kinds};
use wire::spans::{self, SpanOf};

/// Counts the bytes this thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn asked_by<T>(work: impl FnOnce() -> T) -> usize {
    let before = ASKED.get();
    drop(work());
    ASKED.get() - before
}

/// Bytes of memory that a byte of input may cost. The costliest are arrays of large structs that may be
/// sent nearly empty; growing a list of spans counts each of its sizes.
const FACTOR_TYPED: usize = 160;
const FACTOR_SPANS: usize = 320;

/// Decodes anything as any message; the function to give a fuzzer.
fn fuzz_decode(kind: &Kind, version: i16, bytes: &Bytes) {
    let spent = asked_by(|| (kind.decode)(bytes.clone(), version));
    let allowed = 4096 + FACTOR_TYPED * bytes.len();
    assert!(
        spent <= allowed,
        "{} {version}: {spent} bytes for {bytes:?}",
        kind.name
    );
    let what = SpanOf::Message {
        name: kind.name,
        version,
    };
    let spent = asked_by(|| spans::decode(what, bytes));
    let allowed = 4096 + FACTOR_SPANS * bytes.len();
    assert!(
        spent <= allowed,
        "spans of {} {version}: {spent} bytes for {bytes:?}",
        kind.name
    );
    let spans = spans::decode(what, bytes);
    let accepted = (kind.decode)(bytes.clone(), version).is_ok();
    assert_eq!(
        accepted,
        spans.error.is_none(),
        "{} {version}: {bytes:?} {:?}",
        kind.name,
        spans.error
    );
    let mut at = 0;
    for leaf in spans.leaves() {
        assert_eq!(leaf.start, at);
        at = leaf.end;
    }
    assert_eq!(at as usize, bytes.len());
}

/// A frame with some of its bytes changed, cut out or doubled.
fn mutate(frame: &Bytes, rng: &mut ids::Rng) -> Bytes {
    let mut bytes = frame.to_vec();
    for _ in 0..=rng.next() % 3 {
        let at = rng.next() as usize % (bytes.len() + 1);
        match rng.next() % 5 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, 0xff),
            2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.next() as usize % 5],
            3 if at < bytes.len() => bytes[at] ^= 1 << (rng.next() % 8),
            _ => {
                let end = bytes.len().min(at + 4);
                bytes[at..end].fill(0x7f);
            }
        }
    }
    Bytes::from(bytes)
}

#[test]
fn damaged_frames_cost_memory_in_proportion() {
    let kinds = kinds();
    let mut rng = ids::Rng::new(7);
    for exchange in exchanges() {
        let (_, mut body) = wire::decode_request_header(exchange.request.clone()).unwrap();
        let request = kinds[format!("{}Request", exchange.name).as_str()];
        let response = kinds[format!("{}Response", exchange.name).as_str()];
        let request_body = body.rest();
        let response_body = exchange.response.map(|frame| frame.slice(4..));
        for _ in 0..100 {
            fuzz_decode(&request, exchange.version, &mutate(&request_body, &mut rng));
            if let Some(body) = &response_body {
                fuzz_decode(
                    &response,
                    exchange.response_version,
                    &mutate(body, &mut rng),
                );
            }
        }
    }
}

#[test]
fn noise_is_survived_by_every_message_in_every_version() {
    let mut rng = ids::Rng::new(11);
    for kind in kinds().values() {
        for version in kind.min..=kind.max {
            for _ in 0..40 {
                let len = rng.next() % 64;
                let rich = rng.next().is_multiple_of(2);
                let byte = |word: u64| if rich { word as u8 } else { (word % 4) as u8 };
                let bytes = (0..len).map(|_| byte(rng.next())).collect();
                fuzz_decode(kind, version, &bytes);
            }
        }
    }
}

#[test]
fn noise_is_survived_as_a_request() {
    let mut rng = ids::Rng::new(13);
    for _ in 0..20_000 {
        let len = rng.next() % 48;
        let mut bytes: Vec<u8> = (0..len).map(|_| (rng.next() % 5) as u8).collect();
        if let Some(key) = bytes.get_mut(1) {
            *key = (rng.next() % 100) as u8;
        }
        let bytes = Bytes::from(bytes);
        let spent = asked_by(|| wire::decode_request_header(bytes.clone()));
        assert!(spent <= 1024 + FACTOR_TYPED * bytes.len());
        let spans = spans::decode(SpanOf::Request, &bytes);
        let covered: u32 = spans.leaves().map(|leaf| leaf.end - leaf.start).sum();
        assert_eq!(covered as usize, bytes.len());
    }
}

/// Both make a decoder that trusts lengths ask for gigabytes.
#[test]
fn frames_that_claim_gigabytes_get_none() {
    let metadata = kinds()["MetadataRequest"];
    fuzz_decode(&metadata, 0, &hex("7f ff ff ff"));
    assert!((metadata.decode)(hex("7f ff ff ff"), 0).is_err());
    let frame = hex("03 00 00 03 3c 0c 00 b6");
    assert!(wire::decode_request_header(frame.clone()).is_err());
    for kind in kinds().values() {
        for version in kind.min..=kind.max {
            fuzz_decode(kind, version, &frame);
        }
    }
}

/// As few bytes as an element can have, as many elements as there is room for.
#[test]
fn arrays_of_the_smallest_elements_cost_memory_in_proportion() {
    for kind in kinds().values() {
        for version in kind.min..=kind.max {
            for fill in [0u8, 1] {
                for lead in (0..12).chain([14, 16, 20]) {
                    let mut bytes = vec![fill; 3000];
                    bytes[..lead].fill(0);
                    // The array's count: plain or compact, as many as fit.
                    bytes[lead..lead + 4].copy_from_slice(&[0x00, 0x00, 0x02, 0x00]);
                    fuzz_decode(kind, version, &Bytes::from(bytes.clone()));
                    bytes[lead..lead + 2].copy_from_slice(&[0x80, 0x04]);
                    bytes[lead + 2..lead + 4].fill(fill);
                    fuzz_decode(kind, version, &Bytes::from(bytes));
                }
            }
        }
    }
}
