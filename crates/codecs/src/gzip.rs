//! Gzip (RFC 1952) around deflate, as Java's streams write and read it.
//!
//! The framing is our own for its checksum: the usual library's table of CRC-32 is 16 KiB that
//! hardly compress in every download of the page.

use crate::crc::crc32_append;
use crate::decode::{Corrupt, corrupt};
use crate::window::Unpack;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read, Write};

/// A member's head as Java writes it: deflate, no flags, no time, no operating system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// How every member begins: the magic and the only method there is.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// The flags of a head: what follows its ten bytes. Text (1) says nothing about the bytes.
const CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0b1110_0000;

/// `bytes` as one member. `level` is 1 to 9.
pub(crate) fn compress(level: u32, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(HEAD.to_vec(), flate2::Compression::new(level));
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let mut member = written.expect("a vector takes every write");
    put(&mut member, crc32_append(0, bytes));
    // The length is kept modulo 2^32.
    put(&mut member, bytes.len() as u32);
    member
}

/// The members of `input`, one after another.
pub(crate) struct Gzip<'a> {
    rest: &'a [u8],
    member: Option<Member<'a>>,
}

/// The member that is being read.
struct Member<'a> {
    deflate: DeflateDecoder<&'a [u8]>,
    /// Of what has been read so far, like the length, which is kept modulo 2^32.
    crc: u32,
    length: u32,
}

impl<'a> Gzip<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Gzip<'a> {
        Gzip {
            rest: input,
            member: None,
        }
    }
}

impl Unpack for Gzip<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Corrupt> {
        loop {
            let Some(member) = &mut self.member else {
                self.member = Some(Member::begin(self.rest)?);
                continue;
            };
            let read = member.deflate.read(out).map_err(corrupt)?;
            if read > 0 {
                member.crc = crc32_append(member.crc, &out[..read]);
                member.length = member.length.wrapping_add(read as u32);
                return Ok(read);
            }
            self.rest = member.end()?;
            self.member = None;
            if self.rest.is_empty() {
                return Ok(0);
            }
        }
    }
}

impl<'a> Member<'a> {
    fn begin(input: &'a [u8]) -> Result<Member<'a>, Corrupt> {
        Ok(Member {
            deflate: DeflateDecoder::new(behind_head(input)?),
            crc: 0,
            length: 0,
        })
    }

    /// Checks what stands behind the deflated bytes, and returns what follows the member.
    fn end(&self) -> Result<&'a [u8], Corrupt> {
        let trailer = *self.deflate.get_ref();
        let (crc, rest) = take(trailer)?;
        let (length, rest) = take(rest)?;
        match (crc, length) == (self.crc, self.length) {
            true => Ok(rest),
            false => Err(Corrupt::Malformed),
        }
    }
}

/// What follows a member's head.
fn behind_head(input: &[u8]) -> Result<&[u8], Corrupt> {
    if !input.starts_with(&MAGIC) {
        return Err(match MAGIC.starts_with(input) {
            true => Corrupt::Truncated,
            false => Corrupt::Malformed,
        });
    }
    let mut rest = input.get(HEAD.len()..).ok_or(Corrupt::Truncated)?;
    let flags = input[MAGIC.len()];
    if flags & RESERVED != 0 {
        return Err(Corrupt::Malformed);
    }
    if flags & EXTRA != 0 {
        let (length, field) = rest.split_first_chunk::<2>().ok_or(Corrupt::Truncated)?;
        let length = u16::from_be_bytes([length[1], length[0]]);
        rest = field.get(usize::from(length)..).ok_or(Corrupt::Truncated)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0);
            rest = &rest[end.ok_or(Corrupt::Truncated)? + 1..];
        }
    }
    if flags & CHECKSUM != 0 {
        let (low, field) = rest.split_first_chunk::<2>().ok_or(Corrupt::Truncated)?;
        let head = &input[..input.len() - rest.len()];
        if u16::from_be_bytes([low[1], low[0]]) != crc32_append(0, head) as u16 {
            return Err(Corrupt::Malformed);
        }
        rest = field;
    }
    Ok(rest)
}

/// A number of four bytes, least significant first, and what follows it.
fn take(bytes: &[u8]) -> Result<(u32, &[u8]), Corrupt> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(Corrupt::Truncated)?;
    Ok((u32::from_be_bytes(*number).swap_bytes(), rest))
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend(number.swap_bytes().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Gzip, behind_head, compress};
    use crate::decode::Corrupt;
    use crate::window::Unpack;

    fn read(input: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let mut gzip = Gzip::new(input);
        let (mut all, mut piece) = (Vec::new(), [0; 7]);
        loop {
            match gzip.read(&mut piece)? {
                0 => return Ok(all),
                read => all.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// A member of `text` whose head has these flags and fields.
    fn headed(flags: u8, fields: &[u8], text: &[u8]) -> Vec<u8> {
        let mut member = compress(6, text);
        member[3] = flags;
        member.splice(10..10, fields.iter().copied());
        member
    }

    #[test]
    fn whatever_a_head_carries_is_passed_over() {
        let fields: [(u8, &[u8]); 5] = [
            (1, b""),
            (4, b"\x03\x00abc"),
            (8, b"name\0"),
            (16, b"comment\0"),
            (4 | 8 | 16, b"\x01\x00anm\0co\0"),
        ];
        for (flags, field) in fields {
            assert_eq!(read(&headed(flags, field, b"text")).unwrap(), b"text");
        }
    }

    #[test]
    fn a_head_with_a_wrong_checksum_or_unknown_flags_is_refused() {
        let mut head = headed(2, &[0, 0], b"text");
        assert_eq!(read(&head), Err(Corrupt::Malformed));
        let crc = super::crc32_append(0, &head[..10]) as u16;
        head[10] = crc as u8;
        head[11] = (crc >> 8) as u8;
        assert_eq!(read(&head).unwrap(), b"text");
        assert_eq!(read(&headed(0x20, b"", b"text")), Err(Corrupt::Malformed));
    }

    #[test]
    fn a_member_that_ends_anywhere_early_is_truncated() {
        let whole = headed(4 | 8, b"\x01\x00anm\0", b"some text, some text");
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(Corrupt::Truncated), "{end} bytes");
        }
        assert!(behind_head(&whole).is_ok());
    }

    #[test]
    fn a_wrong_checksum_or_length_is_malformed() {
        let whole = compress(9, b"some text");
        for at in whole.len() - 8..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 1;
            assert_eq!(read(&wrong), Err(Corrupt::Malformed), "byte {at}");
        }
    }
}
