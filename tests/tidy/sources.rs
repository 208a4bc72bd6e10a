//! The files of the checkout, and how to look into them line by line.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours: built or fetched.
const NOT_OURS: [&str; 8] = [
    ".git",
    "corpus",
    "dist",
    "node_modules",
    "playwright-report",
    "target",
    "test-results",
    "venv",
];

/// What Kafka said and wrote, apart from the code and the words about it.
fn is_recorded(path: &str) -> bool {
    let inside = path.strip_prefix("tests/vectors/");
    inside.is_some_and(|path| {
        !["Cargo.toml", "README.md", "src"].contains(&path) && !path.starts_with("src/")
    })
}

/// One text file of the checkout.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The lines before the unit tests, numbered from 1.
    pub(crate) fn product_lines(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod tests {")
        });
        let count = tests.unwrap_or(lines.len());
        lines
            .into_iter()
            .take(count)
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .collect()
    }

    /// The product's lines without line comments.
    pub(crate) fn code_lines(&self) -> Vec<(usize, &str)> {
        let lines = self.product_lines().into_iter();
        lines
            .map(|(at, line)| (at, line.split("//").next().unwrap_or_default()))
            .collect()
    }

    /// Whether it is product code rather than a test, an example or a generated file.
    pub(crate) fn is_product(&self) -> bool {
        ![
            "/tests/",
            "/generated/",
            "/examples/",
            "/fuzz/",
            ".test.ts",
            ".spec.ts",
        ]
        .iter()
        .any(|part| format!("/{}", self.path).contains(part))
    }

    pub(crate) fn ends_with(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the checkout, in order of path.
pub(crate) fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&root(), "", &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The text files below `folder` with one of the `endings`.
pub(crate) fn below(folder: &str, endings: &[&str]) -> Vec<Source> {
    let inside = |source: &Source| source.path.starts_with(folder) && source.ends_with(endings);
    all().into_iter().filter(inside).collect()
}

fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if NOT_OURS.contains(&name.as_str()) || path == "web/wasm" || is_recorded(&path) {
            continue;
        }
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            sources.push(Source { path, text });
        }
    }
}

/// Whether `word` stands in `line` and is not part of a longer name.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(joins) && !after.starts_with(joins)
    })
}

/// Fails with every finding on a line of its own.
#[track_caller]
pub(crate) fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}
