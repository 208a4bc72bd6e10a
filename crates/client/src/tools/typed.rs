//! What was typed into a command that reads lines.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

/// What was typed and not read, in the pieces in which it came. Lines are cut off the front without moving the
/// rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed(VecDeque<Bytes>);

impl Typed {
    pub(super) fn push(&mut self, bytes: &Bytes) {
        self.0.push_back(bytes.clone());
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next line with its end; without one only if nothing follows.
    pub(super) fn line(&mut self, ended: bool) -> Option<Vec<u8>> {
        let whole = |piece: &Bytes| piece.iter().position(|byte| *byte == b'\n');
        let found = self.0.iter().position(|piece| piece.contains(&b'\n'));
        let (whole_pieces, end) = match found {
            Some(at) => (at, self.0.get(at).and_then(whole)),
            None if ended => (self.0.len(), None),
            None => return None,
        };
        let mut line = Vec::new();
        for piece in self.0.drain(..whole_pieces) {
            line.extend_from_slice(&piece);
        }
        if let (Some(end), Some(piece)) = (end, self.0.front_mut()) {
            line.extend_from_slice(&piece.split_to(end + 1));
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_were_typed() {
        let text = b"one\n\ntwo three\nlast";
        for cut in 0..text.len() {
            let mut typed = Typed::default();
            typed.push(&Bytes::copy_from_slice(&text[..cut]));
            typed.push(&Bytes::copy_from_slice(&text[cut..]));
            let lines: Vec<Vec<u8>> = core::iter::from_fn(|| typed.line(false)).collect();
            assert_eq!(
                lines,
                [&b"one\n"[..], b"\n", b"two three\n"],
                "cut at {cut}"
            );
            assert_eq!(typed.line(true).as_deref(), Some(&b"last"[..]));
            assert_eq!(typed.line(true), None);
        }
    }
}
