//! Compression, framed as Kafka's Java producer frames it.

use crate::{Compression, snappy, zstd};
use flate2::GzBuilder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;

/// `bytes` compressed. `level` is gzip's 1 to 9 (6 when absent or outside); others have one level.
#[must_use]
pub fn compress(codec: Compression, level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => gzip(level, bytes),
        Compression::Snappy => snappy::compress(bytes),
        Compression::Lz4 => lz4(bytes),
        Compression::Zstd => zstd::compress(bytes),
    }
}

fn gzip(level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .filter(|level| (1..=9).contains(level))
        .unwrap_or(6);
    // Java names no operating system, so the head is 1f 8b 08 and six zeros and ff.
    let mut encoder = GzBuilder::new()
        .operating_system(0xff)
        .write(Vec::new(), flate2::Compression::new(level));
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a vector takes every write")
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    // Kafka's reader refuses frames whose blocks build on one another.
    let info = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    let written = encoder.write_all(bytes).map(|()| encoder.finish());
    written
        .expect("a vector takes every write")
        .expect("a vector takes every write")
}
