//! Rust sources, read as what serde makes of them.

use std::collections::BTreeMap;

use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Fields, Item, LitStr, Meta, TraitItemFn};

/// What the sources declare.
#[derive(Default)]
pub(super) struct Known {
    /// Types by their Rust name, each with its comment.
    pub(super) types: BTreeMap<String, (String, Shape)>,
    /// `type A = B`.
    pub(super) aliases: BTreeMap<String, syn::Type>,
    pub(super) calls: Vec<Call>,
}

/// The form that serde gives a type.
pub(super) enum Shape {
    Object(Vec<Field>),
    /// Each with its comment.
    Words(Vec<(String, String)>),
    /// Objects that one field tells apart.
    Tagged(String, Vec<Variant>),
}

pub(super) struct Variant {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) of: syn::Type,
    pub(super) optional: bool,
    pub(super) flatten: bool,
    /// Left out instead of being null.
    pub(super) omitted_when_none: bool,
    /// Not in the document: bytes that are put beside it.
    pub(super) beside: bool,
}

/// A call of the page: a line of the table of calls.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) arguments: Vec<(String, syn::Type)>,
    pub(super) answer: syn::Type,
}

/// What serde's attributes say, of a type, a variant or a field.
#[derive(Default)]
struct Said {
    tag: Option<String>,
    rename: Option<String>,
    rename_all: Option<String>,
    rename_all_fields: Option<String>,
    default: bool,
    skip: bool,
    /// Not always written.
    omitted: bool,
    omitted_when_none: bool,
    flatten: bool,
}

impl Known {
    /// Takes in what a source declares.
    pub(super) fn read(&mut self, source: &str) -> Result<(), String> {
        let file = syn::parse_file(source).map_err(|why| why.to_string())?;
        for item in file.items {
            match item {
                Item::Struct(found) if is_document(&found.attrs) => {
                    let said = said(&found.attrs)?;
                    let fields = fields(&found.fields, said.rename_all.as_deref(), said.default)?;
                    self.add(&found.ident, &found.attrs, Shape::Object(fields))?;
                }
                Item::Enum(found) if is_document(&found.attrs) => {
                    let shape = choice(&found)?;
                    self.add(&found.ident, &found.attrs, shape)?;
                }
                Item::Type(alias) => drop(self.aliases.insert(alias.ident.to_string(), *alias.ty)),
                Item::Macro(found) if found.mac.path.is_ident("calls") => {
                    let Calls(calls) = found.mac.parse_body().map_err(|why| why.to_string())?;
                    self.calls.extend(calls);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &syn::Ident, attrs: &[Attribute], shape: Shape) -> Result<(), String> {
        let name = name.to_string();
        match self.types.insert(name.clone(), (doc(attrs), shape)) {
            None => Ok(()),
            Some(_) => Err(format!("there are two types named `{name}`")),
        }
    }
}

/// The body of the table of calls: signatures.
struct Calls(Vec<Call>);

impl Parse for Calls {
    fn parse(input: ParseStream<'_>) -> syn::Result<Calls> {
        let mut calls = Vec::new();
        while !input.is_empty() {
            let found: TraitItemFn = input.parse()?;
            let mut arguments = Vec::new();
            for argument in &found.sig.inputs {
                let syn::FnArg::Typed(typed) = argument else {
                    return Err(syn::Error::new_spanned(argument, "an argument has a type"));
                };
                let syn::Pat::Ident(name) = &*typed.pat else {
                    return Err(syn::Error::new_spanned(argument, "an argument has a name"));
                };
                arguments.push((camel(&name.ident.to_string()), (*typed.ty).clone()));
            }
            calls.push(Call {
                name: camel(&found.sig.ident.to_string()),
                doc: doc(&found.attrs),
                arguments,
                answer: match found.sig.output {
                    syn::ReturnType::Type(_, answer) => *answer,
                    syn::ReturnType::Default => syn::parse_quote!(()),
                },
            });
        }
        Ok(Calls(calls))
    }
}

fn choice(found: &syn::ItemEnum) -> Result<Shape, String> {
    let of_all = said(&found.attrs)?;
    let mut variants = Vec::new();
    for variant in &found.variants {
        let own = said(&variant.attrs)?;
        let within = own
            .rename_all
            .as_ref()
            .or(of_all.rename_all_fields.as_ref());
        variants.push(Variant {
            name: match own.rename {
                Some(name) => name,
                None => renamed(&variant.ident.to_string(), of_all.rename_all.as_deref())?,
            },
            doc: doc(&variant.attrs),
            fields: fields(&variant.fields, within.map(String::as_str), false)?,
        });
    }
    match of_all.tag {
        Some(tag) => Ok(Shape::Tagged(tag, variants)),
        None if variants.iter().all(|variant| variant.fields.is_empty()) => Ok(Shape::Words(
            variants
                .into_iter()
                .map(|variant| (variant.name, variant.doc))
                .collect(),
        )),
        None => Err(format!("`{}` has fields, but no tag", found.ident)),
    }
}

fn fields(found: &Fields, rule: Option<&str>, all_optional: bool) -> Result<Vec<Field>, String> {
    let named = match found {
        Fields::Named(named) => &named.named,
        Fields::Unit => return Ok(Vec::new()),
        Fields::Unnamed(_) => return Err("fields without names are not known here".to_owned()),
    };
    let mut all = Vec::new();
    for field in named {
        let said = said(&field.attrs)?;
        let beside = said.skip && doc(&field.attrs).contains("beside the document");
        if said.skip && !beside {
            continue;
        }
        let own = field.ident.as_ref().map(ToString::to_string);
        let own = own.unwrap_or_default();
        all.push(Field {
            name: match said.rename {
                Some(name) => name,
                None => renamed(own.trim_start_matches("r#"), rule)?,
            },
            doc: doc(&field.attrs),
            of: field.ty.clone(),
            optional: all_optional || said.default || said.omitted,
            flatten: said.flatten,
            omitted_when_none: said.omitted_when_none,
            beside,
        });
    }
    Ok(all)
}

/// Whether serde writes or reads it.
fn is_document(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("derive") => {
            let traits = list.tokens.to_string();
            traits.contains("Serialize") || traits.contains("Deserialize")
        }
        _ => false,
    })
}

fn said(attrs: &[Attribute]) -> Result<Said, String> {
    let mut said = Said::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        attr.parse_nested_meta(|meta| take(&mut said, &meta))
            .map_err(|why| why.to_string())?;
    }
    Ok(said)
}

fn take(said: &mut Said, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let name = meta.path.get_ident().map(ToString::to_string);
    let text = || Ok::<_, syn::Error>(meta.value()?.parse::<LitStr>()?.value());
    match name.as_deref().unwrap_or_default() {
        "tag" => said.tag = Some(text()?),
        "rename" => said.rename = Some(text()?),
        "rename_all" => said.rename_all = Some(text()?),
        "rename_all_fields" => said.rename_all_fields = Some(text()?),
        "default" => {
            said.default = true;
            if meta.input.peek(syn::Token![=]) {
                text()?;
            }
        }
        "skip" => said.skip = true,
        "skip_serializing" => {
            said.omitted = true;
            said.omitted_when_none = true;
        }
        "skip_serializing_if" => {
            said.omitted = true;
            said.omitted_when_none = text()? == "Option::is_none";
        }
        "flatten" => said.flatten = true,
        // They say how it is read, not what it is read from.
        "deny_unknown_fields" => {}
        "try_from" => drop(text()?),
        other => {
            return Err(meta.error(format!("what serde's `{other}` does is not known here")));
        }
    }
    Ok(())
}

/// A comment's text; its links are only names.
fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.replace("[`", "`").replace("`]", "`")
}

fn renamed(name: &str, rule: Option<&str>) -> Result<String, String> {
    Ok(match rule {
        None => name.to_owned(),
        Some("camelCase") => camel(name),
        Some("lowercase") => name.to_lowercase(),
        Some("kebab-case") => kebab(name),
        Some(other) => return Err(format!("the names of serde's `{other}` are not known here")),
    })
}

/// `group_id` and `GroupId` as `groupId`.
fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut up = false;
    for letter in name.chars() {
        match letter {
            '_' => up = true,
            _ if up => {
                out.extend(letter.to_uppercase());
                up = false;
            }
            _ if out.is_empty() => out.extend(letter.to_lowercase()),
            _ => out.push(letter),
        }
    }
    out
}

/// `NotOwner` as `not-owner`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out.replace('_', "-")
}
