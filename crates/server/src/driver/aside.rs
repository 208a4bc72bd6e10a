//! What waits for the disk, on threads beside the one that serves.

use super::Driver;
use crate::disk::Fsync;
use crate::reader::{self, Reader, Stretch, Wanted};
use crate::store::Store;
use crate::syncer::{self, Failed, Syncer};
use bytes::Bytes;
use cluster::Event;
use ids::{ConnId, Time, Token};
use log::{DiskEvent, LogId, LogSlice};
use std::io;

impl Driver {
    /// From now on threads wait for the disk, and call `wake` when something has come of it.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub fn work_aside(&mut self, wake: impl Fn() + Clone + Send + 'static) -> io::Result<()> {
        let Store::Disk(disk) = &self.store else {
            return Ok(());
        };
        if disk.fsync() == Fsync::Always {
            self.syncer = Some(syncer::start(wake.clone())?);
        }
        self.reader = Some(reader::start(wake)?);
        Ok(())
    }

    /// Has a thread read what a connection sends next.
    pub(crate) fn warm(&self, conn: ConnId, stretch: Stretch) {
        if let Some(reader) = &self.reader {
            reader.order((Wanted::By(conn), stretch));
        }
    }

    /// Tells the node what has been read; gives the connections that can go on sending.
    pub(crate) fn take_read(&mut self, now: Time) -> Vec<ConnId> {
        let reader = self.reader.as_ref();
        let done: Vec<_> = reader.into_iter().flat_map(Reader::done).collect();
        let mut warmed = Vec::new();
        for done in done {
            match done.wanted {
                Wanted::By(conn) => warmed.push(conn),
                Wanted::Load { log, token, slice } => {
                    let event = self.loaded(log, token, &slice, done.bytes);
                    self.tell(now, event);
                }
            }
        }
        warmed
    }

    /// Has a thread load bytes of a log, if that would wait for the disk.
    pub(super) fn read_aside(&mut self, log: LogId, token: Token, slice: &LogSlice) -> bool {
        let Some(reader) = &self.reader else {
            return false;
        };
        match self.store.stretch(log, slice) {
            Ok(Some(stretch)) if !stretch.is_warm() => {
                let slice = *slice;
                reader.order((Wanted::Load { log, token, slice }, stretch));
                true
            }
            _ => false,
        }
    }

    pub(super) fn loaded(
        &mut self,
        log: LogId,
        token: Token,
        slice: &LogSlice,
        bytes: io::Result<Bytes>,
    ) -> Event {
        self.grown += u64::from(slice.length);
        let bytes = bytes.unwrap_or_else(|error| {
            self.say_unreadable(log, slice, &error);
            Bytes::new()
        });
        DiskEvent::Loaded { log, token, bytes }.into()
    }

    /// Like [`Driver::commit`], but where that would wait for the disk a thread does; what is written
    /// until it comes back shares its next round.
    pub fn commit_aside(&mut self, now: Time) {
        let Some(syncer) = &self.syncer else {
            return self.commit(now);
        };
        // One round is under way at most.
        let ended = syncer.done().next();
        if let Some(failed) = ended {
            self.take_round(now, &failed);
        }
        while self.syncing.is_none() && !self.written.is_empty() {
            let written = std::mem::take(&mut self.written);
            match (self.store.take_dirty(), &self.syncer) {
                (Ok(Some(dirty)), Some(syncer)) if !dirty.is_empty() => {
                    syncer.order(dirty);
                    self.syncing = Some(written);
                }
                // Nothing to wait for, or nothing that another thread could do.
                _ => {
                    let failed = self.store.commit();
                    self.confirm(now, written, &failed);
                }
            }
        }
        self.keep_bound();
    }

    /// Waits for the syncer's round, if one is under way.
    pub(super) fn end_round(&mut self, now: Time) {
        let syncer = self.syncer.as_ref().filter(|_| self.syncing.is_some());
        if let Some(failed) = syncer.and_then(Syncer::wait) {
            self.take_round(now, &failed);
        }
    }

    /// A round has ended: what is still wanted of it is confirmed.
    fn take_round(&mut self, now: Time, failed: &Failed) {
        let synced = self.syncing.take().unwrap_or_default();
        self.confirm(now, synced, failed);
    }
}
