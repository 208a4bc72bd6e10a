//! Options that older courses teach, each with what took its place.

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
