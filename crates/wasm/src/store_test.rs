//! What the browser tests call (`tests/e2e/store`): a few logs with batches that tell themselves apart.

use std::rc::Rc;

use bytes::Bytes;
use js_sys::Function;
use serde::Serialize;
use sorted::SortedMap;
use wasm_bindgen::prelude::*;

use crate::owner::{self, Owned, State};
use crate::store::{Durability, Layout, Opened, Place, Store, StoreError, Turn, workspaces};

/// Bytes of a batch before its filling: its offset and its length.
const HEAD: usize = 12;

/// A workspace under test.
#[wasm_bindgen]
pub struct StoreTest {
    opened: Opened,
    owned: Option<Owned>,
    logs: SortedMap<Rc<str>, Log>,
}

#[derive(Default)]
struct Log {
    layout: Layout,
    next: i64,
    position: u32,
}

/// What reading everything back found.
#[derive(Default, Serialize)]
struct Report {
    fresh: bool,
    recreated: Vec<String>,
    ends: SortedMap<String, i64>,
    rows: SortedMap<String, String>,
    faults: Vec<String>,
    bytes: u64,
}

#[wasm_bindgen]
impl StoreTest {
    /// Opens and claims without the lock, as a tab that takes over from a frozen one.
    pub async fn open(workspace: String) -> Result<StoreTest, JsValue> {
        console_error_panic_hook::set_once();
        let opened = Store::open(&Place::first(&workspace), |_| {})
            .await
            .map_err(told)?;
        opened.store.claim(opened.fresh).await.map_err(told)?;
        Ok(Self {
            opened,
            owned: None,
            logs: SortedMap::new(),
        })
    }

    /// Waits for the lock; `on_state` hears `waiting` and `owner`.
    pub async fn acquire(workspace: String, on_state: Function) -> Result<StoreTest, JsValue> {
        console_error_panic_hook::set_once();
        let hear = move |state| {
            let (name, number) = match state {
                State::Owner { generation } => ("owner", Some(generation as f64)),
                State::Waiting { since } => ("waiting", since),
            };
            let _ = on_state.call2(&JsValue::NULL, &name.into(), &number.into());
        };
        let owned = owner::acquire(&workspace, hear, |_| {})
            .await
            .map_err(told)?;
        let opened = Opened {
            store: owned.opened.store.clone(),
            fresh: owned.opened.fresh,
            recreated: owned.opened.recreated.clone(),
        };
        Ok(Self {
            opened,
            owned: Some(owned),
            logs: SortedMap::new(),
        })
    }

    /// Lets go of the lock and of the database.
    pub fn release(&mut self) {
        self.owned = None;
        self.opened.store.close();
    }

    /// The generation claimed.
    pub fn generation(&self) -> Option<f64> {
        self.opened
            .store
            .generation()
            .map(|generation| generation as f64)
    }

    /// Appends batches of `size` bytes to the log `replica`.
    pub fn append(&mut self, replica: &str, batches: u32, size: usize) {
        let log = self.logs.entry(Rc::from(replica)).or_default();
        for _ in 0..batches {
            let batch = batch(log.next, size.max(HEAD));
            let len = batch.len() as u32;
            log.layout.append(0, log.position, log.next, batch);
            log.next += 1;
            log.position += len;
        }
    }

    /// Stores what was appended, with a row of each log's end.
    pub async fn commit(&mut self, strict: bool) -> Result<(), JsValue> {
        let durability = if strict {
            Durability::Strict
        } else {
            Durability::Relaxed
        };
        let mut turn = Turn {
            durability,
            ..Turn::default()
        };
        for (replica, log) in self.logs.iter_mut() {
            if log.layout.is_dirty() {
                turn.add(replica, log.layout.take_turn(1));
                turn.meta.push((
                    format!("r:{replica}"),
                    Some(log.next.to_string().into_bytes()),
                ));
            }
        }
        self.opened.store.commit(&turn).await.map_err(told)
    }

    /// Cuts the log `replica` at the start of the batch `offset`; all its batches have `size` bytes.
    pub fn truncate(&mut self, replica: &str, offset: u32, size: u32) {
        let log = self.logs.entry(Rc::from(replica)).or_default();
        log.next = i64::from(offset);
        log.position = offset * size;
        log.layout.truncate(0, log.position);
    }

    /// Reads everything back, checks every byte, and goes on from there.
    pub async fn verify(&mut self) -> Result<JsValue, JsValue> {
        let store = self.opened.store.clone();
        let meta = store.load_meta().await.map_err(told)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut report = Report {
            fresh: self.opened.fresh,
            recreated: self
                .opened
                .recreated
                .iter()
                .map(|name| name.to_string())
                .collect(),
            rows: meta
                .rows
                .into_iter()
                .map(|(name, row)| (name, text(row)))
                .collect(),
            ..Report::default()
        };
        let keys = store.load_keys().await.map_err(told)?;
        let replicas = store.replicas().await.map_err(told)?;
        if !replicas.iter().eq(keys.replicas.keys()) {
            report.faults.push(format!("replicas {replicas:?}"));
        }
        self.logs.clear();
        for replica in replicas {
            let log = read_log(&store, &replica, &mut report)
                .await
                .map_err(told)?;
            report.ends.insert(replica.clone(), log.next);
            report.bytes += log.layout.bytes();
            self.logs.insert(Rc::from(replica), log);
        }
        Ok(to_js(&report))
    }

    /// `turns` commits of `values` full values each; milliseconds a turn.
    pub async fn bench_bulk(&mut self, turns: u32, values: u32) -> Result<Vec<f64>, JsValue> {
        self.bench(turns, 1, values, 61_440).await
    }

    /// `turns` commits of `batches` batches of `size` bytes in each of `replicas` logs.
    pub async fn bench(
        &mut self,
        turns: u32,
        replicas: u32,
        batches: u32,
        size: usize,
    ) -> Result<Vec<f64>, JsValue> {
        let mut times = Vec::new();
        for _ in 0..turns {
            (0..replicas)
                .for_each(|replica| self.append(&format!("bench-{replica}"), batches, size));
            let before = now();
            self.commit(false).await?;
            times.push(now() - before);
        }
        Ok(times)
    }
}

/// All workspaces.
#[wasm_bindgen]
pub async fn workspaces_list() -> Result<JsValue, JsValue> {
    workspaces::list()
        .await
        .map(|list| to_js(&list))
        .map_err(told)
}

/// Gives a workspace a title.
#[wasm_bindgen]
pub async fn workspaces_rename(id: String, title: String) -> Result<(), JsValue> {
    workspaces::rename(&id, &title).await.map_err(told)
}

/// Notes a workspace's size.
#[wasm_bindgen]
pub async fn workspaces_record_use(id: String, bytes: u32) -> Result<(), JsValue> {
    workspaces::record_use(&id, u64::from(bytes))
        .await
        .map_err(told)
}

/// Hides a workspace.
#[wasm_bindgen]
pub async fn workspaces_delete(id: String) -> Result<(), JsValue> {
    workspaces::delete(&id).await.map_err(told)
}

/// Deletes for good what was hidden.
#[wasm_bindgen]
pub async fn workspaces_sweep() -> Result<(), JsValue> {
    workspaces::sweep(None).await.map(drop).map_err(told)
}

async fn read_log(store: &Store, replica: &str, report: &mut Report) -> Result<Log, StoreError> {
    let (mut log, mut values) = (Log::default(), Vec::new());
    let mut from = Some(0);
    while let Some(next) = from {
        let chunk = store.load_replica(replica, next).await?;
        report.faults.extend(
            chunk
                .damage
                .iter()
                .map(|damage| format!("{} {}", damage.key, damage.what)),
        );
        for (base_offset, bytes) in chunk.values {
            values.push((base_offset, bytes.len() as u32));
            let mut left = Bytes::from(bytes);
            if base_offset != log.next {
                report.faults.push(format!(
                    "{replica}: value {base_offset} after offset {}",
                    log.next
                ));
            }
            while !left.is_empty() {
                let len = left.get(8..HEAD).map_or(0, |len| {
                    u32::from_be_bytes([len[0], len[1], len[2], len[3]])
                });
                let one = left.split_to((len as usize).clamp(1, left.len()));
                if one != batch(log.next, one.len().max(HEAD)) {
                    report
                        .faults
                        .push(format!("{replica}: batch {} is not as written", log.next));
                }
                log.next += 1;
                log.position += one.len() as u32;
            }
        }
        from = chunk.next;
    }
    log.layout = Layout::restore(&[0], values);
    Ok(log)
}

fn batch(offset: i64, size: usize) -> Bytes {
    let mut batch = Vec::with_capacity(size);
    batch.extend_from_slice(&offset.to_be_bytes());
    batch.extend_from_slice(&(size as u32).to_be_bytes());
    batch.resize(size, (offset % 251) as u8);
    batch.into()
}

fn now() -> f64 {
    let performance = crate::store::sys::property(&js_sys::global(), "performance");
    let now: Function = crate::store::sys::property(&performance, "now").unchecked_into();
    now.call0(&performance)
        .ok()
        .and_then(|now| now.as_f64())
        .unwrap_or_default()
}

fn told(error: StoreError) -> JsValue {
    to_js(&error)
}

fn to_js(value: &impl Serialize) -> JsValue {
    let plain = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&plain).unwrap_or(JsValue::NULL)
}
