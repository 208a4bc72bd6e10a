//! What a codec that gives a stream has given and nobody has read yet.

use crate::decode::Corrupt;

/// Bytes of the window.
const WINDOW: usize = 8 * 1024;

/// A codec that writes where it is told to.
pub(crate) trait Unpack {
    /// Fills the beginning of `out`, which is not empty, and says with how many bytes; 0 is the end.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt>;
}

/// Such a codec's next bytes.
pub(crate) struct Window<C> {
    codec: C,
    bytes: [u8; WINDOW],
    at: usize,
    end: usize,
}

impl<C: Unpack> Window<C> {
    pub(crate) fn new(codec: C) -> Window<C> {
        Window {
            codec,
            bytes: [0; WINDOW],
            at: 0,
            end: 0,
        }
    }

    /// Whether there is a next byte; asks the codec when all it gave has been read.
    pub(crate) fn unpack(&mut self) -> Result<bool, Corrupt> {
        if self.at == self.end {
            self.at = 0;
            self.end = 0;
            self.end = self.codec.read(&mut self.bytes)?;
        }
        Ok(self.at < self.end)
    }

    pub(crate) fn shown(&self) -> &[u8] {
        &self.bytes[self.at..self.end]
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.at = self.end.min(self.at + n);
    }
}
