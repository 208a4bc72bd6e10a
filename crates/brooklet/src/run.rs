//! `brooklet run scenario.json`: runs a scenario as fast as it goes and says what came of it.

use crate::Failure;
use crate::words::{Stop, Word, Words};
use std::fmt::Write as _;
use std::io::{self, Write};
use world::{Said, Scenario, Snapshot, World};

/// What `--help` says.
const HELP: &str = "\
brooklet run SCENARIO.json [--for MS] [--trace]

  Runs a scenario of the playground as fast as it goes and says what came of it.

    --for MS   how much world time it gets (one minute after its last event)
    --trace    one line for each event: the trace's hash after it, and what it was
";

/// World time that a scenario gets without `--for`: this long after its last event.
const AFTER_LAST_MS: u64 = 60_000;
/// World time that `--for` may ask for: ten years.
const FOR_MS_MAX: u64 = 10 * 366 * 24 * 3_600_000;
/// Events between two looks at what was said.
const SLICE_EVENTS: u64 = 10_000;

/// What the words ask for.
struct Wanted {
    file: String,
    millis: Option<u64>,
    trace: bool,
}

/// Runs the scenario in a file.
///
/// # Errors
/// On wrong words, and when the file or the scenario is refused.
pub(crate) fn run(words: &[String]) -> Result<(), Failure> {
    let wanted = match parse(words) {
        Ok(wanted) => wanted,
        Err(Stop::Helped) => return Ok(()),
        Err(Stop::Refused(why)) => return Err(why),
    };
    let refuse = |why: &str| Failure::Failed(format!("{}: {why}", wanted.file));
    let text = std::fs::read_to_string(&wanted.file).map_err(|why| refuse(&why.to_string()))?;
    let scenario = Scenario::parse(&text).map_err(|why| refuse(&why.0))?;
    let last = scenario.events.iter().map(|event| event.at).max();
    let millis = wanted
        .millis
        .unwrap_or(last.unwrap_or(0).saturating_add(AFTER_LAST_MS))
        .min(FOR_MS_MAX);
    let mut world = World::new(scenario).map_err(|why| refuse(&why.0))?;
    if wanted.trace {
        world.record_trace();
    }
    let refused = play(&mut world, millis);
    let mut text = String::new();
    if wanted.trace {
        trace(&mut text, &world);
    }
    summary(&mut text, &world, &refused);
    // Whoever started it may not care to read all of it.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn parse(words: &[String]) -> Result<Wanted, Stop> {
    let mut words = Words::new("run", HELP, words);
    let (mut file, mut millis, mut trace) = (None, None, false);
    while let Some(word) = words.next()? {
        match word {
            Word::Option(option) => match option.as_str() {
                "--trace" => trace = true,
                "--for" => {
                    let what = "a number of milliseconds of world time, ten years at most";
                    let number = words.value(what)?.parse().ok();
                    let number = number.filter(|number| *number <= FOR_MS_MAX);
                    millis =
                        Some(number.ok_or_else(|| words.refuse(&format!("--for needs {what}")))?);
                }
                _ => return Err(words.unknown(&option)),
            },
            Word::Name(_) if file.is_some() => return Err(words.refuse("run takes one scenario")),
            Word::Name(name) => file = Some(name),
        }
    }
    let file = file.ok_or_else(|| words.refuse("run needs a scenario"))?;
    Ok(Wanted {
        file,
        millis,
        trace,
    })
}

/// Lets `millis` of world time pass; gives what was refused on the way.
fn play(world: &mut World, millis: u64) -> Vec<String> {
    let until = world.now().plus_millis(millis);
    let mut refused = Vec::new();
    loop {
        let done = world.run_until(until, SLICE_EVENTS);
        let at = world.world_millis();
        for said in world.take_said() {
            if let Said::Refused { message, .. } = said {
                let first = message.lines().next().unwrap_or_default();
                refused.push(format!("by {at} ms: {first}"));
            }
        }
        if done == 0 {
            return refused;
        }
    }
}

/// One line for each event: the hash after it, and what it was.
fn trace(text: &mut String, world: &World) {
    for point in world.trace().points() {
        let _ = writeln!(
            text,
            "event {} {:016x} {}",
            point.event, point.hash, point.what
        );
    }
}

fn summary(text: &mut String, world: &World, refused: &[String]) {
    let snapshot = world.snapshot();
    let _ = writeln!(text, "world time  {} ms", snapshot.world_time);
    let _ = writeln!(text, "events      {}", world.trace().events());
    let _ = writeln!(text, "hash        {:016x}", world.trace().hash());
    for line in refused {
        let _ = writeln!(text, "refused     {line}");
    }
    offsets(text, &snapshot);
    lags(text, &snapshot);
}

fn offsets(text: &mut String, snapshot: &Snapshot) {
    for topic in &snapshot.topics {
        for partition in &topic.partitions {
            let _ = writeln!(
                text,
                "partition   {}-{}: offsets {} to {}, high watermark {}, {} bytes",
                topic.name,
                partition.partition,
                partition.log_start_offset,
                partition.log_end_offset,
                partition.high_watermark,
                partition.bytes
            );
        }
    }
    for producer in &snapshot.producers {
        let (name, topic, sent) = (&producer.name, &producer.topic, &producer.sent);
        let _ = writeln!(text, "producer    {name}: {sent} records to {topic}");
    }
}

fn lags(text: &mut String, snapshot: &Snapshot) {
    for group in &snapshot.groups {
        let lags = group.offsets.iter().filter_map(|row| row.lag.as_ref());
        let lag: u64 = lags.filter_map(|lag| lag.parse::<u64>().ok()).sum();
        let _ = writeln!(
            text,
            "group       {}: {}, {} members, generation {}, lag {lag}",
            group.group_id,
            group.state,
            group.members.len(),
            group.generation
        );
    }
}
