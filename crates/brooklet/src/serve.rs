//! `brooklet serve`: a broker on a TCP port.

use crate::Failure;
use crate::words::{Stop, Word, Words};
use server::{Console, Fsync, Server, Settings, Stopper, Storage};
use sorted::SortedMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `--help` says.
const HELP: &str = "\
brooklet serve [OPTIONS] [server.properties]

  A broker that real Kafka clients can use. It says `ready HOST:PORT` on standard output when it takes
  connections, and stops in order on Ctrl+C, SIGTERM and SIGHUP.

    --listen HOST:PORT      where (127.0.0.1:9092; port 0 takes any that is free)
    --data DIR              keeps the logs in Kafka's own files below DIR
    --memory                keeps them in memory, which is also what happens without --data
    --override KEY=VALUE    sets one property of server.properties
    --fsync always          forces every write to the disk before it is acknowledged
    --cache-mb N            memory for logs that are in files (32)
    --memory-max-mb N       memory for logs that are only there (4096)

  For those who start it from their tests:

    --for-tests             any free port unless one is named; groups do not wait for members who may come,
                            sessions may be short, and each internal topic has one partition. Whatever the
                            file or --override says comes before that
    --with-parent           stops in order when its standard input closes, as it does when the program
                            ends that holds the other end
";

/// What `--for-tests` sets where nothing else does.
const FOR_TESTS: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1"),
    ("offsets.topic.num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "1"),
    ("transaction.state.log.replication.factor", "1"),
];

/// What the flags say.
#[derive(Default)]
struct Flags {
    listen: Option<String>,
    storage: Option<Storage>,
    fsync: Fsync,
    cache_mb: Option<u64>,
    memory_max_mb: Option<u64>,
    file: Option<String>,
    overrides: Vec<(String, String)>,
    for_tests: bool,
    with_parent: bool,
}

pub(crate) fn serve(words: &[String]) -> Result<(), Failure> {
    let flags = match parse(words) {
        Ok(flags) => flags,
        Err(Stop::Helped) => return Ok(()),
        Err(Stop::Refused(why)) => return Err(why),
    };
    let with_parent = flags.with_parent;
    let settings = settings(flags)?;
    let console = Console::stderr();
    let ignored = settings.without_effect();
    if !ignored.is_empty() {
        console.say(format!("without effect here: {}", ignored.join(", ")));
    }
    let failed = |why: &dyn std::fmt::Display| Failure::Failed(why.to_string());
    let server = Server::start(&settings, console.clone()).map_err(|why| failed(&why))?;
    server.stop_on_signals().map_err(|why| failed(&why))?;
    if with_parent {
        stop_with_stdin(server.stopper());
    }
    say_where(&settings, server.address(), &console);
    let mut out = std::io::stdout().lock();
    // Whoever started it may not care to read it.
    let _ = writeln!(out, "ready {}", server.address());
    let _ = out.flush();
    drop(out);
    server.run().map_err(|why| failed(&why))
}

/// Stops the server when standard input ends: whoever holds the other end is gone, or wants it so.
fn stop_with_stdin(stopper: Stopper) {
    std::thread::spawn(move || {
        // What is typed means nothing.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stopper.stop();
    });
}

fn say_where(settings: &Settings, address: SocketAddr, console: &Console) {
    match &settings.storage {
        Storage::Memory => {
            console.say("logs are in memory and end with this process (--data DIR keeps them)")
        }
        Storage::Directory(path) => console.say(format!("logs are in {}", path.display())),
    }
    if !address.ip().is_loopback() {
        console.say(format!(
            "WARNING: {address} can be reached from other machines, and there is no \
             authentication and no encryption: whoever reaches it can read and delete everything. \
             Use --listen 127.0.0.1:{} unless you mean it.",
            address.port()
        ));
    }
}

fn parse(words: &[String]) -> Result<Flags, Stop> {
    let mut flags = Flags::default();
    let mut words = Words::new("serve", HELP, words);
    while let Some(word) = words.next()? {
        match word {
            Word::Option(option) => take(&mut flags, &option, &mut words)?,
            Word::Name(name) if flags.file.is_none() => flags.file = Some(name),
            Word::Name(name) => {
                return Err(words.refuse(&format!(
                    "only one server.properties can be given, and {name} is a second one"
                )));
            }
        }
    }
    Ok(flags)
}

fn take(flags: &mut Flags, option: &str, words: &mut Words) -> Result<(), Stop> {
    match option {
        "--listen" => flags.listen = Some(words.value("HOST:PORT")?),
        "--data" => {
            let path = PathBuf::from(words.value("a directory")?);
            set_storage(flags, Storage::Directory(path))?;
        }
        "--memory" => set_storage(flags, Storage::Memory)?,
        "--fsync" => {
            let when = words.value("`always`")?;
            if when != "always" {
                return Err(words.refuse(&format!("--fsync {when}: it can only be `always`")));
            }
            flags.fsync = Fsync::Always;
        }
        "--cache-mb" => flags.cache_mb = Some(megabytes(option, &words.value("a number")?)?),
        "--memory-max-mb" => {
            flags.memory_max_mb = Some(megabytes(option, &words.value("a number")?)?);
        }
        "--brokers" => brokers(&words.value("a number")?)?,
        "--override" => {
            let pair = words.value("KEY=VALUE")?;
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| words.refuse(&format!("--override {pair}: say KEY=VALUE")))?;
            let pair = (key.trim().to_owned(), value.trim().to_owned());
            flags.overrides.push(pair);
        }
        "--for-tests" => flags.for_tests = true,
        "--with-parent" => flags.with_parent = true,
        _ => return Err(words.unknown(option)),
    }
    Ok(())
}

fn set_storage(flags: &mut Flags, storage: Storage) -> Result<(), Failure> {
    if flags.storage.is_some() {
        return Err(Failure::Usage(
            "say --data DIR or --memory once, not both".to_owned(),
        ));
    }
    flags.storage = Some(storage);
    Ok(())
}

fn megabytes(flag: &str, text: &str) -> Result<u64, Failure> {
    let number: Option<u64> = text.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << 20))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| Failure::Usage(format!("{flag} {text}: it must be a number of megabytes")))
}

fn brokers(text: &str) -> Result<(), Failure> {
    match text.parse::<u32>() {
        Ok(1) => Ok(()),
        Ok(more) if more > 1 => Err(Failure::Failed(format!(
            "--brokers {more}: more than one broker in a server is not built yet"
        ))),
        _ => Err(Failure::Usage(format!(
            "--brokers {text}: it must be a number from 1"
        ))),
    }
}

/// The file first, then what overrides it, then the flags.
fn settings(flags: Flags) -> Result<Settings, Failure> {
    let mut properties = SortedMap::new();
    if let Some(path) = &flags.file {
        let text = std::fs::read_to_string(path)
            .map_err(|why| Failure::Failed(format!("{path} cannot be read: {why}")))?;
        properties = metadata::parse_properties(&text);
    }
    properties.extend(flags.overrides);
    if flags.for_tests {
        for (name, value) in FOR_TESTS {
            let set = properties.entry((*name).to_owned());
            set.or_insert_with(|| (*value).to_owned());
        }
    }
    let refused = |why: server::Refusal| Failure::Failed(why.to_string());
    let mut settings = Settings::from_properties(properties).map_err(refused)?;
    if let Some(address) = &flags.listen {
        settings
            .listen(address)
            .map_err(|why| Failure::Usage(why.to_string()))?;
    }
    if flags.for_tests && flags.listen.is_none() && !settings.properties.contains_key("listeners") {
        settings.port = 0;
    }
    if let Some(storage) = flags.storage {
        settings.storage = storage;
    }
    settings.fsync = flags.fsync;
    settings.cache_bytes = flags.cache_mb.unwrap_or(settings.cache_bytes);
    settings.memory_bytes = flags.memory_max_mb.unwrap_or(settings.memory_bytes);
    Ok(settings)
}
