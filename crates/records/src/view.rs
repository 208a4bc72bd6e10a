//! A batch looked at where it lies, and the batches of a run of bytes.

use crate::header::{CRC_FROM, HEADER_LEN, Header, HeaderError};
use core::ops::Deref;

/// One whole batch of magic 2, borrowed; the header is read, the records are not.
///
/// It dereferences to its [`Header`]. The checksum has not been compared:
/// ask [`BatchView::crc_is_valid`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchView<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Reads only the header at the start of `bytes`; the records need not be there.
    ///
    /// # Errors
    /// As [`Header::peek`].
    pub fn peek(bytes: &[u8]) -> Result<Header, HeaderError> {
        Header::peek(bytes)
    }

    /// The batch at the start of `bytes`; bytes after it are left out of the view.
    ///
    /// # Errors
    /// As [`Header::peek`], and [`HeaderError::Partial`] when the batch is cut off.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, HeaderError> {
        let header = Header::peek(bytes)?;
        let need = header.total_size();
        match bytes.get(..need as usize) {
            Some(bytes) => Ok(BatchView { header, bytes }),
            None => Err(HeaderError::Partial {
                have: bytes.len() as u64,
                need,
            }),
        }
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole batch, `total_size()` bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header: the records, perhaps compressed.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN as usize..).unwrap_or(&[])
    }

    /// Whether the checksum is that of the bytes; reads the whole batch.
    #[must_use]
    pub fn crc_is_valid(&self) -> bool {
        let covered = self.bytes.get(CRC_FROM..).unwrap_or(&[]);
        codecs::crc32c(covered) == self.header.crc
    }
}

impl Deref for BatchView<'_> {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.header
    }
}

/// The batches of a run of bytes, each with its position in them.
///
/// It ends at the first bytes that are not a whole batch; [`Batches::stop`] then says why and
/// [`Batches::position`] where. Runs longer than 4 GiB are read up to there.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: u32,
    stop: Option<Stop>,
}

/// Why there are no more batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// All bytes have been read.
    End,
    /// The rest is the beginning of a batch, or too little to tell.
    Partial {
        /// Bytes that are left.
        have: u64,
        /// Bytes that the batch, or at least its header, takes.
        need: u32,
    },
    /// The rest is no batch of magic 2.
    Bad(HeaderError),
}

impl<'a> Batches<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches {
            bytes,
            position: 0,
            stop: None,
        }
    }

    /// Where the next batch begins or, after the end, how many bytes were whole batches.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Why the iteration has ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = (u32, BatchView<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.is_some() {
            return None;
        }
        let at = self.position;
        let rest = self.bytes.get(at as usize..).unwrap_or(&[]);
        if rest.is_empty() {
            self.stop = Some(Stop::End);
            return None;
        }
        match BatchView::parse(rest) {
            Ok(batch) => match at.checked_add(batch.total_size()) {
                Some(next) => {
                    self.position = next;
                    Some((at, batch))
                }
                None => {
                    self.stop = Some(Stop::Bad(HeaderError::BadLength(batch.batch_length)));
                    None
                }
            },
            Err(HeaderError::Partial { have, need }) => {
                self.stop = Some(Stop::Partial { have, need });
                None
            }
            Err(bad) => {
                self.stop = Some(Stop::Bad(bad));
                None
            }
        }
    }
}
