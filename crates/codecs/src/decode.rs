//! Decompression as a stream, in bounded memory.

use crate::Compression;
use crate::gzip::Gzip;
use crate::snappy::Snappy;
use crate::window::Window;
use crate::zstd::Zstd;
use std::io::{self, BufRead};

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

/// Codecs that unpack whole blocks show them where they lie; the others fill a window.
enum Kind<'a> {
    None(&'a [u8]),
    Gzip(Box<Window<Gzip<'a>>>),
    Snappy(Snappy<'a>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<&'a [u8]>>),
    Zstd(Box<Window<Zstd<'a>>>),
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
            Compression::Gzip => Kind::Gzip(Box::new(Window::new(Gzip::new(input)))),
            Compression::Snappy => Kind::Snappy(Snappy::new(input)),
            Compression::Lz4 if input.starts_with(&LZ4_MAGIC) => {
                Kind::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(input)))
            }
            Compression::Lz4 => Kind::Failed(Corrupt::Malformed),
            Compression::Zstd => Kind::Zstd(Box::new(Window::new(Zstd::new(input)))),
        })
    }

    /// The next bytes, as many as are there without unpacking more; none at the end. They stay the
    /// next until they are [consumed](Decoder::consume).
    ///
    /// # Errors
    /// The first thing wrong with the input; it stays the answer from then on.
    #[inline]
    pub fn fill(&mut self) -> Result<&[u8], Corrupt> {
        match self.unpack() {
            Ok(true) => {}
            Ok(false) => self.0 = Kind::None(&[]),
            Err(why) => self.0 = Kind::Failed(why),
        }
        match &mut self.0 {
            Kind::None(rest) => Ok(rest),
            Kind::Gzip(window) => Ok(window.shown()),
            Kind::Snappy(snappy) => Ok(snappy.shown()),
            Kind::Lz4(lz4) => lz4.fill_buf().map_err(corrupt),
            Kind::Zstd(window) => Ok(window.shown()),
            Kind::Failed(why) => Err(*why),
        }
    }

    /// Whether there is a next byte; unpacks on to know it.
    #[inline]
    fn unpack(&mut self) -> Result<bool, Corrupt> {
        match &mut self.0 {
            Kind::None(rest) => Ok(!rest.is_empty()),
            Kind::Gzip(window) => window.unpack(),
            Kind::Snappy(snappy) => snappy.unpack(),
            // Like Kafka's, this reads one frame: what follows the end mark is left alone.
            Kind::Lz4(lz4) => Ok(!lz4.fill_buf().map_err(corrupt)?.is_empty()),
            Kind::Zstd(window) => window.unpack(),
            Kind::Failed(why) => Err(*why),
        }
    }

    /// Passes over `n` bytes of those that [`Decoder::fill`] gave last.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        match &mut self.0 {
            Kind::None(rest) => *rest = rest.get(n..).unwrap_or(&[]),
            Kind::Gzip(window) => window.consume(n),
            Kind::Snappy(snappy) => snappy.consume(n),
            Kind::Lz4(lz4) => lz4.consume(n),
            Kind::Zstd(window) => window.consume(n),
            Kind::Failed(_) => {}
        }
    }

    /// Fills the beginning of `out` and says with how many bytes; 0 is the end (or an empty `out`).
    ///
    /// # Errors
    /// As [`Decoder::fill`].
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt> {
        if out.is_empty() {
            return Ok(0);
        }
        let shown = self.fill()?;
        let read = shown.len().min(out.len());
        out[..read].copy_from_slice(&shown[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// All that `input` holds, when that is at most `cap` bytes.
///
/// # Errors
/// When the input is corrupt, or holds more.
pub fn decompress(codec: Compression, input: &[u8], cap: u32) -> Result<Vec<u8>, Corrupt> {
    let mut decoder = Decoder::new(codec, input);
    let mut all = Vec::new();
    loop {
        let shown = decoder.fill()?;
        if shown.is_empty() {
            return Ok(all);
        }
        if all.len() + shown.len() > cap as usize {
            return Err(Corrupt::TooLarge);
        }
        all.extend_from_slice(shown);
        let read = shown.len();
        decoder.consume(read);
    }
}

pub(crate) fn corrupt(error: io::Error) -> Corrupt {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Corrupt::Truncated,
        _ => Corrupt::Malformed,
    }
}
