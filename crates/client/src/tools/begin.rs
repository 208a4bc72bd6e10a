//! What every tool begins with: its options, the files they name, and where the brokers are.

use super::options::{Old, Opt, Parsed, Refusal};
use super::{Env, Said, VERSION, options};
use crate::net;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What one of Kafka's tools throws, as Java shows it: `class: message`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Thrown {
    class: String,
    pub(super) message: String,
    pub(super) cause: Option<String>,
}

impl Thrown {
    pub(super) fn new(class: &str, message: &str) -> Thrown {
        Thrown {
            class: class.to_string(),
            message: message.to_string(),
            cause: None,
        }
    }

    pub(super) fn no_file(name: &str) -> Thrown {
        Thrown::new("java.nio.file.NoSuchFileException", name)
    }

    /// A value that a config does not take.
    pub(super) fn config(message: &str) -> Thrown {
        Thrown::new("org.apache.kafka.common.config.ConfigException", message)
    }

    /// Whether its class is one of these, or of these packages.
    pub(super) fn is_of(&self, starts: &[&str]) -> bool {
        starts.iter().any(|start| self.class.starts_with(start))
    }

    pub(super) fn caused_by(self, cause: &Thrown) -> Thrown {
        Thrown {
            cause: Some(cause.to_string()),
            ..self
        }
    }

    /// The exception around this one: its message is all of this.
    pub(super) fn within(&self, class: &str) -> Thrown {
        Thrown::new(class, &self.to_string()).caused_by(self)
    }
}

impl core::fmt::Display for Thrown {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl From<Refusal> for Thrown {
    fn from(refusal: Refusal) -> Thrown {
        Thrown::new(refusal.class(), &refusal.to_string())
    }
}

/// Takes a command line apart. What is said instead, when it is wrong, asks for help, or has no words at all.
pub(super) fn read(
    words: &[String],
    about: &str,
    (options, old): (&[Opt], &[Old]),
    refuse: fn(Thrown) -> Said,
) -> Result<Parsed, Said> {
    let parsed = options::parse(words, options, old).map_err(|refusal| refuse(refusal.into()))?;
    if words.is_empty() || parsed.has("help") {
        return Err(Said::default().usage(about, options));
    }
    if parsed.has("version") {
        return Err(Said::default().out(VERSION).exit(0));
    }
    Ok(parsed)
}

/// The addresses in `host:port,host:port`.
///
/// # Errors
/// Kafka's words for what is no address.
pub(super) fn addresses(text: &str) -> Result<Vec<(Arc<str>, u16)>, Thrown> {
    let mut found = Vec::new();
    let parts = text.split(',').map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        let bad =
            |what: &str| Thrown::config(&format!("Invalid {what} in bootstrap.servers: {part}"));
        let bare = part.rsplit_once("://").map_or(part, |(_, rest)| rest);
        let (host, port) = bare.rsplit_once(':').ok_or_else(|| bad("url"))?;
        let port = port.parse::<u32>().map_err(|_| bad("url"))?;
        let port = u16::try_from(port).map_err(|_| bad("port"))?;
        found.push((Arc::from(host.trim_matches(['[', ']'])), port));
    }
    if found.is_empty() {
        let none = "No resolvable bootstrap urls given in bootstrap.servers";
        return Err(Thrown::config(none));
    }
    Ok(found)
}

/// What some tools say to an address before they ask for anything; `None` when it may be one.
pub(super) fn no_address(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("Error while validating the bootstrap address\n");
    }
    let valid = |part: &str| {
        let port = part.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(_)))
    };
    let all = text.split(',').all(|part| valid(part.trim()));
    (!all).then_some("Please provide valid host:port like host1:9091,host2:9092\n")
}

/// The file that an option names.
///
/// # Errors
/// When it is not there.
pub(super) fn file<'a>(
    parsed: &Parsed,
    env: &'a Env,
    option: &'static str,
) -> Result<Option<&'a [u8]>, Thrown> {
    let Some(name) = parsed.one(option)? else {
        return Ok(None);
    };
    let bytes = env.files.get(name).ok_or_else(|| Thrown::no_file(name))?;
    Ok(Some(bytes))
}

/// The settings of a tool's admin client: where the brokers are, and what the file says.
///
/// # Errors
/// As Java's client refuses them.
pub(super) fn admin(
    parsed: &Parsed,
    env: &Env,
    servers: &'static str,
) -> Result<net::Config, Thrown> {
    let servers = parsed.one(servers)?.unwrap_or_default();
    let bytes = file(parsed, env, "command-config")?.unwrap_or_default();
    let failed = |cause: &Thrown| {
        let class = "org.apache.kafka.common.KafkaException";
        Thrown::new(class, "Failed to create new KafkaAdminClient").caused_by(cause)
    };
    if servers.is_empty() {
        let unset = "You must set either bootstrap.servers or bootstrap.controllers";
        return Err(failed(&Thrown::config(unset)));
    }
    let addresses = addresses(servers).map_err(|cause| failed(&cause))?;
    let mut config = net::Config::new("adminclient-1", addresses);
    for (name, value) in properties(bytes) {
        if name == "client.id" {
            config.client_id = value.as_str().into();
        }
    }
    Ok(config)
}

/// The same for the tools with commands, whose addresses may be controllers'.
///
/// # Errors
/// As Java's client refuses them.
pub(super) fn admin_of_commands(parsed: &Parsed, env: &Env) -> Result<net::Config, Thrown> {
    let controllers = parsed.has("bootstrap-controller");
    let servers = match controllers {
        true => "bootstrap-controller",
        false => "bootstrap-server",
    };
    let mut config = admin(parsed, env, servers)?;
    config.controllers = controllers;
    Ok(config)
}

/// The pairs of a Java properties file: `key=value` or `key: value`, `#` and `!` begin comments.
pub(super) fn properties(text: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    let pair = |line: &str| {
        let (key, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
        (key.trim().to_string(), value.trim().to_string())
    };
    lines.map(pair).collect()
}
