//! A command line taken apart, and why one is refused.

use super::{Arg, Kind, OLD_ZOOKEEPER, Old, Opt};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sorted::SortedMap;

/// A command line taken apart.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    values: SortedMap<&'static str, Vec<String>>,
    /// One line for each old option that was used.
    pub notes: Vec<&'static str>,
    /// The broker that is expected beside ZooKeeper.
    beside_zookeeper: Option<String>,
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
    /// The option goes only beside others, which are not there.
    Unavailable(&'static str),
    /// An option without which no line goes is not there.
    Missing(&'static str),
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
            Refusal::Unavailable(name) => write!(
                f,
                "Option(s) [{name}] are unavailable given other options on the command line"
            ),
            Refusal::Missing(name) => write!(f, "Missing required option(s) [{name}]"),
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
            Refusal::Unavailable(_) => "joptsimple.UnavailableOptionException",
            Refusal::Missing(_) => "joptsimple.MissingRequiredOptionsException",
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
    // A ZooKeeper address says nothing when the brokers' address is given as well.
    match &parsed.beside_zookeeper {
        Some(broker) if !parsed.has("bootstrap-server") => {
            let broker = alloc::vec![broker.clone()];
            parsed.values.insert("bootstrap-server", broker);
        }
        _ => parsed.beside_zookeeper = None,
    }
    let asks = parsed.has("help") || parsed.has("version");
    for option in options.iter().filter(|_| !asks) {
        let alone = !option.beside.is_empty() && !option.beside.iter().any(|o| parsed.has(o));
        match (parsed.has(option.name), option.required) {
            (false, true) => return Err(Refusal::Missing(option.name)),
            (true, _) if alone => return Err(Refusal::Unavailable(option.name)),
            _ => {}
        }
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
    let value = match option.arg {
        Arg::None => return Ok(None),
        Arg::Value(..) => match inline.or_else(|| words.next()) {
            Some(value) => value,
            None => return Err(Refusal::NoValue(option.name.to_string())),
        },
        Arg::Optional(kind, _) => {
            let next = || words.next_if(|next| !next.starts_with('-') && kind.accepts(next));
            match inline.or_else(next) {
                Some(value) => value,
                None => return Ok(None),
            }
        }
    };
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
    if old.name == OLD_ZOOKEEPER.name {
        parsed.beside_zookeeper = Some(broker_beside(value));
    } else if let Some(name) = old.becomes {
        let values = parsed.values.entry(name).or_default();
        values.push(value.to_string());
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
    /// Takes an option as given.
    pub(in super::super) fn put(&mut self, name: &'static str, value: Option<String>) {
        self.values.entry(name).or_default().extend(value);
    }

    /// Whether nothing but ZooKeeper's address says where the brokers are.
    #[must_use]
    pub fn knows_only_zookeeper(&self) -> bool {
        self.beside_zookeeper.is_some()
    }

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

    /// The only value of an option as a 64-bit number; `None` when it was not given.
    ///
    /// # Errors
    /// When it was given more than once, or is none.
    pub fn long(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        self.read(name, Kind::Long)
    }

    /// The only value of an option as a 32-bit number; `None` when it was not given.
    ///
    /// # Errors
    /// When it was given more than once, or is none.
    pub fn integer(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        self.read(name, Kind::Integer)
    }

    fn read(&self, name: &'static str, kind: Kind) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|_| kind.accepts(text));
        let bad = || Refusal::BadValue {
            option: name.to_string(),
            value: text.to_string(),
        };
        number.map(Some).ok_or_else(bad)
    }

    /// The only value of an option, which is of the option's kind.
    ///
    /// # Errors
    /// When it was given more than once, or is not of that kind.
    pub fn typed(&self, name: &'static str, option: Option<&Opt>) -> Result<Option<&str>, Refusal> {
        match option.map(|option| option.arg) {
            Some(Arg::Value(kind @ (Kind::Integer | Kind::Long), _)) => self.read(name, kind)?,
            _ => None,
        };
        self.one(name)
    }

    /// Of two options that exclude each other, both given: Kafka's sentence about that.
    #[must_use]
    pub fn both(&self, option: &str, others: &[&str]) -> Option<String> {
        let other = others.iter().find(|other| self.has(other));
        let other = other.filter(|_| self.has(option))?;
        Some(format!(
            "Option \"[{option}]\" can't be used with option \"[{other}]\""
        ))
    }

    /// Of an option and another name of it, both given: Kafka's sentence about that.
    #[must_use]
    pub fn together(&self, pairs: &[(&str, &str)]) -> Option<String> {
        let mut both = pairs
            .iter()
            .filter(|pair| self.has(pair.0) && self.has(pair.1));
        let (one, other) = both.next()?;
        Some(format!(
            "Options --{one} and --{other} cannot be specified together."
        ))
    }

    /// The first of these options that is missing, in Kafka's sentence.
    #[must_use]
    pub fn missing(&self, required: &[&str]) -> Option<String> {
        let missing = required.iter().find(|name| !self.has(name))?;
        Some(format!("Missing required argument \"[{missing}]\""))
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

#[cfg(test)]
mod tests {
    use super::super::{OLD_NEW_CONSUMER, integer, maybe, switch, text};
    use super::*;

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
        assert_eq!(parsed.integer("partitions"), Ok(Some(3)));
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
        // A number is read only when the tool wants it, as joptsimple does: other refusals come first.
        let parsed = parse(&args("--partitions x"), OPTIONS, OLD).unwrap();
        assert_eq!(
            parsed.integer("partitions").unwrap_err().to_string(),
            "Cannot parse argument 'x' of option partitions"
        );
        let parsed = parse(&args("--partitions 9999999999"), OPTIONS, OLD).unwrap();
        assert!(parsed.integer("partitions").is_err() && parsed.long("partitions").is_ok());
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
        for both in [
            "--bootstrap-server b:1 --zookeeper zk:2181",
            "--zookeeper zk:2181 --bootstrap-server b:1",
        ] {
            let parsed = parse(&args(both), OPTIONS, OLD).unwrap();
            assert_eq!(parsed.one("bootstrap-server").unwrap(), Some("b:1"));
            assert!(!parsed.knows_only_zookeeper());
        }
    }
}
