//! Compressed records: fields read where a decompressor shows them.

use crate::record::walk;
use crate::varint::{Fault, Slice, Source, Walked};
use codecs::{Compression, Corrupt, Decoder};

/// What a codec gives, at most `left` more bytes of it.
pub(crate) struct Stream<'a> {
    decoder: Decoder<'a>,
    /// Bytes that the decoder shows and nobody has read.
    have: usize,
    /// Bytes read or passed over.
    passed: u64,
    left: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(codec: Compression, input: &'a [u8], cap: u64) -> Stream<'a> {
        Stream {
            decoder: Decoder::new(codec, input),
            have: 0,
            passed: 0,
            left: cap,
        }
    }

    /// Whether all has been read; decompresses on to know it.
    pub(crate) fn at_end(&mut self) -> Result<bool, Fault> {
        Ok(self.shown()?.is_empty())
    }

    /// The next bytes; none at the end.
    #[inline]
    fn shown(&mut self) -> Result<&[u8], Fault> {
        let had = self.have;
        let shown = self.decoder.fill().map_err(Fault::Corrupt)?;
        if had == 0 {
            let too_large = Fault::Corrupt(Corrupt::TooLarge);
            self.left = self.left.checked_sub(shown.len() as u64).ok_or(too_large)?;
            self.have = shown.len();
        }
        Ok(shown)
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.decoder.consume(n);
        self.have -= n;
        self.passed += n as u64;
    }
}

impl Source for Stream<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.shown()?.first().ok_or(Fault::Ends)?;
        self.consume(1);
        Ok(byte)
    }

    fn skip(&mut self, n: u32) -> Result<(), Fault> {
        let mut left = n as usize;
        while left > 0 {
            let have = self.shown()?.len();
            if have == 0 {
                return Err(Fault::Ends);
            }
            let part = have.min(left);
            self.consume(part);
            left -= part;
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        self.passed
    }

    /// Most records lie whole in what is shown, and are read there like uncompressed ones.
    #[inline(always)]
    fn records<E: From<Fault>>(
        &mut self,
        count: i32,
        mut each: impl FnMut(Walked) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut left = count;
        while left > 0 {
            let mut shown = Slice::new(self.shown()?);
            while left > 0
                && let Some(record) = shown.common_record()
            {
                each(record)?;
                left -= 1;
            }
            let read = shown.position() as usize;
            self.consume(read);
            if left > 0 {
                each(walk(self)?)?;
                left -= 1;
            }
        }
        Ok(())
    }
}
