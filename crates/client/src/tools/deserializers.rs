//! Kafka's deserializers, as far as the console consumer shows what they give.

use super::{Thrown, decimal};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What bytes are read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deserializer {
    /// Nothing: they are printed as they are.
    None,
    String,
    Bytes,
    ByteBuffer,
    Integer,
    Long,
    Short,
    Float,
    Double,
    Boolean,
    Uuid,
    Void,
}

const PACKAGE: &str = "org.apache.kafka.common.serialization.";

impl Deserializer {
    /// The deserializer of a class; a class that Kafka's tool cannot make is none to it, too.
    pub(super) fn named(class: &str) -> Deserializer {
        let name = class.strip_prefix(PACKAGE).unwrap_or_default();
        match name.strip_suffix("Deserializer").unwrap_or_default() {
            "String" => Deserializer::String,
            "Bytes" => Deserializer::Bytes,
            "ByteBuffer" => Deserializer::ByteBuffer,
            "Integer" => Deserializer::Integer,
            "Long" => Deserializer::Long,
            "Short" => Deserializer::Short,
            "Float" => Deserializer::Float,
            "Double" => Deserializer::Double,
            "Boolean" => Deserializer::Boolean,
            "UUID" => Deserializer::Uuid,
            "Void" => Deserializer::Void,
            _ => Deserializer::None,
        }
    }

    /// What the bytes are shown as: Java's `toString` of what they are read as.
    pub(super) fn text(self, bytes: &[u8]) -> Result<Vec<u8>, Thrown> {
        let text = match self {
            Deserializer::None => return Ok(bytes.to_vec()),
            Deserializer::String => String::from_utf8_lossy(bytes).into_owned(),
            Deserializer::Bytes => escaped(bytes),
            Deserializer::ByteBuffer => {
                let size = bytes.len();
                format!("java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]")
            }
            Deserializer::Integer => i32::from_be_bytes(sized(bytes, "Integer")?).to_string(),
            Deserializer::Long => i64::from_be_bytes(sized(bytes, "Long")?).to_string(),
            Deserializer::Short => i16::from_be_bytes(sized(bytes, "Short")?).to_string(),
            Deserializer::Float => {
                let bits = u32::from_be_bytes(sized(bytes, "Float")?);
                decimal::shown(u64::from(bits), 8, 23)
            }
            Deserializer::Double => {
                decimal::shown(u64::from_be_bytes(sized(bytes, "Double")?), 11, 52)
            }
            Deserializer::Boolean => match bytes {
                [0] => "false".into(),
                [1] => "true".into(),
                [other] => {
                    return Err(failed(&format!(
                        "Unexpected byte received by BooleanDeserializer: {}",
                        other.cast_signed()
                    )));
                }
                _ => {
                    let size = "Size of data received by BooleanDeserializer is not 1";
                    return Err(failed(size));
                }
            },
            Deserializer::Uuid => uuid(bytes)?,
            Deserializer::Void => {
                let class = "java.lang.IllegalArgumentException";
                let message = "Data should be null for a VoidDeserializer.";
                return Err(Thrown::new(class, message));
            }
        };
        Ok(text.into_bytes())
    }
}

fn failed(message: &str) -> Thrown {
    let class = "org.apache.kafka.common.errors.SerializationException";
    Thrown::new(class, message)
}

fn sized<const N: usize>(bytes: &[u8], kind: &str) -> Result<[u8; N], Thrown> {
    let wrong = || {
        failed(&format!(
            "Size of data received by {kind}Deserializer is not {N}"
        ))
    };
    bytes.try_into().map_err(|_| wrong())
}

/// Printable characters as they are, others as `\xFF`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b' '..=b'~' if byte != b'\\' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02X}")),
        }
    }
    text
}

/// Five hexadecimal numbers with hyphens between them.
fn uuid(bytes: &[u8]) -> Result<String, Thrown> {
    let text = String::from_utf8_lossy(bytes);
    let bad = || failed(&format!("Error parsing data into UUID: {text}"));
    let widths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    if parts.len() != widths.len() {
        return Err(bad());
    }
    let mut shown: Vec<String> = Vec::new();
    for (part, width) in parts.iter().zip(widths) {
        let number = u64::from_str_radix(part, 16).map_err(|_| bad())?;
        let hex = format!("{number:0width$x}");
        shown.push(hex.chars().skip(hex.len().saturating_sub(width)).collect());
    }
    Ok(shown.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(class: &str, bytes: &[u8]) -> String {
        let deserializer = Deserializer::named(&format!("{PACKAGE}{class}Deserializer"));
        match deserializer.text(bytes) {
            Ok(text) => String::from_utf8(text).unwrap(),
            Err(thrown) => thrown.message,
        }
    }

    #[test]
    fn numbers_are_big_endian_and_shown_as_java_shows_them() {
        assert_eq!(shown("Integer", &[255, 255, 255, 254]), "-2");
        assert_eq!(shown("Long", &[0, 0, 0, 0, 0, 0, 1, 0]), "256");
        assert_eq!(shown("Short", &[1, 2]), "258");
        assert_eq!(
            shown("Long", b"abc"),
            "Size of data received by LongDeserializer is not 8"
        );
    }

    #[test]
    fn other_classes_read_text_and_bytes() {
        assert_eq!(shown("Bytes", b"a\\\x00~"), "a\\x5C\\x00~");
        assert_eq!(shown("Boolean", &[1]), "true");
        assert_eq!(shown("String", b"a\xff"), "a\u{fffd}");
        let id = "0123-45-67-89-ab";
        assert_eq!(
            shown("UUID", id.as_bytes()),
            "00000123-0045-0067-0089-0000000000ab"
        );
        assert_eq!(
            Deserializer::named("no.such.Class").text(&[255]),
            Ok(alloc::vec![255])
        );
    }
}
