//! Steps that say what they do and how long it took, and are skipped when nothing changed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::process::scratch;
use crate::trouble::{Outcome, Trouble};

/// Whether a step had anything to do.
pub(crate) enum Did {
    Work,
    Nothing,
}

/// Runs one step and prints a line about it.
pub(crate) fn step(title: &str, work: impl FnOnce() -> Outcome<Did>) -> Outcome {
    print!("  {title:<34}");
    // A lost line of progress is no reason to stop.
    let _ = std::io::stdout().flush();
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    match &result {
        Ok(Did::Work) => println!("{seconds:7.1} s"),
        Ok(Did::Nothing) => println!("up to date"),
        Err(Trouble::Missing(_)) => println!("not possible here"),
        Err(_) => println!("FAILED after {seconds:.1} s"),
    }
    result.map(|_| ())
}

/// Does `work` when any of `inputs` is newer than the last time it was done, or `output` is gone.
///
/// Directories count with everything in them; their own times tell of deleted files.
pub(crate) fn when_changed(
    name: &str,
    inputs: &[PathBuf],
    output: &Path,
    work: impl FnOnce() -> Outcome,
) -> Outcome<Did> {
    let stamp = scratch()?.join(format!("{name}.stamp"));
    let done = fs::metadata(&stamp).and_then(|meta| meta.modified()).ok();
    let changed = inputs.iter().filter_map(|input| newest(input)).max();
    if output.exists() && done.is_some() && changed < done {
        return Ok(Did::Nothing);
    }
    // The time before the work: what changes meanwhile is new.
    let begun = SystemTime::now();
    work()?;
    File::create(&stamp)
        .and_then(|file| file.set_modified(begun))
        .map_err(|e| Trouble::io("write", &stamp, e))?;
    Ok(Did::Work)
}

fn newest(path: &Path) -> Option<SystemTime> {
    let meta = fs::metadata(path).ok()?;
    let own = meta.modified().ok()?;
    if !meta.is_dir() {
        return Some(own);
    }
    let entries = fs::read_dir(path).ok()?.flatten();
    entries
        .filter_map(|entry| newest(&entry.path()))
        .chain([own])
        .max()
}
