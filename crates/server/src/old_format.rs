//! Records as they were before Kafka 0.11 (magic 0 and 1), known only so that a log that has them is
//! refused and not cut.

/// Offset and size, which the size does not count.
const OVERHEAD: usize = 12;
/// Where the checksum is, and where begins what it covers.
const CRC_AT: usize = 12;
const CRC_FROM: usize = 16;

/// Whether the bytes begin with a whole record of magic 0 or 1.
pub(crate) fn is_message(bytes: &[u8]) -> bool {
    let number = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let message = |(size, crc): (u32, u32)| {
        let covered = bytes.get(CRC_FROM..OVERHEAD + size as usize)?;
        (covered.first().is_some_and(|magic| *magic < 2) && crc32(covered) == crc).then_some(())
    };
    number(8).zip(number(CRC_AT)).and_then(message).is_some()
}

/// CRC-32 as gzip has it.
fn crc32(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(!0, fold)
}

#[cfg(test)]
mod tests {
    use super::{crc32, is_message};

    #[test]
    fn a_record_of_magic_1_is_known_by_its_checksum() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let mut body = vec![1, 0];
        body.extend(1_400_000_000_000i64.to_be_bytes());
        body.extend((-1i32).to_be_bytes());
        body.extend(3i32.to_be_bytes());
        body.extend(b"old");
        let mut bytes = 7i64.to_be_bytes().to_vec();
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(crc32(&body).to_be_bytes());
        bytes.extend(&body);
        assert!(is_message(&bytes));
        bytes[30] ^= 1;
        assert!(!is_message(&bytes));
        assert!(!is_message(&[0; 64]));
        assert!(!is_message(b""));
    }
}
