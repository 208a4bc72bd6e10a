//! How the console consumer prints records: Kafka's formatters, and its deserializers.

use super::deserializers::Deserializer;
use super::options::Parsed;
use super::{Env, Thrown};
use crate::consumer::ConsumedRecord;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

const PACKAGE: &str = "org.apache.kafka.tools.consumer.";

/// How records are printed (`DefaultMessageFormatter`).
#[derive(Clone, Debug)]
pub(super) struct Formatter {
    silent: bool,
    timestamp: bool,
    key: bool,
    value: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null: String,
    of_keys: Deserializer,
    of_values: Deserializer,
    of_headers: Deserializer,
}

impl Formatter {
    /// A formatter as the options say.
    pub(super) fn new(parsed: &Parsed, env: &Env) -> Result<Formatter, Thrown> {
        let class = parsed.one("formatter")?;
        let class = class.unwrap_or("org.apache.kafka.tools.consumer.DefaultMessageFormatter");
        let name = class.strip_prefix(PACKAGE).unwrap_or_default();
        if !matches!(
            name,
            "DefaultMessageFormatter" | "LoggingMessageFormatter" | "NoOpMessageFormatter"
        ) {
            return Err(no_formatter(class, name));
        }
        let file = super::file(parsed, env, "formatter-config")?;
        let mut pairs = super::properties(file.unwrap_or_default());
        for (option, property) in [
            ("key-deserializer", "key.deserializer"),
            ("value-deserializer", "value.deserializer"),
        ] {
            let class = parsed.one(option)?.filter(|class| !class.is_empty());
            pairs.extend(class.map(|class| (property.to_string(), class.to_string())));
        }
        pairs.extend(parsed.pairs("property"));
        pairs.extend(parsed.pairs("formatter-property"));
        let last = |name: &str| {
            let found = pairs.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let yes = |name: &str, default: bool| {
            last(name).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let or = |name: &str, default: &str| last(name).unwrap_or(default).to_string();
        let deserializer = |name: &str| last(name).map_or(Deserializer::None, Deserializer::named);
        Ok(Formatter {
            silent: name == "NoOpMessageFormatter",
            timestamp: yes("print.timestamp", false),
            key: yes("print.key", false),
            value: yes("print.value", true),
            partition: yes("print.partition", false),
            offset: yes("print.offset", false),
            delivery: yes("print.delivery", false),
            epoch: yes("print.epoch", false),
            headers: yes("print.headers", false),
            key_separator: or("key.separator", "\t"),
            line_separator: or("line.separator", "\n"),
            headers_separator: or("headers.separator", ","),
            null: or("null.literal", "null"),
            of_keys: deserializer("key.deserializer"),
            of_values: deserializer("value.deserializer"),
            of_headers: deserializer("headers.deserializer"),
        })
    }

    /// Appends the line of one record. When something in it cannot be read, what was before it stays.
    pub(super) fn print(&self, record: &ConsumedRecord, line: &mut Vec<u8>) -> Result<(), Thrown> {
        if self.silent {
            return Ok(());
        }
        let mut columns = Columns {
            line,
            separator: &self.key_separator,
            any: false,
        };
        if self.timestamp {
            let kind = if record.log_append_time {
                "LogAppendTime"
            } else {
                "CreateTime"
            };
            columns.next().extend(match record.timestamp {
                ..0 => "NO_TIMESTAMP".to_string().into_bytes(),
                timestamp => format!("{kind}:{timestamp}").into_bytes(),
            });
        }
        let fixed = [
            (self.partition, format!("Partition:{}", record.partition)),
            (self.offset, format!("Offset:{}", record.offset)),
            (self.delivery, "Delivery:NOT_PRESENT".to_string()),
            (self.epoch, "Epoch:NOT_PRESENT".to_string()),
        ];
        for (_, text) in fixed.iter().filter(|(shown, _)| *shown) {
            columns.next().extend(text.bytes());
        }
        if self.headers {
            self.print_headers(record, columns.next())?;
        }
        if self.key {
            let line = columns.next();
            line.extend(self.text(&self.of_keys, record.key.as_ref())?);
        }
        if self.value {
            let line = columns.next();
            line.extend(self.text(&self.of_values, record.value.as_ref())?);
        }
        if columns.any {
            line.extend(self.line_separator.as_bytes());
        }
        Ok(())
    }

    fn print_headers(&self, record: &ConsumedRecord, line: &mut Vec<u8>) -> Result<(), Thrown> {
        if record.headers.is_empty() {
            line.extend(b"NO_HEADERS");
        }
        for (i, (key, value)) in record.headers.iter().enumerate() {
            if i > 0 {
                line.extend(self.headers_separator.as_bytes());
            }
            // A header's name is text to Java.
            line.extend(String::from_utf8_lossy(key).as_bytes());
            line.push(b':');
            line.extend(self.text(&self.of_headers, value.as_ref())?);
        }
        Ok(())
    }

    /// What bytes are printed as; null is printed as if its literal had been stored.
    fn text(&self, deserializer: &Deserializer, bytes: Option<&Bytes>) -> Result<Vec<u8>, Thrown> {
        let null = self.null.as_bytes();
        deserializer.text(bytes.map_or(null, |bytes| bytes.as_ref()))
    }
}

/// Why a class prints no records: there is none, it is another kind of class, or it is not built.
fn no_formatter(class: &str, name: &str) -> Thrown {
    let (of, message) = match name {
        "" if class.starts_with("java.lang.") => (
            "java.lang.ClassCastException",
            format!(
                "class {class} cannot be cast to class org.apache.kafka.common.MessageFormatter ({class} is in module java.base of loader 'bootstrap'; org.apache.kafka.common.MessageFormatter is in unnamed module of loader 'app')"
            ),
        ),
        "" => ("java.lang.ClassNotFoundException", class.to_string()),
        name => (
            "java.lang.ClassNotFoundException",
            format!("{name}: this formatter is not part of Brooklet yet."),
        ),
    };
    Thrown::new(of, &message)
}

/// The columns of a line, with a separator between them.
struct Columns<'a> {
    line: &'a mut Vec<u8>,
    separator: &'a str,
    any: bool,
}

impl Columns<'_> {
    fn next(&mut self) -> &mut Vec<u8> {
        if self.any {
            self.line.extend(self.separator.as_bytes());
        }
        self.any = true;
        self.line
    }
}
