//! What the tests of this crate share: recorded frames, and every message by its name.

#![allow(dead_code)] // Not every test uses all of it.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not take for tests.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value;
use wire::{Malformed, Message, Reader, Unencodable, Writer};

/// A request and its answer as a real client and Kafka 4.3.1 exchanged them.
pub(crate) struct Exchange {
    pub(crate) api_key: i16,
    /// As in the schema, without `Request`.
    pub(crate) name: String,
    pub(crate) version: i16,
    /// The version the answer is written in.
    pub(crate) response_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
    pub(crate) request: Bytes,
    pub(crate) response: Option<Bytes>,
    /// Null where the recording's own decoder had trouble.
    pub(crate) request_json: Value,
    pub(crate) response_json: Value,
}

/// All recorded frames, client by client.
pub(crate) fn exchanges() -> Vec<Exchange> {
    let files = vectors::files("frames", ".ndjson").into_iter();
    files
        .flat_map(|file| {
            let text = vectors::text(&file);
            text.lines().map(exchange).collect::<Vec<_>>()
        })
        .collect()
}

fn exchange(line: &str) -> Exchange {
    let json: Value = serde_json::from_str(line).unwrap();
    let number = |key: &str| json[key].as_i64();
    let version = number("version").unwrap() as i16;
    Exchange {
        api_key: number("api").unwrap() as i16,
        name: json["name"].as_str().unwrap().to_owned(),
        version,
        response_version: number("response_encoded_as_version").map_or(version, |v| v as i16),
        correlation_id: number("correlation_id").unwrap() as i32,
        client_id: json["client_id"].as_str().map(str::to_owned),
        request: hex(json["req"].as_str().unwrap()),
        response: json["resp"].as_str().map(hex),
        request_json: json["request"].clone(),
        response_json: json["response"].clone(),
    }
}

pub(crate) fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// One kind of message, for code that treats all alike.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    pub(crate) is_flexible: fn(i16) -> bool,
    /// Decodes; gives what was left over.
    pub(crate) decode: fn(Bytes, i16) -> Result<usize, Malformed>,
    /// Decodes and encodes; gives the result and what was left over.
    pub(crate) echo: fn(Bytes, i16) -> Result<(Bytes, Bytes), Malformed>,
    /// Encodes the message all of whose fields have their defaults, decodes that and compares.
    pub(crate) default_survives: fn(i16) -> Result<bool, Unencodable>,
}

fn kind<M: Message + PartialEq>(name: &'static str) -> Kind {
    Kind {
        name,
        min: M::MIN_VERSION,
        max: M::MAX_VERSION,
        is_flexible: M::is_flexible,
        decode: |bytes, version| {
            let mut r = Reader::new(bytes);
            M::decode(&mut r, version).map(|_| r.remaining())
        },
        echo: |bytes, version| {
            let mut r = Reader::new(bytes);
            let message = M::decode(&mut r, version)?;
            let mut w = Writer::new();
            message
                .encode(&mut w, version)
                .expect("what was decoded can be encoded");
            Ok((w.into_bytes().unwrap(), r.rest()))
        },
        default_survives: |version| {
            let mut w = Writer::new();
            M::default().encode(&mut w, version)?;
            let mut r = Reader::new(w.into_bytes()?);
            let back = M::decode(&mut r, version).expect("what was encoded can be decoded");
            Ok(back == M::default() && r.remaining() == 0)
        },
    }
}

/// Every message there is, by name.
pub(crate) fn kinds() -> &'static BTreeMap<&'static str, Kind> {
    macro_rules! list {
        ($($name:ident,)*) => {
            BTreeMap::from([$((stringify!($name), kind::<wire::messages::$name>(stringify!($name))),)*])
        };
    }
    // Asked for with every frame: made once.
    static KINDS: LazyLock<BTreeMap<&'static str, Kind>> =
        LazyLock::new(|| wire::for_each_message!(list));
    &KINDS
}
