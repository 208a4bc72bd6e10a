//! `kafka-storage`: directories are formatted, and told about, as Kafka's own tool does it.

use client::tools::options::Parsed;
use client::tools::storage_line;
use ids::{NodeId, Rng, Uuid};
use log::files::MetaProperties;
use metadata::{BOOTSTRAP_FEATURES, bootstrap_checkpoint, parse_properties};
use raft::{Endpoint, ReplicaKey, Voter, Voters};
use sorted::SortedMap;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const META: &str = "meta.properties";
const RELEASE: &str = "4.3-IV0";
/// Ids below this one mean something else than a directory (KIP-858).
const RESERVED: u128 = 100;

/// Why nothing, or no more, is done: one line on standard error.
struct Refused(String);

impl Refused {
    /// What Kafka's tool throws and nobody catches.
    fn uncaught(class: &str, message: &str) -> Refused {
        Refused(format!("Exception in thread \"main\" {class}: {message}"))
    }
}

/// Whether a word names this tool, perhaps with a path before it and `.sh` behind it.
pub(crate) fn is_it(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.strip_suffix(".sh").unwrap_or(name) == "kafka-storage"
}

/// Runs the tool; `words` are what stands behind its name. Gives its exit status.
pub(crate) fn run(words: &[String]) -> u8 {
    let mut stdout = std::io::stdout().lock();
    let done = match storage_line(words) {
        Err(spoken) => {
            let written = stdout.write_all(spoken.stdout.as_bytes());
            eprint!("{}", spoken.stderr);
            return match written {
                Ok(()) => u8::try_from(spoken.status).unwrap_or(1),
                Err(_) => 1,
            };
        }
        Ok(("random-uuid", _)) => {
            let id = random(&mut Rng::new(server::Identity::random_seed()));
            writeln!(stdout, "{id}").map(|()| 0).map_err(failed)
        }
        Ok(("info", parsed)) => info(&parsed, &mut stdout),
        Ok((_, parsed)) => format(&parsed, &mut stdout).map(|()| 0),
    };
    done.unwrap_or_else(|refused| {
        eprintln!("{}", refused.0);
        1
    })
}

fn failed(error: std::io::Error) -> Refused {
    Refused(error.to_string())
}

/// An id that is none of those that mean something, and, as Kafka's, does not look like an option.
fn random(rng: &mut Rng) -> Uuid {
    loop {
        let id = Uuid::random(rng);
        let reserved = u128::from_be_bytes(id.0) < RESERVED;
        if !reserved && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// The settings of a node, as far as they say what to format.
struct Config {
    properties: SortedMap<String, String>,
    node: i32,
}

impl Config {
    fn read(parsed: &Parsed) -> Result<Config, Refused> {
        let file = parsed.last("config").unwrap_or_default();
        let missing = |_| Refused::uncaught("java.nio.file.NoSuchFileException", file);
        let text = fs::read_to_string(file).map_err(missing)?;
        let properties = parse_properties(&text);
        let class = "org.apache.kafka.common.config.ConfigException";
        let node = properties.get("node.id").or(properties.get("broker.id"));
        let none = || {
            let message = "Missing required configuration \"node.id\" which has no default value.";
            Refused::uncaught(class, message)
        };
        let node = node.ok_or_else(none)?;
        let bad = |_| {
            let message =
                format!("Invalid value {node} for configuration node.id: Not a number of type INT");
            Refused::uncaught(class, &message)
        };
        let node = node.trim().parse().map_err(bad)?;
        Ok(Config { properties, node })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = self.properties.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    fn list(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .map_or(Vec::new(), |text| text.split(',').map(str::trim).collect())
    }

    fn is_controller(&self) -> bool {
        self.list("process.roles").contains(&"controller")
    }

    /// Where the metadata log goes.
    fn metadata_dir(&self) -> String {
        let first = || self.dirs_of_logs().first().cloned().unwrap_or_default();
        self.get("metadata.log.dir")
            .map_or_else(first, str::to_owned)
    }

    fn dirs_of_logs(&self) -> Vec<String> {
        let lists = ["log.dirs", "log.dir"].map(|name| self.list(name));
        let given = lists.into_iter().find(|list| !list.is_empty());
        let given = given.unwrap_or_else(|| vec!["/tmp/kafka-logs"]);
        given.into_iter().map(str::to_owned).collect()
    }

    /// All directories, in order.
    fn dirs(&self) -> Vec<String> {
        let mut dirs = self.dirs_of_logs();
        dirs.push(self.metadata_dir());
        dirs.sort();
        dirs.dedup();
        dirs
    }

    /// Where this node's controller is reached.
    fn controller_endpoint(&self) -> Option<Endpoint> {
        let name = *self.list("controller.listener.names").first()?;
        let advertised = self.list("advertised.listeners").into_iter();
        let mut all = advertised.chain(self.list("listeners"));
        all.find_map(|listener| {
            let (found, address) = listener.split_once("://")?;
            let (host, port) = address.rsplit_once(':')?;
            let host = if host.is_empty() { "localhost" } else { host };
            (found == name).then_some(())?;
            Some(Endpoint {
                listener: name.into(),
                host: host.into(),
                port: port.parse().ok()?,
            })
        })
    }
}

fn meta_of(dir: &str) -> Option<BTreeMap<String, String>> {
    let text = fs::read_to_string(Path::new(dir).join(META)).ok()?;
    Some(parse_properties(&text).into_iter().collect())
}

/// Says which directories there are and whose they are.
fn info(parsed: &Parsed, out: &mut impl Write) -> Result<u8, Refused> {
    let config = Config::read(parsed)?;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut meta = None;
    for dir in config.dirs() {
        match (Path::new(&dir).is_dir(), meta_of(&dir)) {
            (false, _) => problems.push(format!("{dir} does not exist")),
            (true, read) => {
                if read.is_none() {
                    problems.push(format!("{dir} is not formatted."));
                }
                meta = meta.or(read);
                found.push(dir);
            }
        }
    }
    let mut text = String::new();
    let mut list = |title: &str, rows: &[String]| {
        if !rows.is_empty() {
            let rows: String = rows.iter().map(|row| format!("  {row}\n")).collect();
            text += &format!("{title}:\n{rows}\n");
        }
    };
    let plural = if found.len() == 1 {
        "Found log directory"
    } else {
        "Found log directories"
    };
    list(plural, &found);
    if let Some(meta) = meta {
        let pairs: Vec<String> = meta
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        text += &format!("Found metadata: {{{}}}\n\n", pairs.join(", "));
    }
    if !problems.is_empty() {
        let rows: String = problems.iter().map(|row| format!("  {row}\n")).collect();
        text += &format!("Found problems:\n{rows}\n");
    }
    out.write_all(text.as_bytes()).map_err(failed)?;
    Ok(u8::from(!problems.is_empty()))
}

/// Who votes when the cluster begins.
enum Quorum {
    /// As `controller.quorum.voters` says, or as others will say.
    NotHere,
    /// These; what formats a voter's directory names it.
    Voters(Voters),
}

fn quorum(config: &Config, parsed: &Parsed, own: Uuid) -> Result<Quorum, Refused> {
    let initial = parsed.last("initial-controllers");
    let dynamic = parsed.has("standalone") || initial.is_some();
    let is_static = config.get("controller.quorum.voters").is_some();
    if is_static && dynamic {
        return Err(Refused("You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead.".into()));
    }
    if config.is_controller() && !is_static && !dynamic && !parsed.has("no-initial-controllers") {
        return Err(Refused("Because controller.quorum.voters is not set on this controller, you must specify one of the following: --standalone, --initial-controllers, or --no-initial-controllers.".into()));
    }
    if let Some(text) = initial {
        let listener = *config
            .list("controller.listener.names")
            .first()
            .unwrap_or(&"CONTROLLER");
        let voters: Result<Vec<Voter>, Refused> = text
            .split(',')
            .map(|part| voter(part.trim(), listener))
            .collect();
        return Ok(Quorum::Voters(Voters::new(voters?)));
    }
    if !parsed.has("standalone") {
        return Ok(Quorum::NotHere);
    }
    let endpoint = config
        .controller_endpoint()
        .filter(|_| config.is_controller());
    let none = || Refused("You can only use --standalone on a controller.".into());
    let endpoint = endpoint.ok_or_else(none)?;
    let key = ReplicaKey {
        id: NodeId(config.node),
        directory: own,
    };
    Ok(Quorum::Voters(Voters::new(vec![Voter {
        key,
        endpoints: vec![endpoint],
        kraft_versions: (0, 1),
    }])))
}

/// `id@host:port:directory`.
fn voter(text: &str, listener: &str) -> Result<Voter, Refused> {
    let bad = |message: &str| Refused::uncaught("java.lang.IllegalArgumentException", message);
    let (id, rest) = text
        .split_once('@')
        .ok_or_else(|| bad("No @ found in dynamic voter string."))?;
    let id: i32 = id
        .parse()
        .map_err(|_| bad("Failed to parse node id in dynamic voter string."))?;
    let colons: Vec<&str> = rest.rsplitn(3, ':').collect();
    let (directory, port, host) = match colons.as_slice() {
        [directory, port, host] => (*directory, *port, *host),
        [_, _] => return Err(bad("No colon following port could be found.")),
        _ => return Err(bad("No colon following hostname could be found.")),
    };
    let port = port
        .parse()
        .map_err(|_| bad("Failed to parse port in dynamic voter string."))?;
    let directory = Uuid::parse(directory)
        .ok_or_else(|| bad("Failed to parse directory ID in dynamic voter string."))?;
    Ok(Voter {
        key: ReplicaKey {
            id: NodeId(id),
            directory,
        },
        endpoints: vec![Endpoint {
            listener: listener.into(),
            host: host.trim_matches(['[', ']']).into(),
            port,
        }],
        kraft_versions: (0, 1),
    })
}

fn format(parsed: &Parsed, out: &mut impl Write) -> Result<(), Refused> {
    for option in ["add-scram", "release-version", "feature"] {
        if parsed.has(option) {
            return Err(Refused(format!("--{option} is not part of Brooklet yet.")));
        }
    }
    let config = Config::read(parsed)?;
    let cluster = parsed.last("cluster-id").unwrap_or_default();
    let mut rng = Rng::new(server::Identity::random_seed());
    let own = random(&mut rng);
    let quorum = quorum(&config, parsed, own)?;
    let mut dirs = config.dirs();
    for dir in &dirs {
        refuse_other(&config, dir, cluster)?;
    }
    let is_formatted = |dir: &String| Path::new(dir).join(META).exists();
    if let (Some(dir), false) = (
        dirs.iter().find(|dir| is_formatted(dir)),
        parsed.has("ignore-formatted"),
    ) {
        return Err(Refused(format!(
            "Log directory {dir} is already formatted. Use --ignore-formatted to ignore this directory and format the others."
        )));
    }
    dirs.retain(|dir| !is_formatted(dir));
    if dirs.is_empty() {
        return writeln!(out, "All of the log directories are already formatted.").map_err(failed);
    }
    writeln!(out, "{}", bootstrap_words()).map_err(failed)?;
    for dir in dirs {
        let is_metadata = dir == config.metadata_dir();
        let (kind, directory) = match &quorum {
            Quorum::Voters(voters) if is_metadata => {
                let mut voters = voters.iter();
                let me = voters.find(|voter| voter.key.id == NodeId(config.node));
                match me {
                    Some(me) => ("dynamic metadata voter directory", me.key.directory),
                    None => ("dynamic metadata directory", own),
                }
            }
            _ if is_metadata => ("metadata directory", own),
            _ => ("data directory", random(&mut rng)),
        };
        writeln!(
            out,
            "Formatting {kind} {dir} with metadata.version {RELEASE}."
        )
        .map_err(failed)?;
        let meta = MetaProperties {
            node_id: NodeId(config.node),
            directory_id: directory,
            cluster_id: cluster.to_owned(),
        };
        let voters = match &quorum {
            Quorum::Voters(voters) if is_metadata => Some(voters),
            _ => None,
        };
        write_dir(Path::new(&dir), &meta, voters)?;
    }
    Ok(())
}

/// Refuses a directory that is another cluster's or another node's.
fn refuse_other(config: &Config, dir: &str, cluster: &str) -> Result<(), Refused> {
    let Some(meta) = meta_of(dir) else {
        return Ok(());
    };
    let node = config.node.to_string();
    for (name, wanted) in [("cluster.id", cluster), ("node.id", node.as_str())] {
        let read = meta.get(name).map_or("", String::as_str);
        if read != wanted {
            let message =
                format!("Invalid {name} in: {dir}/{META}. Expected {wanted}, but read {read}");
            return Err(Refused::uncaught("java.lang.RuntimeException", &message));
        }
    }
    Ok(())
}

fn bootstrap_words() -> String {
    let record = |(name, level): (&str, i16)| {
        format!(
            "ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)"
        )
    };
    let records: Vec<String> = BOOTSTRAP_FEATURES.into_iter().map(record).collect();
    let (records, level) = (records.join(", "), BOOTSTRAP_FEATURES[0].1);
    format!(
        "Bootstrap metadata: BootstrapMetadata(records=[{records}], metadataVersionLevel={level}, source=format command)"
    )
}

/// Writes what a new directory has; `meta.properties` comes last, for it says that all is there.
fn write_dir(dir: &Path, meta: &MetaProperties, voters: Option<&Voters>) -> Result<(), Refused> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(0);
    let shown = |error: std::io::Error| Refused(format!("{}: {error}", dir.display()));
    fs::create_dir_all(dir).map_err(shown)?;
    let put = |path: &Path, bytes: &[u8]| {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    if let Some(voters) = voters {
        let log = dir.join("__cluster_metadata-0");
        fs::create_dir_all(&log).map_err(shown)?;
        let bytes = raft::bootstrap_checkpoint(voters, now, (now, now));
        put(
            &log.join("00000000000000000000-0000000000.checkpoint"),
            &bytes,
        )
        .map_err(shown)?;
    }
    put(
        &dir.join("bootstrap.checkpoint"),
        &bootstrap_checkpoint([now; 3]),
    )
    .map_err(shown)?;
    put(&dir.join(META), &meta.encode()).map_err(shown)
}
