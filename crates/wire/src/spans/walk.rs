//! Goes through a frame by the tables.

use alloc::vec::Vec;
use bytes::Bytes;

use super::table::{ARRAY, KINDS, NEVER_FLEXIBLE, Root, Row, has, name_of, rows_of};
use super::{Kind, SPARE_BYTES, Span, SpanOf, Spans, UNDECODED_BYTES, Value};
use crate::api_table::flexible_from;
use crate::generated::shapes::{ROOTS, SHAPES};
use crate::{Malformed, Reader};

const API_VERSIONS: i16 = 18;

/// See [`super::decode`].
pub(super) fn frame(what: SpanOf<'_>, frame: &Bytes) -> Spans {
    let mut walk = Walk {
        r: Reader::new(frame.clone()),
        version: 0,
        flex: false,
        spans: Vec::new(),
    };
    let result = match what {
        SpanOf::Request => walk.request(),
        SpanOf::Response { api_key, version } => walk.response(api_key, version),
        SpanOf::Message { name, version } => walk.message(name, version),
    };
    if walk.r.remaining() > 0 {
        let name = if result.is_ok() {
            SPARE_BYTES
        } else {
            UNDECODED_BYTES
        };
        walk.rest(name);
    }
    Spans {
        spans: walk.spans,
        error: result.err(),
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A value about to be read.
struct Slot {
    name: &'static str,
    index: Option<u32>,
    depth: u8,
}

impl Slot {
    fn named(name: &'static str, depth: u8) -> Slot {
        Slot {
            name,
            index: None,
            depth,
        }
    }
}

struct Walk {
    r: Reader,
    version: i16,
    flex: bool,
    spans: Vec<Span>,
}

impl Walk {
    fn request(&mut self) -> Result<(), Malformed> {
        let mut ahead = self.r.clone();
        let (api_key, version) = match (ahead.i16(), ahead.i16()) {
            (Ok(api_key), Ok(version)) => (api_key, version),
            _ => return Err(Malformed::Truncated),
        };
        let flexible = flexible_from(api_key).is_some_and(|from| version >= from);
        self.message("RequestHeader", if flexible { 2 } else { 1 })?;
        self.body(0, api_key, version)
    }

    fn response(&mut self, api_key: i16, version: i16) -> Result<(), Malformed> {
        let flexible = flexible_from(api_key).is_some_and(|from| version >= from);
        let flexible = flexible && api_key != API_VERSIONS;
        self.message("ResponseHeader", i16::from(flexible))?;
        self.body(1, api_key, version)
    }

    fn body(&mut self, kind: u8, api_key: i16, version: i16) -> Result<(), Malformed> {
        let found = ROOTS.binary_search_by_key(&(kind, api_key), |root| (root.kind, root.api_key));
        let root = found.ok().and_then(|at| ROOTS.get(at));
        self.root(root.ok_or(Malformed::UnknownApi(api_key))?, version)
    }

    fn message(&mut self, name: &str, version: i16) -> Result<(), Malformed> {
        let root = ROOTS.iter().find(|root| name_of(root.name) == name);
        self.root(root.ok_or(Malformed::UnknownApi(-1))?, version)
    }

    fn root(&mut self, root: &Root, version: i16) -> Result<(), Malformed> {
        if version < i16::from(root.versions.0) || version > i16::from(root.versions.1) {
            return Err(Malformed::UnknownVersion(version));
        }
        self.version = version;
        self.flex = root.flexible_from != i8::MAX && version >= i16::from(root.flexible_from);
        self.fields(Slot::named(name_of(root.name), 0), root.shape)
    }

    /// A struct's fields under a span of their own.
    fn fields(&mut self, slot: Slot, shape: u16) -> Result<(), Malformed> {
        let depth = slot.depth + 1;
        let open = self.open(slot, Kind::Struct, Value::Struct);
        let result = self.fields_in(shape, depth);
        self.close(open);
        result
    }

    fn fields_in(&mut self, shape: u16, depth: u8) -> Result<(), Malformed> {
        let rows = SHAPES.get(usize::from(shape)).map_or(&[][..], rows_of);
        let version = self.version;
        let present = |row: &&Row| row.tag < 0 && has(row.versions, version);
        for row in rows.iter().filter(present) {
            self.field(row, depth)?;
        }
        if self.flex {
            self.tags(rows, depth)
        } else {
            Ok(())
        }
    }

    fn field(&mut self, row: &Row, depth: u8) -> Result<(), Malformed> {
        let slot = Slot::named(name_of(row.name), depth);
        let nullable = has(row.nullable, self.version);
        let flex = self.flex && row.ty & NEVER_FLEXIBLE == 0;
        if row.ty & ARRAY != 0 {
            return self.array(slot, row, flex, nullable);
        }
        self.value(slot, row, flex, nullable)
    }

    fn value(
        &mut self,
        slot: Slot,
        row: &Row,
        flex: bool,
        nullable: bool,
    ) -> Result<(), Malformed> {
        let kind = KINDS
            .get(usize::from(row.ty & 0x0f))
            .copied()
            .unwrap_or(Kind::Other);
        let int = |n: i64| (Value::Int(n), 0);
        match kind {
            Kind::Struct if nullable => self.nullable_struct(slot, row.shape),
            Kind::Struct => self.fields(slot, row.shape),
            Kind::Bool => self.leaf(slot, kind, |r| r.bool().map(i64::from).map(int)),
            Kind::Int8 => self.leaf(slot, kind, |r| r.i8().map(i64::from).map(int)),
            Kind::Int16 => self.leaf(slot, kind, |r| r.i16().map(i64::from).map(int)),
            Kind::Uint16 => self.leaf(slot, kind, |r| r.u16().map(i64::from).map(int)),
            Kind::Int32 => self.leaf(slot, kind, |r| r.i32().map(i64::from).map(int)),
            Kind::Uint32 => self.leaf(slot, kind, |r| r.u32().map(i64::from).map(int)),
            Kind::Int64 => self.leaf(slot, kind, |r| r.i64().map(int)),
            Kind::Float64 => self.leaf(slot, kind, |r| r.f64().map(|_| (Value::Float, 8))),
            Kind::Uuid => self.leaf(slot, kind, |r| r.uuid().map(|_| (Value::Uuid, 16))),
            Kind::Text => self.leaf(slot, kind, |r| {
                let text = r.nullable_string(flex, nullable)?;
                Ok(text.map_or((Value::Null, 0), |text| {
                    (Value::Text, text.as_bytes().len())
                }))
            }),
            _ => self.leaf(slot, kind, |r| {
                let bytes = r.nullable_bytes(flex, nullable)?;
                Ok(bytes.map_or((Value::Null, 0), |bytes| (Value::Bytes, bytes.len())))
            }),
        }
    }

    fn array(
        &mut self,
        slot: Slot,
        row: &Row,
        flex: bool,
        nullable: bool,
    ) -> Result<(), Malformed> {
        let start = self.r.at();
        let counted = self.r.count(flex, nullable, 1);
        let after = self.r.at();
        self.r.rewind(start);
        let Some(count) = counted? else {
            return self.leaf(slot, Kind::Array, |r| {
                r.count(flex, nullable, 1).map(|_| (Value::Null, 0))
            });
        };
        let depth = slot.depth + 1;
        let name = match SHAPES.get(usize::from(row.shape)) {
            Some(shape) if row.ty & 0x0f == 12 => name_of(shape.name),
            _ => slot.name,
        };
        let open = self.open(slot, Kind::Array, Value::Array(position(count)));
        let mut result = self.leaf(Slot::named("count", depth), Kind::Count, |r| {
            r.take(after - start).map(|_| (Value::Int(count as i64), 0))
        });
        for index in 0..count {
            let slot = Slot {
                name,
                index: Some(position(index)),
                depth,
            };
            result = result.and_then(|()| self.value(slot, row, flex, false));
            if result.is_err() {
                break;
            }
        }
        self.close(open);
        result
    }

    fn nullable_struct(&mut self, slot: Slot, shape: u16) -> Result<(), Malformed> {
        let mut ahead = self.r.clone();
        if ahead.i8()? < 0 {
            return self.leaf(slot, Kind::Struct, |r| r.i8().map(|_| (Value::Null, 0)));
        }
        let depth = slot.depth + 1;
        let open = self.open(slot, Kind::Struct, Value::Struct);
        let presence = self.leaf(Slot::named("presence", depth), Kind::Presence, |r| {
            r.i8().map(|n| (Value::Int(n.into()), 0))
        });
        let result = presence.and_then(|()| self.fields_in(shape, depth));
        self.close(open);
        result
    }

    fn tags(&mut self, rows: &'static [Row], depth: u8) -> Result<(), Malformed> {
        let start = self.r.at();
        let counted = self.r.uvarint();
        self.r.rewind(start);
        let slot = Slot::named("tagged fields", depth);
        if counted? == 0 {
            return self.number(slot, Kind::Tags).map(|_| ());
        }
        let open = self.open(slot, Kind::Tags, Value::Struct);
        let result = self.tags_in(rows, depth + 1);
        self.close(open);
        result
    }

    fn tags_in(&mut self, rows: &'static [Row], depth: u8) -> Result<(), Malformed> {
        let count = self.number(Slot::named("count", depth), Kind::Count)?;
        let mut last = None;
        for _ in 0..count {
            let tag = self.number(Slot::named("tag", depth), Kind::Tag)?;
            if last.is_some_and(|last| tag <= last) {
                return Err(Malformed::TagOrder);
            }
            last = Some(tag);
            let size = self.number(Slot::named("size", depth), Kind::Size)?;
            let end = self.r.narrow(size)?;
            let known = rows
                .iter()
                .find(|row| u32::try_from(row.tag) == Ok(tag) && has(row.versions, self.version));
            let result = match known {
                Some(row) => self.field(row, depth),
                None => {
                    let slot = Slot::named("unknown tagged field", depth);
                    self.leaf(slot, Kind::Bytes, |r| Ok((Value::Bytes, r.rest().len())))
                }
            };
            self.r.widen(end, result)?;
        }
        Ok(())
    }

    /// An unsigned varint.
    fn number(&mut self, slot: Slot, kind: Kind) -> Result<u32, Malformed> {
        let mut number = 0;
        self.leaf(slot, kind, |r| {
            number = r.uvarint()?;
            Ok((Value::Int(number.into()), 0))
        })?;
        Ok(number)
    }

    /// Reads a value that has no parts. `read` gives it and the length of its content, 0 if that is all.
    fn leaf(
        &mut self,
        slot: Slot,
        kind: Kind,
        read: impl FnOnce(&mut Reader) -> Result<(Value, usize), Malformed>,
    ) -> Result<(), Malformed> {
        let start = self.r.at();
        let (value, len) = read(&mut self.r).inspect_err(|_| self.r.rewind(start))?;
        let end = self.r.at();
        let content = match value {
            Value::Text | Value::Bytes => end.saturating_sub(len),
            _ => start,
        };
        self.spans.push(Span {
            name: slot.name,
            index: slot.index,
            depth: slot.depth,
            start: position(start),
            content: position(content),
            end: position(end),
            kind,
            value,
        });
        Ok(())
    }

    /// Begins a span that has parts.
    fn open(&mut self, slot: Slot, kind: Kind, value: Value) -> usize {
        let start = position(self.r.at());
        self.spans.push(Span {
            name: slot.name,
            index: slot.index,
            depth: slot.depth,
            start,
            content: start,
            end: start,
            kind,
            value,
        });
        self.spans.len() - 1
    }

    fn close(&mut self, open: usize) {
        if let Some(span) = self.spans.get_mut(open) {
            span.end = position(self.r.at());
        }
    }

    /// Everything that is left.
    fn rest(&mut self, name: &'static str) {
        let slot = Slot::named(name, 0);
        // Taking the rest cannot fail.
        let _ = self.leaf(slot, Kind::Other, |r| Ok((Value::Bytes, r.rest().len())));
    }
}
