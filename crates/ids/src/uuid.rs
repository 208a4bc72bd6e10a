use alloc::string::String;
use core::fmt;

/// A 16-byte id as Kafka uses it for topics, clusters and directories.
///
/// Shown as Kafka shows it: 22 characters of URL-safe base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// "No id", as the protocol writes it.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The fixed id of `__cluster_metadata` (KIP-595).
    pub const METADATA_TOPIC: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Reads the 22-character form; `None` when it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Uuid> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u32 = 0;
        let mut held = 0;
        let mut bytes = [0; 16];
        let mut at = 0;
        for c in text.bytes() {
            let value = ALPHABET.iter().position(|&a| a == c)?;
            bits = bits << 6 | value as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                if at < 16 {
                    bytes[at] = (bits >> held) as u8;
                }
                at += 1;
            }
        }
        // 22 characters hold 132 bits; the last 4 must be empty.
        (bits & 0b1111 == 0).then_some(Uuid(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(22);
        for group in self.0.chunks(3) {
            let word = group
                .iter()
                .fold(0u32, |word, &byte| word << 8 | u32::from(byte))
                << (8 * (3 - group.len()));
            for i in 0..=group.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63]));
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;
    use alloc::string::ToString;

    #[test]
    fn the_metadata_topic_is_shown_as_kafka_shows_it() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn text_reads_back_to_the_same_id() {
        let id = Uuid([255, 1, 2, 3, 4, 250, 6, 7, 8, 9, 10, 11, 12, 13, 14, 77]);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::parse("too short"), None);
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA!"), None);
    }
}
