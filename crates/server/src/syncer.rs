//! `--fsync always` while the server goes on: whatever is written meanwhile is made durable by the next
//! fsync, so that many requests share one.

use crate::worker::Worker;
use cluster::LogId;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The files to which logs have written.
pub(crate) type Written = Vec<(LogId, Arc<File>)>;
/// Logs of which nobody knows what the disk has.
pub(crate) type Failed = Vec<(LogId, io::Error)>;

/// A thread that makes what was written durable, in order.
pub(crate) type Syncer = Worker<Written, Failed>;

/// Starts it; it calls `wake` after each order.
pub(crate) fn start(wake: impl Fn() + Send + 'static) -> io::Result<Syncer> {
    let carry_out = |written: Written| {
        let synced = written.into_iter();
        let synced = synced.map(|(log, file)| (log, file.sync_data()));
        let failed = synced.filter_map(|(log, result)| Some((log, result.err()?)));
        failed.collect()
    };
    Worker::start("sync", carry_out, wake)
}
