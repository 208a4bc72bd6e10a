//! CRC-32C, gzip, snappy, lz4 and zstd as pure functions.
//!
//! The only crate below the shells that may use `std`, because the codecs it wraps do. Compressed
//! bytes come from strangers: a [`Decoder`] holds a bounded window whatever they claim, and whoever
//! reads from it counts what comes out.

#![forbid(unsafe_code)]

mod crc;
mod decode;
mod encode;
mod gzip;
mod snappy;
mod window;
mod zstd;

pub use crc::{crc32c, crc32c_append};
pub use decode::{Corrupt, Decoder, decompress};
pub use encode::compress;

/// How the records of a batch are compressed: the low three bits of its attributes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Compression {
    /// Not compressed.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Blocks of raw snappy in the framing of Java's xerial library, or one raw block.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

impl Compression {
    /// All of them, in the order of their numbers.
    pub const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    /// The codec with this number in the attributes; `None` for 5 to 7, which nobody has defined.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Compression> {
        Compression::ALL.get(usize::from(id)).copied()
    }

    /// The number in the attributes, 0 to 4.
    #[must_use]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// Kafka's name, as configurations and tools write it (`none`, `gzip`, …).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// The codec of that name; `None` for any other word, `producer` and `uncompressed` included.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Compression> {
        Compression::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}
