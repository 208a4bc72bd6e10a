use crate::Rng;
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

    /// A random id as Java makes them: version 4, variant 1.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Uuid {
        let mut bytes = [0; 16];
        let (high, low) = bytes.split_at_mut(8);
        high.copy_from_slice(&rng.next().to_be_bytes());
        low.copy_from_slice(&rng.next().to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid(bytes)
    }

    /// A random id whose text does not begin with a dash, which tools would take for an option; Kafka
    /// shuns such ids as well.
    #[must_use]
    pub fn random_for_people(rng: &mut Rng) -> Uuid {
        loop {
            let id = Uuid::random(rng);
            if id.0[0] >> 2 != 62 {
                return id;
            }
        }
    }

    /// The id in the form that Java prints: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    #[must_use]
    pub fn hyphenated(&self) -> impl fmt::Display {
        let number = u128::from_be_bytes(self.0);
        let part = move |shift: u32, digits: u32| number >> shift & ((1 << (4 * digits)) - 1);
        let parts = [
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12),
        ];
        let [a, b, c, d, e] = parts;
        alloc::format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }

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
    use crate::Rng;
    use alloc::string::ToString;

    #[test]
    fn the_metadata_topic_is_shown_as_kafka_shows_it() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn random_ids_are_of_the_form_of_javas() {
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            let id = Uuid::random_for_people(&mut rng);
            assert!(!id.to_string().starts_with('-'), "{id}");
            let text = id.hyphenated().to_string();
            let groups = text.split('-').map(str::len);
            assert!(groups.eq([8, 4, 4, 4, 12]), "{text}");
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        }
        let known = Uuid([
            0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8,
        ]);
        let text = known.hyphenated().to_string();
        assert_eq!(text, "12345678-9abc-def0-0102-030405060708");
    }

    #[test]
    fn text_reads_back_to_the_same_id() {
        let id = Uuid([255, 1, 2, 3, 4, 250, 6, 7, 8, 9, 10, 11, 12, 13, 14, 77]);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::parse("too short"), None);
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA!"), None);
    }
}
