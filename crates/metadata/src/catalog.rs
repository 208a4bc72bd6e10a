//! What is known of Kafka's configs beyond those that mean something here: all names with their defaults, and
//! what each is for. A shell gives it to its brokers; without it they tell of fewer. That is the page's choice,
//! which so does not load the text.

use crate::config::{BROKER, ConfigKey, ConfigKind, TOPIC, check_value};
use crate::resource_config::{CLIENT_METRICS, GROUP};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A line for each config, in our own words.
const KAFKA: &str = include_str!("catalog.txt");

/// One of Kafka's configs, for telling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownConfig {
    /// The kind of resource that has it, as `DescribeConfigs` numbers them.
    pub resource: i8,
    /// Its name.
    pub name: &'static str,
    /// The value's type.
    pub kind: ConfigKind,
    /// Kafka's default, if there is one.
    pub default: Option<&'static str>,
    /// Whether it may change while a broker runs.
    pub is_dynamic: bool,
    /// What it is for, in a sentence.
    pub documentation: &'static str,
}

impl KnownConfig {
    /// Says whether a running broker takes this value. Bounds of numbers are not known here.
    ///
    /// # Errors
    /// With Kafka's own sentence: it only counts at the start, or the value is of another type.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if !self.is_dynamic {
            let name = self.name;
            return Err(format!("Cannot update these configs dynamically: [{name}]"));
        }
        let key = ConfigKey {
            name: self.name,
            default: self.default.unwrap_or_default(),
            kind: self.kind,
            broker_name: None,
            min: None,
            choices: &[],
        };
        check_value(&key, value).map_err(|why| why.0)
    }
}

/// Configs by kind of resource and name.
#[derive(Clone, Debug, Default)]
pub struct Catalog(Arc<[KnownConfig]>);

impl Catalog {
    /// All configs of Kafka 4.3.
    #[must_use]
    pub fn kafka() -> Catalog {
        let mut known = Vec::new();
        let mut resource = BROKER;
        let lines = KAFKA.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            match line {
                "[broker]" => resource = BROKER,
                "[topic]" => resource = TOPIC,
                "[group]" => resource = GROUP,
                "[client-metrics]" => resource = CLIENT_METRICS,
                line => known.extend(read(resource, line)),
            }
        }
        known.sort_by_key(|one| (one.resource, one.name));
        Catalog(known.into())
    }

    /// The config of this name.
    #[must_use]
    pub fn find(&self, resource: i8, name: &str) -> Option<&KnownConfig> {
        let key = |one: &KnownConfig| (one.resource, one.name);
        let at = self.0.partition_point(|one| key(one) < (resource, name));
        self.0.get(at).filter(|one| key(one) == (resource, name))
    }

    /// All configs of a kind of resource, in order of name.
    pub fn of(&self, resource: i8) -> impl Iterator<Item = &KnownConfig> {
        let rows = self.0.iter();
        rows.filter(move |one| one.resource == resource)
    }
}

/// A config out of its line: `name|type|=default|running or start|sentence` for brokers, else
/// `name|sentence`.
fn read(resource: i8, line: &'static str) -> Option<KnownConfig> {
    let mut parts = line.split('|');
    let name = parts.next()?;
    let mut known = KnownConfig {
        resource,
        name,
        kind: ConfigKind::String,
        default: None,
        is_dynamic: true,
        documentation: "",
    };
    if resource == BROKER {
        known.kind = kind(parts.next()?)?;
        known.default = parts.next()?.strip_prefix('=');
        known.is_dynamic = parts.next()? == "running";
    }
    known.documentation = parts.next()?;
    Some(known)
}

fn kind(word: &str) -> Option<ConfigKind> {
    Some(match word {
        "boolean" => ConfigKind::Boolean,
        "string" => ConfigKind::String,
        "int" => ConfigKind::Int,
        "short" => ConfigKind::Short,
        "long" => ConfigKind::Long,
        "double" => ConfigKind::Double,
        "list" => ConfigKind::List,
        "class" => ConfigKind::Class,
        "password" => ConfigKind::Password,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BROKER_CONFIGS, CLIENT_METRICS_CONFIGS, GROUP_CONFIGS, TOPIC_CONFIGS};
    use crate::{broker_config_kind, is_dynamic};

    #[test]
    fn every_line_is_a_config_with_a_sentence() {
        let lines = KAFKA
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with('['));
        let catalog = Catalog::kafka();
        assert_eq!(catalog.0.len(), lines.count());
        assert_eq!(catalog.of(BROKER).count(), 340);
        for known in &*catalog.0 {
            assert!(known.documentation.ends_with('.'), "{}", known.name);
        }
    }

    #[test]
    fn what_means_something_here_is_told_as_it_is_read() {
        let catalog = Catalog::kafka();
        for (name, default) in BROKER_CONFIGS {
            let known = catalog.find(BROKER, name).unwrap();
            assert_eq!(known.default, Some(*default), "{name}");
            assert_eq!(known.kind, broker_config_kind(name), "{name}");
        }
        for known in catalog.of(BROKER) {
            if is_dynamic(known.name) {
                assert!(known.is_dynamic, "{}", known.name);
            }
        }
        for (resource, keys) in [
            (TOPIC, TOPIC_CONFIGS),
            (GROUP, GROUP_CONFIGS),
            (CLIENT_METRICS, CLIENT_METRICS_CONFIGS),
        ] {
            let known: Vec<&str> = catalog.of(resource).map(|known| known.name).collect();
            let keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
            assert_eq!(known, keys);
        }
    }
}
