//! `kafka-console-producer`: lines of standard input become records.

use super::lines::Lines;
use super::options::console_producer::{OPTIONS, misuse};
use super::options::{OLD_BROKER_LIST, Parsed};
use super::settings::Setting;
use super::{Body, Env, Said, Say, Thrown};
use crate::errors;
use crate::io::{Input, Output};
use crate::producer::{Acks, Config, Event, Producer, Record, Refused, Ticket};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use codecs::Compression;
use ids::{ErrorCode, Time};
use sorted::SortedMap;

const ABOUT: &str = "This tool helps to read data from standard input and publish it to Kafka.";
const CALLBACK: &str = "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback";

pub(super) fn start(words: &[String], env: Env) -> Body {
    match begin(words, env) {
        Ok(producer) => Body::Producer(producer),
        Err(said) => Body::Said(said),
    }
}

fn begin(words: &[String], env: Env) -> Result<ConsoleProducer, Said> {
    let refuse = |thrown: Thrown| Said::default().usage(&thrown.message, OPTIONS);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[OLD_BROKER_LIST]), refuse)?;
    let mut said = Said::default().notes(&parsed);
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    let servers = parsed
        .one("bootstrap-server")
        .map_err(|refusal| Said::default().err(&refusal.to_string()).exit(1))?;
    if let Some(message) = super::no_address(servers.unwrap_or_default()) {
        return Err(said.usage(message, OPTIONS));
    }
    if parsed.has("property") {
        said = said.out("Warning: --property is deprecated and will be removed in a future version. Use --reader-property instead.");
    }
    if parsed.has("producer-property") {
        said = said.out("Warning: --producer-property is deprecated and will be removed in a future version. Use --command-property instead.");
    }
    if parsed.has("max-partition-memory-bytes") {
        said = said.out("Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.");
    }
    let built = reader(&parsed)
        .and_then(|()| Lines::new(&parsed, &env))
        .and_then(|lines| Ok((config(&parsed, &env)?, lines)));
    let (config, lines) = built.map_err(|thrown| {
        // What its options do not take the tool says without an exception's name.
        let text = match thrown.is_of(&["joptsimple."]) {
            true => thrown.message.clone(),
            false => thrown.to_string(),
        };
        said.clone().err(&text).exit(1)
    })?;
    Ok(ConsoleProducer {
        topic: Arc::from(lines.topic.as_str()),
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
    })
}

/// Whether the class that reads lines is the one there is.
fn reader(parsed: &Parsed) -> Result<(), Thrown> {
    match parsed.one("line-reader")? {
        None | Some("org.apache.kafka.tools.LineMessageReader") => Ok(()),
        Some(class) if class.starts_with("java.") => Err(Thrown::new(
            "java.lang.IllegalArgumentException",
            "The reader must implement org.apache.kafka.tools.api.RecordReader interface",
        )),
        Some(class) => Err(Thrown::new("java.lang.ClassNotFoundException", class)),
    }
}

/// The options that stand for a property of the producer; the later ones go before the earlier.
const FLAGS: [(&str, &str); 11] = [
    ("timeout", "linger.ms"),
    ("request-required-acks", "acks"),
    ("request-timeout-ms", "request.timeout.ms"),
    ("message-send-max-retries", "retries"),
    ("retry-backoff-ms", "retry.backoff.ms"),
    ("socket-buffer-size", "send.buffer.bytes"),
    ("max-memory-bytes", "buffer.memory"),
    ("batch-size", "batch.size"),
    ("max-partition-memory-bytes", "batch.size"),
    ("metadata-expiry-ms", "metadata.max.age.ms"),
    ("max-block-ms", "max.block.ms"),
];

/// The producer's settings, from flags, properties and files.
fn config(parsed: &Parsed, env: &Env) -> Result<Config, Thrown> {
    let servers = parsed.one("bootstrap-server")?.unwrap_or_default();
    let mut config = Config::new("console-producer", super::addresses(servers)?);
    // The console producer's own defaults differ from the producer's.
    config.linger_us = 1_000_000;
    config.retries = 3;
    config.net.request_timeout_ms = 1500;
    let file = super::file(parsed, env, "command-config")?;
    let mut properties = super::properties(file.unwrap_or_default());
    properties.extend(parsed.pairs("producer-property"));
    properties.extend(parsed.pairs("command-property"));
    for (flag, property) in FLAGS {
        let kind = OPTIONS.iter().find(|option| option.name == flag);
        if let Some(value) = parsed.typed(flag, kind)? {
            properties.push((property.into(), value.into()));
        }
    }
    if parsed.has("compression-codec") {
        let codec = parsed
            .one("compression-codec")?
            .filter(|codec| !codec.is_empty());
        properties.push(("compression.type".into(), codec.unwrap_or("gzip").into()));
    }
    for (name, value) in &properties {
        set(&mut config, &Setting { name, value })?;
    }
    let asked = properties
        .iter()
        .rfind(|(name, _)| name == "enable.idempotence");
    if asked.is_some_and(|(_, value)| value == "true") {
        idempotent(&config)?;
    }
    Ok(config)
}

/// What the idempotent producer needs, when it is asked for by name.
fn idempotent(config: &Config) -> Result<(), Thrown> {
    let why = if config.acks != Acks::All {
        "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence."
    } else if config.retries == 0 {
        "Must set retries to non-zero when using the idempotent producer."
    } else if config.net.max_in_flight > 5 {
        "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer."
    } else {
        return Ok(());
    };
    Err(Thrown::config(why))
}

/// Sets one producer property; unknown ones do nothing, as in Kafka.
fn set(config: &mut Config, to: &Setting<'_>) -> Result<(), Thrown> {
    match to.name {
        "acks" => {
            config.acks = match to.value {
                "all" | "-1" => Acks::All,
                "1" => Acks::Leader,
                "0" => Acks::None,
                _ => return Err(to.bad("String must be one of: all, -1, 0, 1")),
            }
        }
        "batch.size" => config.batch_size = to.int(0)?,
        "buffer.memory" => config.buffer_memory = to.long(0)?,
        "client.id" => config.net.client_id = wire::Str::from(to.value),
        "compression.type" => {
            let mut codecs = Compression::ALL.into_iter();
            let codec = codecs.find(|codec| codec.name() == to.value);
            let one_of = "String must be one of: none, gzip, snappy, lz4, zstd";
            config.compression = codec.ok_or_else(|| to.bad(one_of))?;
        }
        "delivery.timeout.ms" => config.delivery_timeout_ms = to.int(0)?,
        "enable.idempotence" => config.idempotence = to.boolean()?,
        "linger.ms" => config.linger_us = to.long(0)?.saturating_mul(1000),
        "max.block.ms" => config.max_block_ms = to.long32(0)?,
        "max.in.flight.requests.per.connection" => config.net.max_in_flight = to.int(1)?,
        "max.request.size" => config.max_request_size = to.int(0)?,
        "metadata.max.age.ms" => config.net.metadata_max_age_ms = to.long32(0)?,
        "request.timeout.ms" => config.net.request_timeout_ms = to.int(0)?,
        "retries" => config.retries = to.int(0)?,
        "retry.backoff.ms" => config.net.retry_backoff_ms = to.long32(0)?,
        "send.buffer.bytes" => {
            to.int(-1)?;
        }
        _ => {}
    }
    Ok(())
}

/// Records under way at most: what is typed faster waits as it came, where it costs least.
const OPEN_MAX: usize = 5_000;

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
            match self.lines.record(&self.topic, &line) {
                Ok(record) => self.held.push_back(record),
                Err(thrown) => {
                    say.err(&thrown.to_string());
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
