//! The bytes of a segment's file: pieces that are shared with the log, behind them what the log has not
//! sealed yet, and how much of all survives a power cut.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Offset;
use log::{Log, LogSlice};

/// Bytes that are appended between two looks at what the log has sealed: a part of what one chunk holds.
const SHARE_BYTES: u32 = 8 << 10;
/// Pieces in one shared block.
const BLOCK: usize = 64;

/// Bytes of a file that lie in one piece of memory, or are kept by the shell alone.
#[derive(Clone, Debug)]
struct Piece {
    position: u32,
    length: u32,
    /// `None` while only the shell has them.
    data: Option<Bytes>,
}

/// A segment's file. Its clones share all bytes and all blocks but the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct SegmentBytes {
    blocks: Vec<Arc<Vec<Piece>>>,
    /// Blocks at the beginning that have nothing in memory.
    cold: usize,
    /// Where the pieces end and what is loose begins.
    settled: u32,
    /// What was appended as the log's growing chunk: copies, until the log has sealed it.
    loose: Vec<Bytes>,
    /// How long the file was when sharing was tried last.
    tried: u32,
    length: u32,
    flushed: u32,
}

/// A stretch of a file, as it is read from its beginning on.
pub(crate) enum Stretch {
    /// These bytes.
    Here(Bytes),
    /// So many bytes, which the shell has.
    Cold(u32),
}

impl SegmentBytes {
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// Bytes that survive a power cut.
    pub(crate) fn flushed(&self) -> u32 {
        self.flushed
    }

    pub(crate) fn flush(&mut self) {
        self.flushed = self.length;
    }

    /// Writes behind `position`; what lies there goes first, and a hole before it reads as zeros.
    pub(crate) fn append(&mut self, position: u32, pieces: Vec<Bytes>) {
        self.truncate(position);
        if let Some(hole) = position.checked_sub(self.length).filter(|hole| *hole > 0) {
            self.push_loose(Bytes::from(alloc::vec![0; hole as usize]));
        }
        for piece in pieces {
            self.push_loose(piece);
        }
    }

    fn push_loose(&mut self, piece: Bytes) {
        self.length = self.length.saturating_add(length_of(&piece));
        self.loose.push(piece);
    }

    /// As [`SegmentBytes::share`], now and then.
    pub(crate) fn share_sometimes(&mut self, log: &Log, segment: Offset) {
        if self.length.abs_diff(self.tried) >= SHARE_BYTES {
            self.tried = self.length;
            self.share(log, segment);
        }
    }

    /// Lets go of copies whose bytes the log has sealed by now, and shares the log's. What is not the
    /// same in the log stays as it was written.
    pub(crate) fn share(&mut self, log: &Log, segment: Offset) {
        while !self.loose.is_empty() {
            let begin = slice(segment, self.settled, 1);
            let sealed = log.chunks(&begin).next().filter(|chunk| !chunk.grows);
            let Some(chunk) = sealed else {
                return;
            };
            let end = chunk.slice.position.saturating_add(chunk.slice.length);
            if end > self.length || end <= self.settled {
                return;
            }
            let slice = slice(segment, self.settled, end - self.settled);
            let shared = log.slice_pieces(&slice).and_then(single);
            let same = shared.and_then(|shared| Some((self.loose_that_are(&shared)?, shared)));
            let Some((count, shared)) = same else {
                return self.settle_loose();
            };
            self.loose.drain(..count);
            self.push(shared);
        }
    }

    /// How many loose pieces from the first on are these bytes.
    fn loose_that_are(&self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        for (at, piece) in self.loose.iter().enumerate() {
            rest = rest.strip_prefix(&**piece)?;
            if rest.is_empty() {
                return Some(at + 1);
            }
        }
        None
    }

    fn settle_loose(&mut self) {
        for piece in core::mem::take(&mut self.loose) {
            self.push(piece);
        }
    }

    fn push(&mut self, data: Bytes) {
        self.push_piece(length_of(&data), Some(data));
    }

    /// Takes over a stretch that only the shell has.
    pub(crate) fn push_cold(&mut self, length: u32) {
        self.settle_loose();
        self.push_piece(length, None);
        self.length = self.settled;
    }

    fn push_piece(&mut self, length: u32, data: Option<Bytes>) {
        let piece = Piece {
            position: self.settled,
            length,
            data,
        };
        self.settled = self.settled.saturating_add(length);
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => Arc::make_mut(block).push(piece),
            None => self.blocks.push(Arc::new(Vec::from([piece]))),
        }
    }

    pub(crate) fn truncate(&mut self, length: u32) {
        if self.length <= length {
            return;
        }
        while self.settled > length {
            let Some(piece) = self.pop() else {
                break;
            };
            // All that is loose lies behind it.
            self.loose.clear();
            let kept = length.saturating_sub(piece.position);
            if kept > 0 {
                let data = piece.data.map(|data| data.slice(..kept as usize));
                self.push_piece(kept, data);
            }
        }
        let mut at = self.settled;
        self.loose.retain_mut(|piece| {
            let kept = length.saturating_sub(at).min(length_of(piece));
            at = at.saturating_add(kept);
            piece.truncate(kept as usize);
            kept > 0
        });
        self.length = length;
        self.flushed = self.flushed.min(length);
    }

    fn pop(&mut self) -> Option<Piece> {
        let block = Arc::make_mut(self.blocks.last_mut()?);
        let piece = block.pop();
        if block.is_empty() {
            self.blocks.pop();
        }
        self.cold = self.cold.min(self.blocks.len().saturating_sub(1));
        let piece = piece?;
        self.settled = piece.position;
        Some(piece)
    }

    /// What lies at `position`, as far as it is in one piece; `None` at the end.
    pub(crate) fn at(&self, position: u32) -> Option<Stretch> {
        if position < self.settled {
            let block = self.block_at(position);
            let block = self.blocks.get(block)?;
            let piece = block
                .iter()
                .take_while(|piece| piece.position <= position)
                .last()?;
            let from = position - piece.position;
            return Some(match &piece.data {
                Some(data) => Stretch::Here(data.slice(from as usize..)),
                None => Stretch::Cold(piece.length - from),
            });
        }
        let mut at = self.settled;
        for piece in &self.loose {
            let end = at.saturating_add(length_of(piece));
            if position < end {
                return Some(Stretch::Here(piece.slice((position - at) as usize..)));
            }
            at = end;
        }
        None
    }

    fn block_at(&self, position: u32) -> usize {
        let begins = |block: &Arc<Vec<Piece>>| {
            block
                .first()
                .is_some_and(|piece| piece.position <= position)
        };
        self.blocks.partition_point(begins).saturating_sub(1)
    }

    /// Some of its bytes; `None` when they are not all there, or not in memory.
    pub(crate) fn read(&self, mut position: u32, length: u32) -> Option<Vec<Bytes>> {
        let end = position.checked_add(length)?;
        let mut pieces = Vec::new();
        while position < end {
            let Stretch::Here(piece) = self.at(position)? else {
                return None;
            };
            let taken = length_of(&piece).min(end - position);
            pieces.push(piece.slice(..taken as usize));
            position += taken;
        }
        Some(pieces)
    }

    /// Lets go of the pieces that the log has let go of.
    pub(crate) fn cool(&mut self, log: &Log, segment: Offset) {
        let gone = |piece: &Piece| {
            let slice = slice(segment, piece.position, piece.length);
            piece.data.is_some() && log.slice_bytes(&slice).is_none()
        };
        let mut leading = true;
        for block in self.blocks.iter_mut().skip(self.cold) {
            if block.iter().any(gone) {
                for piece in Arc::make_mut(block).iter_mut().filter(|piece| gone(piece)) {
                    piece.data = None;
                }
            }
            leading &= block.len() == BLOCK && block.iter().all(|piece| piece.data.is_none());
            self.cold += usize::from(leading);
        }
    }

    /// Turns one bit over, if its byte is in memory; says whether it was.
    pub(crate) fn flip(&mut self, position: u32, bit: u32) -> bool {
        let turned = |data: &Bytes, at: u32| {
            let mut bytes = data.to_vec();
            if let Some(byte) = bytes.get_mut(at as usize) {
                *byte ^= 1 << (bit % 8);
            }
            Bytes::from(bytes)
        };
        if position < self.settled {
            let at = self.block_at(position);
            let block = self.blocks.get_mut(at).map(Arc::make_mut);
            let holds = |piece: &&mut Piece| {
                piece.position <= position && position - piece.position < piece.length
            };
            let piece = block.and_then(|block| block.iter_mut().find(holds));
            let Some((piece, data)) = piece.and_then(|p| p.data.clone().map(|data| (p, data)))
            else {
                return false;
            };
            piece.data = Some(turned(&data, position - piece.position));
            return true;
        }
        let mut at = self.settled;
        for piece in &mut self.loose {
            let end = at.saturating_add(length_of(piece));
            if position < end {
                *piece = turned(piece, position - at);
                return true;
            }
            at = end;
        }
        false
    }
}

pub(super) fn slice(segment: Offset, position: u32, length: u32) -> LogSlice {
    LogSlice {
        segment,
        position,
        length,
    }
}

fn length_of(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The one piece there is.
fn single(pieces: Vec<Bytes>) -> Option<Bytes> {
    let mut pieces = pieces.into_iter();
    let first = pieces.next()?;
    pieces.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::SegmentBytes;
    use bytes::Bytes;
    use ids::Rng;
    use std::vec::Vec;

    fn all(file: &SegmentBytes) -> Vec<u8> {
        let pieces = file.read(0, file.length()).expect("all is in memory");
        pieces.concat()
    }

    #[test]
    fn a_file_holds_what_was_written_to_it_whatever_was_cut_before() {
        for seed in 1..=50 {
            let mut chance = Rng::new(seed);
            let (mut file, mut model) = (SegmentBytes::default(), Vec::<u8>::new());
            for step in 0..300_u32 {
                match chance.below(8) {
                    0 => {
                        let length = chance.below(model.len() as u64 + 1) as usize;
                        file.truncate(length as u32);
                        model.truncate(length);
                    }
                    1 => file.settle_loose(),
                    2 => file.flush(),
                    3 if !model.is_empty() => {
                        let at = chance.below(model.len() as u64) as u32;
                        assert!(file.flip(at, step));
                        model[at as usize] ^= 1 << (step % 8);
                    }
                    _ => {
                        let hole = chance.below(3) as usize;
                        let piece = std::vec![step as u8; 1 + chance.below(40) as usize];
                        let at = model.len() + hole;
                        model.resize(at, 0);
                        model.extend(&piece);
                        file.append(at as u32, Vec::from([Bytes::from(piece)]));
                    }
                }
                assert_eq!(file.length() as usize, model.len());
                assert!(file.flushed() <= file.length());
            }
            assert_eq!(all(&file), model, "seed {seed}");
            let from = model.len() / 3;
            let some = file.read(from as u32, (model.len() - from) as u32);
            assert_eq!(some.expect("it is there").concat(), model[from..]);
            assert_eq!(file.read(0, file.length() + 1), None);
        }
    }

    #[test]
    fn a_write_in_the_middle_replaces_all_that_followed() {
        let mut file = SegmentBytes::default();
        file.append(0, Vec::from([Bytes::from_static(b"abcdef")]));
        file.flush();
        file.append(2, Vec::from([Bytes::from_static(b"X")]));
        assert_eq!((all(&file), file.flushed()), (b"abX".to_vec(), 2));
    }
}
