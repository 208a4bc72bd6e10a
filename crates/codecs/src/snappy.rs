//! Snappy, bare or in the framing of Java's xerial library.
//!
//! xerial: `82 "SNAPPY" 00`, version and compatible version (i32 each), then blocks, each after its
//! length (i32, big-endian). librdkafka and others send one bare block in the same topics, so the
//! first bytes decide.

use crate::decode::Corrupt;

/// How xerial's framing begins.
const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Bytes of its head: the magic and two versions.
const HEAD: usize = 16;
/// Uncompressed bytes of each block, as Java's writer cuts them.
const BLOCK: usize = 32 * 1024;
/// No snappy block holds more than this for each of its bytes: a copy of 64 bytes takes 3.
const MAX_RATIO: usize = 22;
/// No block may hold more than this, whatever its size: 64 MiB.
const MAX_BLOCK: usize = 64 << 20;

/// The blocks of `input`, one in memory at a time.
pub(crate) struct Snappy<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Snappy<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Snappy<'a> {
        let framed = input.starts_with(&MAGIC);
        Snappy {
            rest: input,
            framed,
            block: Vec::new(),
            at: 0,
        }
    }

    /// Whether there is a next byte; unpacks the next block when the last has been read.
    pub(crate) fn unpack(&mut self) -> Result<bool, Corrupt> {
        while self.at == self.block.len() {
            let Some(block) = self.next_block()? else {
                return Ok(false);
            };
            self.unpack_block(block)?;
        }
        Ok(true)
    }

    pub(crate) fn shown(&self) -> &[u8] {
        self.block.get(self.at..).unwrap_or(&[])
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.at = self.block.len().min(self.at + n);
    }

    fn next_block(&mut self) -> Result<Option<&'a [u8]>, Corrupt> {
        if !self.framed {
            let block = core::mem::take(&mut self.rest);
            return Ok((!block.is_empty()).then_some(block));
        }
        // A head may stand before any block: streams can be concatenated.
        while self.rest.starts_with(&MAGIC) {
            self.rest = self.rest.get(HEAD..).ok_or(Corrupt::Truncated)?;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (length, rest) = self.rest.split_first_chunk().ok_or(Corrupt::Truncated)?;
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Corrupt::Malformed)?;
        let (block, rest) = rest.split_at_checked(length).ok_or(Corrupt::Truncated)?;
        self.rest = rest;
        Ok(Some(block))
    }

    fn unpack_block(&mut self, block: &[u8]) -> Result<(), Corrupt> {
        let claimed = snap::raw::decompress_len(block).map_err(|_| Corrupt::Malformed)?;
        if claimed > block.len().saturating_mul(MAX_RATIO) {
            return Err(Corrupt::Malformed);
        }
        if claimed > MAX_BLOCK {
            return Err(Corrupt::TooLarge);
        }
        self.block.resize(claimed, 0);
        self.at = 0;
        let length = snap::raw::Decoder::new()
            .decompress(block, &mut self.block)
            .map_err(|_| Corrupt::Malformed)?;
        self.block.truncate(length);
        Ok(())
    }
}

/// `bytes` in xerial's framing, as Java's producer writes them.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + bytes.len() / 2);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; snap::raw::max_compress_len(BLOCK.min(bytes.len()))];
    for piece in bytes.chunks(BLOCK) {
        // Fails only on a buffer below `max_compress_len` or 4 GiB of input; a piece is neither.
        let length = encoder.compress(piece, &mut block).unwrap_or(0);
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.extend_from_slice(&block[..length]);
    }
    out
}
