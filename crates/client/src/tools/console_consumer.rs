//! `kafka-console-consumer`: records become lines of standard output.

use super::options::{
    OLD_BROKER_LIST, OLD_NEW_CONSUMER, OLD_WHITELIST, OLD_ZOOKEEPER, Opt, Parsed, file, integer,
    long, switch, text,
};
use super::{Body, Env, Said, Say};
use crate::consumer::{
    Assignor, Begin, Config, ConsumedRecord, Consumer, Event, Isolation, Reset, Subscription,
};
use crate::errors;
use crate::io::{Input, Output};
use crate::pattern::Pattern;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{Offset, PartitionIndex, Time, TopicPartition};

/// The options of `kafka-console-consumer`.
pub(super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "config file",
        "Consumer config properties file. Note that [command-property] takes precedence over this config.",
    ),
    text(
        "command-property",
        "consumer_prop",
        "Consumer config properties in the form key=value.",
    ),
    text(
        "consumer-property",
        "consumer_prop",
        "(DEPRECATED) Consumer config properties in the form key=value. This option will be removed in a future version. Use --command-property instead.",
    ),
    switch(
        "enable-systest-events",
        "Print lifecycle events of the consumer; for tests of Kafka itself.",
    ),
    text(
        "formatter",
        "class",
        "The class that prints records: DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter of org.apache.kafka.tools.consumer. (default: org.apache.kafka.tools.consumer.DefaultMessageFormatter)",
    ),
    file(
        "formatter-config",
        "config file",
        "A file of properties of the formatter; --formatter-property goes before it.",
    ),
    text(
        "formatter-property",
        "prop",
        "A property of the formatter, key=value: print.timestamp, print.key, print.offset, print.epoch, print.delivery, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal.",
    ),
    switch(
        "from-beginning",
        "Begin with the oldest record, not the newest, when the group has no offset yet.",
    ),
    text(
        "group",
        "consumer group id",
        "The consumer group of the consumer.",
    ),
    switch("help", "Print usage information."),
    text(
        "include",
        "Java regex (String)",
        "A regular expression of the topics to consume from.",
    ),
    text(
        "isolation-level",
        "isolation level",
        "read_committed leaves out what transactions have not committed; read_uncommitted shows all. (default: read_uncommitted)",
    ),
    text(
        "key-deserializer",
        "deserializer for key",
        "The name of a deserializer for keys.",
    ),
    integer(
        "max-messages",
        "num_messages",
        "The number of records after which to exit. Without it, goes on for ever.",
    ),
    text(
        "offset",
        "consume offset",
        "Where to begin (a non-negative number), or 'earliest' or 'latest'. (default: latest)",
    ),
    integer(
        "partition",
        "partition",
        "The partition to consume from; begins at its end unless --offset is given.",
    ),
    text(
        "property",
        "prop",
        "(DEPRECATED) A property of the formatter. Use --formatter-property instead.",
    ),
    switch(
        "skip-message-on-error",
        "Go on after a record that cannot be shown.",
    ),
    long(
        "timeout-ms",
        "timeout_ms",
        "Exit when no record has come for this long.",
    ),
    text("topic", "topic", "The topic to consume on."),
    text(
        "value-deserializer",
        "deserializer for values",
        "The name of a deserializer for values.",
    ),
    switch("version", "Display Kafka version."),
];

const ABOUT: &str =
    "This tool helps to read data from Kafka topics and outputs it to standard output.";
const LOGGER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const NEW_PROTOCOL: &str = "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it out. See https://kafka.apache.org/documentation/#consumer_rebalance_protocol";
/// Records taken from the consumer at once.
const POLL: usize = 500;

pub(super) fn start(words: &[String], mut env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let old = [
        OLD_ZOOKEEPER,
        OLD_BROKER_LIST,
        OLD_NEW_CONSUMER,
        OLD_WHITELIST,
    ];
    let parsed = match super::parse(words, OPTIONS, &old) {
        Ok(parsed) => parsed,
        Err(refusal) => return Said::default().usage(&refusal.to_string(), OPTIONS),
    };
    let mut said = Said::default().notes(&parsed);
    if let Some(message) = misuse(&parsed) {
        return said.usage(&message, OPTIONS);
    }
    if parsed.has("property") {
        said = said.out("Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.");
    }
    if parsed.has("consumer-property") {
        said = said.out("Option --consumer-property is deprecated and will be removed in a future version. Use --command-property instead.");
    }
    let begin = match begin(&parsed) {
        Ok(begin) => begin,
        Err(message) => return said.usage(&message, OPTIONS),
    };
    let built = build(&parsed, &mut env, begin)
        .and_then(|consumer| Ok((consumer, Formatter::new(&parsed, &env)?)));
    let (consumer, formatter) = match built {
        Ok(built) => built,
        Err(message) => {
            let said = said.log("ERROR", "Unknown error when running consumer: ", LOGGER);
            return Body::Said(said.err(&message).exit(1));
        }
    };
    if !parsed.has("partition") {
        said = said.err(NEW_PROTOCOL);
    }
    Body::Consumer(Box::new(ConsoleConsumer {
        consumer,
        formatter,
        before: said,
        left: parsed.number("max-messages").filter(|&max| max >= 0),
        timeout_ms: parsed
            .number("timeout-ms")
            .and_then(|ms| u64::try_from(ms).ok()),
        idle_since: None,
        seen: 0,
        full: false,
        more: None,
        ending: None,
    }))
}

fn misuse(parsed: &Parsed) -> Option<String> {
    if parsed.has("topic") == parsed.has("include") {
        return Some(
            "Exactly one of the following arguments is required: [topic], [include]".into(),
        );
    }
    if parsed.has("partition") {
        if !parsed.has("topic") {
            return Some("The topic is required when partition is specified.".into());
        }
        if parsed.has("from-beginning") && parsed.has("offset") {
            return Some("Options from-beginning and offset cannot be specified together.".into());
        }
    } else if parsed.has("offset") {
        return Some("The partition is required when offset is specified.".into());
    }
    let missing = !parsed.has("bootstrap-server");
    missing.then(|| "Missing required argument \"[bootstrap-server]\"".into())
}

fn begin(parsed: &Parsed) -> Result<Begin, String> {
    let Some(text) = parsed.last("offset") else {
        let earliest = parsed.has("from-beginning");
        return Ok(if earliest {
            Begin::Earliest
        } else {
            Begin::Latest
        });
    };
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(Begin::Earliest),
        "latest" => Ok(Begin::Latest),
        number => match number.parse::<i64>() {
            Ok(offset) if offset >= 0 => Ok(Begin::At(Offset(offset))),
            _ => Err(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long."
            )),
        },
    }
}

fn build(parsed: &Parsed, env: &mut Env, begin: Begin) -> Result<Consumer, String> {
    let refused =
        |message: String| format!("org.apache.kafka.common.config.ConfigException: {message}");
    let servers = parsed.last("bootstrap-server").unwrap_or_default();
    let mut config = Config::new(
        "console-consumer",
        super::addresses(servers).map_err(refused)?,
    );
    let mut properties: Vec<(String, String)> = Vec::new();
    if let Some(file) = parsed.last("command-config") {
        let text = env
            .files
            .get(file)
            .ok_or_else(|| format!("java.nio.file.NoSuchFileException: {file}"))?;
        properties.extend(super::properties(text));
    }
    properties.extend(parsed.pairs("consumer-property"));
    properties.extend(parsed.pairs("command-property"));
    if let Some(level) = parsed.last("isolation-level") {
        properties.push(("isolation.level".into(), level.into()));
    }
    if parsed.has("from-beginning") {
        properties.push(("auto.offset.reset".into(), "earliest".into()));
    }
    if let Some(group) = parsed.last("group") {
        properties.push(("group.id".into(), group.into()));
    }
    for (name, value) in &properties {
        set(&mut config, name, value).map_err(refused)?;
    }
    let subscription = if let Some(partition) = parsed.number("partition") {
        let topic = Arc::from(parsed.last("topic").unwrap_or_default());
        let partition = PartitionIndex(i32::try_from(partition).unwrap_or(i32::MAX));
        Subscription::Assign(alloc::vec![(TopicPartition { topic, partition }, begin)])
    } else if let Some(pattern) = parsed.last("include") {
        let compiled = Pattern::topic_filter(pattern);
        Subscription::Pattern(
            compiled.map_err(|bad| format!("{pattern} is an invalid regex: {bad}."))?,
        )
    } else {
        let topic = Arc::from(parsed.last("topic").unwrap_or_default());
        Subscription::Topics([topic].into_iter().collect())
    };
    if config.group.is_none() && !matches!(subscription, Subscription::Assign(_)) {
        // A group of its own, whose offsets nobody needs.
        config.group = Some(format!("console-consumer-{}", env.rng.below(100_000)).into());
        config.auto_commit = false;
    }
    Ok(Consumer::new(config, subscription, env.rng.fork()))
}

/// Sets one consumer property; unknown ones do nothing, as in Kafka.
fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let bad = |why: &str| format!("Invalid value {value} for configuration {name}: {why}");
    let number = || {
        value
            .trim()
            .parse::<u32>()
            .map_err(|_| bad("Not a number of type INT"))
    };
    match name {
        "auto.commit.interval.ms" => config.auto_commit_interval_ms = number()?,
        "auto.offset.reset" => {
            config.reset = match value {
                "earliest" => Reset::Earliest,
                "latest" => Reset::Latest,
                "none" => Reset::None,
                _ => {
                    return Err(bad(
                        "Invalid value. It must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.",
                    ));
                }
            }
        }
        "client.id" => config.net.client_id = wire::Str::from(value),
        "enable.auto.commit" => config.auto_commit = value == "true",
        "fetch.max.bytes" => config.fetch_max_bytes = number()?,
        "fetch.max.wait.ms" => config.fetch_max_wait_ms = number()?,
        "fetch.min.bytes" => config.fetch_min_bytes = number()?,
        "group.id" => config.group = Some(value.into()),
        "group.instance.id" => config.instance = Some(value.into()),
        "heartbeat.interval.ms" => config.heartbeat_interval_ms = number()?,
        "isolation.level" => {
            config.isolation = match value {
                "read_committed" => Isolation::ReadCommitted,
                "read_uncommitted" => Isolation::ReadUncommitted,
                _ => {
                    return Err(bad(
                        "String must be one of: read_committed, read_uncommitted",
                    ));
                }
            }
        }
        "max.partition.fetch.bytes" => config.partition_max_bytes = number()?,
        "max.poll.interval.ms" => config.max_poll_interval_ms = number()?,
        "partition.assignment.strategy" => {
            let robin = value.to_ascii_lowercase().contains("robin");
            config.assignors = alloc::vec![if robin {
                Assignor::RoundRobin
            } else {
                Assignor::Range
            }];
        }
        "request.timeout.ms" => config.net.request_timeout_ms = number()?,
        "session.timeout.ms" => config.session_timeout_ms = number()?,
        _ => {}
    }
    Ok(())
}

/// How records are printed (`DefaultMessageFormatter`).
#[derive(Clone, Debug)]
struct Formatter {
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
}

impl Formatter {
    fn new(parsed: &Parsed, env: &Env) -> Result<Formatter, String> {
        let class = parsed
            .last("formatter")
            .unwrap_or("DefaultMessageFormatter");
        let class = class.rsplit('.').next().unwrap_or(class);
        if !matches!(
            class,
            "DefaultMessageFormatter" | "LoggingMessageFormatter" | "NoOpMessageFormatter"
        ) {
            return Err(format!(
                "{class}: this formatter is not part of Brooklet yet."
            ));
        }
        let mut pairs = Vec::new();
        if let Some(file) = parsed.last("formatter-config") {
            let text = env
                .files
                .get(file)
                .ok_or_else(|| format!("java.nio.file.NoSuchFileException: {file}"))?;
            pairs.extend(super::properties(text));
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
        Ok(Formatter {
            silent: class == "NoOpMessageFormatter",
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
        })
    }

    /// Appends the line of one record.
    fn print(&self, record: &ConsumedRecord, line: &mut Vec<u8>) {
        if self.silent {
            return;
        }
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if self.timestamp {
            let kind = if record.log_append_time {
                "LogAppendTime"
            } else {
                "CreateTime"
            };
            let text = if record.timestamp < 0 {
                "NO_TIMESTAMP".to_string()
            } else {
                format!("{kind}:{}", record.timestamp)
            };
            parts.push(text.into());
        }
        if self.partition {
            parts.push(format!("Partition:{}", record.partition).into());
        }
        if self.offset {
            parts.push(format!("Offset:{}", record.offset).into());
        }
        if self.delivery {
            parts.push(b"Delivery:NOT_PRESENT".to_vec());
        }
        if self.epoch {
            parts.push(b"Epoch:NOT_PRESENT".to_vec());
        }
        if self.headers {
            parts.push(self.header_list(record));
        }
        if self.key {
            parts.push(self.or_null(record.key.as_ref()));
        }
        if self.value {
            parts.push(self.or_null(record.value.as_ref()));
        }
        line.extend(parts.join(self.key_separator.as_bytes()));
        line.extend(self.line_separator.as_bytes());
    }

    fn header_list(&self, record: &ConsumedRecord) -> Vec<u8> {
        if record.headers.is_empty() {
            return b"NO_HEADERS".to_vec();
        }
        let pair = |(key, value): &(Bytes, Option<Bytes>)| {
            [key.as_ref(), b":", self.or_null(value.as_ref()).as_slice()].concat()
        };
        let pairs: Vec<Vec<u8>> = record.headers.iter().map(pair).collect();
        pairs.join(self.headers_separator.as_bytes())
    }

    fn or_null(&self, bytes: Option<&Bytes>) -> Vec<u8> {
        bytes.map_or_else(|| self.null.clone().into_bytes(), |bytes| bytes.to_vec())
    }
}

/// A console consumer that runs.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleConsumer {
    consumer: Consumer,
    formatter: Formatter,
    before: Said,
    /// How many records may still be shown.
    left: Option<i64>,
    timeout_ms: Option<u64>,
    /// When the last record came.
    idle_since: Option<Time>,
    seen: u64,
    /// Whoever reads the output is behind: no record is taken until it is read again.
    full: bool,
    /// When to print on, as long as more records wait than are printed at once.
    more: Option<Time>,
    /// The exit status once it is clear, and when to stop waiting for a clean end.
    ending: Option<(i32, Time)>,
}

/// How long a clean end may take (`close` of Kafka's consumer).
const CLOSE_MS: u64 = 30_000;

impl ConsoleConsumer {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let timeout = self
            .idle_since
            .zip(self.timeout_ms)
            .map(|(at, ms)| at.plus_millis(ms));
        let timeout = timeout.filter(|_| self.ending.is_none() && !self.full);
        let close = self.ending.map(|(_, at)| at);
        let own = [self.consumer.next_deadline(), timeout, self.more, close];
        self.consumer.net().ahead(own.into_iter().flatten())
    }

    pub(super) fn step(&mut self, now: Time, input: &Input, out: &mut Vec<Output>) {
        self.before.step(now, out);
        let idle = *self.idle_since.get_or_insert(now);
        self.consumer.step(now, input, out);
        match input {
            Input::Interrupt => self.end(now, 130),
            Input::StdoutFull => self.full = true,
            // Kafka's consumer polls again only now: the time it stood still does not count.
            Input::StdoutReady if self.full => {
                self.full = false;
                self.idle_since = Some(now);
            }
            _ => {}
        }
        self.more = None;
        if self.ending.is_none() {
            if !self.full {
                self.show(now, out);
            }
            self.check_errors(&mut Say { now, out });
        }
        let late = self
            .timeout_ms
            .is_some_and(|ms| idle.plus_millis(ms) <= now);
        if self.ending.is_none() && late && !self.full && self.idle_since == Some(idle) {
            let mut say = Say { now, out };
            say.log(
                "ERROR",
                "Error processing message, terminating consumer process: ",
                LOGGER,
            );
            say.err("org.apache.kafka.common.errors.TimeoutException");
            self.end(now, 0);
        }
        self.consumer.step(now, &Input::Timer, out);
        if let Some((status, until)) = self.ending
            && (self.consumer.is_closed() || until <= now)
        {
            out.push(Output::stderr_line(&format!(
                "Processed a total of {} messages",
                self.seen
            )));
            self.consumer.disconnect(out);
            out.push(Output::Exit(status));
        }
    }

    fn end(&mut self, now: Time, status: i32) {
        if self.ending.is_none() {
            self.ending = Some((status, now.plus_millis(CLOSE_MS)));
            self.consumer.close();
        }
    }

    /// Prints what one poll gives. What is left comes a moment later, so that whoever reads the output
    /// can say in between that it is full.
    fn show(&mut self, now: Time, out: &mut Vec<Output>) {
        let most = self
            .left
            .map_or(POLL, |left| usize::try_from(left).unwrap_or(POLL).min(POLL));
        let records = self.consumer.poll_records(now, most);
        let mut lines = Vec::new();
        for record in &records {
            self.formatter.print(record, &mut lines);
        }
        self.seen += records.len() as u64;
        if !lines.is_empty() {
            out.push(Output::Stdout(lines.into()));
        }
        if !records.is_empty() {
            self.idle_since = Some(now);
        }
        if let Some(left) = &mut self.left {
            *left -= i64::try_from(records.len()).unwrap_or(i64::MAX);
            if *left <= 0 {
                self.end(now, 0);
                return;
            }
        }
        self.more = self.consumer.has_records().then(|| now.plus_micros(1));
    }

    fn check_errors(&mut self, say: &mut Say<'_>) {
        while let Some(event) = self.consumer.take_event() {
            if let Event::Error { code, message } = event {
                say.log(
                    "ERROR",
                    "Error processing message, terminating consumer process: ",
                    LOGGER,
                );
                say.err(&format!("{}: {message}", errors::exception(code)));
                self.end(say.now, 1);
            }
        }
    }
}
