//! What was typed into a command that reads lines.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// What was typed and not read, in the pieces in which it came. Lines are cut off the front without moving the
/// rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pieces: VecDeque<Bytes>,
    /// The last line ended in a carriage return: a line feed right behind it belongs to that end.
    after_return: bool,
}

impl Typed {
    pub(super) fn push(&mut self, bytes: &Bytes) {
        let skip = self.after_return && bytes.first() == Some(&b'\n');
        self.after_return &= bytes.is_empty();
        let bytes = bytes.slice(usize::from(skip)..);
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    pub(super) fn clear(&mut self) {
        self.pieces.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The next line without its end, which is a line feed, a carriage return or both; a line that has none
    /// only if nothing follows.
    pub(super) fn line(&mut self, ended: bool) -> Option<Vec<u8>> {
        let end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let found = self.pieces.iter().position(|piece| piece.iter().any(end));
        let whole_pieces = match found {
            Some(at) => at,
            None if ended && !self.pieces.is_empty() => self.pieces.len(),
            None => return None,
        };
        let mut line = Vec::new();
        for piece in self.pieces.drain(..whole_pieces) {
            line.extend_from_slice(&piece);
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let at = piece.iter().position(end).unwrap_or(piece.len());
            line.extend_from_slice(&piece.split_to(at));
            let returned = piece.first() == Some(&b'\r');
            let _ = piece.split_to(1.min(piece.len()));
            self.put_back(piece, returned);
        }
        Some(line)
    }

    /// What is left of a piece, behind a line's end; a line feed at its front may belong to that end.
    fn put_back(&mut self, mut piece: Bytes, after_return: bool) {
        if piece.is_empty() {
            let Some(next) = self.pieces.pop_front() else {
                self.after_return = after_return;
                return;
            };
            piece = next;
        }
        if after_return && piece.first() == Some(&b'\n') {
            let _ = piece.split_to(1);
        }
        if !piece.is_empty() {
            self.pieces.push_front(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_were_typed() {
        let text = b"one\n\r\ntwo\rthree\r\nlast";
        for cut in 0..text.len() {
            let mut typed = Typed::default();
            typed.push(&Bytes::copy_from_slice(&text[..cut]));
            typed.push(&Bytes::copy_from_slice(&text[cut..]));
            let lines: Vec<Vec<u8>> = core::iter::from_fn(|| typed.line(false)).collect();
            assert_eq!(lines, [&b"one"[..], b"", b"two", b"three"], "cut at {cut}");
            assert_eq!(typed.line(true).as_deref(), Some(&b"last"[..]));
            assert_eq!(typed.line(true), None);
        }
    }
}
