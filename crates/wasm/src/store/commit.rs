//! One turn of the world, stored in one transaction or not at all.

use std::rc::Rc;

use bytes::Bytes;
use idb::{KeyRange, ObjectStore, Transaction};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

use super::connection::{Connection, Durability};
use super::error::{Kind, StoreError};
use super::layout::LayoutTurn;
use super::sys::{Answer, End, Exception, TxDone};
use super::{GENERATION, LOG, META, Store, log_key};

/// What one transaction changes. Deletes come first, then cuts, puts and rows.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Values to write whole.
    pub puts: Vec<LogValue>,
    /// Stored values to shorten.
    pub cuts: Vec<LogCut>,
    /// Values to delete.
    pub deletes: Vec<LogRange>,
    /// Rows of `meta` to write, or to delete where there is no value. `generation` is not for callers.
    pub meta: Vec<(String, Option<Vec<u8>>)>,
    /// What complete means.
    pub durability: Durability,
}

/// A value of `log`.
#[derive(Clone, Debug)]
pub struct LogValue {
    /// The replica's key: node, topic id and partition.
    pub replica: Rc<str>,
    /// Offset of the first record in it.
    pub base_offset: i64,
    /// Whole batches, in order.
    pub pieces: Vec<Bytes>,
}

/// A stored value that loses its end.
#[derive(Clone, Debug)]
pub struct LogCut {
    /// The replica's key.
    pub replica: Rc<str>,
    /// The value's key.
    pub base_offset: i64,
    /// Bytes that stay.
    pub keep: u32,
}

/// Values to delete, by their base offsets.
#[derive(Clone, Debug)]
pub struct LogRange {
    /// The replica's key.
    pub replica: Rc<str>,
    /// First base offset.
    pub from: i64,
    /// The base offset after the last.
    pub to: i64,
}

impl Turn {
    /// Adds what changed of one replica.
    pub fn add(&mut self, replica: &Rc<str>, changes: LayoutTurn) {
        let replica = || replica.clone();
        self.puts.extend(
            changes
                .puts
                .into_iter()
                .map(|(base_offset, pieces)| LogValue {
                    replica: replica(),
                    base_offset,
                    pieces,
                }),
        );
        self.cuts
            .extend(changes.cuts.into_iter().map(|(base_offset, keep)| LogCut {
                replica: replica(),
                base_offset,
                keep,
            }));
        self.deletes
            .extend(changes.deletes.into_iter().map(|(from, to)| LogRange {
                replica: replica(),
                from,
                to,
            }));
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty()
            && self.cuts.is_empty()
            && self.deletes.is_empty()
            && self.meta.is_empty()
    }
}

/// Clears the mark of a commit under way, also when its future is dropped.
struct Committing<'a>(&'a Store);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.0.inner.committing.set(false);
    }
}

impl Store {
    /// Stores a turn: when this returns `Ok`, all of it is stored.
    ///
    /// # Errors
    /// - `Quota`, `TakenOver`, `Aborted`, `Wiped`, `Blocked`: nothing of it is stored.
    /// - `Lost`: all of it or nothing is stored; what the database holds tells.
    ///
    /// # Panics
    /// When a commit is under way (a second one could not be withdrawn if the first fails), or when
    /// nobody has claimed the workspace.
    pub async fn commit(&self, turn: &Turn) -> Result<(), StoreError> {
        assert!(!self.inner.committing.replace(true), "one commit at a time");
        let _committing = Committing(self);
        let claimed = self
            .generation()
            .expect("only the owner of a workspace commits");
        let (tx, done) = self.begin_write(turn.durability).await?;
        let outcome = carry_out(&tx, turn, claimed).await;
        self.finish(tx, done, outcome).await
    }

    /// Claims the workspace: one generation more, flushed to the disk. Later commits of earlier owners
    /// fail. For whoever holds the workspace's lock.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn claim(&self, fresh: bool) -> Result<i64, StoreError> {
        let (tx, done) = self.begin_write(Durability::Strict).await?;
        let next = async {
            let meta = tx.object_store(META)?;
            let key = JsValue::from_str(GENERATION);
            let found = Answer::of(meta.get(key.clone())?).await?.as_f64();
            // Where the row was lost, count on from the clock's seconds: an earlier owner, who may still
            // be alive somewhere, has a smaller number.
            let lost = if fresh {
                0.0
            } else {
                js_sys::Date::now() / 1_000.0
            };
            let next = found.unwrap_or(lost).floor() + 1.0;
            meta.put(&JsValue::from_f64(next), Some(&key))?;
            Ok(next as i64)
        };
        let outcome: Result<i64, Refusal> = next.await;
        let next = *outcome.as_ref().unwrap_or(&0);
        self.finish(tx, done, outcome.map(drop)).await?;
        self.inner.generation.set(Some(next));
        Ok(next)
    }

    /// Starts a transaction, on a new connection where the old one turns out to be dead.
    async fn begin_write(
        &self,
        durability: Durability,
    ) -> Result<(Transaction, TxDone), StoreError> {
        let begin = |connection: &Connection| connection.write(durability);
        let begun = match begin(&*self.connection().await?) {
            Err(exception) if exception.kind(Kind::Aborted) == Kind::Lost => {
                self.close();
                begin(&*self.connection().await?)
            }
            begun => begun,
        };
        match begun {
            Ok((tx, done)) => Ok((Transaction::from(tx), done)),
            Err(exception) => Err(self.fail(exception.kind(Kind::Aborted), exception.detail())),
        }
    }

    /// Commits or aborts, and waits for the end.
    async fn finish(
        &self,
        tx: Transaction,
        done: TxDone,
        outcome: Result<(), Refusal>,
    ) -> Result<(), StoreError> {
        // Either call fails only when the transaction is over already: then its end says why.
        let refusal = match outcome {
            Ok(()) => tx.commit().err().map(|_| Refusal::default()),
            Err(refusal) => {
                let _ = tx.abort();
                Some(refusal)
            }
        };
        match (done.await, refusal) {
            (End::Complete, None) => Ok(()),
            (End::Complete, Some(refusal)) => Err(self.fail(refusal.kind, refusal.detail)),
            (End::Lost, _) => Err(self.lost(String::new())),
            (End::Aborted(exception), refusal) => Err(self.aborted(exception, refusal)),
        }
    }

    fn aborted(&self, exception: Exception, refusal: Option<Refusal>) -> StoreError {
        let by_us = exception.name.is_empty();
        match refusal.filter(|_| by_us) {
            Some(refusal) if refusal.kind != Kind::Aborted => {
                self.fail(refusal.kind, refusal.detail)
            }
            _ if self.is_broken() => self.lost(exception.detail()),
            Some(refusal) => self.fail(refusal.kind, refusal.detail),
            None => match exception.kind(Kind::Aborted) {
                Kind::Lost => self.lost(exception.detail()),
                kind => self.fail(kind, exception.detail()),
            },
        }
    }

    fn is_broken(&self) -> bool {
        self.inner
            .connection
            .borrow()
            .as_ref()
            .is_none_or(|connection| !connection.is_open())
    }

    fn lost(&self, detail: String) -> StoreError {
        self.close();
        self.fail(Kind::Lost, detail)
    }
}

/// Why a transaction is not to be committed.
#[derive(Debug)]
struct Refusal {
    kind: Kind,
    detail: String,
}

impl Default for Refusal {
    fn default() -> Self {
        Self {
            kind: Kind::Aborted,
            detail: String::new(),
        }
    }
}

impl From<Exception> for Refusal {
    fn from(exception: Exception) -> Self {
        Self {
            kind: exception.kind(Kind::Aborted),
            detail: exception.detail(),
        }
    }
}

impl From<idb::Error> for Refusal {
    fn from(error: idb::Error) -> Self {
        Exception::from(error).into()
    }
}

/// Fires every request of the turn without waiting for one, then waits for the fence only. The answer
/// to the first request comes while the browser works on the others, so the check costs next to nothing;
/// an explicit commit right away would leave no moment to abort.
async fn carry_out(tx: &Transaction, turn: &Turn, claimed: i64) -> Result<(), Refusal> {
    let (log, meta) = (tx.object_store(LOG)?, tx.object_store(META)?);
    let fence = Answer::of(meta.get(JsValue::from_str(GENERATION))?);
    let mut cuts = Vec::with_capacity(turn.cuts.len());
    for range in &turn.deletes {
        let (from, to) = (
            log_key(&range.replica, range.from),
            log_key(&range.replica, range.to),
        );
        log.delete(KeyRange::bound(&from, &to, Some(false), Some(true))?)?;
    }
    for cut in &turn.cuts {
        cuts.push((
            cut,
            Answer::of(log.get(log_key(&cut.replica, cut.base_offset))?),
        ));
    }
    put_values(&log, &turn.puts)?;
    for (name, row) in &turn.meta {
        let key = JsValue::from_str(name);
        match row {
            Some(bytes) => drop(meta.put(&Uint8Array::from(bytes.as_slice()), Some(&key))?),
            None => drop(meta.delete(key)?),
        }
    }
    let found = fence.await?.as_f64();
    if found != Some(claimed as f64) {
        let detail = format!("generation {claimed}, found {found:?}");
        return Err(Refusal {
            kind: Kind::TakenOver,
            detail,
        });
    }
    for (cut, stored) in cuts {
        // A value that is missing or no bytes stays as it is: reading reports it.
        if let Some(bytes) = stored.await?.dyn_ref::<Uint8Array>() {
            let shorter = bytes.slice(0, cut.keep);
            log.put(&shorter, Some(&log_key(&cut.replica, cut.base_offset)))?;
        }
    }
    Ok(())
}

/// Each value is copied into an array of exactly its size: a view would store the whole memory.
fn put_values(log: &ObjectStore, puts: &[LogValue]) -> Result<(), Refusal> {
    let mut joined = Vec::new();
    for value in puts {
        let bytes = match value.pieces.as_slice() {
            [piece] => &piece[..],
            pieces => {
                joined.clear();
                pieces
                    .iter()
                    .for_each(|piece| joined.extend_from_slice(piece));
                &joined
            }
        };
        log.put(
            &Uint8Array::from(bytes),
            Some(&log_key(&value.replica, value.base_offset)),
        )?;
    }
    Ok(())
}
