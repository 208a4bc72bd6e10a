//! Messages as JSON, by the schema files themselves: a second codec that shares no code with `wire`.
//!
//! Slow and simple on purpose. It reads `crates/wire/schema/*.json` when it is asked to and walks them,
//! so a slip of the code generator cannot hide in it.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A range of versions; none when `first` is above `last`.
#[derive(Clone, Copy, Debug)]
struct Versions {
    first: i16,
    last: i16,
}

impl Versions {
    const NONE: Versions = Versions { first: 1, last: 0 };

    fn parse(text: &str) -> Versions {
        let number = |text: &str| text.parse::<i16>().expect("a version number");
        match text.split_once('-') {
            _ if text == "none" => Versions::NONE,
            _ if text.ends_with('+') => Versions {
                first: number(&text[..text.len() - 1]),
                last: i16::MAX,
            },
            Some((first, last)) => Versions {
                first: number(first),
                last: number(last),
            },
            None => Versions {
                first: number(text),
                last: number(text),
            },
        }
    }

    fn of(field: &Value, key: &str) -> Versions {
        field[key].as_str().map_or(Versions::NONE, Versions::parse)
    }

    fn has(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

#[derive(Clone, Debug)]
enum Type {
    Bool,
    Int(usize),
    Uint(usize),
    Float,
    Uuid,
    Text,
    /// Bytes or records; hex in JSON.
    Bytes,
    Struct(Vec<Field>),
    Array(Box<Type>),
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    ty: Type,
    versions: Versions,
    nullable: Versions,
    tagged: Versions,
    tag: u32,
    default: Value,
}

/// One message's schema.
#[derive(Clone, Debug)]
pub struct Message {
    /// The API's key.
    pub api_key: i16,
    flexible: Versions,
    fields: Vec<Field>,
}

/// All messages by name, such as `FetchRequest`.
pub struct Schemas {
    messages: BTreeMap<String, Message>,
}

impl Schemas {
    /// Reads the schema files of this repository.
    #[must_use]
    pub fn load() -> Schemas {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wire/schema");
        let mut messages = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("the schema folder") {
            let path = entry.expect("a schema file").path();
            let text = std::fs::read_to_string(path).expect("a readable schema");
            let file: Value = serde_json::from_str(&text).expect("a schema is JSON");
            let Some(api_key) = file["apiKey"].as_i64() else {
                continue;
            };
            let message = Message {
                api_key: i16::try_from(api_key).expect("an API key"),
                flexible: Versions::of(&file, "flexibleVersions"),
                fields: fields(&file["fields"], &file["commonStructs"]),
            };
            messages.insert(file["name"].as_str().expect("a name").to_string(), message);
        }
        Schemas { messages }
    }

    /// A message's schema.
    #[must_use]
    pub fn message(&self, name: &str) -> &Message {
        self.messages
            .get(name)
            .unwrap_or_else(|| panic!("no schema for {name}"))
    }

    /// A request's frame, without its length.
    #[must_use]
    pub fn request(
        &self,
        api: &str,
        version: i16,
        correlation: i32,
        client_id: &str,
        body: &Value,
    ) -> Vec<u8> {
        let message = self.message(&format!("{api}Request"));
        let mut out = Vec::new();
        out.extend(message.api_key.to_be_bytes());
        out.extend(version.to_be_bytes());
        out.extend(correlation.to_be_bytes());
        out.extend(
            u16::try_from(client_id.len())
                .expect("a short client id")
                .to_be_bytes(),
        );
        out.extend(client_id.as_bytes());
        let flexible = message.flexible.has(version);
        if flexible {
            out.push(0);
        }
        write_struct(&mut out, &message.fields, version, flexible, body);
        out
    }

    /// Reads a response's frame: correlation id and body.
    ///
    /// # Errors
    /// The frame is not such a response, to its last byte.
    pub fn response(&self, api: &str, version: i16, frame: &[u8]) -> Result<(i32, Value), String> {
        let message = self.message(&format!("{api}Response"));
        let flexible = message.flexible.has(version);
        let mut input = Input {
            bytes: frame,
            at: 0,
        };
        let correlation = i32::try_from(input.int(4)?).map_err(|why| why.to_string())?;
        if flexible && api != "ApiVersions" {
            input.skip_tags()?;
        }
        let body = read_struct(&mut input, &message.fields, version, flexible)?;
        match frame.len() - input.at {
            0 => Ok((correlation, body)),
            spare => Err(format!(
                "{spare} bytes follow the {api} v{version} response"
            )),
        }
    }
}

fn fields(list: &Value, common: &Value) -> Vec<Field> {
    let field = |field: &Value| {
        let name = field["name"].as_str().expect("a field's name").to_string();
        let tagged = Versions::of(field, "taggedVersions");
        let versions = if field["versions"].is_null() {
            tagged
        } else {
            Versions::of(field, "versions")
        };
        Field {
            ty: ty(field["type"].as_str().expect("a type"), field, common),
            versions,
            nullable: Versions::of(field, "nullableVersions"),
            tagged,
            tag: field["tag"]
                .as_u64()
                .map_or(0, |tag| u32::try_from(tag).expect("a tag")),
            default: field["default"].clone(),
            name,
        }
    };
    list.as_array()
        .map_or_else(Vec::new, |list| list.iter().map(field).collect())
}

fn ty(name: &str, field: &Value, common: &Value) -> Type {
    match name {
        "bool" => Type::Bool,
        "int8" => Type::Int(1),
        "int16" => Type::Int(2),
        "int32" => Type::Int(4),
        "int64" => Type::Int(8),
        "uint16" => Type::Uint(2),
        "uint32" => Type::Uint(4),
        "float64" => Type::Float,
        "uuid" => Type::Uuid,
        "string" => Type::Text,
        "bytes" | "records" => Type::Bytes,
        _ => match name.strip_prefix("[]") {
            Some(element) => Type::Array(Box::new(ty(element, field, common))),
            None if field["fields"].is_array() => Type::Struct(fields(&field["fields"], common)),
            None => {
                let found = common
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|found| found["name"] == name);
                Type::Struct(fields(
                    &found.unwrap_or_else(|| panic!("no struct {name}"))["fields"],
                    common,
                ))
            }
        },
    }
}

impl Field {
    /// The value of a field that a body leaves out.
    fn missing(&self, version: i16) -> Value {
        let text = match &self.default {
            Value::Null => "",
            Value::String(text) => text.as_str(),
            other => return other.clone(),
        };
        match &self.ty {
            _ if text == "null" && self.nullable.has(version) => Value::Null,
            Type::Bool => json!(text == "true"),
            Type::Int(_) | Type::Uint(_) => match text.strip_prefix("0x") {
                Some(digits) => {
                    json!(i64::from_str_radix(digits, 16).expect("a hexadecimal default"))
                }
                None => json!(text.parse::<i64>().unwrap_or(0)),
            },
            Type::Float => json!(0.0),
            Type::Uuid => json!("00000000-0000-0000-0000-000000000000"),
            Type::Text => json!(text),
            Type::Bytes => json!(""),
            Type::Struct(_) => json!({}),
            Type::Array(_) => json!([]),
        }
    }
}

fn write_struct(out: &mut Vec<u8>, fields: &[Field], version: i16, flexible: bool, body: &Value) {
    let object = body
        .as_object()
        .unwrap_or_else(|| panic!("{body} should be an object"));
    for name in object.keys() {
        assert!(
            fields.iter().any(|field| field.name == *name),
            "no field {name} in {fields:?}"
        );
    }
    let mut tagged: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for field in fields {
        let is_tagged = flexible && field.tagged.has(version);
        let Some(value) = object.get(&field.name) else {
            if field.versions.has(version) && !is_tagged {
                write(
                    out,
                    field,
                    &field.ty,
                    version,
                    flexible,
                    &field.missing(version),
                );
            }
            continue;
        };
        if is_tagged {
            let mut bytes = Vec::new();
            write(&mut bytes, field, &field.ty, version, flexible, value);
            tagged.insert(field.tag, bytes);
        } else if field.versions.has(version) {
            write(out, field, &field.ty, version, flexible, value);
        }
    }
    if flexible {
        uvarint(out, tagged.len());
        for (tag, bytes) in tagged {
            uvarint(out, tag as usize);
            uvarint(out, bytes.len());
            out.extend(bytes);
        }
    }
}

fn write(out: &mut Vec<u8>, field: &Field, ty: &Type, version: i16, flexible: bool, value: &Value) {
    let number = || {
        value
            .as_i64()
            .unwrap_or_else(|| panic!("{}: {value} should be a number", field.name))
    };
    let text = || {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{}: {value} should be a string", field.name))
    };
    let null = value.is_null();
    match ty {
        Type::Bool => out.push(u8::from(value.as_bool().expect("a truth value"))),
        Type::Int(size) | Type::Uint(size) => out.extend(&number().to_be_bytes()[8 - size..]),
        Type::Float => out.extend(value.as_f64().expect("a fraction").to_be_bytes()),
        Type::Uuid => out.extend(unhex(&text().replace('-', ""))),
        Type::Text if null => length(out, None, flexible, 2),
        Type::Text => {
            length(out, Some(text().len()), flexible, 2);
            out.extend(text().as_bytes());
        }
        Type::Bytes if null => length(out, None, flexible, 4),
        Type::Bytes => {
            let bytes = unhex(text());
            length(out, Some(bytes.len()), flexible, 4);
            out.extend(bytes);
        }
        Type::Struct(fields) => {
            if field.nullable.has(version) {
                out.push(if null { 0xff } else { 1 });
            }
            if !null {
                write_struct(out, fields, version, flexible, value);
            }
        }
        Type::Array(_) if null => length(out, None, flexible, 4),
        Type::Array(element) => {
            let list = value
                .as_array()
                .unwrap_or_else(|| panic!("{}: {value} should be a list", field.name));
            length(out, Some(list.len()), flexible, 4);
            let bare = Field {
                nullable: Versions::NONE,
                ..field.clone()
            };
            for value in list {
                write(out, &bare, element, version, flexible, value);
            }
        }
    }
}

/// A length: plus one as a varint in flexible versions, else a number of `size` bytes.
fn length(out: &mut Vec<u8>, length: Option<usize>, flexible: bool, size: usize) {
    if flexible {
        return uvarint(out, length.map_or(0, |length| length + 1));
    }
    let number = length.map_or(-1, |length| i64::try_from(length).expect("a length"));
    out.extend(&number.to_be_bytes()[8 - size..]);
}

fn uvarint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes.get(self.at..self.at.saturating_add(count));
        self.at = self.at.saturating_add(count);
        taken.ok_or_else(|| format!("the frame ends within {count} bytes at {}", self.at - count))
    }

    fn int(&mut self, size: usize) -> Result<i64, String> {
        let bytes = self.take(size)?;
        let start = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        Ok(bytes
            .iter()
            .fold(start, |number: i64, byte| number << 8 | i64::from(*byte)))
    }

    fn uvarint(&mut self) -> Result<usize, String> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(format!("a varint too long at {}", self.at))
    }

    fn length(&mut self, flexible: bool, size: usize) -> Result<Option<usize>, String> {
        let length = if flexible {
            i64::try_from(self.uvarint()?).map_err(|why| why.to_string())? - 1
        } else {
            self.int(size)?
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .map_err(|_| format!("length {length} at {}", self.at)),
        }
    }

    fn skip_tags(&mut self) -> Result<(), String> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let size = self.uvarint()?;
            self.take(size)?;
        }
        Ok(())
    }
}

fn read_struct(
    input: &mut Input<'_>,
    fields: &[Field],
    version: i16,
    flexible: bool,
) -> Result<Value, String> {
    let mut object = Map::new();
    let is_tagged = |field: &Field| flexible && field.tagged.has(version);
    for field in fields
        .iter()
        .filter(|field| field.versions.has(version) && !is_tagged(field))
    {
        let value = read(input, field, &field.ty, version, flexible)
            .map_err(|why| format!("{}: {why}", field.name))?;
        object.insert(field.name.clone(), value);
    }
    if flexible {
        for _ in 0..input.uvarint()? {
            let tag = input.uvarint()?;
            let size = input.uvarint()?;
            let end = input.at + size;
            match fields
                .iter()
                .find(|field| is_tagged(field) && field.tag as usize == tag)
            {
                Some(field) => {
                    let value = read(input, field, &field.ty, version, flexible)?;
                    object.insert(field.name.clone(), value);
                    if input.at != end {
                        return Err(format!("{}: its size is not {size}", field.name));
                    }
                }
                None => return Err(format!("no tagged field {tag}")),
            }
        }
    }
    Ok(Value::Object(object))
}

fn read(
    input: &mut Input<'_>,
    field: &Field,
    ty: &Type,
    version: i16,
    flexible: bool,
) -> Result<Value, String> {
    let nullable = field.nullable.has(version);
    let null = |what: &str| match nullable {
        true => Ok(Value::Null),
        false => Err(format!("a null {what} where none may be")),
    };
    Ok(match ty {
        Type::Bool => json!(input.int(1)? != 0),
        Type::Int(size) => json!(input.int(*size)?),
        Type::Uint(size) => json!(input.int(*size)? & ((1 << (size * 8)) - 1)),
        Type::Float => {
            let bits = input.take(8)?.try_into().expect("eight bytes");
            json!(f64::from_be_bytes(bits))
        }
        Type::Uuid => json!(uuid(input.take(16)?)),
        Type::Text => match input.length(flexible, 2)? {
            None => null("string")?,
            Some(length) => {
                json!(std::str::from_utf8(input.take(length)?).map_err(|why| why.to_string())?)
            }
        },
        Type::Bytes => match input.length(flexible, 4)? {
            None => null("byte string")?,
            Some(length) => json!(hex(input.take(length)?)),
        },
        Type::Struct(_) if nullable && input.int(1)? < 0 => Value::Null,
        Type::Struct(fields) => read_struct(input, fields, version, flexible)?,
        Type::Array(element) => match input.length(flexible, 4)? {
            None => null("array")?,
            Some(length) => {
                let bare = Field {
                    nullable: Versions::NONE,
                    ..field.clone()
                };
                let elements = (0..length).map(|_| read(input, &bare, element, version, flexible));
                Value::Array(elements.collect::<Result<_, _>>()?)
            }
        },
    })
}

/// Bytes as hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hex as bytes.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| {
        u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_else(|_| panic!("{text} is not hex"))
    };
    (0..text.len()).step_by(2).map(pair).collect()
}

fn uuid(bytes: &[u8]) -> String {
    let text = hex(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}
