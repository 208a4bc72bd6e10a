//! Zstandard: frames one after another, in bounded memory.

use crate::decode::Corrupt;
use crate::window::Unpack;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Read;

/// The largest window a frame may name: libzstd's own limit (its levels up to 22 name it).
const MAX_WINDOW: u64 = 128 << 20;
/// Windows up to here may fill up: RFC 8878 asks decoders for 8 MiB.
const MAX_FULL_WINDOW: u64 = 8 << 20;
/// How many blocks of 128 KiB at most may wait in a larger window before anything comes out.
const MAX_WAITING_BLOCKS: u32 = 256;

/// The frames of an input; skippable ones are passed over.
pub(crate) struct Zstd<'a> {
    rest: &'a [u8],
    frame: Option<Frame>,
}

struct Frame {
    decoder: FrameDecoder,
    /// Blocks that may still be decoded while none can be read; `None` without need of a limit.
    may_wait: Option<u32>,
}

impl<'a> Zstd<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Zstd<'a> {
        Zstd {
            rest: input,
            frame: None,
        }
    }
}

impl Unpack for Zstd<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt> {
        loop {
            let Some(frame) = &mut self.frame else {
                if self.rest.is_empty() {
                    return Ok(0);
                }
                self.frame = begin(&mut self.rest)?;
                continue;
            };
            frame.fill(&mut self.rest)?;
            let decoder = &mut frame.decoder;
            let read = decoder.read(out).map_err(|_| Corrupt::Malformed)?;
            if read > 0 {
                return Ok(read);
            }
            let stored = decoder.get_checksum_from_data();
            if stored.is_some() && stored != decoder.get_calculated_checksum() {
                return Err(Corrupt::Malformed);
            }
            self.frame = None;
        }
    }
}

impl Frame {
    /// Decodes blocks until something can be read or the frame is at its end.
    fn fill(&mut self, rest: &mut &[u8]) -> Result<(), Corrupt> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            if let Some(left) = &mut self.may_wait {
                *left = left.checked_sub(1).ok_or(Corrupt::TooLarge)?;
            }
            self.decoder
                .decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|_| ended_or_malformed(rest))?;
        }
        Ok(())
    }
}

/// Reads a frame's header; `None` for a skippable frame, which is passed over.
fn begin(rest: &mut &[u8]) -> Result<Option<Frame>, Corrupt> {
    let start = *rest;
    for (max_window, may_wait) in [
        (MAX_FULL_WINDOW, None),
        (MAX_WINDOW, Some(MAX_WAITING_BLOCKS)),
    ] {
        *rest = start;
        // Every frame has a decoder of its own: one used again reserves the whole window it is told.
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(max_window);
        match decoder.init(&mut *rest) {
            Ok(()) => return Ok(Some(Frame { decoder, may_wait })),
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                *rest = rest.get(length as usize..).ok_or(Corrupt::Truncated)?;
                return Ok(None);
            }
            Err(_) => return Err(ended_or_malformed(rest)),
        }
    }
    Err(Corrupt::TooLarge)
}

fn ended_or_malformed(rest: &[u8]) -> Corrupt {
    if rest.is_empty() {
        Corrupt::Truncated
    } else {
        Corrupt::Malformed
    }
}

/// `bytes` as one frame. The pure Rust encoder knows one level.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}
