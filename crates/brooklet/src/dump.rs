//! `kafka-dump-log`: what stands in the files of a partition, a piece at a time, whatever their bytes claim.

use client::tools::dump_line;
use client::tools::options::Parsed;
use log::files::{decode_snapshot, decode_txn_index};
use records::{BatchView, EndTxnMarker, Header, TimestampType, decompress, records};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

/// The longest batch, packed or unpacked, that is looked into.
const BATCH_MAX: u32 = 256 << 20;
/// The longest snapshot or transaction index that is read.
const SMALL_MAX: u64 = 64 << 20;
/// The fixed part of a batch.
const HEADER: usize = 61;

/// Whether a word names this tool, perhaps with a path before it and `.sh` behind it.
pub(crate) fn is_it(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.strip_suffix(".sh").unwrap_or(name) == "kafka-dump-log"
}

/// Runs the tool; `words` are what stands behind its name. Gives its exit status.
pub(crate) fn run(words: &[String]) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    let parsed = match dump_line(words) {
        Ok(parsed) => parsed,
        Err(spoken) => {
            let written = out.write_all(spoken.stdout.as_bytes());
            eprint!("{}", spoken.stderr);
            return match written {
                Ok(()) => u8::try_from(spoken.status).unwrap_or(1),
                Err(_) => 1,
            };
        }
    };
    let dumped = dump(&parsed, &mut out).and_then(|()| Ok(out.flush()?));
    match dumped {
        Ok(()) => 0,
        Err(Stop::Said(text)) => {
            let _ = out.flush();
            eprintln!("{text}");
            1
        }
        // Nobody reads what it says any more.
        Err(Stop::Written) => 1,
    }
}

enum Stop {
    Said(String),
    Written,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Stop {
        Stop::Written
    }
}

/// What is to be shown of each file.
struct Show {
    records: bool,
    contents: bool,
    metadata: bool,
    sanity: bool,
    verify: bool,
    max_bytes: u64,
}

fn dump(parsed: &Parsed, out: &mut impl Write) -> Result<(), Stop> {
    let refuse = |refusal: client::tools::options::Refusal| {
        let class = refusal.class();
        Stop::Said(format!("Exception in thread \"main\" {class}: {refusal}"))
    };
    let contents = parsed.has("print-data-log");
    let mut show = Show {
        records: contents || parsed.has("deep-iteration"),
        contents,
        metadata: !parsed.has("skip-record-metadata"),
        sanity: parsed.has("index-sanity-check"),
        verify: parsed.has("verify-index-only"),
        max_bytes: u64::MAX,
    };
    let files = parsed.one("files").map_err(refuse)?.unwrap_or_default();
    for name in files.split(',').filter(|name| !name.is_empty()) {
        writeln!(out, "Dumping {name}")?;
        // Numbers are read when they are wanted, as joptsimple does.
        let limit = parsed.integer("max-bytes").map_err(refuse)?;
        parsed.integer("max-message-size").map_err(refuse)?;
        if let Some(limit) = limit {
            show.max_bytes = u64::try_from(limit).unwrap_or(0);
        }
        let kind = Path::new(name)
            .extension()
            .and_then(|ending| ending.to_str());
        match kind.unwrap_or_default() {
            "log" | "checkpoint" if is_offset(name) => log(name, &show, out)?,
            "index" => index(name, &show, 8, out)?,
            "timeindex" => index(name, &show, 12, out)?,
            "snapshot" => snapshot(name, out)?,
            "txnindex" => transactions(name, out)?,
            _ => {
                out.flush()?;
                eprintln!("Ignoring unknown file {name}");
            }
        }
    }
    Ok(())
}

/// The offset in a file's name.
fn base(name: &str) -> Option<i64> {
    let file = Path::new(name).file_name()?.to_str()?;
    file.get(..20)?.parse().ok()
}

fn is_offset(name: &str) -> bool {
    base(name).is_some()
}

fn open(name: &str) -> Result<(File, u64), Stop> {
    let opened = File::open(name).and_then(|file| {
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Stop::Said(format!(
            "Exception in thread \"main\" java.nio.file.NoSuchFileException: {name}"
        )),
        _ => Stop::Said(format!("{name}: {error}")),
    })
}

fn small(name: &str) -> Result<Vec<u8>, Stop> {
    let (file, _) = open(name)?;
    let mut bytes = Vec::new();
    let read = file.take(SMALL_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Stop::Said(format!("{name}: {error}")))?;
    Ok(bytes)
}

fn log(name: &str, show: &Show, out: &mut impl Write) -> Result<(), Stop> {
    let start = base(name).unwrap_or(0);
    if name.ends_with(".log") {
        writeln!(out, "Log starting offset: {start}")?;
    } else {
        let epoch = name
            .rsplit('-')
            .next()
            .and_then(|rest| rest.split('.').next());
        let epoch: i64 = epoch.and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        writeln!(out, "Snapshot end offset: {start}, epoch: {epoch}")?;
    }
    let (file, length) = open(name)?;
    let mut reader = BufReader::new(file);
    let mut position: u64 = 0;
    let mut batch = Vec::new();
    let most = length.min(show.max_bytes);
    while position < most {
        let left = most - position;
        let mut head = [0; HEADER];
        let whole = left >= HEADER as u64 && reader.read_exact(&mut head).is_ok();
        let header = whole.then(|| Header::peek(&head).ok()).flatten();
        let size = header.as_ref().map_or(0, Header::total_size);
        if header.is_none() || u64::from(size) > left || size > BATCH_MAX {
            // With a limit it is the limit that cut the batch off.
            if length <= show.max_bytes {
                let rest = length - position;
                writeln!(
                    out,
                    "Found {rest} invalid bytes at the end of {}",
                    shown_name(name)
                )?;
            }
            return Ok(());
        }
        batch.clear();
        batch.extend_from_slice(&head);
        let rest = u64::from(size) - HEADER as u64;
        let read = reader.by_ref().take(rest).read_to_end(&mut batch);
        let Ok(view) = BatchView::parse(&batch) else {
            return Ok(());
        };
        if read.is_err() {
            return Err(Stop::Said(format!(
                "{name}: it cannot be read behind {position}"
            )));
        }
        writeln!(out, "{}", batch_line(&view, position))?;
        if show.records {
            tell_records(&view, show, out)?;
        }
        position += u64::from(size);
    }
    Ok(())
}

fn shown_name(name: &str) -> &str {
    Path::new(name)
        .file_name()
        .and_then(|file| file.to_str())
        .unwrap_or(name)
}

fn time_name(header: &Header) -> &'static str {
    match header.attributes.timestamp_type() {
        TimestampType::LogAppendTime => "LogAppendTime",
        TimestampType::CreateTime => "CreateTime",
    }
}

fn batch_line(view: &BatchView<'_>, position: u64) -> String {
    let h = view.header();
    let horizon = match h.delete_horizon() {
        Some(at) => format!("OptionalLong[{at}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    let codec = h
        .attributes
        .compression()
        .map_or("unknown", codecs::Compression::name);
    let sum = view.bytes().get(21..).map(codecs::crc32c);
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        h.base_offset.0,
        h.last_offset().0,
        h.count,
        h.base_sequence,
        h.last_sequence(),
        h.producer_id.0,
        h.producer_epoch.0,
        h.partition_leader_epoch.0,
        h.attributes.is_transactional(),
        h.attributes.is_control(),
        time_name(h),
        h.max_timestamp,
        u64::from(h.total_size()),
        h.magic,
        h.crc,
        sum == Some(h.crc),
    )
}

fn tell_records(view: &BatchView<'_>, show: &Show, out: &mut impl Write) -> Result<(), Stop> {
    let header = view.header();
    let unpacked = match view.records() {
        Some(_) => None,
        None => match decompress(view, BATCH_MAX) {
            Ok(bytes) => Some(bytes),
            Err(_) => {
                writeln!(out, "The records of this batch cannot be read.")?;
                return Ok(());
            }
        },
    };
    let payload = unpacked.as_deref().unwrap_or_else(|| view.payload());
    let control = header.attributes.is_control();
    let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    let mut sequence = header.base_sequence;
    for record in records(header, payload) {
        let Ok(record) = record else {
            writeln!(out, "The records of this batch cannot be read any further.")?;
            return Ok(());
        };
        if control && !show.metadata {
            writeln!(out)?;
            continue;
        }
        write!(out, "|")?;
        if show.metadata {
            let at = if append_time {
                header.max_timestamp
            } else {
                record.timestamp
            };
            let size =
                |bytes: Option<&[u8]>| bytes.map_or(-1, |b| i64::try_from(b.len()).unwrap_or(-1));
            let keys = record.headers().map(|header| header.name().into_owned());
            let keys: Vec<String> = keys.collect();
            write!(
                out,
                " offset: {} {}: {at} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
                record.offset.0,
                time_name(header),
                size(record.key),
                size(record.value),
                keys.join(",")
            )?;
        }
        if sequence >= 0 {
            sequence = sequence.checked_add(1).unwrap_or(0);
        }
        if control {
            let marker = record.key.zip(record.value);
            if let Some(marker) = marker.and_then(|(key, value)| EndTxnMarker::parse(key, value)) {
                let kind = if marker.commit { "COMMIT" } else { "ABORT" };
                write!(
                    out,
                    " endTxnMarker: {kind} coordinatorEpoch: {}",
                    marker.coordinator_epoch
                )?;
            }
        } else if show.contents {
            for (name, bytes) in [("key", record.key), ("payload", record.value)] {
                if let Some(bytes) = bytes {
                    write!(out, " {name}: {}", String::from_utf8_lossy(bytes))?;
                }
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// An offset index (8 bytes an entry) or a time index (12).
fn index(name: &str, show: &Show, entry: usize, out: &mut impl Write) -> Result<(), Stop> {
    let Some(base) = base(name) else {
        return Err(Stop::Said(format!(
            "{name}: its name does not begin with an offset"
        )));
    };
    let (file, length) = open(name)?;
    if show.sanity {
        let text = match length % entry as u64 {
            0 => format!("{name} passed sanity check."),
            _ => format!("{name} failed sanity check: its size is no multiple of {entry}."),
        };
        return Ok(writeln!(out, "{text}")?);
    }
    if show.verify {
        return Ok(());
    }
    let mut reader = BufReader::new(file);
    let mut bytes = [0; 12];
    let mut first = true;
    while reader.read_exact(&mut bytes[..entry]).is_ok() {
        let number = |from: usize| {
            let four = bytes.get(from..from + 4).and_then(|b| b.first_chunk());
            four.map_or(0, |four| i64::from(u32::from_be_bytes(*four)))
        };
        // What was set aside for entries to come is full of zeros.
        if !first && bytes[..entry].iter().all(|byte| *byte == 0) {
            break;
        }
        first = false;
        match entry {
            8 => writeln!(
                out,
                "offset: {} position: {}",
                base.saturating_add(number(0)),
                number(4)
            )?,
            _ => {
                let time = bytes
                    .first_chunk()
                    .map_or(0, |eight| i64::from_be_bytes(*eight));
                writeln!(
                    out,
                    "timestamp: {time} offset: {}",
                    base.saturating_add(number(8))
                )?;
            }
        }
    }
    Ok(())
}

fn snapshot(name: &str, out: &mut impl Write) -> Result<(), Stop> {
    let Some(producers) = decode_snapshot(&small(name)?) else {
        let text = format!("{name}: the snapshot is damaged, or of another version");
        return Err(Stop::Said(text));
    };
    for (id, producer) in producers {
        let first = match producer.transaction_start {
            Some(offset) => format!("OptionalLong[{}]", offset.0),
            None => "OptionalLong.empty".to_owned(),
        };
        write!(
            out,
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {first} lastTimestamp: {}",
            id.0, producer.epoch.0, producer.coordinator_epoch, producer.last_timestamp
        )?;
        if let Some(batch) = producer.last_batch() {
            write!(
                out,
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                batch.last_sequence.wrapping_sub(batch.offset_delta),
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                batch.timestamp
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn transactions(name: &str, out: &mut impl Write) -> Result<(), Stop> {
    let Some(aborted) = decode_txn_index(&small(name)?) else {
        let text = format!("{name}: the transaction index is cut off, or of another version");
        return Err(Stop::Said(text));
    };
    for txn in aborted {
        writeln!(
            out,
            "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            txn.producer_id.0, txn.first_offset.0, txn.last_offset.0, txn.last_stable_offset.0
        )?;
    }
    Ok(())
}
