//! The grammar of Kafka's command lines: tables of options, parsing, and the help text.
//!
//! Kafka's tools use joptsimple; what people see of it (which forms of an option count, the words of a
//! refusal, the two columns of the help) is reproduced here from the recorded transcripts.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sorted::SortedMap;

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
}

/// A switch.
#[must_use]
pub const fn switch(name: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::None,
        about,
    }
}

/// An option with a text value, which the help calls `value`.
#[must_use]
pub const fn text(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::Value(Kind::String, value),
        about,
    }
}

/// An option with the name of a file, which the help calls `value`.
#[must_use]
pub const fn file(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::Value(Kind::File, value),
        about,
    }
}

/// An option with a 32-bit number.
#[must_use]
pub const fn integer(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::Value(Kind::Integer, value),
        about,
    }
}

/// An option with a 64-bit number.
#[must_use]
pub const fn long(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::Value(Kind::Long, value),
        about,
    }
}

/// An option whose text value may be left out.
#[must_use]
pub const fn maybe(name: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        arg: Arg::Optional(Kind::String, value),
        about,
    }
}

/// An option that older courses teach and Kafka no longer has.
#[derive(Clone, Copy, Debug)]
pub struct Old {
    /// Its name, without dashes.
    pub name: &'static str,
    /// Whether a value follows it.
    pub takes_value: bool,
    /// The option that took its place and gets its value; `None`: it does nothing any more.
    pub becomes: Option<&'static str>,
    /// One line for standard error that says what replaced it.
    pub note: &'static str,
}

/// The ZooKeeper address, for every tool that once took it.
pub const OLD_ZOOKEEPER: Old = Old {
    name: "zookeeper",
    takes_value: true,
    becomes: Some("bootstrap-server"),
    note: "--zookeeper was replaced by --bootstrap-server HOST:9092: tools talk to the brokers, and since Kafka 4.0 there is no ZooKeeper.",
};
/// The broker list, for every tool that once took it.
pub const OLD_BROKER_LIST: Old = Old {
    name: "broker-list",
    takes_value: true,
    becomes: Some("bootstrap-server"),
    note: "--broker-list was replaced by --bootstrap-server, with the same value.",
};
/// The switch that once chose the consumer without ZooKeeper.
pub const OLD_NEW_CONSUMER: Old = Old {
    name: "new-consumer",
    takes_value: false,
    becomes: None,
    note: "--new-consumer is no longer needed: the new consumer is the only one.",
};
/// The older name of `--include`.
pub const OLD_WHITELIST: Old = Old {
    name: "whitelist",
    takes_value: true,
    becomes: Some("include"),
    note: "--whitelist was replaced by --include, with the same value.",
};

/// A command line taken apart.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    values: SortedMap<&'static str, Vec<String>>,
    /// One line for each old option that was used.
    pub notes: Vec<&'static str>,
}

/// Why a command line was refused; [`Refusal::to_string`] has Kafka's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No such option.
    Unrecognized(String),
    /// The value is missing.
    NoValue(String),
    /// The value is not of the right type.
    BadValue {
        /// The option.
        option: String,
        /// What was given.
        value: String,
    },
    /// The option stands there twice.
    Twice(&'static str),
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Refusal::Unrecognized(name) => write!(f, "{name} is not a recognized option"),
            Refusal::NoValue(name) => write!(f, "Option {name} requires an argument"),
            Refusal::BadValue { option, value } => {
                write!(f, "Cannot parse argument '{value}' of option {option}")
            }
            Refusal::Twice(name) => {
                write!(
                    f,
                    "Found multiple arguments for option {name}, but you asked for only one"
                )
            }
        }
    }
}

impl Refusal {
    /// The Java class whose message this is; some tools show it.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Refusal::Unrecognized(_) => "joptsimple.UnrecognizedOptionException",
            Refusal::NoValue(_) => "joptsimple.OptionMissingRequiredArgumentException",
            Refusal::BadValue { .. } => "joptsimple.OptionArgumentConversionException",
            Refusal::Twice(_) => "joptsimple.MultipleArgumentsForOptionException",
        }
    }
}

/// Takes a command line (without the tool's name) apart.
///
/// # Errors
/// The first thing wrong, in Kafka's words.
pub fn parse(argv: &[String], options: &[Opt], old: &[Old]) -> Result<Parsed, Refusal> {
    let mut parsed = Parsed::default();
    let mut words = argv.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let Some((name, inline)) = option_name(word, options, old)? else {
            continue; // Kafka's tools ignore words that belong to no option.
        };
        if let Some(old) = old.iter().find(|old| old.name == name) {
            take_old(old, inline, &mut words, &mut parsed)?;
            continue;
        }
        let Some(option) = options.iter().find(|option| option.name == name) else {
            return Err(Refusal::Unrecognized(name.to_string()));
        };
        let value = take_value(option, inline, &mut words)?;
        let values = parsed.values.entry(option.name).or_default();
        values.extend(value);
    }
    Ok(parsed)
}

/// The option a word names, with the value behind `=`; `None` when the word is no option.
#[allow(
    clippy::type_complexity,
    reason = "a pair of borrowed halves, used once"
)]
fn option_name<'a>(
    word: &'a str,
    options: &[Opt],
    old: &[Old],
) -> Result<Option<(&'a str, Option<&'a str>)>, Refusal> {
    let halves = |text: &'a str| match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if let Some(rest) = word.strip_prefix("--") {
        return Ok(Some(halves(rest)));
    }
    let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
        return Ok(None);
    };
    // One dash works too, but only for a whole name; otherwise it is a row of one-letter options.
    let (name, value) = halves(rest);
    let known = options.iter().any(|o| o.name == name) || old.iter().any(|o| o.name == name);
    if known {
        return Ok(Some((name, value)));
    }
    Err(Refusal::Unrecognized(name.chars().take(1).collect()))
}

fn take_value<'a>(
    option: &Opt,
    inline: Option<&str>,
    words: &mut core::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Option<String>, Refusal> {
    let (kind, value) = match option.arg {
        Arg::None => return Ok(None),
        Arg::Value(kind, _) => match inline.or_else(|| words.next()) {
            Some(value) => (kind, value),
            None => return Err(Refusal::NoValue(option.name.to_string())),
        },
        Arg::Optional(kind, _) => {
            let next = || words.next_if(|next| !next.starts_with('-') && kind.accepts(next));
            match inline.or_else(next) {
                Some(value) => (kind, value),
                None => return Ok(None),
            }
        }
    };
    if !kind.accepts(value) {
        return Err(Refusal::BadValue {
            option: option.name.to_string(),
            value: value.to_string(),
        });
    }
    Ok(Some(value.to_string()))
}

fn take_old<'a>(
    old: &Old,
    inline: Option<&str>,
    words: &mut core::iter::Peekable<impl Iterator<Item = &'a str>>,
    parsed: &mut Parsed,
) -> Result<(), Refusal> {
    parsed.notes.push(old.note);
    if !old.takes_value {
        return Ok(());
    }
    let Some(value) = inline.or_else(|| words.next()) else {
        return Err(Refusal::NoValue(old.name.to_string()));
    };
    let value = if old.name == OLD_ZOOKEEPER.name {
        broker_beside(value)
    } else {
        value.to_string()
    };
    if let Some(name) = old.becomes {
        let values = parsed.values.entry(name).or_default();
        // A ZooKeeper address says nothing when the brokers' address is given as well.
        if values.is_empty() || old.name != OLD_ZOOKEEPER.name {
            values.push(value);
        }
    }
    Ok(())
}

/// The broker one expects beside a ZooKeeper address `host:2181,host:2181/chroot`.
fn broker_beside(zookeeper: &str) -> String {
    let hosts = zookeeper.split('/').next().unwrap_or_default();
    let first = hosts.split(',').next().unwrap_or_default();
    let host = first.rsplit_once(':').map_or(first, |(host, _)| host);
    format!("{host}:9092")
}

impl Parsed {
    /// Whether the option was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// All values of an option, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// The only value of an option; `None` when it was not given or has no value.
    ///
    /// # Errors
    /// When it was given more than once.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.all(name) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(Refusal::Twice(name)),
        }
    }

    /// The last value of an option, for options that may be repeated without harm.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    /// The last value as a number; parsing has already checked it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.last(name).and_then(|value| value.parse().ok())
    }

    /// `key=value` pairs of a repeatable option; a word without `=` gives an empty value.
    #[must_use]
    pub fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let split = |pair: &String| match pair.split_once('=') {
            Some((key, value)) => (key.to_string(), value.to_string()),
            None => (pair.clone(), String::new()),
        };
        self.all(name).iter().map(split).collect()
    }
}

/// The overall width of the help, in characters.
const WIDTH: usize = 80;
/// Spaces between the two columns.
const GAP: usize = 2;

/// The help: two columns, wrapped as joptsimple wraps them.
#[must_use]
pub fn help(options: &[Opt]) -> String {
    let mut sorted: Vec<&Opt> = options.iter().collect();
    sorted::sort_by_key(&mut sorted, |option| option.name);
    let mut rows: Vec<(String, String)> = Vec::new();
    let column = (WIDTH - GAP) / 2;
    for option in sorted {
        let left = wrap(&signature(option), column);
        let right = wrap(option.about, WIDTH - GAP - column);
        for i in 0..left.len().max(right.len()) {
            let piece = |column: &[String]| column.get(i).cloned().unwrap_or_default();
            rows.push((piece(&left), piece(&right)));
        }
    }
    rows.insert(0, ("------".to_string(), "-----------".to_string()));
    rows.insert(0, ("Option".to_string(), "Description".to_string()));
    let widest =
        |column: fn(&(String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let left = widest(|row| row.0.len());
    // Kafka's own descriptions always fill their column.
    let right = widest(|row| row.1.len()).max(WIDTH - GAP - column);
    let mut text = String::new();
    for (option, about) in &rows {
        text.push_str(&format!("{option:left$}  {about:right$}\n"));
    }
    text
}

fn signature(option: &Opt) -> String {
    let described = |kind: Kind, name: &str| match name {
        "" => kind.name().to_string(),
        _ => format!("{}: {name}", kind.name()),
    };
    match option.arg {
        Arg::None => format!("--{}", option.name),
        Arg::Value(kind, name) => format!("--{} <{}>", option.name, described(kind, name)),
        Arg::Optional(kind, name) => format!("--{} [{}]", option.name, described(kind, name)),
    }
}

/// Breaks after spaces and hyphens; lines after the first are indented by 2.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let words = text.split_inclusive(' ').flat_map(break_hyphens);
    for word in words.flat_map(|word| break_long(word, width - 2)) {
        if piece.len() + word.len() > width {
            pieces.push(piece.trim_end().to_string());
            piece = format!("  {word}");
        } else {
            piece.push_str(word);
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// A word that is wider than a line breaks behind its dots, as class names do.
fn break_long(word: &str, width: usize) -> Vec<&str> {
    if word.trim_end().len() <= width {
        return alloc::vec![word];
    }
    word.split_inclusive('.').collect()
}

/// The places where a line may break within a word: behind a row of hyphens that a letter follows.
fn break_hyphens(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..bytes.len() {
        let behind = bytes[i - 1] == b'-' && bytes[i] != b'-';
        if behind && bytes[i].is_ascii_alphabetic() {
            parts.push(&word[start..i]);
            start = i;
        }
    }
    parts.push(&word[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const OPTIONS: &[Opt] = &[
        text("topic", "topic", "The topic."),
        switch("list", "List all."),
        maybe("state", "", "State."),
        integer("partitions", "# of partitions", "How many."),
        text("bootstrap-server", "server to connect to", "Where."),
    ];
    const OLD: &[Old] = &[OLD_ZOOKEEPER, OLD_NEW_CONSUMER];

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn values_come_behind_a_space_or_an_equals_sign() {
        let parsed = parse(&args("--topic a --partitions=3 -list"), OPTIONS, OLD).unwrap();
        assert_eq!(parsed.one("topic").unwrap(), Some("a"));
        assert_eq!(parsed.number("partitions"), Some(3));
        assert!(parsed.has("list"));
    }

    #[test]
    fn an_optional_value_does_not_swallow_the_next_option() {
        let parsed = parse(&args("--state --list"), OPTIONS, OLD).unwrap();
        assert!(parsed.has("state") && parsed.has("list"));
        assert_eq!(parsed.one("state").unwrap(), None);
        let parsed = parse(&args("--state Stable"), OPTIONS, OLD).unwrap();
        assert_eq!(parsed.one("state").unwrap(), Some("Stable"));
    }

    #[test]
    fn refusals_use_kafkas_words() {
        let refusal = |line| parse(&args(line), OPTIONS, OLD).unwrap_err().to_string();
        assert_eq!(refusal("--colour"), "colour is not a recognized option");
        assert_eq!(refusal("--topic"), "Option topic requires an argument");
        assert_eq!(
            refusal("--partitions x"),
            "Cannot parse argument 'x' of option partitions"
        );
        let twice = parse(&args("--topic a --topic b"), OPTIONS, OLD).unwrap();
        assert_eq!(
            twice.one("topic").unwrap_err().to_string(),
            "Found multiple arguments for option topic, but you asked for only one"
        );
    }

    #[test]
    fn a_zookeeper_address_becomes_the_broker_beside_it() {
        let parsed = parse(&args("--zookeeper zk1:2181,zk2:2181/kafka"), OPTIONS, OLD).unwrap();
        assert_eq!(parsed.one("bootstrap-server").unwrap(), Some("zk1:9092"));
        assert_eq!(parsed.notes.len(), 1);
        let both = args("--bootstrap-server b:1 --zookeeper zk:2181");
        let parsed = parse(&both, OPTIONS, OLD).unwrap();
        assert_eq!(parsed.one("bootstrap-server").unwrap(), Some("b:1"));
    }

    #[test]
    fn help_wraps_both_columns_and_breaks_behind_hyphens() {
        assert_eq!(
            wrap("future version. Use --command-property instead.", 36),
            vec!["future version. Use --command-", "  property instead."]
        );
        let text = help(OPTIONS);
        assert!(text.contains("--bootstrap-server <String: server to    Where."));
        assert!(text.starts_with("Option                                   Description"));
    }
}
