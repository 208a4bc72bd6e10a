//! Rust types in TypeScript's words.

use std::collections::BTreeSet;

use super::page_name;
use super::read::Known;

/// A field's or an argument's type, and the declared types that it leads to.
pub(super) struct Types<'a> {
    pub(super) known: &'a Known,
    pub(super) wanted: BTreeSet<String>,
}

impl Types<'_> {
    /// A type as the page writes it.
    pub(super) fn of(&mut self, found: &syn::Type) -> Result<String, String> {
        match found {
            syn::Type::Reference(reference) => self.of(&reference.elem),
            syn::Type::Tuple(tuple) if tuple.elems.is_empty() => Ok("void".to_owned()),
            syn::Type::Path(path) => match path.path.segments.last() {
                Some(segment) => self.named(segment),
                None => Err("a type has no name".to_owned()),
            },
            _ => Err("only named types and references are known here".to_owned()),
        }
    }

    fn named(&mut self, segment: &syn::PathSegment) -> Result<String, String> {
        let name = segment.ident.to_string();
        let inner = arguments(segment);
        let simple = match name.as_str() {
            "String" | "str" => "string",
            "bool" => "boolean",
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "f32"
            | "f64" => "number",
            // A field that is accepted and not looked at: the page's speed.
            "IgnoredAnyEq" => "number",
            // What JSON does not carry.
            "MessagePort" => "MessagePort",
            "Typed" => "string | Uint8Array | ArrayBuffer",
            _ => "",
        };
        if !simple.is_empty() {
            return Ok(simple.to_owned());
        }
        match (name.as_str(), inner.as_slice()) {
            ("Option", [of]) => Ok(format!("{} | null", self.of(of)?)),
            ("Vec" | "VecDeque", [of]) => {
                let of = self.of(of)?;
                Ok(match of.contains('|') {
                    true => format!("({of})[]"),
                    false => format!("{of}[]"),
                })
            }
            ("Box" | "Rc" | "Arc", [of]) => self.of(of),
            ("SortedMap" | "BTreeMap", [_, of]) => Ok(format!("Record<string, {}>", self.of(of)?)),
            _ => self.declared(&name),
        }
    }

    fn declared(&mut self, name: &str) -> Result<String, String> {
        if let Some(alias) = self.known.aliases.get(name) {
            return self.of(alias);
        }
        if !self.known.types.contains_key(name) {
            return Err(format!("no source declares the type `{name}`"));
        }
        self.wanted.insert(name.to_owned());
        Ok(page_name(name).to_owned())
    }
}

/// The name of a type without its arguments, for one that is put into another.
pub(super) fn plain_name(found: &syn::Type) -> Option<String> {
    match found {
        syn::Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        syn::Type::Reference(reference) => plain_name(&reference.elem),
        _ => None,
    }
}

fn arguments(segment: &syn::PathSegment) -> Vec<&syn::Type> {
    let syn::PathArguments::AngleBracketed(all) = &segment.arguments else {
        return Vec::new();
    };
    let types = all.args.iter().filter_map(|argument| match argument {
        syn::GenericArgument::Type(found) => Some(found),
        _ => None,
    });
    types.collect()
}
