//! `kafka-console-producer`: lines of standard input become records.

use super::options::{OLD_BROKER_LIST, Opt, Parsed, file, integer, long, maybe, switch, text};
use super::typed::Typed;
use super::{Body, Env, Said, Say};
use crate::errors;
use crate::io::{Input, Output};
use crate::producer::{Acks, Config, Event, Header, Producer, Record, Refused, Ticket};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use codecs::Compression;
use ids::{ErrorCode, Time};
use sorted::SortedMap;

/// The options of `kafka-console-producer`.
pub(super) const OPTIONS: &[Opt] = &[
    integer(
        "batch-size",
        "size",
        "The buffer size in bytes allocated for a partition. When records are received which are smaller than this size the producer will attempt to optimistically group them together until this size is reached. This is the option to control batch.size in producer configs. Please note that this option will be replaced if max-partition-memory-bytes is also set. (default: 16384)",
    ),
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "config file",
        "A file of producer properties; --command-property goes before it.",
    ),
    text(
        "command-property",
        "producer_prop",
        "A producer property in the form key=value.",
    ),
    maybe(
        "compression-codec",
        "compression-codec",
        "'none', 'gzip', 'snappy', 'lz4' or 'zstd'. Without a value, gzip.",
    ),
    switch("help", "Print usage information."),
    text(
        "line-reader",
        "reader_class",
        "The class that reads lines. Only org.apache.kafka.tools.LineMessageReader is known. (default: org.apache.kafka.tools.LineMessageReader)",
    ),
    long(
        "max-block-ms",
        "max block on send",
        "How long a record waits for its topic to be known. (default: 60000)",
    ),
    long(
        "max-memory-bytes",
        "total memory in bytes",
        "Memory for records that wait to be sent. (default: 33554432)",
    ),
    integer(
        "max-partition-memory-bytes",
        "memory in bytes per partition",
        "The same as batch-size. (default: 16384)",
    ),
    integer(
        "message-send-max-retries",
        "retries",
        "How often a batch is sent again. (default: 3)",
    ),
    long(
        "metadata-expiry-ms",
        "metadata expiration interval",
        "How long what is known of the cluster holds. (default: 300000)",
    ),
    text(
        "producer-property",
        "producer_prop",
        "(DEPRECATED) A producer property in the form key=value. Use --command-property instead.",
    ),
    text(
        "property",
        "prop",
        "(DEPRECATED) A property of the line reader. Use --reader-property instead.",
    ),
    file(
        "reader-config",
        "config file",
        "A file of properties of the line reader; --reader-property goes before it.",
    ),
    text(
        "reader-property",
        "prop",
        "A property of the line reader, key=value: parse.key, key.separator, ignore.error, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker.",
    ),
    text(
        "request-required-acks",
        "request required acks",
        "'0', '1', '-1' or 'all'. (default: -1)",
    ),
    integer(
        "request-timeout-ms",
        "request timeout ms",
        "How long an answer may take. (default: 1500)",
    ),
    long(
        "retry-backoff-ms",
        "retry delays",
        "How long to wait before sending again. (default: 100)",
    ),
    integer(
        "socket-buffer-size",
        "size",
        "The size of the TCP receive buffer. (default: 102400)",
    ),
    switch("sync", "Send one record after the other."),
    long(
        "timeout",
        "timeout_ms",
        "How long a batch gathers records. (default: 1000)",
    ),
    text(
        "topic",
        "topic",
        "REQUIRED: The topic name to produce messages to.",
    ),
    switch("version", "Display Kafka version."),
];

const ABOUT: &str = "This tool helps to read data from standard input and publish it to Kafka.";
const CALLBACK: &str = "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback";

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let parsed = match super::parse(words, OPTIONS, &[OLD_BROKER_LIST]) {
        Ok(parsed) => parsed,
        Err(refusal) => return Said::default().usage(&refusal.to_string(), OPTIONS),
    };
    let mut said = Said::default().notes(&parsed);
    for required in ["topic", "bootstrap-server"] {
        if !parsed.has(required) {
            return said.usage(
                &format!("Missing required argument \"[{required}]\""),
                OPTIONS,
            );
        }
    }
    if parsed.has("property") {
        said = said.out("Warning: --property is deprecated and will be removed in a future version. Use --reader-property instead.");
    }
    if parsed.has("producer-property") {
        said = said.out("Warning: --producer-property is deprecated and will be removed in a future version. Use --command-property instead.");
    }
    let built = config(&parsed, &env).and_then(|config| Ok((config, Lines::new(&parsed, &env)?)));
    match built {
        Ok((config, lines)) => Body::Producer(ConsoleProducer {
            topic: Arc::from(parsed.last("topic").unwrap_or_default()),
            producer: Producer::new(config, env.rng),
            lines,
            sync: parsed.has("sync"),
            prompt: env.terminal,
            prompted: false,
            before: said,
            held: VecDeque::new(),
            open: SortedMap::new(),
            ended: false,
            status: 0,
        }),
        Err(message) => Body::Said(said.err(&message).exit(1)),
    }
}

/// The producer's settings, from flags, properties and files.
fn config(parsed: &Parsed, env: &Env) -> Result<Config, String> {
    let refused =
        |message: String| format!("org.apache.kafka.common.config.ConfigException: {message}");
    let servers = parsed.last("bootstrap-server").unwrap_or_default();
    let mut config = Config::new(
        "console-producer",
        super::addresses(servers).map_err(refused)?,
    );
    // The console producer's own defaults differ from the producer's.
    config.linger_us = 1_000_000;
    config.retries = 3;
    config.net.request_timeout_ms = 1500;
    let mut properties: Vec<(String, String)> = Vec::new();
    if let Some(file) = parsed.last("command-config") {
        let text = env
            .files
            .get(file)
            .ok_or_else(|| format!("java.nio.file.NoSuchFileException: {file}"))?;
        properties.extend(super::properties(text));
    }
    properties.extend(parsed.pairs("producer-property"));
    properties.extend(parsed.pairs("command-property"));
    let flags = [
        ("batch-size", "batch.size"),
        ("max-partition-memory-bytes", "batch.size"),
        ("max-block-ms", "max.block.ms"),
        ("max-memory-bytes", "buffer.memory"),
        ("message-send-max-retries", "retries"),
        ("metadata-expiry-ms", "metadata.max.age.ms"),
        ("request-required-acks", "acks"),
        ("request-timeout-ms", "request.timeout.ms"),
        ("retry-backoff-ms", "retry.backoff.ms"),
        ("timeout", "linger.ms"),
    ];
    for (flag, property) in flags {
        if let Some(value) = parsed.last(flag) {
            properties.push((property.into(), value.into()));
        }
    }
    if parsed.has("compression-codec") {
        let codec = parsed.last("compression-codec").unwrap_or("gzip");
        properties.push(("compression.type".into(), codec.into()));
    }
    for (name, value) in &properties {
        set(&mut config, name, value).map_err(refused)?;
    }
    Ok(config)
}

/// Sets one producer property; unknown ones do nothing, as in Kafka.
fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let bad = |why: &str| format!("Invalid value {value} for configuration {name}: {why}");
    let number = || {
        value
            .trim()
            .parse::<u64>()
            .map_err(|_| bad("Not a number of type INT"))
    };
    let small = || u32::try_from(number()?).map_err(|_| bad("Not a number of type INT"));
    match name {
        "acks" => {
            config.acks = match value {
                "all" | "-1" => Acks::All,
                "1" => Acks::Leader,
                "0" => Acks::None,
                _ => return Err(bad("String must be one of: all, -1, 0, 1")),
            }
        }
        "batch.size" => config.batch_size = small()?,
        "buffer.memory" => config.buffer_memory = number()?,
        "client.id" => config.net.client_id = wire::Str::from(value),
        "compression.type" => {
            let mut codecs = Compression::ALL.into_iter();
            let codec = codecs.find(|codec| codec.name() == value);
            let why = "Unknown compression name: ";
            config.compression = codec.ok_or_else(|| bad(&format!("{why}{value}")))?;
        }
        "delivery.timeout.ms" => config.delivery_timeout_ms = small()?,
        "enable.idempotence" => config.idempotence = value == "true",
        "linger.ms" => config.linger_us = number()?.saturating_mul(1000),
        "max.block.ms" => config.max_block_ms = small()?,
        "max.in.flight.requests.per.connection" => config.net.max_in_flight = small()?,
        "max.request.size" => config.max_request_size = small()?,
        "metadata.max.age.ms" => config.net.metadata_max_age_ms = small()?,
        "request.timeout.ms" => config.net.request_timeout_ms = small()?,
        "retries" => config.retries = small()?,
        "retry.backoff.ms" => config.net.retry_backoff_ms = small()?,
        _ => {}
    }
    Ok(())
}

/// Records under way at most: what is typed faster waits as it came, where it costs least.
const OPEN_MAX: usize = 5_000;

/// How lines become records (`LineMessageReader`).
#[derive(Clone, Debug)]
struct Lines {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    typed: Typed,
    number: u64,
}

impl Lines {
    fn new(parsed: &Parsed, env: &Env) -> Result<Lines, String> {
        let mut pairs = Vec::new();
        if let Some(file) = parsed.last("reader-config") {
            let text = env
                .files
                .get(file)
                .ok_or_else(|| format!("java.nio.file.NoSuchFileException: {file}"))?;
            pairs.extend(super::properties(text));
        }
        pairs.extend(parsed.pairs("property"));
        pairs.extend(parsed.pairs("reader-property"));
        let last = |name: &str| {
            let found = pairs.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let yes =
            |name: &str| last(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let or = |name: &str, default: &str| last(name).unwrap_or_else(|| default.into());
        Ok(Lines {
            parse_key: yes("parse.key"),
            key_separator: or("key.separator", "\t"),
            parse_headers: yes("parse.headers"),
            headers_delimiter: or("headers.delimiter", "\t"),
            headers_separator: or("headers.separator", ","),
            headers_key_separator: or("headers.key.separator", ":"),
            ignore_error: yes("ignore.error"),
            null_marker: last("null.marker"),
            typed: Typed::default(),
            number: 0,
        })
    }

    /// The next whole line, without its end.
    fn take(&mut self, ended: bool) -> Option<Vec<u8>> {
        let mut line = self.typed.line(ended)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.number += 1;
        Some(line)
    }

    /// The record that a line is.
    fn record(&self, topic: &Arc<str>, line: Vec<u8>) -> Result<Record, String> {
        let mut rest = Bytes::from(line);
        let mut headers = None;
        if self.parse_headers {
            headers = self.cut(&mut rest, &self.headers_delimiter, "headers delimiter")?;
        }
        let mut key = None;
        if self.parse_key {
            key = self.cut(&mut rest, &self.key_separator, "key separator")?;
        }
        let marked = |bytes: Bytes| {
            let null = self
                .null_marker
                .as_ref()
                .is_some_and(|marker| *marker.as_bytes() == bytes[..]);
            (!null).then_some(bytes)
        };
        let mut record = Record::new(topic.clone(), Bytes::new());
        record.key = key.and_then(marked);
        record.value = marked(rest);
        if let Some(headers) = headers.and_then(marked) {
            record.headers = self.headers(&headers)?;
        }
        Ok(record)
    }

    /// Cuts off what stands before a separator.
    fn cut(&self, rest: &mut Bytes, separator: &str, what: &str) -> Result<Option<Bytes>, String> {
        match find(rest, separator.as_bytes()) {
            Some(at) => {
                let before = rest.slice(..at);
                *rest = rest.slice(at + separator.len()..);
                Ok(Some(before))
            }
            None if self.ignore_error => Ok(None),
            None => Err(format!(
                "No {what} found on line number {}: '{}'",
                self.number,
                String::from_utf8_lossy(rest)
            )),
        }
    }

    fn headers(&self, text: &Bytes) -> Result<Vec<Header>, String> {
        let text = String::from_utf8_lossy(text).into_owned();
        let mut headers = Vec::new();
        for pair in text.split(self.headers_separator.as_str()) {
            match pair.split_once(self.headers_key_separator.as_str()) {
                Some((key, value)) => {
                    let null = self.null_marker.as_deref() == Some(value);
                    let value = Bytes::copy_from_slice(value.as_bytes());
                    headers.push(Header {
                        key: Bytes::copy_from_slice(key.as_bytes()),
                        value: (!null).then_some(value),
                    });
                }
                None if self.ignore_error => headers.push(Header {
                    key: Bytes::copy_from_slice(pair.as_bytes()),
                    value: None,
                }),
                None => {
                    return Err(format!(
                        "No header key separator found in pair '{pair}' on line number {}",
                        self.number
                    ));
                }
            }
        }
        Ok(headers)
    }
}

fn find(text: &[u8], separator: &[u8]) -> Option<usize> {
    if separator.is_empty() {
        return Some(0);
    }
    text.windows(separator.len())
        .position(|window| window == separator)
}

/// The sizes of a record's key and value; `None` is null.
type Sizes = (Option<usize>, Option<usize>);

/// A console producer that runs.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleProducer {
    topic: Arc<str>,
    producer: Producer,
    lines: Lines,
    sync: bool,
    prompt: bool,
    /// A prompt stands there and waits for a line.
    prompted: bool,
    before: Said,
    /// Records for which there was no room yet.
    held: VecDeque<Record>,
    /// Sizes of key and value of records under way, for messages.
    open: SortedMap<Ticket, Sizes>,
    ended: bool,
    status: i32,
}

impl ConsoleProducer {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.producer.next_deadline()
    }

    pub(super) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.before.step(now, out);
        match input {
            Input::Stdin(bytes) if !self.ended => {
                self.lines.typed.push(bytes);
            }
            Input::StdinEnd => self.end(0),
            Input::Interrupt => {
                self.producer.disconnect(out);
                out.push(Output::Exit(130));
                return;
            }
            _ => {}
        }
        self.prompt(out);
        self.read(&mut Say { now, out });
        self.producer.step(now, input, out);
        self.report(&mut Say { now, out });
        self.read(&mut Say { now, out });
        self.producer.step(now, &Input::Timer, out);
        self.report(&mut Say { now, out });
        let all_read = self.lines.typed.is_empty() && self.held.is_empty();
        if self.ended && all_read && self.producer.is_settled() {
            self.producer.disconnect(out);
            out.push(Output::Exit(self.status));
        }
    }

    fn end(&mut self, status: i32) {
        self.ended = true;
        self.status = self.status.max(status);
        self.producer.flush();
    }

    fn prompt(&mut self, out: &mut Vec<Output>) {
        if self.prompt && !self.prompted && !self.ended {
            self.prompted = true;
            out.push(Output::Stdout(Bytes::from_static(b">")));
        }
    }

    /// Reads lines as long as they can be sent.
    fn read(&mut self, say: &mut Say<'_>) {
        loop {
            self.send_held(say);
            if !self.held.is_empty() || self.open.len() >= OPEN_MAX {
                return;
            }
            let Some(line) = self.lines.take(self.ended) else {
                return;
            };
            self.prompted = false;
            match self.lines.record(&self.topic, line) {
                Ok(record) => self.held.push_back(record),
                Err(message) => {
                    say.err(&format!(
                        "org.apache.kafka.common.KafkaException: {message}"
                    ));
                    self.lines.typed.clear();
                    self.end(1);
                }
            }
            self.prompt(say.out);
        }
    }

    fn send_held(&mut self, say: &mut Say<'_>) {
        while let Some(record) = self.held.pop_front() {
            if self.sync && !self.open.is_empty() {
                self.held.push_front(record);
                break;
            }
            let sizes = (
                record.key.as_ref().map(Bytes::len),
                record.value.as_ref().map(Bytes::len),
            );
            match self.producer.send(say.now, record.clone()) {
                Ok(ticket) => {
                    self.open.insert(ticket, sizes);
                }
                Err(Refused::BufferFull) => {
                    self.held.push_front(record);
                    break;
                }
                Err(Refused::TooLarge(message)) => {
                    self.fail(ErrorCode::MESSAGE_TOO_LARGE, &message, sizes, say);
                }
                Err(Refused::Closed) => self.status = 1,
            }
        }
        if self.sync || self.ended {
            self.producer.flush();
        }
    }

    fn report(&mut self, say: &mut Say<'_>) {
        while let Some(event) = self.producer.take_event() {
            let (ticket, failure) = match event {
                Event::Acked { ticket, .. } => (ticket, None),
                Event::Failed {
                    ticket,
                    code,
                    message,
                } => (ticket, Some((code, message))),
            };
            let sizes = self.open.remove(&ticket).unwrap_or_default();
            let Some((code, message)) = failure else {
                continue;
            };
            self.fail(code, &message, sizes, say);
        }
    }

    /// Says that a record was not sent, as Kafka's callback does. With `--sync` that is the end: the tool
    /// waits for each record, and what it waits for throws.
    fn fail(&mut self, code: ErrorCode, message: &str, sizes: Sizes, say: &mut Say<'_>) {
        let why = format!("{}: {message}", errors::exception(code));
        if self.sync {
            if self.status == 0 {
                say.err(&format!("java.util.concurrent.ExecutionException: {why}"));
            }
            self.held.clear();
            self.lines.typed.clear();
            self.end(1);
            return;
        }
        let size = |size: Option<usize>| size.map_or("null".into(), |n| format!("{n} bytes"));
        let text = format!(
            "Error when sending message to topic {} with key: {}, value: {} with error:",
            self.topic,
            size(sizes.0),
            size(sizes.1)
        );
        say.log("ERROR", &text, CALLBACK);
        say.err(&why);
    }
}
