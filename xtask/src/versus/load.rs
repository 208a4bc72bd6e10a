//! librdkafka's load generator: what it is told, and what it says.

use super::brokers::{Broker, CLIENT_CORE, pinned};
use super::tools::Tools;
use crate::process::{command, must_run, scratch};
use crate::trouble::{Outcome, Trouble};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

/// Records a second that a latency is measured at; those of the first second do not count.
const RATE: u64 = 50_000;

/// One run of a producer or a consumer.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Records a second of broker's processor time.
    pub(crate) per_cpu: f64,
    /// Records a second, as the client tells it.
    pub(crate) per_second: f64,
}

/// What is produced.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) bytes: u32,
    pub(crate) acks: &'static str,
    pub(crate) codec: &'static str,
    pub(crate) partitions: u32,
}

/// Produces to a topic of its own, which is deleted again.
pub(crate) fn produce(
    broker: &mut Broker,
    tools: &Tools,
    topic: &str,
    shape: Shape,
    records: u64,
) -> Outcome<Figures> {
    broker.create(topic, shape.partitions)?;
    let found = fill(broker, tools, topic, shape, records)?;
    broker.delete(topic)?;
    Ok(found)
}

/// Produces to a topic that is there.
pub(crate) fn fill(
    broker: &Broker,
    tools: &Tools,
    topic: &str,
    shape: Shape,
    records: u64,
) -> Outcome<Figures> {
    let (size, count) = (shape.bytes.to_string(), records.to_string());
    let mut arguments = vec![
        "-P", "-t", topic, "-s", &size, "-c", &count, "-a", shape.acks,
    ];
    arguments.extend(["-X", "linger.ms=5", "-z", shape.codec]);
    measured(broker, tools, &arguments, records)
}

/// Consumes a whole topic as the only member of a new group.
pub(crate) fn consume(
    broker: &Broker,
    tools: &Tools,
    topic: &str,
    group: &str,
    records: u64,
) -> Outcome<Figures> {
    let count = records.to_string();
    let mut arguments = vec!["-G", group, "-t", topic, "-c", &count];
    arguments.extend(READING);
    measured(broker, tools, &arguments, records)
}

/// How a consumer reads. Whenever librdkafka has 64 MiB in its queue it asks for nothing for a second,
/// and the quicker the broker the more such seconds there are: its wait is cut to 10 ms for both.
const READING: [&str; 4] = [
    "-X",
    "auto.offset.reset=earliest",
    "-X",
    "fetch.queue.backoff.ms=10",
];

/// How long records take from their producer to their consumer, in milliseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Produces 50,000 records a second with their time in them, beside a consumer that reads it.
pub(crate) fn latency(
    broker: &mut Broker,
    tools: &Tools,
    topic: &str,
    seconds: u64,
) -> Outcome<Latency> {
    broker.create(topic, 6)?;
    let file = scratch()?.join("versus-latency.txt");
    let count = (RATE * seconds).to_string();
    let rate = RATE.to_string();
    let waits = file.to_string_lossy().into_owned();
    let mut consumer = vec!["-G", topic, "-t", topic, "-l", "-A", &waits];
    consumer.extend(READING);
    // It tells of each end that it reaches, which nobody reads: a full pipe would hold it up.
    let consumer = start(broker, tools, &consumer, Stdio::null)?;
    std::thread::sleep(Duration::from_secs(2));
    let mut producer = vec!["-P", "-t", topic, "-s", "100", "-c", &count, "-a", "1"];
    producer.extend(["-l", "-r", &rate, "-X", "linger.ms=1"]);
    measured(broker, tools, &producer, RATE * seconds)?;
    std::thread::sleep(Duration::from_secs(1));
    // It writes what it holds when it is asked to end.
    must_run(
        "versus-end",
        &mut command("kill", &["-INT", &consumer.id().to_string()]),
    )?;
    let ended = consumer.wait_with_output();
    ended.map_err(|e| Trouble::Failed(format!("the consumer cannot be waited for: {e}.")))?;
    broker.delete(topic)?;
    let text = std::fs::read_to_string(&file).map_err(|e| Trouble::io("read", &file, e))?;
    let waits = text.lines().filter_map(|line| line.parse::<f64>().ok());
    let mut waits: Vec<f64> = waits.skip(RATE as usize).collect();
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits.get((waits.len() as f64 * share) as usize).copied();
    match (at(0.5), at(0.99)) {
        (Some(p50), Some(p99)) => Ok(Latency {
            p50: p50 / 1000.0,
            p99: p99 / 1000.0,
        }),
        _ => Err(Trouble::Failed(format!(
            "{}: the consumer got too little.",
            broker.name
        ))),
    }
}

fn measured(broker: &Broker, tools: &Tools, arguments: &[&str], records: u64) -> Outcome<Figures> {
    let before = broker.spent()?;
    let child = start(broker, tools, arguments, Stdio::piped)?;
    let output = child
        .wait_with_output()
        .map_err(|e| Trouble::Failed(format!("rdkafka_performance cannot be waited for: {e}.")))?;
    let spent = broker.spent()? - before;
    let per_second = rate(&output).ok_or_else(|| {
        Trouble::Failed(format!(
            "{}: rdkafka_performance {} ended with {}:\n{}{}",
            broker.name,
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    })?;
    Ok(Figures {
        per_cpu: records as f64 / spent.max(0.01),
        per_second,
    })
}

/// Starts a client on its core; the first argument says whether it produces or consumes.
fn start(
    broker: &Broker,
    tools: &Tools,
    arguments: &[&str],
    output: fn() -> Stdio,
) -> Outcome<Child> {
    let mut command = pinned(&tools.performance.to_string_lossy(), CLIENT_CORE);
    command
        .args(arguments)
        .args(["-b", &broker.address, "-i", "600000"]);
    let libraries = tools.performance.parent().and_then(Path::parent);
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries.join("src"));
    }
    command
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output());
    command
        .spawn()
        .map_err(|e| Trouble::Failed(format!("could not start rdkafka_performance: {e}.")))
}

/// The records a second of the last line that tells them: `…: 2170000 msgs/s and …`.
fn rate(output: &Output) -> Option<f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.contains(" msgs/s"))?;
    let before = line.split(" msgs/s").next()?;
    before.rsplit([' ', ':']).next()?.parse().ok()
}
