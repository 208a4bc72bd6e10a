//! `kafka-console-consumer`: records become lines of standard output.

use super::formatter::Formatter;
use super::moments;
use super::options::console_consumer::{OPTIONS, misuse};
use super::options::{OLD_BROKER_LIST, OLD_NEW_CONSUMER, OLD_WHITELIST, OLD_ZOOKEEPER, Parsed};
use super::settings::Setting;
use super::table::java_bucket;
use super::{Body, Env, Said, Say, Thrown};
use crate::consumer::{Assignor, Begin, Config, Consumer, Event, Isolation, Reset, Subscription};
use crate::errors;
use crate::io::{Input, Output};
use crate::pattern::Pattern;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::{Offset, PartitionIndex, Time, TopicPartition};

const ABOUT: &str =
    "This tool helps to read data from Kafka topics and outputs it to standard output.";
const LOGGER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const NEW_PROTOCOL: &str = "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it out. See https://kafka.apache.org/documentation/#consumer_rebalance_protocol";
/// Records taken from the consumer at once.
const POLL: usize = 500;

pub(super) fn start(words: &[String], env: Env) -> Body {
    match begin(words, env) {
        Ok(consumer) => Body::Consumer(Box::new(consumer)),
        Err(said) => Body::Said(said),
    }
}

fn begin(words: &[String], mut env: Env) -> Result<ConsoleConsumer, Said> {
    let refuse = |thrown: Thrown| Said::default().usage(&thrown.message, OPTIONS);
    let old = [
        OLD_ZOOKEEPER,
        OLD_BROKER_LIST,
        OLD_NEW_CONSUMER,
        OLD_WHITELIST,
    ];
    let parsed = super::read(words, ABOUT, (OPTIONS, &old), refuse)?;
    let mut said = Said::default().notes(&parsed);
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    if parsed.knows_only_zookeeper() {
        // A consumer would ask for the broker that is guessed beside it without end.
        return Err(said.exit(1));
    }
    if parsed.has("property") {
        said = said.out("Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.");
    }
    if parsed.has("consumer-property") {
        said = said.out("Option --consumer-property is deprecated and will be removed in a future version. Use --command-property instead.");
    }
    let mut wanted = Wanted::new(&parsed, &env, &said)?;
    let formatter = Formatter::new(&parsed, &env);
    let formatter = formatter.map_err(|thrown| said.clone().usage(&thrown.message, OPTIONS))?;
    let unknown = |said: Said, thrown: &Thrown| {
        let said = said.log("ERROR", UNKNOWN_ERROR, LOGGER);
        said.err(&thrown.to_string()).exit(1)
    };
    let include = parsed.all("include").first();
    let include = include.map(|text| include_pattern(text)).transpose();
    wanted.include = include.clone().unwrap_or_default();
    let consumer = wanted.consumer(&mut env);
    let consumer = consumer.map_err(|thrown| unknown(said.clone(), &thrown))?;
    if !parsed.has("partition") {
        said = said.err(NEW_PROTOCOL);
    }
    // Kafka's tool reads these only now.
    for name in ["topic", "include"] {
        let one = parsed.one(name).map(|_| ());
        one.map_err(|refusal| unknown(said.clone(), &refusal.into()))?;
    }
    include.map_err(|thrown| unknown(said.clone(), &thrown))?;
    let most = parsed.integer("max-messages").map_err(|refusal| {
        let said = said.clone().err("Processed a total of 0 messages");
        unknown(said, &refusal.into())
    })?;
    Ok(ConsoleConsumer {
        consumer,
        formatter,
        before: said,
        // Below -1 there is nothing to show, as with 0.
        left: most.filter(|&most| most != -1).map(|most| most.max(0)),
        timeout_ms: wanted.timeout_ms,
        skip: parsed.has("skip-message-on-error"),
        events: parsed.has("enable-systest-events"),
        idle_since: None,
        seen: 0,
        full: false,
        more: None,
        ending: None,
    })
}

fn include_pattern(text: &str) -> Result<Pattern, Thrown> {
    Pattern::new(text).map_err(|bad| {
        let class = "java.util.regex.PatternSyntaxException";
        Thrown::new(class, &format!("{text} is an invalid regex: {bad}."))
    })
}

const UNKNOWN_ERROR: &str = "Unknown error when running consumer: ";

/// What a command line asks for.
struct Wanted {
    servers: String,
    topic: Option<String>,
    include: Option<Pattern>,
    partition: Option<i32>,
    begin: Begin,
    /// Properties of the consumer; the later ones go before the earlier.
    properties: Vec<(String, String)>,
    timeout_ms: Option<u64>,
}

impl Wanted {
    /// Reads the options in Kafka's order.
    fn new(parsed: &Parsed, env: &Env, said: &Said) -> Result<Wanted, Said> {
        let uncaught = |thrown: Thrown| said.clone().uncaught(&thrown);
        let text = |name: &'static str| {
            let text = parsed.one(name).map_err(|refusal| uncaught(refusal.into()));
            text.map(|text| text.map(String::from))
        };
        let number = |number: Result<Option<i64>, super::options::Refusal>| {
            number.map_err(|refusal| uncaught(refusal.into()))
        };
        let first = |name: &str| parsed.all(name).first().cloned();
        let partition = number(parsed.integer("partition"))?;
        let file = super::file(parsed, env, "command-config").map_err(uncaught)?;
        let mut properties = super::properties(file.unwrap_or_default());
        let ids_in_file = properties.iter().filter(|(name, _)| name == "group.id");
        let ids_in_file: Vec<String> = ids_in_file.map(|(_, id)| id.clone()).collect();
        properties.extend(parsed.pairs("consumer-property"));
        properties.extend(parsed.pairs("command-property"));
        let group = text("group")?;
        let ids = group.iter().chain(ids_in_file.last());
        if let Some(message) = disagreement(ids, &properties, parsed.has("partition")) {
            return Err(said.clone().usage(&message, OPTIONS));
        }
        properties.extend(group.map(|group| ("group.id".into(), group)));
        let from_beginning = parsed.has("from-beginning");
        let reset = properties
            .iter()
            .rfind(|(name, _)| name == "auto.offset.reset");
        match reset {
            Some((_, reset)) if from_beginning && reset != "earliest" => {
                let text = format!(
                    "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one option"
                );
                return Err(said.clone().err(&text).exit(1));
            }
            None if from_beginning => {
                properties.push(("auto.offset.reset".into(), "earliest".into()));
            }
            _ => {}
        }
        let level = text("isolation-level")?;
        properties.extend(level.map(|level| ("isolation.level".into(), level)));
        let offset = text("offset")?;
        let begin = begin_at(offset.as_deref(), from_beginning)
            .map_err(|message| said.clone().usage(&message, OPTIONS))?;
        let timeout = number(parsed.long("timeout-ms"))?;
        Ok(Wanted {
            servers: text("bootstrap-server")?.unwrap_or_default(),
            topic: first("topic"),
            include: None,
            partition: partition.and_then(|partition| i32::try_from(partition).ok()),
            begin,
            properties,
            timeout_ms: timeout.and_then(|ms| u64::try_from(ms).ok()),
        })
    }

    fn consumer(&self, env: &mut Env) -> Result<Consumer, Thrown> {
        let servers = super::addresses(&self.servers)?;
        let mut config = Config::new("console-consumer", servers);
        for (name, value) in &self.properties {
            set(&mut config, &Setting { name, value })?;
        }
        let topic: Arc<str> = Arc::from(self.topic.as_deref().unwrap_or_default());
        if config.heartbeat_interval_ms >= config.session_timeout_ms {
            let class = "java.lang.IllegalArgumentException";
            let message = "Heartbeat must be set lower than the session timeout";
            return Err(Thrown::new(class, message));
        }
        if config
            .group
            .as_ref()
            .is_some_and(|group| group.trim().is_empty())
        {
            let class = "org.apache.kafka.common.errors.InvalidGroupIdException";
            let message = "The configured group.id should not be an empty string or whitespace.";
            return Err(Thrown::new(class, message));
        }
        let subscription = if let Some(partition) = self.partition {
            let partition = PartitionIndex(partition);
            Subscription::Assign(alloc::vec![(
                TopicPartition { topic, partition },
                self.begin
            )])
        } else if let Some(pattern) = &self.include {
            Subscription::Pattern(pattern.clone())
        } else {
            Subscription::Topics([topic].into_iter().collect())
        };
        if config.group.is_none() && !matches!(subscription, Subscription::Assign(_)) {
            // A group of its own, whose offsets nobody needs.
            config.group = Some(format!("console-consumer-{}", env.rng.below(100_000)).into());
            let commits = |(name, _): &(String, String)| name == "enable.auto.commit";
            config.auto_commit &= self.properties.iter().any(commits);
        }
        Ok(Consumer::new(config, subscription, env.rng.fork()))
    }
}

/// Why a group, or several, cannot be meant.
fn disagreement<'a>(
    ids: impl Iterator<Item = &'a String>,
    properties: &'a [(String, String)],
    partition: bool,
) -> Option<String> {
    let set = properties.iter().rfind(|(name, _)| name == "group.id");
    let mut ids: Vec<&str> = ids
        .chain(set.map(|(_, id)| id))
        .map(String::as_str)
        .collect();
    sorted::sort_by_key(&mut ids, |id| (java_bucket(id, 3), *id));
    ids.dedup();
    if ids.len() > 1 {
        let all: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        return Some(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match. Detected group ids: {}",
            all.join(", ")
        ));
    }
    (partition && !ids.is_empty())
        .then(|| "Options group and partition cannot be specified together.".into())
}

fn begin_at(offset: Option<&str>, from_beginning: bool) -> Result<Begin, String> {
    let Some(text) = offset else {
        return Ok(match from_beginning {
            true => Begin::Earliest,
            false => Begin::Latest,
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

/// Milliseconds of `by_duration:PnDTnHnMn.nS`.
fn by_duration(text: &str) -> Option<i64> {
    let duration = text.strip_prefix("by_duration:")?;
    moments::duration(duration)
        .ok()
        .filter(|&millis| millis >= 0)
}

/// Sets one consumer property; unknown ones do nothing, as in Kafka.
fn set(config: &mut Config, to: &Setting<'_>) -> Result<(), Thrown> {
    match to.name {
        "auto.commit.interval.ms" => config.auto_commit_interval_ms = to.int(0)?,
        "auto.offset.reset" => {
            config.reset = match to.value {
                "earliest" => Reset::Earliest,
                "latest" => Reset::Latest,
                "none" => Reset::None,
                since => Reset::Since(by_duration(since).ok_or_else(|| {
                    to.bad("Invalid value. It must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.")
                })?),
            }
        }
        "client.id" => config.net.client_id = wire::Str::from(to.value),
        "enable.auto.commit" => config.auto_commit = to.boolean()?,
        "fetch.max.bytes" => config.fetch_max_bytes = to.int(0)?,
        "fetch.max.wait.ms" => config.fetch_max_wait_ms = to.int(0)?,
        "fetch.min.bytes" => config.fetch_min_bytes = to.int(0)?,
        "group.id" => config.group = Some(to.value.into()),
        "group.instance.id" => config.instance = Some(to.value.into()),
        "group.protocol" if !to.value.eq_ignore_ascii_case("classic") => {
            return Err(match to.value.eq_ignore_ascii_case("consumer") {
                true => to.bad("the consumer rebalance protocol is not part of Brooklet yet"),
                false => to.bad("String must be one of (case insensitive): CLASSIC, CONSUMER"),
            });
        }
        "heartbeat.interval.ms" => config.heartbeat_interval_ms = to.int(0)?,
        "isolation.level" => {
            config.isolation = match to.value {
                "read_committed" => Isolation::ReadCommitted,
                "read_uncommitted" => Isolation::ReadUncommitted,
                _ => {
                    return Err(to.bad("String must be one of: read_committed, read_uncommitted"));
                }
            }
        }
        "max.partition.fetch.bytes" => config.partition_max_bytes = to.int(0)?,
        "max.poll.interval.ms" => config.max_poll_interval_ms = to.int(1)?,
        "partition.assignment.strategy" => {
            let names = to.value.split(',').map(|name| name.trim().to_ascii_lowercase());
            let known = |name: &String| ["range", "robin", "sticky"].iter().any(|n| name.contains(n));
            if let Some(name) = names.clone().find(|name| !known(name)) {
                let class = "org.apache.kafka.common.KafkaException";
                let message = format!("{name} ClassNotFoundException exception occurred");
                return Err(Thrown::new(class, &message));
            }
            let robin = names.clone().next().is_some_and(|name| name.contains("robin"));
            config.assignors = alloc::vec![if robin {
                Assignor::RoundRobin
            } else {
                Assignor::Range
            }];
        }
        "request.timeout.ms" => config.net.request_timeout_ms = to.int(0)?,
        "session.timeout.ms" => config.session_timeout_ms = to.int(0)?,
        _ => {}
    }
    Ok(())
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
    /// A record that cannot be shown is left out.
    skip: bool,
    /// Its end is told on standard output.
    events: bool,
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
            if self.events {
                out.push(Output::stdout_line("shutdown_complete"));
            }
            self.consumer.disconnect(out);
            out.push(Output::Exit(status));
        }
    }

    fn end(&mut self, now: Time, status: i32) {
        if self.ending.is_none() {
            self.ending = Some((status, now.plus_millis(CLOSE_MS)));
            // What was fetched and not shown is not committed.
            self.consumer.forget_unread();
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
            self.seen += 1;
            let Err(thrown) = self.formatter.print(record, &mut lines) else {
                continue;
            };
            if !lines.is_empty() {
                out.push(Output::Stdout(core::mem::take(&mut lines).into()));
            }
            let mut say = Say { now, out };
            let text = match self.skip {
                true => "Error processing message, skipping this message: ",
                false => UNKNOWN_ERROR,
            };
            say.log("ERROR", text, LOGGER);
            say.err(&thrown.to_string());
            if !self.skip {
                self.end(now, 1);
                return;
            }
        }
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
                // Kafka's tool ends with 0 all the same.
                self.end(say.now, 0);
            }
        }
    }
}
