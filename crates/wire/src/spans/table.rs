//! The schema as tables, and what their numbers mean.

use super::Kind;
use crate::generated::shapes::{NAMES, ROWS};

/// One message in the tables.
pub(crate) struct Root {
    /// 0 request, 1 response, 2 anything else. Roots are sorted by this and the key.
    pub(crate) kind: u8,
    pub(crate) api_key: i16,
    pub(crate) name: u16,
    pub(crate) versions: (i8, i8),
    pub(crate) flexible_from: i8,
    pub(crate) shape: u16,
}

/// One struct in the tables: `len` rows from `rows` on, tagged fields last and ascending.
pub(crate) struct Shape {
    pub(crate) name: u16,
    pub(crate) rows: u16,
    pub(crate) len: u8,
}

/// One field in the tables.
pub(crate) struct Row {
    pub(crate) name: u16,
    /// The type in the low bits; 0x40: never compact; 0x80: an array of it.
    pub(crate) ty: u8,
    pub(crate) versions: (i8, i8),
    pub(crate) nullable: (i8, i8),
    /// -1 if the field is not tagged.
    pub(crate) tag: i8,
    /// The struct, if the type is one.
    pub(crate) shape: u16,
}

/// Makes a [`Root`]; generated tables are shorter for it.
pub(crate) const fn root(
    kind: u8,
    api_key: i16,
    name: u16,
    versions: (i8, i8),
    flexible_from: i8,
    shape: u16,
) -> Root {
    Root {
        kind,
        api_key,
        name,
        versions,
        flexible_from,
        shape,
    }
}

/// Makes a [`Shape`].
pub(crate) const fn shape(name: u16, rows: u16, len: u8) -> Shape {
    Shape { name, rows, len }
}

/// Makes a [`Row`].
pub(crate) const fn row(
    name: u16,
    ty: u8,
    versions: (i8, i8),
    nullable: (i8, i8),
    tag: i8,
    shape: u16,
) -> Row {
    Row {
        name,
        ty,
        versions,
        nullable,
        tag,
        shape,
    }
}

pub(super) const NEVER_FLEXIBLE: u8 = 0x40;
pub(super) const ARRAY: u8 = 0x80;
/// Types by their number in [`Row::ty`].
pub(super) const KINDS: [Kind; 13] = [
    Kind::Bool,
    Kind::Int8,
    Kind::Int16,
    Kind::Uint16,
    Kind::Int32,
    Kind::Uint32,
    Kind::Int64,
    Kind::Float64,
    Kind::Uuid,
    Kind::Text,
    Kind::Bytes,
    Kind::Records,
    Kind::Struct,
];

pub(super) fn has(range: (i8, i8), version: i16) -> bool {
    i16::from(range.0) <= version && (range.1 == i8::MAX || version <= i16::from(range.1))
}

pub(super) fn name_of(name: u16) -> &'static str {
    NAMES.get(usize::from(name)).copied().unwrap_or_default()
}

pub(super) fn rows_of(shape: &Shape) -> &'static [Row] {
    let first = usize::from(shape.rows);
    ROWS.get(first..first + usize::from(shape.len))
        .unwrap_or_default()
}
