//! Configs in force: whatever is set in the metadata, over what a broker was started with, over defaults.

use crate::config::{BROKER, BROKER_CONFIGS, ConfigKey, TOPIC, TOPIC_CONFIGS, topic_config};
use crate::image::Image;
use crate::resource_config::{CLIENT_METRICS, GROUP};
use alloc::string::String;
use alloc::vec::Vec;
use ids::NodeId;
use sorted::SortedMap;

/// Where a config's value comes from; the numbers are those of `DescribeConfigs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set on this broker while it ran.
    DynamicBroker = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// From the properties the broker was started with.
    StaticBroker = 4,
    /// Kafka's own default.
    Default = 5,
    /// The level of a broker's logger.
    BrokerLogger = 6,
    /// Set on a subscription to clients' metrics.
    ClientMetrics = 7,
    /// Set on the group.
    Group = 8,
}

/// The number of [`Source::Default`].
pub const DEFAULT_SOURCE: i8 = Source::Default as i8;

/// A config's value in force, and where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resolved<'a> {
    /// The value as text.
    pub value: &'a str,
    /// Its source.
    pub source: Source,
    /// The name under which the source holds it.
    pub name: &'a str,
}

/// Configs as a broker sees them: the image over the properties it was started with.
#[derive(Clone, Copy)]
pub struct ConfigView<'a> {
    /// The metadata that holds dynamic configs.
    pub image: &'a Image,
    /// What the broker was started with.
    pub properties: &'a SortedMap<String, String>,
    /// Whose own dynamic configs count, as a resource's name; a controller's view has none.
    pub node: Option<NodeId>,
}

impl<'a> ConfigView<'a> {
    /// The value in force of a topic config: the topic's own, else the broker's, else Kafka's default.
    #[must_use]
    pub fn topic(&self, topic: &str, key: &'a ConfigKey) -> Resolved<'a> {
        self.of(TOPIC, topic, key)
    }

    /// The value in force of a topic's, a group's or a client metrics subscription's config: its own, else
    /// the broker's, else Kafka's default.
    #[must_use]
    pub fn of(&self, resource: i8, name: &str, key: &'a ConfigKey) -> Resolved<'a> {
        self.own(resource, name, key)
            .unwrap_or_else(|| self.topic_default(key))
    }

    /// The value a topic gets that does not set the config itself.
    #[must_use]
    pub fn topic_default(&self, key: &'a ConfigKey) -> Resolved<'a> {
        let by_brokers = key.broker_name.and_then(|name| self.set(name).next());
        by_brokers.unwrap_or(Resolved {
            value: key.default,
            source: Source::Default,
            name: key.broker_name.unwrap_or(key.name),
        })
    }

    /// All places that give such a config a value, the one in force first: Kafka's synonyms (KIP-226).
    #[must_use]
    pub fn synonyms(&self, resource: i8, name: &str, key: &'a ConfigKey) -> Vec<Resolved<'a>> {
        let mut found: Vec<Resolved<'a>> = self.own(resource, name, key).into_iter().collect();
        // What no broker config stands behind has its own default for groups, and none for others.
        let Some(name) = key.broker_name.or((resource == GROUP).then_some(key.name)) else {
            return found;
        };
        found.extend(self.set(name));
        // The broker's config of these has no default of its own: it falls back on a coarser unit.
        if ![
            "flush.ms",
            "retention.ms",
            "segment.jitter.ms",
            "segment.ms",
        ]
        .contains(&key.name)
        {
            found.push(Resolved {
                value: key.default,
                source: Source::Default,
                name,
            });
        }
        found
    }

    fn own(&self, resource: i8, name: &str, key: &'a ConfigKey) -> Option<Resolved<'a>> {
        let value = self.image.config(resource, name, key.name)?;
        Some(Resolved {
            value,
            source: match resource {
                GROUP => Source::Group,
                CLIENT_METRICS => Source::ClientMetrics,
                _ => Source::Topic,
            },
            name: key.name,
        })
    }

    /// Where a broker config is set, the place in force first.
    pub fn set<'n>(&self, name: &'n str) -> impl Iterator<Item = Resolved<'n>> + use<'n, 'a>
    where
        'a: 'n,
    {
        let own = self
            .node
            .and_then(|node| self.image.broker_config(node, name));
        let of_all = self.image.config(BROKER, "", name);
        let started_with = self.properties.get(name).map(String::as_str);
        let found = [
            (own, Source::DynamicBroker),
            (of_all, Source::DynamicDefaultBroker),
            (started_with, Source::StaticBroker),
        ];
        found.into_iter().filter_map(move |(value, source)| {
            Some(Resolved {
                value: value?,
                source,
                name,
            })
        })
    }

    /// A topic config as a number; falls back to Kafka's default when the text is none.
    #[must_use]
    pub fn topic_number(&self, topic: &str, name: &str) -> i64 {
        let Some(key) = topic_config(name) else {
            return 0;
        };
        let text = self.topic(topic, key).value;
        text.parse().or_else(|_| key.default.parse()).unwrap_or(0)
    }

    /// A topic config as text; empty for a name Kafka does not know.
    #[must_use]
    pub fn topic_text(&self, topic: &str, name: &str) -> &'a str {
        topic_config(name).map_or("", |key| self.topic(topic, key).value)
    }

    /// A broker config's value in force.
    #[must_use]
    pub fn broker(&self, name: &'a str) -> Option<Resolved<'a>> {
        self.set(name).next().or_else(|| broker_default(name))
    }

    /// What a broker config is set to, if it is.
    #[must_use]
    pub fn broker_text(&self, name: &str) -> Option<&'a str> {
        let own = self
            .node
            .and_then(|node| self.image.broker_config(node, name));
        let of_all = || self.image.config(BROKER, "", name);
        let started_with = || self.properties.get(name).map(String::as_str);
        own.or_else(of_all).or_else(started_with)
    }

    /// Kafka's default of a broker config that has a meaning here.
    #[must_use]
    pub fn default<'n>(&self, name: &'n str) -> Option<Resolved<'n>> {
        broker_default(name)
    }

    /// A broker config as a number; 0 for a name or text that is none.
    #[must_use]
    pub fn broker_number(&self, name: &'a str) -> i64 {
        self.broker(name)
            .and_then(|found| found.value.parse().ok())
            .unwrap_or(0)
    }
}

/// Kafka's default of a broker config, be it the broker's own or one that topics fall back on.
fn broker_default(name: &str) -> Option<Resolved<'_>> {
    let own = BROKER_CONFIGS.iter().find(|(known, _)| *known == name);
    let value = match own {
        Some((_, value)) => value,
        None => {
            let for_topics = |key: &&ConfigKey| key.broker_name == Some(name);
            TOPIC_CONFIGS.iter().find(for_topics)?.default
        }
    };
    Some(Resolved {
        value,
        source: Source::Default,
        name,
    })
}
