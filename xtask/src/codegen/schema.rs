//! The protocol's schema files, read and checked.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// An inclusive range of versions; empty when `lo > hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) lo: i16,
    pub(super) hi: i16,
}

impl Range {
    pub(super) const NONE: Range = Range { lo: 1, hi: 0 };

    /// Reads `none`, `3`, `3-5` or `3+`.
    fn parse(text: &str) -> Result<Range, String> {
        let number = |text: &str| text.parse::<i16>().map_err(|e| format!("{text:?}: {e}"));
        if text == "none" {
            return Ok(Range::NONE);
        }
        if let Some(lo) = text.strip_suffix('+') {
            return Ok(Range {
                lo: number(lo)?,
                hi: i16::MAX,
            });
        }
        let (lo, hi) = text.split_once('-').unwrap_or((text, text));
        Ok(Range {
            lo: number(lo)?,
            hi: number(hi)?,
        })
    }

    pub(super) fn is_empty(self) -> bool {
        self.lo > self.hi
    }

    pub(super) fn and(self, other: Range) -> Range {
        let both = Range {
            lo: self.lo.max(other.lo),
            hi: self.hi.min(other.hi),
        };
        if both.is_empty() { Range::NONE } else { both }
    }

    pub(super) fn hull(self, other: Range) -> Range {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Range {
                lo: self.lo.min(other.lo),
                hi: self.hi.max(other.hi),
            },
        }
    }

    pub(super) fn has(self, version: i16) -> bool {
        self.lo <= version && version <= self.hi
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F64,
    Uuid,
    Str,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> Type {
        if let Some(element) = text.strip_prefix("[]") {
            return Type::Array(Box::new(Type::parse(element)));
        }
        match text {
            "bool" => Type::Bool,
            "int8" => Type::I8,
            "int16" => Type::I16,
            "uint16" => Type::U16,
            "int32" => Type::I32,
            "uint32" => Type::U32,
            "int64" => Type::I64,
            "float64" => Type::F64,
            "uuid" => Type::Uuid,
            "string" => Type::Str,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            name => Type::Struct(name.to_owned()),
        }
    }

    /// The struct that this is, or is an array of.
    pub(super) fn struct_name(&self) -> Option<&str> {
        match self {
            Type::Struct(name) => Some(name),
            Type::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    /// As in the schema, so usually in camel case.
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) versions: Range,
    pub(super) nullable: Range,
    /// Number and versions in which the field is tagged.
    pub(super) tag: Option<(u32, Range)>,
    /// Empty is the type's own default.
    pub(super) default: String,
    pub(super) ignorable: bool,
    /// Set where a text is never compact (the client id in request headers).
    pub(super) never_flexible: bool,
}

impl Field {
    /// Whether the Rust type is an `Option`.
    pub(super) fn optional(&self) -> bool {
        !self.nullable.and(self.versions).is_empty() && self.ty != Type::Records
    }

    pub(super) fn default_is_null(&self) -> bool {
        self.default == "null"
    }
}

#[derive(Clone, Debug)]
pub(super) struct Struct {
    pub(super) name: String,
    /// The versions in which it occurs at all.
    pub(super) versions: Range,
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) name: String,
    /// `request`, `response`, `header`, `data`, `metadata`, ...
    pub(super) kind: String,
    /// -1 if none.
    pub(super) api_key: i16,
    pub(super) valid: Range,
    pub(super) flexible: Range,
    pub(super) on_broker_listener: bool,
    pub(super) latest_unstable: bool,
    /// The message itself, then the structs in it, in order of first use.
    pub(super) structs: Vec<Struct>,
}

impl Message {
    pub(super) fn find(&self, name: &str) -> &Struct {
        let found = self.structs.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("{} has no struct {name}", self.name))
    }

    /// The fewest bytes a struct takes in one version.
    fn least_struct(&self, s: &Struct, version: i16) -> u32 {
        let flexible = self.flexible.has(version);
        let fields = s.fields.iter().filter(|f| f.versions.has(version));
        let plain = fields.filter(|f| !f.tag.as_ref().is_some_and(|(_, r)| r.has(version)));
        let bytes: u32 = plain.map(|f| self.least_field(f, version)).sum();
        bytes + u32::from(flexible)
    }

    fn least_field(&self, field: &Field, version: i16) -> u32 {
        let flexible = self.flexible.has(version) && !field.never_flexible;
        match &field.ty {
            Type::Struct(_) if field.nullable.has(version) => 1,
            ty => self.least(ty, flexible, version),
        }
    }

    fn least(&self, ty: &Type, flexible: bool, version: i16) -> u32 {
        match ty {
            Type::Bool | Type::I8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 | Type::U32 => 4,
            Type::I64 | Type::F64 => 8,
            Type::Uuid => 16,
            Type::Str if !flexible => 2,
            Type::Bytes | Type::Records | Type::Array(_) if !flexible => 4,
            Type::Str | Type::Bytes | Type::Records | Type::Array(_) => 1,
            Type::Struct(name) => self.least_struct(self.find(name), version),
        }
    }

    /// The fewest bytes an array's element takes in any of `versions`.
    pub(super) fn least_element(&self, element: &Type, versions: Range) -> u32 {
        let least = (versions.lo..=versions.hi)
            .map(|v| self.least(element, self.flexible.has(v), v))
            .min();
        least.filter(|&n| n > 0).unwrap_or_else(|| {
            panic!(
                "{}: elements {element:?} of {versions:?} may be empty",
                self.name
            )
        })
    }
}

/// Reads all schema files of a directory, by name.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Message>, String> {
    let at = |e: &dyn std::fmt::Display| format!("{}: {e}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| at(&e))? {
        paths.push(entry.map_err(|e| at(&e))?.path());
    }
    paths.sort();
    let messages = paths.iter().map(|path| {
        let text = fs::read_to_string(path).map_err(|e| e.to_string());
        text.and_then(|text| message(&text))
            .map_err(|e| format!("{}: {e}", path.display()))
    });
    messages.collect()
}

fn message(json: &str) -> Result<Message, String> {
    let json: Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let valid = Range::parse(text(&json, "validVersions")?)?;
    let listeners = json["listeners"].as_array();
    let mut message = Message {
        name: text(&json, "name")?.to_owned(),
        kind: text(&json, "type")?.to_owned(),
        api_key: json["apiKey"]
            .as_i64()
            .map_or(Ok(-1), i16::try_from)
            .map_err(|e| e.to_string())?,
        valid,
        flexible: Range::parse(text(&json, "flexibleVersions")?)?,
        on_broker_listener: listeners.is_some_and(|l| l.iter().any(|l| l == "broker")),
        latest_unstable: json["latestVersionUnstable"] == true,
        structs: Vec::new(),
    };
    let common = json["commonStructs"].as_array();
    let common = common.map_or(&[][..], Vec::as_slice);
    let name = message.name.clone();
    add_struct(&mut message, &name, &json["fields"], valid, common)?;
    Ok(message)
}

/// Adds a struct and, after it, those it uses; widens the versions of one that is there already.
fn add_struct(
    message: &mut Message,
    name: &str,
    fields: &Value,
    versions: Range,
    common: &[Value],
) -> Result<(), String> {
    let fields_json = fields.as_array().ok_or(format!("{name} has no fields"))?;
    let fields: Vec<Field> = fields_json.iter().map(field).collect::<Result<_, _>>()?;
    match message.structs.iter_mut().find(|s| s.name == name) {
        Some(known) => known.versions = known.versions.hull(versions),
        None => message.structs.push(Struct {
            name: name.to_owned(),
            versions,
            fields: fields.clone(),
        }),
    }
    for (field, json) in fields.iter().zip(fields_json) {
        let Some(inner) = field.ty.struct_name() else {
            continue;
        };
        let by_name = common.iter().find(|s| s["name"] == inner);
        let fields = by_name.map_or(&json["fields"], |s| &s["fields"]);
        add_struct(message, inner, fields, versions.and(field.versions), common)?;
    }
    Ok(())
}

fn field(json: &Value) -> Result<Field, String> {
    let name = text(json, "name")?.to_owned();
    let range = |key: &str| json[key].as_str().map(Range::parse).transpose();
    let tag = match (json["tag"].as_u64(), range("taggedVersions")?) {
        (Some(tag), Some(versions)) => {
            Some((u32::try_from(tag).map_err(|e| e.to_string())?, versions))
        }
        (None, None) => None,
        _ => return Err(format!("{name} has half a tag")),
    };
    let default = match json.get("default") {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Ok(Field {
        ty: Type::parse(text(json, "type")?),
        // A few tagged fields give their versions only once.
        versions: range("versions")?
            .or(tag.map(|(_, versions)| versions))
            .ok_or(format!("{name} has no versions"))?,
        nullable: range("nullableVersions")?.unwrap_or(Range::NONE),
        tag,
        default,
        ignorable: json["ignorable"] == true || json["ignorable"] == "true",
        never_flexible: json["flexibleVersions"] == "none",
        name,
    })
}

fn text<'a>(json: &'a Value, key: &str) -> Result<&'a str, String> {
    json[key].as_str().ok_or(format!("{key} is missing"))
}
