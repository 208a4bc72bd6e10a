//! `brooklet serve`: a broker on a TCP port.

use crate::Failure;
use server::{Console, Fsync, Server, Settings, Storage};
use sorted::SortedMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

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
}

pub(crate) fn serve(words: &[String]) -> Result<(), Failure> {
    let settings = settings(parse(words)?)?;
    let console = Console::stderr();
    let ignored = settings.without_effect();
    if !ignored.is_empty() {
        console.say(format!("without effect here: {}", ignored.join(", ")));
    }
    let failed = |why: &dyn std::fmt::Display| Failure::Failed(why.to_string());
    let server = Server::start(&settings, console.clone()).map_err(|why| failed(&why))?;
    server.stop_on_signals().map_err(|why| failed(&why))?;
    say_where(&settings, server.address(), &console);
    let mut out = std::io::stdout().lock();
    // Whoever started it may not care to read it.
    let _ = writeln!(out, "ready {}", server.address());
    let _ = out.flush();
    drop(out);
    server.run().map_err(|why| failed(&why))
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

fn parse(words: &[String]) -> Result<Flags, Failure> {
    let mut flags = Flags::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (flag, joined) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = |what: &str| {
            joined
                .clone()
                .or_else(|| words.next().cloned())
                .ok_or_else(|| Failure::Usage(format!("{flag} needs {what}")))
        };
        match flag {
            "--listen" => flags.listen = Some(value("HOST:PORT")?),
            "--data" => {
                let path = PathBuf::from(value("a directory")?);
                set_storage(&mut flags, Storage::Directory(path))?;
            }
            "--memory" => set_storage(&mut flags, Storage::Memory)?,
            "--fsync" => {
                let when = value("`always`")?;
                if when != "always" {
                    return Err(Failure::Usage(format!(
                        "--fsync {when}: it can only be `always`"
                    )));
                }
                flags.fsync = Fsync::Always;
            }
            "--cache-mb" => flags.cache_mb = Some(megabytes(flag, &value("a number")?)?),
            "--memory-max-mb" => flags.memory_max_mb = Some(megabytes(flag, &value("a number")?)?),
            "--brokers" => brokers(&value("a number")?)?,
            "--override" => {
                let pair = value("KEY=VALUE")?;
                let (key, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Failure::Usage(format!("--override {pair}: say KEY=VALUE")))?;
                flags
                    .overrides
                    .push((key.trim().to_owned(), value.trim().to_owned()));
            }
            _ if flag.starts_with('-') => {
                return Err(Failure::Usage(format!(
                    "serve has no option {flag}; `brooklet --help` lists all"
                )));
            }
            _ if flags.file.is_none() => flags.file = Some(word.clone()),
            _ => {
                return Err(Failure::Usage(format!(
                    "only one server.properties can be given, and {word} is a second one"
                )));
            }
        }
    }
    Ok(flags)
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
    let refused = |why: server::Refusal| Failure::Failed(why.to_string());
    let mut settings = Settings::from_properties(properties).map_err(refused)?;
    if let Some(address) = &flags.listen {
        settings
            .listen(address)
            .map_err(|why| Failure::Usage(why.to_string()))?;
    }
    if let Some(storage) = flags.storage {
        settings.storage = storage;
    }
    settings.fsync = flags.fsync;
    settings.cache_bytes = flags.cache_mb.unwrap_or(settings.cache_bytes);
    settings.memory_bytes = flags.memory_max_mb.unwrap_or(settings.memory_bytes);
    Ok(settings)
}
