//! Reading: keys, pieces of a log, single values, rows. What is damaged is reported and left out.

use idb::{KeyRange, ObjectStore, Query, Transaction};
use js_sys::{Array, Uint8Array};
use sorted::SortedMap;
use wasm_bindgen::{JsCast, JsValue};

use super::error::{Kind, StoreError};
use super::sys::{Answer, Exception, TxDone};
use super::{GENERATION, LOG, META, Store, log_key};

/// Values that one piece of a log has at most: about 1 MiB of full ones.
const CHUNK_VALUES: u32 = 18;

/// Keys read in one request.
const PAGE_KEYS: u32 = 8_192;

/// The keys of all logs.
#[derive(Debug, Default)]
pub struct Keys {
    /// Base offsets of each replica's values, ascending.
    pub replicas: SortedMap<String, Vec<i64>>,
    /// Keys that no replica could have written.
    pub damage: Vec<Damage>,
}

/// Successive values of one log.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Base offset and bytes of each.
    pub values: Vec<(i64, Vec<u8>)>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Where to go on, `None` at the end.
    pub next: Option<i64>,
}

/// The rows of `meta`.
#[derive(Debug, Default)]
pub struct Meta {
    /// By name.
    pub rows: SortedMap<String, Vec<u8>>,
    /// Claims on this workspace so far; `None` when the row is missing.
    pub generation: Option<i64>,
    /// Rows that could not be read.
    pub damage: Vec<Damage>,
}

/// A row that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Key of the row as text.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

impl Store {
    /// All keys of `log`, by replica. About 2 µs a key.
    ///
    /// # Errors
    /// `Unreadable`, or what opening a lost database again may meet.
    pub async fn load_keys(&self) -> Result<Keys, StoreError> {
        let mut keys = Keys::default();
        let mut after: Option<JsValue> = None;
        loop {
            let (log, _done) = self.begin_read(LOG).await?;
            let page = self
                .read(keys_after(&log, after.as_ref(), PAGE_KEYS))
                .await?;
            for key in page.iter() {
                match parse_key(&key) {
                    Some((replica, base_offset)) => {
                        keys.replicas.entry(replica).or_default().push(base_offset)
                    }
                    None => keys.damage.push(Damage::of(&key, "is no key of a log")),
                }
            }
            if page.length() < PAGE_KEYS {
                return Ok(keys);
            }
            after = Some(page.get(page.length() - 1));
        }
    }

    /// The replicas that have values: one look-up each, however long their logs are.
    ///
    /// # Errors
    /// As [`Store::load_keys`].
    pub async fn replicas(&self) -> Result<Vec<String>, StoreError> {
        let (log, _done) = self.begin_read(LOG).await?;
        let mut replicas = Vec::new();
        let mut after: Option<JsValue> = None;
        loop {
            let page = self.read(keys_after(&log, after.as_ref(), 1)).await?;
            if page.length() == 0 {
                return Ok(replicas);
            }
            let key = page.get(0);
            after = Some(match parse_key(&key) {
                Some((replica, _)) => {
                    let end = end_of(&replica);
                    replicas.push(replica);
                    end
                }
                None => key,
            });
        }
    }

    /// The values of `replica` whose base offset is `from` or above: about 1 MiB, more only where
    /// single batches are larger than a value should be. [`Chunk::next`] goes on.
    ///
    /// # Errors
    /// As [`Store::load_keys`].
    pub async fn load_replica(&self, replica: &str, from: i64) -> Result<Chunk, StoreError> {
        let (log, _done) = self.begin_read(LOG).await?;
        let range = KeyRange::bound(
            &log_key(replica, from),
            &end_of(replica),
            Some(false),
            Some(true),
        );
        let keys = async {
            let request = log.get_all_keys(Some(Query::KeyRange(range?)), Some(CHUNK_VALUES))?;
            Ok(Array::from(&Answer::of(request).await?))
        };
        let keys = self.read(keys).await?;
        let offsets: Vec<i64> = keys
            .iter()
            .filter_map(|key| parse_key(&key))
            .map(|(_, offset)| offset)
            .collect();
        let mut chunk = self.read(get_values(&log, replica, &offsets)).await?;
        let full = keys.length() == CHUNK_VALUES;
        chunk.next = offsets
            .last()
            .filter(|_| full)
            .map(|last| last.saturating_add(1));
        Ok(chunk)
    }

    /// The values of `replica` with these base offsets, all asked for at once.
    ///
    /// # Errors
    /// As [`Store::load_keys`].
    pub async fn read_values(
        &self,
        replica: &str,
        base_offsets: &[i64],
    ) -> Result<Chunk, StoreError> {
        let (log, _done) = self.begin_read(LOG).await?;
        self.read(get_values(&log, replica, base_offsets)).await
    }

    /// All rows of `meta`.
    ///
    /// # Errors
    /// As [`Store::load_keys`].
    pub async fn load_meta(&self) -> Result<Meta, StoreError> {
        let (meta, _done) = self.begin_read(META).await?;
        let both = async {
            let names = Answer::of(meta.get_all_keys(None, None)?);
            let rows = Answer::of(meta.get_all(None, None)?);
            Ok((Array::from(&names.await?), Array::from(&rows.await?)))
        };
        let (names, rows) = self.read(both).await?;
        let mut loaded = Meta::default();
        for (name, row) in names.iter().zip(rows.iter()) {
            match (name.as_string(), row.dyn_ref::<Uint8Array>()) {
                (Some(name), _) if name == GENERATION => {
                    loaded.generation = row.as_f64().map(|generation| generation as i64);
                }
                (Some(name), Some(bytes)) => drop(loaded.rows.insert(name, bytes.to_vec())),
                _ => loaded.damage.push(Damage::of(&name, "holds no bytes")),
            }
        }
        Ok(loaded)
    }

    async fn begin_read(&self, store: &str) -> Result<(ObjectStore, TxDone), StoreError> {
        let mut begun = self.connection().await?.read(store);
        if begun
            .as_ref()
            .is_err_and(|exception| exception.kind(Kind::Unreadable) == Kind::Lost)
        {
            self.close();
            begun = self.connection().await?.read(store);
        }
        let unreadable = |e: Exception| self.fail(e.kind(Kind::Unreadable), e.detail());
        let (tx, done) = begun.map_err(unreadable)?;
        let object_store = Transaction::from(tx).object_store(store);
        Ok((
            object_store.map_err(|error| unreadable(error.into()))?,
            done,
        ))
    }

    async fn read<T>(
        &self,
        work: impl Future<Output = Result<T, Exception>>,
    ) -> Result<T, StoreError> {
        work.await
            .map_err(|exception| self.fail(exception.kind(Kind::Unreadable), exception.detail()))
    }
}

impl Damage {
    fn of(key: &JsValue, what: &str) -> Self {
        let key = js_sys::JSON::stringify(key)
            .ok()
            .and_then(|text| text.as_string());
        Self {
            key: key.unwrap_or_default(),
            what: what.to_string(),
        }
    }
}

/// Up to `limit` keys after the given one, in order.
async fn keys_after(
    store: &ObjectStore,
    after: Option<&JsValue>,
    limit: u32,
) -> Result<Array, Exception> {
    let range = after
        .map(|key| KeyRange::lower_bound(key, Some(true)))
        .transpose()?;
    let request = store.get_all_keys(range.map(Query::KeyRange), Some(limit))?;
    Ok(Array::from(&Answer::of(request).await?))
}

/// Asks for all values before waiting for the first: 2 to 4 times as fast as one after the other.
async fn get_values(
    log: &ObjectStore,
    replica: &str,
    base_offsets: &[i64],
) -> Result<Chunk, Exception> {
    let mut answers = Vec::with_capacity(base_offsets.len());
    for base_offset in base_offsets {
        answers.push((
            *base_offset,
            Answer::of(log.get(log_key(replica, *base_offset))?),
        ));
    }
    let mut chunk = Chunk::default();
    for (base_offset, answer) in answers {
        let key = log_key(replica, base_offset);
        match answer.await {
            Ok(value) => match value.dyn_ref::<Uint8Array>() {
                Some(bytes) => chunk.values.push((base_offset, bytes.to_vec())),
                None if value.is_undefined() => chunk.damage.push(Damage::of(&key, "is missing")),
                None => chunk.damage.push(Damage::of(&key, "holds no bytes")),
            },
            // The transaction is over, not this value damaged.
            Err(exception) if exception.name == "AbortError" => return Err(exception),
            Err(exception) => chunk.damage.push(Damage::of(&key, &exception.detail())),
        }
    }
    Ok(chunk)
}

/// Above every key of `replica` and below the next one's: an array sorts after every number.
fn end_of(replica: &str) -> JsValue {
    Array::of2(&JsValue::from_str(replica), &Array::new()).into()
}

fn parse_key(key: &JsValue) -> Option<(String, i64)> {
    let key = key.dyn_ref::<Array>().filter(|key| key.length() == 2)?;
    let base_offset = key.get(1).as_f64().filter(|offset| offset.fract() == 0.0)?;
    Some((key.get(0).as_string()?, base_offset as i64))
}
