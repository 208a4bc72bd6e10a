//! Compressed records: fields read through a window that a decompressor fills.

use crate::varint::{Fault, Source};
use alloc::boxed::Box;
use codecs::{Compression, Corrupt, Decoder};

/// Bytes of the window.
const WINDOW: usize = 8 * 1024;

/// What a codec gives, at most `left` more bytes of it.
pub(crate) struct Stream<'a> {
    decoder: Decoder<'a>,
    window: Box<[u8; WINDOW]>,
    at: usize,
    end: usize,
    /// Bytes that went through the window before its present content.
    passed: u64,
    left: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(codec: Compression, input: &'a [u8], cap: u64) -> Stream<'a> {
        Stream {
            decoder: Decoder::new(codec, input),
            window: Box::new([0; WINDOW]),
            at: 0,
            end: 0,
            passed: 0,
            left: cap,
        }
    }

    /// Whether all has been read; decompresses on to know it.
    pub(crate) fn at_end(&mut self) -> Result<bool, Fault> {
        if self.at < self.end {
            return Ok(false);
        }
        self.refill()
    }

    /// Replaces the window's content, all read by now; `true` when there is no more.
    fn refill(&mut self) -> Result<bool, Fault> {
        self.passed += self.end as u64;
        self.at = 0;
        self.end = 0;
        let read = self.decoder.read(&mut self.window[..]);
        let read = read.map_err(Fault::Corrupt)?;
        let too_large = Fault::Corrupt(Corrupt::TooLarge);
        self.left = self.left.checked_sub(read as u64).ok_or(too_large)?;
        self.end = read;
        Ok(read == 0)
    }
}

impl Source for Stream<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        if self.at == self.end && self.refill()? {
            return Err(Fault::Ends);
        }
        let byte = self.window[self.at];
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, n: u32) -> Result<(), Fault> {
        let mut left = n as usize;
        loop {
            let have = self.end - self.at;
            if left <= have {
                self.at += left;
                return Ok(());
            }
            left -= have;
            if self.refill()? {
                return Err(Fault::Ends);
            }
        }
    }

    fn position(&self) -> u64 {
        self.passed + self.at as u64
    }
}
