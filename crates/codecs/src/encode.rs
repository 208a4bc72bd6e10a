//! Compression, framed as Kafka's Java producer frames it.

use crate::{Compression, gzip, snappy, zstd};
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

/// `bytes` compressed. `level` is gzip's 1 to 9 (6 when absent or outside); others have one level.
#[must_use]
pub fn compress(codec: Compression, level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => gzip_member(level, bytes),
        Compression::Snappy => snappy::compress(bytes),
        Compression::Lz4 => lz4(bytes),
        Compression::Zstd => zstd::compress(bytes),
    }
}

fn gzip_member(level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .filter(|level| (1..=9).contains(level))
        .unwrap_or(6);
    gzip::compress(level, bytes)
}

/// The head of a frame as Java's producer writes it: version 1, independent blocks (Kafka's reader
/// refuses others) of at most 64 KiB, no checksums; last the check byte of the two before it.
const LZ4_HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// Bytes in one block: just below 64 KiB. From 65,535 bytes on, and in its own frame encoder, lz4_flex
/// looks for matches with a hash of as many bytes as a `usize` has, so that 32 and 64 bits differ.
const LZ4_BLOCK_BYTES: usize = 0xff00;
/// The bit of a block's length which says that it is not compressed.
const LZ4_AS_IS: u32 = 1 << 31;

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut frame = LZ4_HEAD.to_vec();
    let mut table = CompressTable::small();
    let mut room = vec![0; get_maximum_output_size(bytes.len().min(LZ4_BLOCK_BYTES))];
    for block in bytes.chunks(LZ4_BLOCK_BYTES) {
        let length = compress_into_with_table(block, &mut room, &mut table);
        let (bits, data) = match length {
            Ok(length) if length < block.len() => (0, &room[..length]),
            _ => (LZ4_AS_IS, block),
        };
        // A block is far below 2^31 bytes.
        put_length(&mut frame, bits | data.len() as u32);
        frame.extend_from_slice(data);
    }
    put_length(&mut frame, 0);
    frame
}

/// Least significant byte first, as LZ4's frames have it.
fn put_length(frame: &mut Vec<u8>, length: u32) {
    frame.extend(length.to_be_bytes().into_iter().rev());
}
