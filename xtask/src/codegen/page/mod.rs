//! Generates `web/engine/generated/messages.ts` from the Rust types that cross between page and worker.
//!
//! What is generated: every call of the table in `crates/wasm/src/methods.rs`, every push, and all types that
//! they are made of, as serde writes and reads them. A field, a push or a call is added in Rust alone;
//! `cargo xtask codegen` brings it to the page.
//!
//! Two things that Rust's types do not say are read from a field's comment: text of which only some is
//! possible (``One of `a`, `b`.``), and a number that never changes (`Always 1.`).

mod read;
mod types;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

/// Where the types are.
const SOURCES: &[&str] = &[
    "crates/world/src/command.rs",
    "crates/world/src/fault.rs",
    "crates/world/src/scenario.rs",
    "crates/world/src/view.rs",
    "crates/world/src/inspect.rs",
    "crates/wasm/src/push.rs",
    "crates/wasm/src/stage.rs",
    "crates/wasm/src/methods.rs",
];

/// What the page calls by another name than Rust: a Rust name means something only in its own crate.
const NAMES: &[(&str, &str)] = &[
    ("Event", "WorldEvent"),
    ("GroupView", "GroupState"),
    ("Method", "Engine"),
    ("PartitionView", "PartitionState"),
    ("PartitionerSpec", "Partitioner"),
    ("Snapshot", "WorldSnapshot"),
    ("SnapshotView", "Snapshot"),
    ("WorkspaceView", "Workspace"),
    ("StatusView", "Status"),
];

/// Fields that a document may leave out, but the worker always writes and the page always gives.
const ALWAYS: &[(&str, &str)] = &[("TopicSpec", "config")];

const TARGET: &str = "web/engine/generated/messages.ts";

/// Renews the page's types.
pub(super) fn run() -> Result<(), String> {
    let (path, text) = (root().join(TARGET), generate()?);
    if fs::read_to_string(&path).ok().as_ref() == Some(&text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(|e| super::in_path(folder, &e))?;
    fs::write(&path, text).map_err(|e| super::in_path(&path, &e))
}

/// Says whether they are what the Rust types give.
pub(super) fn check() -> Result<(), String> {
    let path = root().join(TARGET);
    let found = fs::read_to_string(&path).map_err(|e| super::in_path(&path, &e))?;
    match generate()? == found {
        true => Ok(()),
        false => Err(format!(
            "{TARGET} differs from what the Rust types give; run `cargo xtask codegen`"
        )),
    }
}

fn generate() -> Result<String, String> {
    let mut known = read::Known::default();
    for source in SOURCES {
        let path = root().join(source);
        let text = fs::read_to_string(&path).map_err(|e| super::in_path(&path, &e))?;
        known
            .read(&text)
            .map_err(|why| format!("{source}: {why}"))?;
    }
    write::page(&known)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the page calls a Rust type.
fn page_name(rust: &str) -> &str {
    let found = NAMES.iter().find(|(name, _)| *name == rust);
    found.map_or(rust, |(_, page)| page)
}

#[cfg(test)]
mod tests {
    use super::{read::Known, write};

    fn page_of(source: &str) -> Result<String, String> {
        let mut known = Known::default();
        known.read(source)?;
        write::page(&known)
    }

    /// What comes of `types`, which `Push` and one call lead to.
    fn body(types: &str) -> String {
        let source = format!(
            "{types} calls! {{ /// Asks.\nfn ask_it(first: u64, all: Option<Vec<Line>>) -> (); }}"
        );
        page_of(&source).expect("types that are understood")
    }

    #[test]
    fn fields_have_the_names_and_types_that_serde_gives_them() {
        let text = body(
            r#"
            #[derive(Serialize)]
            #[serde(tag = "push", rename_all = "camelCase")]
            enum Push<'a> { SomeNews { news: &'a Line }, Nothing }
            #[derive(Serialize, Deserialize)]
            #[serde(rename_all = "camelCase")]
            /// A line.
            struct Line {
                /// Its key; see [`Push`].
                first_key: Option<String>,
                #[serde(default)]
                more: bool,
                #[serde(skip)]
                not_there: Unknown,
                #[serde(rename = "type")]
                kind: Kind,
                /// One of `a`, `b-c`.
                word: &'static str,
                /// Always 1.
                version: u32,
                map: SortedMap<String, Option<String>>,
                #[serde(flatten)]
                rest: Rest,
            }
            #[derive(Serialize)]
            #[serde(rename_all = "kebab-case")]
            enum Kind { OneThing, #[serde(rename = "0")] None }
            #[derive(Serialize)]
            struct Rest { left: Vec<Option<f64>> }
            "#,
        );
        for part in [
            "export type Push =\n  | { push: \"someNews\"; news: Line }\n  | { push: \"nothing\" };",
            "/** A line. */\nexport interface Line {",
            "  /** Its key; see `Push`. */\n  firstKey: string | null;",
            "  more?: boolean;",
            "  type: Kind;",
            "  word: \"a\" | \"b-c\";",
            "  version: 1;",
            "  map: Record<string, string | null>;",
            "  left: (number | null)[];",
            "export type Kind = \"one-thing\" | \"0\";",
            "  /** Asks. */\n  askIt(first: number, all?: Line[] | null): Promise<void>;",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        assert!(!text.contains("not_there") && !text.contains("Rest"));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let unknown = r#"#[derive(Serialize)] #[serde(tag = "push")] enum Push { A { a: Missing } } calls! {}"#;
        assert_eq!(
            page_of(unknown).expect_err("there is no such type"),
            "no source declares the type `Missing`"
        );
        let attribute = r#"#[derive(Serialize)] struct A { #[serde(with = "x")] a: u32 }"#;
        let why = page_of(attribute).expect_err("its form is not known");
        assert!(why.contains("with"), "{why}");
    }
}
