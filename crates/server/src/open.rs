//! The start: who the node is, which logs there are, and what recovery makes of them.

mod before;

use crate::checkpoints::{Checkpoints, dir_name, is_doomed, join, parse_dir, read_small, replace};
use crate::console::Console;
use crate::disk::{DiskStore, Fsync, METADATA_DIR};
use crate::files::Files;
use crate::identify::{self, identify, refuse_strangers};
use crate::leftovers;
use crate::memory::MemoryStore;
use crate::old_format;
use crate::place::Found;
use crate::settings::Refusal;
use crate::store::Store;
use cluster::{
    BrokerConfig, ControllerConfig, MetadataLog, Node, NodeConfig, Recovered, Snapshots,
};
use ids::{NodeId, Offset, Rng, Time, TopicIdPartition, Uuid};
use log::files::{MetaProperties, decode_partition_metadata, encode_partition_metadata};
use log::{Log, LogConfig, LogFile, Recovery, Report, SegmentFile, StoreOp};
use metadata::{ConfigView, Image};
use sorted::SortedMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

/// Bytes read from a segment at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Largest file beside the segments that is read; an index is 10 MiB at most, by default.
const SMALL_BYTES: u64 = 16 << 20;
/// Enough of a segment for its first batch's header.
const HEAD_BYTES: usize = 64;
/// What lies behind an index's last entry is read at once up to here: two batches, by default of
/// 1 MiB at most, and a few more.
const TAIL_BYTES: u64 = 4 << 20;
/// Enough of a record of an old format to know it by its checksum: the largest one there could be,
/// by default.
const OLD_BYTES: usize = 1 << 20;

/// Who the node is, apart from what a data directory says about it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `node.id`, if it was given.
    pub node: Option<NodeId>,
    /// Host that clients are told to come to.
    pub host: String,
    /// Port of `host`.
    pub port: u16,
    /// What `server.properties` says.
    pub properties: SortedMap<String, String>,
    /// Where all chance comes from: ids and seeds.
    pub seed: u64,
}

impl Identity {
    /// A seed that no other process has.
    #[must_use]
    pub fn random_seed() -> u64 {
        RandomState::new().hash_one(std::process::id())
    }

    fn properties_of(&self, meta: &MetaProperties) -> SortedMap<String, String> {
        let mut properties = self.properties.clone();
        for name in ["broker.id", "node.id"] {
            properties.insert(name.to_owned(), meta.node_id.to_string());
        }
        properties
    }

    fn node_config(
        &self,
        rng: &mut Rng,
        meta: &MetaProperties,
        previous_epoch: Option<i64>,
    ) -> NodeConfig {
        let properties = self.properties_of(meta);
        let incarnation = Uuid::random_for_people(rng);
        let broker = BrokerConfig {
            node: meta.node_id,
            cluster_id: Arc::from(meta.cluster_id.as_str()),
            host: Arc::from(self.host.as_str()),
            port: self.port,
            incarnation,
            directory: meta.directory_id,
            previous_epoch,
            properties: properties.clone(),
            seed: rng.next(),
            catalog: metadata::Catalog::kafka(),
        };
        let controller = ControllerConfig {
            node: meta.node_id,
            incarnation,
            properties,
            seed: rng.next(),
            catalog: metadata::Catalog::kafka(),
            keeps_eligible_leaders: false,
        };
        NodeConfig::alone(broker, controller)
    }

    pub(crate) fn new_meta(&self, rng: &mut Rng) -> MetaProperties {
        MetaProperties {
            node_id: self.node.unwrap_or(NodeId(1)),
            directory_id: Uuid::random_for_people(rng),
            cluster_id: Uuid::random_for_people(rng).to_string(),
        }
    }
}

/// A node that has not begun yet, and its store.
#[derive(Debug)]
pub struct Opened {
    /// The node.
    pub node: Node,
    /// Where its logs are kept.
    pub store: Store,
}

/// A node whose logs live in memory only and may have `max_bytes` together.
#[must_use]
pub fn open_memory(identity: &Identity, max_bytes: u64, now: Time) -> Opened {
    let mut rng = Rng::new(identity.seed);
    let meta = identity.new_meta(&mut rng);
    let config = identity.node_config(&mut rng, &meta, None);
    let metadata = Log::new(LogConfig::default(), Offset(0), now);
    let node = Node::new(config, metadata.into(), Vec::new());
    Opened {
        node: node.unwrap_or_else(|damaged| unreachable!("there is no file yet: {damaged:?}")),
        store: Store::Memory(MemoryStore::new(max_bytes)),
    }
}

/// A node over a data directory, which may be empty, or Kafka's own.
///
/// Says on the console what it had to cut, and what it leaves alone.
///
/// # Errors
/// The directory cannot be read or written, or is another node's.
pub fn open_dir(
    mut files: Box<dyn Files>,
    identity: &Identity,
    fsync: Fsync,
    cache_bytes: u64,
    now: Time,
    console: &Console,
) -> Result<Opened, Refusal> {
    let mut rng = Rng::new(identity.seed);
    let mut opening = Opening {
        files: &mut *files,
        console,
        now,
        cache_bytes,
        previous_epoch: None,
    };
    let meta = identify(opening.files, identity, &mut rng)?;
    let properties = identity.properties_of(&meta);
    let (metadata, logs, noted) = opening.everything(&meta, &properties)?;
    let mut config = identity.node_config(&mut rng, &meta, opening.previous_epoch);
    config.snapshots = Some(Snapshots::of(&properties));
    let found = logs.iter().map(|(found, _)| found.clone()).collect();
    let (metadata_found, metadata_log) = metadata;
    let recovered = logs.into_iter().map(|(found, log)| Recovered {
        name: found.name,
        log,
    });
    let node = Node::new(config, metadata_log, recovered.collect());
    let node = node.map_err(|_| {
        Refusal(format!(
            "{METADATA_DIR}/quorum-state: is damaged, and without it this node may vote twice in one \
             election; put it back from a copy, or remove it if no other controller is left"
        ))
    })?;
    Ok(Opened {
        node,
        store: Store::Disk(Box::new(DiskStore::new(
            files,
            fsync,
            metadata_found,
            found,
            noted,
        ))),
    })
}

type Opens<T> = Result<T, (String, io::Error)>;

impl From<(String, io::Error)> for Refusal {
    fn from((file, error): (String, io::Error)) -> Refusal {
        let what = "the data directory cannot be used";
        Refusal(match &*file {
            "" => format!("{what}: {error}"),
            file => format!("{what}: {file}: {error}"),
        })
    }
}

struct Opening<'a> {
    files: &'a mut dyn Files,
    console: &'a Console,
    now: Time,
    cache_bytes: u64,
    /// The broker's epoch when it last stopped in order, if it did.
    previous_epoch: Option<i64>,
}

/// How one log is rebuilt.
struct How {
    config: LogConfig,
    compacted: bool,
    checkpoints: log::Checkpoints,
    /// Bytes of it that are in memory while it is read, ...
    reading_bytes: u64,
    /// ... and those that stay.
    staying_bytes: u64,
}

impl Opening<'_> {
    /// Recovers the metadata log and all others.
    #[expect(clippy::type_complexity, reason = "the metadata log, and the others")]
    fn everything(
        &mut self,
        meta: &MetaProperties,
        properties: &SortedMap<String, String>,
    ) -> Result<((Found, MetadataLog), Vec<(Found, Log)>, Checkpoints), Refusal> {
        let (checkpoints, damaged) = Checkpoints::read(self.files);
        for name in damaged {
            self.console.say(format!(
                "{name} is damaged and not used; the logs are checked from their beginning"
            ));
        }
        let metadata = self.metadata_log()?;
        let image = metadata.1.image();
        refuse_strangers(self.files, meta, &image)?;
        // Only now, so that a start that was refused takes nothing from the one after it.
        let clean = self.take_clean_marker()?;
        let view = ConfigView {
            image: &image,
            properties,
            node: Some(meta.node_id),
        };
        let names = self.partitions(&image)?;
        self.say_missing(&image, meta.node_id, &names, &checkpoints);
        let share = self.cache_bytes / (names.len().max(1) as u64);
        let mut logs = Vec::new();
        for name in names {
            let config = recovery_config(&view, &name.topic);
            let policy = metadata::topic_config("cleanup.policy");
            let policy = policy.map(|key| view.topic(&name.topic, key).value);
            let compacted = policy.is_none_or(|policy| policy.contains("compact"));
            let noted = checkpoints.of(&name, clean);
            let how = How {
                config,
                compacted,
                checkpoints: noted,
                reading_bytes: self.cache_bytes / 2,
                staying_bytes: share,
            };
            let (found, log) = self.log(name.clone(), &how)?;
            self.say_shorter(&name, &log, noted);
            logs.push((found, log));
        }
        Ok((metadata, logs, checkpoints))
    }

    /// As Kafka does, a partition without a directory begins empty; here it is said.
    fn say_missing(
        &self,
        image: &Image,
        node: NodeId,
        names: &[TopicIdPartition],
        checkpoints: &Checkpoints,
    ) {
        for name in identify::missing(image, node, names) {
            let noted = checkpoints.of(&name, false);
            let dir = dir_name(&name);
            match noted.recovery_point.max(noted.high_watermark) {
                // Nothing had come to it yet: it gets its directory when something does.
                Offset(0) if checkpoints.are_whole() => {}
                Offset(0) => self.console.say(format!(
                    "{dir}: has no directory, and no checkpoint says whether it had records; it \
                     begins empty"
                )),
                end => self.console.say(format!(
                    "{dir}: has no directory, though it had records up to offset {end}; it \
                     begins empty. To have them back, stop the server and put the directory back"
                )),
            }
        }
    }

    /// Says where records are gone that had been flushed, or read.
    fn say_shorter(&self, name: &TopicIdPartition, log: &Log, noted: log::Checkpoints) {
        let before = noted.recovery_point.max(noted.high_watermark);
        if log.log_end() < before {
            let (dir, end) = (dir_name(name), log.log_end());
            self.console.say(format!(
                "{dir}: ends at offset {end}, though it had records up to {before}: the last \
                 ones are missing"
            ));
        }
    }

    /// The partitions there are directories of; says which directories are left alone.
    fn partitions(&mut self, image: &Image) -> Opens<Vec<TopicIdPartition>> {
        let mut names = Vec::new();
        let dirs = self.files.dirs();
        for dir in dirs.map_err(|error| (String::new(), error))? {
            if dir == METADATA_DIR {
                continue;
            }
            if is_doomed(&dir) {
                self.console.say(format!(
                    "{dir}: its topic was deleted; the deletion is finished now"
                ));
                let removed = self.files.remove_dir(&dir);
                removed.map_err(|error| (dir.clone(), error))?;
                continue;
            }
            let Some((topic, partition)) = parse_dir(&dir) else {
                self.console.say(format!(
                    "{dir}: not a partition's directory; it is left alone"
                ));
                continue;
            };
            let Some(topic_id) = self.topic_id(&dir, topic, image)? else {
                self.console.say(format!(
                    "{dir}/partition.metadata: does not say which topic id it has; the directory \
                     is left alone"
                ));
                continue;
            };
            names.push(TopicIdPartition {
                topic: Arc::from(topic),
                topic_id,
                partition,
            });
        }
        Ok(names)
    }

    /// The topic id that a directory is of. After a power cut its file may be empty; then the
    /// metadata's topic of that name is taken, as Kafka does.
    fn topic_id(&mut self, dir: &str, topic: &str, image: &Image) -> Opens<Option<Uuid>> {
        let file = LogFile::PartitionMetadata.name();
        let bytes = read_small(self.files, &join(dir, &file)).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(decode_partition_metadata(&bytes));
        }
        let Some(topic) = image.topic(topic) else {
            return Ok(None);
        };
        let written = encode_partition_metadata(topic.id);
        replace(self.files, dir, &file, &written, true).map_err(|error| (dir.to_owned(), error))?;
        let id = topic.id;
        self.console.say(format!(
            "{dir}/{file}: was empty; it is taken to be of topic id {id}"
        ));
        Ok(Some(id))
    }

    /// Rebuilds one log from its files and makes the files what the log then is.
    fn log(&mut self, name: TopicIdPartition, how: &How) -> Opens<(Found, Log)> {
        let dir = dir_name(&name);
        let failed = |error| (dir.clone(), error);
        let listed = leftovers::settle(self.files, &dir, self.console).map_err(failed)?;
        let (mut log, report) = loop {
            match self.recover(&dir, &listed, how)? {
                Ok(recovered) => break recovered,
                Err(snapshot) => {
                    let path = join(&dir, &LogFile::Snapshot(snapshot).name());
                    self.console.say(format!(
                        "{path}: does not know the producers of its log; they are read from there"
                    ));
                    self.files.remove(&path).map_err(failed)?;
                }
            }
        };
        self.refuse_old_format(&dir, &report)?;
        let first = log.segment_sizes().next().map(|(base, _)| base);
        for (from, to) in report.gaps.iter().filter(|_| !how.compacted) {
            let unless = match Some(*to) == first {
                true => "unless retention was deleting them, ",
                false => "",
            };
            self.console.say(format!(
                "{dir}: no segment has the records from offset {from} to {}: {unless}they are \
                 missing",
                to.0 - 1
            ));
        }
        for cut in &report.cuts {
            self.console.say(format!(
                "{dir}/{}: cut at byte {}, {} bytes dropped: {}",
                cut.file.name(),
                cut.position,
                cut.bytes,
                cut.reason
            ));
        }
        self.apply(&dir, &report.ops).map_err(failed)?;
        log.evict(how.staying_bytes);
        let (segment, length) = log.segment_sizes().last().unwrap_or_default();
        let found = Found {
            name,
            segment,
            length: u64::from(length),
            recovery_point: how.checkpoints.recovery_point.min(log.log_end()),
        };
        Ok((found, log))
    }

    /// Feeds a log's files to a recovery; fails with a snapshot that it must not have.
    fn recover(
        &mut self,
        dir: &str,
        listed: &[(String, u64)],
        how: &How,
    ) -> Opens<Result<(Log, Report), Offset>> {
        let mut recovery = Recovery::new(how.config.clone(), how.checkpoints, self.now);
        let mut segments = Vec::new();
        for (file, length) in listed {
            match LogFile::parse(file) {
                Some(LogFile::Log(base)) => segments.push((base, *length)),
                Some(other) => {
                    let path = join(dir, file);
                    let length = (*length).min(SMALL_BYTES) as usize;
                    // One that cannot be read is rebuilt, or cut with a word about it.
                    if let Ok(bytes) = self.files.read(&path, 0, length) {
                        recovery.file(other, bytes);
                    }
                }
                None => {}
            }
        }
        let nexts = segments.iter().skip(1).map(|(base, _)| Some(*base));
        for (&(base, length), next) in segments.iter().zip(nexts.chain([None])) {
            let path = join(dir, &LogFile::Log(base).name());
            let file = SegmentFile { base, length, next };
            if self.resume(&mut recovery, &path, file)? {
                continue;
            }
            if let Some(snapshot) = recovery.contradicted() {
                return Ok(Err(snapshot));
            }
            recovery.segment(base);
            self.feed(&mut recovery, &path, length, how.reading_bytes)?;
        }
        Ok(Ok(recovery.finish()))
    }

    /// Refuses a log with records in the formats from before Kafka 0.11, rather than to cut it there.
    fn refuse_old_format(&mut self, dir: &str, report: &Report) -> Opens<()> {
        for cut in &report.cuts {
            let path = join(dir, &cut.file.name());
            let head = self.files.read(&path, cut.position, OLD_BYTES);
            if head.is_ok_and(|bytes| old_format::is_message(&bytes)) {
                let why = "has records in a format from before Kafka 0.11, which is not read \
                           here; copy its topic to one of a newer Kafka first, or move the \
                           directory away";
                return Err((path, io::Error::other(why)));
            }
        }
        Ok(())
    }

    /// Takes a segment from its index files, where that can be done: little of it is read.
    fn resume(&mut self, recovery: &mut Recovery, path: &str, file: SegmentFile) -> Opens<bool> {
        let Some(at) = recovery.resume_at(file) else {
            return Ok(false);
        };
        let length = file.length - u64::from(at).min(file.length);
        if length > TAIL_BYTES {
            return Ok(false);
        }
        let mut read = |at, length| {
            let bytes = self.files.read(path, at, length);
            bytes.map_err(|error| (path.to_owned(), error))
        };
        let head = read(0, HEAD_BYTES)?;
        let tail = read(u64::from(at), length as usize)?;
        Ok(recovery.resume(&head, tail))
    }

    fn feed(
        &mut self,
        recovery: &mut Recovery,
        path: &str,
        length: u64,
        bytes_max: u64,
    ) -> Opens<()> {
        let mut at = 0;
        while at < length {
            let piece = self.files.read(path, at, PIECE_BYTES);
            let piece = piece.map_err(|error| (path.to_owned(), error))?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            recovery.bytes(piece);
            recovery.evict(bytes_max);
        }
        Ok(())
    }

    /// What recovery orders: it never appends.
    fn apply(&mut self, dir: &str, ops: &[StoreOp]) -> io::Result<()> {
        let log_path = |segment: Offset| join(dir, &LogFile::Log(segment).name());
        for op in ops {
            match op {
                StoreOp::Roll { segment } => self.files.create(&log_path(*segment))?,
                StoreOp::Truncate { segment, position } => {
                    let path = log_path(*segment);
                    self.files.set_len(&path, u64::from(*position))?;
                    self.files.sync(&path)?;
                }
                StoreOp::Put { file, bytes } => {
                    // If a power cut takes it, the next recovery makes it again.
                    replace(self.files, dir, &file.name(), bytes, false)?;
                }
                StoreOp::Delete { file } => self.files.remove(&join(dir, &file.name()))?,
                StoreOp::Append { .. } | StoreOp::AppendBatch(_) => {}
            }
        }
        Ok(())
    }
}

/// The part of a topic's configs that matters to recovery: how indexes are rebuilt.
fn recovery_config(configs: &ConfigView<'_>, topic: &str) -> LogConfig {
    let size = |name| u32::try_from(configs.topic_number(topic, name)).unwrap_or(u32::MAX);
    LogConfig {
        index_interval_bytes: size("index.interval.bytes"),
        segment_index_bytes: size("segment.index.bytes"),
        ..LogConfig::default()
    }
}
