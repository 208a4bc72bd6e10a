//! Decompression as a stream, in bounded memory.

use crate::Compression;
use crate::gzip::Gzip;
use crate::snappy::Snappy;
use crate::zstd::Zstd;
use std::io::{self, Read};

/// Why compressed bytes cannot be read (on).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Corrupt {
    /// They are not what the codec writes, or a checksum in them is wrong.
    Malformed,
    /// They end before what they began does.
    Truncated,
    /// They hold, or claim to hold, more than the reader is ready to keep.
    TooLarge,
}

/// Reads what compressed bytes hold, piece by piece.
///
/// Beyond its input it keeps at most: gzip 50 KiB, snappy one block (at most 22 times the input),
/// lz4 12 MiB (three of the largest blocks), zstd 8 MiB (32 MiB for a frame that names
/// a larger window), before its buffer's doubling.
pub struct Decoder<'a>(Kind<'a>);

enum Kind<'a> {
    None(&'a [u8]),
    Gzip(Box<Gzip<'a>>),
    Snappy(Snappy<'a>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<&'a [u8]>>),
    Zstd(Box<Zstd<'a>>),
    Failed(Corrupt),
}

/// How a frame of LZ4 begins; the older framing, which Kafka never used, is not taken.
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

impl<'a> Decoder<'a> {
    /// A decoder for `input`; nothing is read yet.
    #[must_use]
    pub fn new(codec: Compression, input: &'a [u8]) -> Decoder<'a> {
        Decoder(match codec {
            Compression::None => Kind::None(input),
            Compression::Gzip => Kind::Gzip(Box::new(Gzip::new(input))),
            Compression::Snappy => Kind::Snappy(Snappy::new(input)),
            Compression::Lz4 if input.starts_with(&LZ4_MAGIC) => {
                Kind::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(input)))
            }
            Compression::Lz4 => Kind::Failed(Corrupt::Malformed),
            Compression::Zstd => Kind::Zstd(Box::new(Zstd::new(input))),
        })
    }

    /// Fills the beginning of `out` and says with how many bytes; 0 is the end (or an empty `out`).
    ///
    /// # Errors
    /// The first thing wrong with the input; it stays the answer from then on.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.0 {
            Kind::None(rest) => rest.read(out).map_err(corrupt),
            Kind::Gzip(gzip) => gzip.read(out),
            Kind::Snappy(snappy) => snappy.read(out),
            // Like Kafka's, this reads one frame: what follows the end mark is left alone.
            Kind::Lz4(lz4) => lz4.read(out).map_err(corrupt),
            Kind::Zstd(zstd) => zstd.read(out),
            Kind::Failed(why) => Err(*why),
        };
        match read {
            Ok(0) => self.0 = Kind::None(&[]),
            Ok(_) => {}
            Err(why) => self.0 = Kind::Failed(why),
        }
        read
    }
}

/// All that `input` holds, when that is at most `cap` bytes.
///
/// # Errors
/// When the input is corrupt, or holds more.
pub fn decompress(codec: Compression, input: &[u8], cap: u32) -> Result<Vec<u8>, Corrupt> {
    let mut decoder = Decoder::new(codec, input);
    let mut all = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match decoder.read(&mut piece)? {
            0 => return Ok(all),
            read if all.len() + read > cap as usize => return Err(Corrupt::TooLarge),
            read => all.extend_from_slice(&piece[..read]),
        }
    }
}

pub(crate) fn corrupt(error: io::Error) -> Corrupt {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Corrupt::Truncated,
        _ => Corrupt::Malformed,
    }
}
