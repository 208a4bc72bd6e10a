//! When a node writes a snapshot of what is committed (KIP-630), and what it then lets go of the log.

use crate::node::{Node, Work, Works};
use alloc::string::String;
use ids::{LeaderEpoch, Offset, SnapshotId, Time};
use metadata::MetadataRecord;
use raft::snapshot_file;
use records::Header;
use sorted::SortedMap;

/// The settings of a node's snapshots, by Kafka's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshots {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 for never.
    pub interval_ms: u64,
    /// `metadata.max.retention.bytes`: a log of more begins with its snapshot.
    pub retention_bytes: u64,
}

impl Default for Snapshots {
    /// Kafka's defaults.
    fn default() -> Snapshots {
        Snapshots {
            bytes_between: 20 << 20,
            interval_ms: 3_600_000,
            retention_bytes: 100 << 20,
        }
    }
}

impl Snapshots {
    /// What `server.properties` says; Kafka's defaults for the rest.
    #[must_use]
    pub fn of(properties: &SortedMap<String, String>) -> Snapshots {
        let defaults = Snapshots::default();
        let number = |name: &str, default| {
            let value = properties
                .get(name)
                .and_then(|value| value.trim().parse().ok());
            value.unwrap_or(default)
        };
        Snapshots {
            bytes_between: number(
                "metadata.log.max.record.bytes.between.snapshots",
                defaults.bytes_between,
            ),
            interval_ms: number(
                "metadata.log.max.snapshot.interval.ms",
                defaults.interval_ms,
            ),
            retention_bytes: number("metadata.max.retention.bytes", defaults.retention_bytes),
        }
    }
}

/// What has been committed since the last snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fresh {
    /// No snapshots are written without.
    settings: Option<Snapshots>,
    bytes: u64,
    /// When the first of them was committed.
    since: Option<Time>,
    /// The epoch of the last batch, and the time of its records.
    last: (LeaderEpoch, i64),
}

impl Fresh {
    pub(crate) fn new(settings: Option<Snapshots>) -> Fresh {
        Fresh {
            settings,
            ..Fresh::default()
        }
    }

    /// A batch is committed.
    pub(crate) fn add(&mut self, now: Time, header: &Header) {
        self.bytes += u64::from(header.total_size());
        self.since.get_or_insert(now);
        self.last = (header.partition_leader_epoch, header.max_timestamp);
    }

    /// When a snapshot is due though little has been committed.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let settings = self.settings.filter(|settings| settings.interval_ms > 0)?;
        Some(self.since?.plus_millis(settings.interval_ms))
    }

    fn is_due(&self, now: Time) -> bool {
        let many = self
            .settings
            .is_some_and(|it| self.bytes >= it.bytes_between);
        many || self.next_deadline().is_some_and(|at| at <= now)
    }
}

impl Node {
    /// Writes a snapshot if one is due. What the log says and this program does not keep must stay in the log, so
    /// there is none then.
    pub(crate) fn maybe_snapshot(&mut self, now: Time, works: &mut Works) {
        if !self.fresh.is_due(now) {
            return;
        }
        let (Some(settings), Some(image)) = (self.fresh.settings, self.image()) else {
            return;
        };
        if image.end() != self.applied || !self.is_known() {
            return;
        }
        let (epoch, last) = self.fresh.last;
        let end = self.applied;
        let id = SnapshotId { end, epoch };
        let log_from = match self.raft.log().size() > settings.retention_bytes {
            true => end,
            false => Offset(0),
        };
        let event = (!image.is_partial()).then(|| {
            let values = image.records();
            let values = values.iter().map(MetadataRecord::encode);
            let times = (last, self.raft.wall(now).millis());
            let bytes = snapshot_file(epoch, self.raft.named_before(end), values, times);
            raft::Event::SnapshotTaken {
                id,
                bytes: bytes.into(),
                log_from,
            }
        });
        self.fresh.bytes = 0;
        self.fresh.since = None;
        works.extend(event.map(Work::Quorum));
    }
}
