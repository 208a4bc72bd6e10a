//! The options of Kafka's command lines, all in one place: a table for each tool with what may not stand
//! together, how a line is taken apart, and the help text.
//!
//! Kafka's tools use joptsimple; what people see of it (which forms of an option count, the words of a
//! refusal, the two columns of the help) is reproduced here from what was recorded.

pub(super) mod broker_api_versions;
pub(super) mod cluster;
pub(super) mod commands;
pub(super) mod configs;
pub(super) mod console_consumer;
pub(super) mod console_producer;
pub(super) mod consumer_groups;
pub(super) mod delete_records;
pub(super) mod dump_log;
pub(super) mod features;
pub(super) mod get_offsets;
pub(super) mod groups;
mod help;
pub(super) mod leader_election;
pub(super) mod log_dirs;
mod old;
mod parse;
pub(super) mod quorum;
pub(super) mod reassign;
pub(super) mod storage;
pub(super) mod topics;
mod values;

pub(super) use help::help;
pub use old::{OLD_BROKER_LIST, OLD_NEW_CONSUMER, OLD_WHITELIST, OLD_ZOOKEEPER, Old};
pub use parse::{Parsed, Refusal, parse};
pub use values::{Values, values};

/// What an option expects behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// Nothing: a switch.
    None,
    /// A value; the help shows the name.
    Value(Kind, &'static str),
    /// Perhaps a value.
    Optional(Kind, &'static str),
}

/// The type of an option's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    String,
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    Long,
    /// The name of a file that the tool reads; the help calls it a string.
    File,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::String | Kind::File => "String",
            Kind::Integer => "Integer",
            Kind::Long => "Long",
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Kind::String | Kind::File => true,
            Kind::Integer => text.parse::<i32>().is_ok(),
            Kind::Long => text.parse::<i64>().is_ok(),
        }
    }
}

/// One option of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What it expects.
    pub arg: Arg,
    /// What the help says about it.
    pub about: &'static str,
    /// No line goes without it, as the help says with a star.
    pub required: bool,
    /// Only beside one of these; with none here, always.
    pub beside: &'static [&'static str],
}

impl Opt {
    const fn new(name: &'static str, arg: Arg, about: &'static str) -> Opt {
        Opt {
            name,
            arg,
            about,
            required: false,
            beside: &[],
        }
    }

    /// The same option, without which no line goes.
    #[must_use]
    pub const fn required(self) -> Opt {
        Opt {
            required: true,
            ..self
        }
    }

    /// The same option, only beside one of these.
    #[must_use]
    pub const fn beside(self, beside: &'static [&'static str]) -> Opt {
        Opt { beside, ..self }
    }
}

/// The switch that asks for the help.
pub const HELP: Opt = switch("help", "Print usage information.");
/// The switch that asks for the version.
pub const VERSION: Opt = switch("version", "Display Kafka version.");

/// A switch.
#[must_use]
pub const fn switch(name: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::None, about)
}

/// An option with a text value, which the help calls `value`.
#[must_use]
pub const fn text(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::Value(Kind::String, value), about)
}

/// An option with the name of a file, which the help calls `value`.
#[must_use]
pub const fn file(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::Value(Kind::File, value), about)
}

/// An option with a 32-bit number.
#[must_use]
pub const fn integer(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::Value(Kind::Integer, value), about)
}

/// An option with a 64-bit number.
#[must_use]
pub const fn long(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::Value(Kind::Long, value), about)
}

/// An option whose text value may be left out.
#[must_use]
pub const fn maybe(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt::new(name, Arg::Optional(Kind::String, value), about)
}
