//! What a server is told: flags, and Kafka's `server.properties`.

use crate::disk::Fsync;
use ids::NodeId;
use sorted::SortedMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not start, as one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Where logs are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Storage {
    /// In memory; gone with the process.
    Memory,
    /// In Kafka's files below this directory.
    Directory(PathBuf),
}

/// Everything a server is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host to listen on.
    pub host: String,
    /// Port to listen on; 0 for any that is free.
    pub port: u16,
    /// Host and port that clients are told to come to, when they are others.
    pub advertised: Option<(String, u16)>,
    /// Where logs are kept.
    pub storage: Storage,
    /// When bytes are forced to the disk.
    pub fsync: Fsync,
    /// Bytes of logs that stay in memory when they are in files. Few are enough: what is read is sent
    /// from the system's page cache, and memory that is used again costs less than memory that is new.
    pub cache_bytes: u64,
    /// Bytes in memory that all answers may take until they are sent.
    pub unsent_bytes: u64,
    /// Bytes that logs may have when they are in memory only.
    pub memory_bytes: u64,
    /// `node.id`; else what `meta.properties` says, else 1.
    pub node: Option<NodeId>,
    /// All properties, as the core reads them.
    pub properties: SortedMap<String, String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            host: "127.0.0.1".to_owned(),
            port: 9092,
            advertised: None,
            storage: Storage::Memory,
            fsync: Fsync::OnRoll,
            cache_bytes: 32 << 20,
            unsent_bytes: 256 << 20,
            memory_bytes: 4 << 30,
            node: None,
            properties: SortedMap::new(),
        }
    }
}

/// Properties that the server itself reads; the core knows its own.
const OWN: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "broker.rack",
    "controller.listener.names",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "max.connections",
    "metadata.log.dir",
    "node.id",
    "process.roles",
];

impl Settings {
    /// The settings that these properties make.
    ///
    /// # Errors
    /// A value that cannot be what it should be, or asks for something that is not built.
    pub fn from_properties(properties: SortedMap<String, String>) -> Result<Settings, Refusal> {
        let mut settings = Settings::default();
        let text = |name: &str| {
            properties
                .get(name)
                .map(String::as_str)
                .filter(|t| !t.is_empty())
        };
        let controllers: Vec<&str> = text("controller.listener.names")
            .map(|names| names.split(',').map(str::trim).collect())
            .unwrap_or_default();
        if let Some(list) = text("listeners")
            && let Some((host, port)) = first_listener("listeners", list, &controllers)?
        {
            settings.host = if host.is_empty() {
                "0.0.0.0".to_owned()
            } else {
                host
            };
            settings.port = port;
        }
        if let Some(list) = text("advertised.listeners") {
            settings.advertised = first_listener("advertised.listeners", list, &controllers)?;
        }
        if let Some(dirs) = text("log.dirs").or(text("log.dir")) {
            if dirs.contains(',') {
                return Err(Refusal(format!(
                    "log.dirs={dirs}: Brooklet keeps its logs in one directory; name only one"
                )));
            }
            settings.storage = Storage::Directory(PathBuf::from(dirs.trim()));
        }
        if let Some(dir) = text("metadata.log.dir")
            && settings.storage != Storage::Directory(PathBuf::from(dir.trim()))
        {
            return Err(Refusal(format!(
                "metadata.log.dir={dir}: Brooklet keeps the metadata log beside the others: move \
                 __cluster_metadata-0 from there to log.dirs, and leave this option out"
            )));
        }
        if let Some(id) = text("node.id").or(text("broker.id")) {
            let id = id.parse().ok().filter(|id| *id >= 0);
            settings.node = Some(NodeId(id.ok_or_else(|| {
                Refusal("node.id must be a number from 0 to 2147483647".to_owned())
            })?));
        }
        settings.properties = properties;
        Ok(settings)
    }

    /// The properties, with what flags have said in their place, so that DescribeConfigs tells what is so.
    pub(crate) fn in_force(
        &self,
        address: SocketAddr,
        (host, port): (&str, u16),
    ) -> SortedMap<String, String> {
        let mut properties = self.properties.clone();
        let mut set = |name: &str, value: String| properties.insert(name.to_owned(), value);
        if let Storage::Directory(path) = &self.storage {
            set("log.dirs", path.display().to_string());
        }
        for (name, told) in [
            ("listeners", address.to_string()),
            ("advertised.listeners", format!("{host}:{port}")),
        ] {
            if !self.properties.contains_key(name) {
                set(name, format!("PLAINTEXT://{told}"));
            }
        }
        properties
    }

    /// Properties that change nothing here, in order.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&str> {
        let known = |name: &str| {
            OWN.contains(&name)
                || metadata::BROKER_CONFIGS
                    .iter()
                    .any(|(known, _)| *known == name)
                || metadata::TOPIC_CONFIGS
                    .iter()
                    .any(|key| key.broker_name == Some(name))
        };
        let names = self.properties.keys().map(String::as_str);
        names.filter(|name| !known(name)).collect()
    }

    /// A number among the properties, or else Kafka's default.
    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        let known = metadata::BROKER_CONFIGS
            .iter()
            .find(|(known, _)| *known == name);
        let text = self.properties.get(name).map(String::as_str);
        text.or(known.map(|(_, value)| *value))
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }
}

/// The first listener of `NAME://host:port,…` that is not the controller's.
fn first_listener(
    key: &str,
    list: &str,
    controllers: &[&str],
) -> Result<Option<(String, u16)>, Refusal> {
    for listener in list.split(',').map(str::trim) {
        let bad = || {
            Refusal(format!(
                "{key}={list}: a listener is NAME://host:port, and {listener:?} is none"
            ))
        };
        let (name, address) = listener.split_once("://").ok_or_else(bad)?;
        if controllers.contains(&name) || name.eq_ignore_ascii_case("CONTROLLER") {
            continue;
        }
        if matches!(name, "SSL" | "SASL_SSL" | "SASL_PLAINTEXT") {
            return Err(Refusal(format!(
                "{key}={list}: {name} is not built yet; use PLAINTEXT://host:port"
            )));
        }
        return split_address(address).ok_or_else(bad).map(Some);
    }
    Ok(None)
}

/// Host and port of `host:port` or `[v6]:port`; the host may be empty.
#[must_use]
pub(crate) fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?))
}

impl Settings {
    /// Takes `host:port` as the address to listen on.
    ///
    /// # Errors
    /// It is no such address.
    pub fn listen(&mut self, address: &str) -> Result<(), Refusal> {
        let (host, port) = split_address(address).ok_or_else(|| {
            Refusal(format!(
                "--listen {address}: say host:port, such as 127.0.0.1:9092"
            ))
        })?;
        self.host = if host.is_empty() {
            "0.0.0.0".to_owned()
        } else {
            host
        };
        self.port = port;
        // What the file says of it counts no longer.
        self.properties.remove("listeners");
        self.properties.remove("advertised.listeners");
        self.advertised = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, Storage};
    use sorted::SortedMap;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, super::Refusal> {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::from_properties(pairs.collect::<SortedMap<_, _>>())
    }

    #[test]
    fn kafkas_own_server_properties_are_understood() {
        let found = settings(&[
            ("process.roles", "broker,controller"),
            ("node.id", "7"),
            ("listeners", "CONTROLLER://:9093,PLAINTEXT://:9095"),
            (
                "advertised.listeners",
                "PLAINTEXT://broker.example:9095,CONTROLLER://localhost:9093",
            ),
            ("controller.listener.names", "CONTROLLER"),
            ("log.dirs", "/tmp/kraft-combined-logs"),
            ("num.partitions", "4"),
            ("num.network.threads", "3"),
        ])
        .unwrap();
        assert_eq!((found.host.as_str(), found.port), ("0.0.0.0", 9095));
        assert_eq!(found.advertised, Some(("broker.example".to_owned(), 9095)));
        assert_eq!(found.node, Some(ids::NodeId(7)));
        assert_eq!(
            found.storage,
            Storage::Directory("/tmp/kraft-combined-logs".into())
        );
        assert_eq!(found.without_effect(), ["num.network.threads"]);
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_sentence() {
        for pairs in [
            [("listeners", "nonsense")],
            [("listeners", "SSL://:9093")],
            [("node.id", "-1")],
            [("log.dirs", "/a,/b")],
            [("metadata.log.dir", "/m")],
        ] {
            assert!(settings(&pairs).unwrap_err().0.contains(pairs[0].0));
        }
    }
}
