//! What a crash in the middle of something leaves in a log's directory, settled as Kafka does it
//! when it loads a log (`LogLoader`): by the suffixes of the files' names.

use crate::checkpoints::join;
use crate::console::Console;
use crate::files::Files;
use ids::Offset;
use log::LogFile;
use records::{BatchView, HEADER_LEN, Header};
use std::collections::BTreeSet;
use std::io;

/// Largest batch that is believed, as in recovery.
const MAX_BATCH_BYTES: u32 = 100 << 20;

/// A file whose name says that something was not finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leftover {
    /// To be deleted: it was on its way out, or was never whole.
    Waste,
    /// Written by a clean-up that did not get as far as to use it.
    Cleaned(Offset),
    /// Whole, and on its way into the place of what it was cleaned from.
    Swap(LogFile),
}

impl Leftover {
    fn parse(name: &str) -> Option<Leftover> {
        let (stem, suffix) = name.rsplit_once('.')?;
        let file = LogFile::parse(stem);
        match suffix {
            "deleted" => Some(Leftover::Waste),
            // A snapshot of the metadata that was being written.
            "part" if stem.ends_with(".checkpoint") => Some(Leftover::Waste),
            "tmp" if file.is_some() => Some(Leftover::Waste),
            "cleaned" => Some(Leftover::Cleaned(base_of(file?)?)),
            "swap" => file
                .filter(|file| base_of(*file).is_some())
                .map(Leftover::Swap),
            _ => None,
        }
    }
}

/// Settles a directory: afterwards its segments are those that a reader is to see. Gives the names
/// and lengths of its files.
pub(crate) fn settle(
    files: &mut dyn Files,
    dir: &str,
    console: &Console,
) -> io::Result<Vec<(String, u64)>> {
    let mut listed = files.files(dir)?;
    if listed
        .iter()
        .any(|(name, _)| Leftover::parse(name).is_some())
    {
        settle_leftovers(files, dir, &listed, console)?;
        listed = files.files(dir)?;
    }
    let orphans = orphans(&listed);
    for (file, is_missed) in &orphans {
        let path = join(dir, &file.name());
        files.remove(&path)?;
        let why = match is_missed {
            true => "the records of that segment are missing",
            false => "unless retention was deleting that segment, its records are missing",
        };
        console.say(format!(
            "{path}: there is no segment that it belongs to; it is removed, and {why}"
        ));
    }
    listed.retain(|(name, _)| !orphans.iter().any(|(file, _)| file.name() == *name));
    Ok(listed)
}

fn settle_leftovers(
    files: &mut dyn Files,
    dir: &str,
    listed: &[(String, u64)],
    console: &Console,
) -> io::Result<()> {
    let (mut cleaned, mut swaps) = (Vec::new(), Vec::new());
    for (name, _) in listed {
        match Leftover::parse(name) {
            Some(Leftover::Waste) => files.remove(&join(dir, name))?,
            Some(Leftover::Cleaned(base)) => cleaned.push((base, name)),
            Some(Leftover::Swap(file)) => swaps.push((file, name.clone())),
            None => {}
        }
    }
    // Where not everything of a clean-up had become a swap, what it replaces is still all there
    // (KAFKA-6264). The swaps go first: without the cleaned files they would be believed.
    let unfinished = cleaned.iter().map(|(base, _)| *base).min();
    let (void, swaps): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|(file, _)| {
        unfinished.is_some_and(|from| base_of(*file).is_some_and(|base| base >= from))
    });
    for name in void.iter().map(|(_, name)| name) {
        files.remove(&join(dir, name))?;
    }
    for (_, name) in cleaned {
        files.remove(&join(dir, name))?;
    }
    match swaps.is_empty() {
        true => Ok(()),
        false => put_in_place(files, dir, swaps, console),
    }
}

/// Completes a clean-up: what its segments were made from goes, and they take the names.
fn put_in_place(
    files: &mut dyn Files,
    dir: &str,
    swaps: Vec<(LogFile, String)>,
    console: &Console,
) -> io::Result<()> {
    let listed = files.files(dir)?;
    let mut damaged = BTreeSet::new();
    let mut range: Option<(Offset, Offset)> = None;
    for (file, name) in &swaps {
        let LogFile::Log(base) = *file else {
            continue;
        };
        let stands = listed.iter().any(|(other, _)| *other == file.name());
        match end_of(files, &join(dir, name), base)? {
            Some(end) => {
                let (from, to) = range.unwrap_or((base, end));
                range = Some((from.min(base), to.max(end)));
            }
            // The first that a swap replaces is the first that goes, so all others are there, too.
            None if stands => drop(damaged.insert(base)),
            None => {}
        }
    }
    let replaced = |name: &str| {
        let base = LogFile::parse(name).and_then(base_of);
        range.is_some_and(|(from, to)| base.is_some_and(|base| from <= base && base < to))
    };
    for (name, _) in listed.iter().filter(|(name, _)| replaced(name)) {
        files.remove(&join(dir, name))?;
    }
    for (file, name) in swaps {
        let path = join(dir, &name);
        if base_of(file).is_some_and(|base| damaged.contains(&base)) {
            console.say(format!(
                "{path}: is damaged and removed; what it was to replace is still there"
            ));
            files.remove(&path)?;
        } else {
            console.say(format!(
                "{path}: a clean-up was cut short; the file takes its place now"
            ));
            files.rename(&path, &join(dir, &file.name()))?;
        }
    }
    files.sync_dir(dir)
}

/// The offset after a segment's last batch; `None` when it is damaged.
fn end_of(files: &mut dyn Files, path: &str, base: Offset) -> io::Result<Option<Offset>> {
    let (mut at, mut end) = (0, base);
    loop {
        let head = files.read(path, at, HEADER_LEN as usize)?;
        if head.is_empty() {
            return Ok(Some(end));
        }
        let Some(size) = Header::peek(&head).ok().map(|header| header.total_size()) else {
            return Ok(None);
        };
        if size > MAX_BATCH_BYTES {
            return Ok(None);
        }
        let bytes = files.read(path, at, size as usize)?;
        match BatchView::parse(&bytes) {
            Ok(batch) if batch.crc_is_valid() => end = batch.next_offset(),
            _ => return Ok(None),
        }
        at += u64::from(size);
    }
}

/// Index files without a segment, and whether that segment is missed: below the first one it may be
/// retention that was cut short.
fn orphans(listed: &[(String, u64)]) -> Vec<(LogFile, bool)> {
    let parsed = || (listed.iter()).filter_map(|(name, _)| LogFile::parse(name));
    let is_log = |file: &LogFile| matches!(file, LogFile::Log(_));
    let segments: BTreeSet<Offset> = parsed().filter(is_log).filter_map(base_of).collect();
    let first = segments.first().copied();
    let orphan = |file: LogFile| match file {
        LogFile::Index(base) | LogFile::TimeIndex(base) | LogFile::TxnIndex(base) => {
            let is_missed = first.is_none_or(|first| first < base);
            (!segments.contains(&base)).then_some((file, is_missed))
        }
        _ => None,
    };
    parsed().filter_map(orphan).collect()
}

fn base_of(file: LogFile) -> Option<Offset> {
    match file {
        LogFile::Log(base)
        | LogFile::Index(base)
        | LogFile::TimeIndex(base)
        | LogFile::TxnIndex(base)
        | LogFile::Snapshot(base) => Some(base),
        LogFile::LeaderEpochs
        | LogFile::PartitionMetadata
        | LogFile::QuorumState
        | LogFile::MetadataSnapshot(_) => None,
    }
}
