//! What may stand behind an option, as far as it is known beforehand: for completion.
//!
//! Only who offers completions asks; the tools themselves check values on their own.

/// The values of an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// Anything, or none: nothing can be offered.
    Free,
    /// The name of a topic.
    Topic,
    /// The name of a group.
    Group,
    /// The address of a broker.
    Server,
    /// The name of a file, or `-` for standard input.
    File,
    /// What `kafka-configs` is about: a topic or a broker, as `--entity-type` says.
    Entity,
    /// `name=value` of a topic's config; several with commas between them if `true`.
    Config(bool),
    /// The name of a topic's config, several with commas between them.
    ConfigName,
    /// The id of a broker.
    Broker,
    /// One of these; what ends in `=` goes on.
    Words(&'static [&'static str]),
}

const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];
const ACKS: &[&str] = &["all", "-1", "0", "1"];
const TIMES: &[&str] = &[
    "latest",
    "earliest",
    "max-timestamp",
    "earliest-local",
    "latest-tiered",
];
const FORMATTER: &[&str] = &[
    "print.timestamp=",
    "print.key=",
    "print.offset=",
    "print.epoch=",
    "print.delivery=",
    "print.partition=",
    "print.headers=",
    "print.value=",
    "key.separator=",
    "line.separator=",
    "headers.separator=",
    "null.literal=",
];
const READER: &[&str] = &[
    "parse.key=",
    "key.separator=",
    "ignore.error=",
    "parse.headers=",
    "headers.delimiter=",
    "headers.separator=",
    "headers.key.separator=",
    "null.marker=",
];
const PRODUCER: &[&str] = &[
    "acks=",
    "batch.size=",
    "buffer.memory=",
    "client.id=",
    "compression.type=",
    "delivery.timeout.ms=",
    "enable.idempotence=",
    "linger.ms=",
    "max.block.ms=",
    "max.in.flight.requests.per.connection=",
    "max.request.size=",
    "metadata.max.age.ms=",
    "request.timeout.ms=",
    "retries=",
    "retry.backoff.ms=",
];
const CONSUMER: &[&str] = &[
    "auto.commit.interval.ms=",
    "auto.offset.reset=",
    "client.id=",
    "enable.auto.commit=",
    "fetch.max.bytes=",
    "fetch.max.wait.ms=",
    "fetch.min.bytes=",
    "group.id=",
    "group.instance.id=",
    "heartbeat.interval.ms=",
    "isolation.level=",
    "max.partition.fetch.bytes=",
    "max.poll.interval.ms=",
    "partition.assignment.strategy=",
    "request.timeout.ms=",
    "session.timeout.ms=",
];
const FORMATTERS: &[&str] = &[
    "org.apache.kafka.tools.consumer.DefaultMessageFormatter",
    "org.apache.kafka.tools.consumer.LoggingMessageFormatter",
    "org.apache.kafka.tools.consumer.NoOpMessageFormatter",
];
const STATES: &[&str] = &[
    "Stable",
    "Empty",
    "PreparingRebalance",
    "CompletingRebalance",
    "Dead",
];

/// What may stand behind an option of a tool.
#[must_use]
pub fn values(tool: &str, option: &str) -> Values {
    match (tool, option) {
        (_, "bootstrap-server") => Values::Server,
        (_, "topic") => Values::Topic,
        ("kafka-configs", "broker")
        | ("kafka-cluster", "id")
        | ("kafka-log-dirs" | "kafka-reassign-partitions", "broker-list") => Values::Broker,
        ("kafka-leader-election", "election-type") => Values::Words(&["preferred", "unclean"]),
        ("kafka-configs", "entity-name") => Values::Entity,
        ("kafka-configs", "entity-type") => Values::Words(&["topics", "brokers"]),
        ("kafka-configs", "add-config") => Values::Config(true),
        ("kafka-configs", "delete-config") => Values::ConfigName,
        ("kafka-topics", "config") => Values::Config(false),
        ("kafka-console-consumer" | "kafka-consumer-groups", "group") => Values::Group,
        ("kafka-console-consumer", "offset") => Values::Words(&["earliest", "latest"]),
        ("kafka-console-consumer", "isolation-level") => {
            Values::Words(&["read_committed", "read_uncommitted"])
        }
        ("kafka-console-consumer", "formatter") => Values::Words(FORMATTERS),
        ("kafka-console-consumer", "formatter-property" | "property") => Values::Words(FORMATTER),
        ("kafka-console-consumer", "command-property" | "consumer-property") => {
            Values::Words(CONSUMER)
        }
        ("kafka-console-producer", "compression-codec") => Values::Words(CODECS),
        ("kafka-console-producer", "request-required-acks") => Values::Words(ACKS),
        ("kafka-console-producer", "reader-property" | "property") => Values::Words(READER),
        ("kafka-console-producer", "command-property" | "producer-property") => {
            Values::Words(PRODUCER)
        }
        ("kafka-get-offsets", "time") => Values::Words(TIMES),
        ("kafka-consumer-groups", "state") => Values::Words(STATES),
        ("kafka-consumer-groups", "type") => Values::Words(&["classic", "consumer"]),
        ("kafka-groups", "group-type") => {
            Values::Words(&["classic", "consumer", "share", "streams"])
        }
        _ => Values::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Input, Output};
    use crate::tools::{Env, TOOLS, Tool};
    use alloc::format;
    use alloc::vec::Vec;
    use ids::{Rng, Time};

    /// What each tool needs beside the option that is tried.
    fn line(tool: &str) -> &'static str {
        match tool {
            "kafka-topics" => "--create --topic t",
            "kafka-consumer-groups" => "--list",
            "kafka-configs" => "--alter --add-config retention.ms=1",
            "kafka-console-producer" | "kafka-console-consumer" => "--topic t --partition 0",
            "kafka-groups" => "--list",
            "kafka-leader-election" => "--all-topic-partitions",
            _ => "",
        }
    }

    #[test]
    fn every_value_offered_is_one_the_tool_takes() {
        let mut tried = 0;
        for tool in TOOLS {
            for option in tool.options {
                let Values::Words(words) = values(tool.name, option.name) else {
                    continue;
                };
                for word in words.iter().filter(|word| !word.ends_with('=')) {
                    let mut text = format!(
                        "{} --bootstrap-server l:1 {} --{} {word}",
                        tool.name,
                        line(tool.name),
                        option.name
                    );
                    text = text.replace(
                        "--entity-type brokers",
                        "--entity-type brokers --entity-name 1",
                    );
                    text = text.replace(
                        "--entity-type topics",
                        "--entity-type topics --entity-name t",
                    );
                    if tool.name == "kafka-console-producer" {
                        text = text.replace(" --partition 0", "");
                    }
                    let argv: Vec<&str> = text.split(' ').collect();
                    let mut out = Vec::new();
                    let mut running = Tool::start(&argv, Env::new(Rng::new(1)));
                    running.step(Time::from_millis(1), &Input::Start, &mut out);
                    let over = out.iter().any(|output| matches!(output, Output::Exit(_)));
                    assert!(!over, "{text}: {out:?}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 20, "only {tried} values were tried");
    }
}
