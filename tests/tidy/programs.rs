//! Tests are built into few programs, named by hand: none may be forgotten.

use crate::sources::{Source, assert_none, below};

/// A manifest's sections: the line that opens each, and its lines.
fn sections(manifest: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            sections.push((line, Vec::new()));
        } else if let Some((_, lines)) = sections.last_mut() {
            lines.push(line);
        }
    }
    sections
}

/// A file of tests that no program of tests is made of.
fn forgotten(manifest: &str, main: &str, files: &[&str]) -> Vec<String> {
    let is_part = |file: &str| {
        let path = format!("path = \"tests/{file}\"");
        let module = format!("mod {};", file.trim_end_matches(".rs"));
        manifest.lines().any(|line| line == path) || main.lines().any(|line| line == module)
    };
    let by_hand = manifest.lines().any(|line| line == "autotests = false");
    let files = files.iter().filter(|file| by_hand && !is_part(file));
    files.map(|file| (*file).to_owned()).collect()
}

#[test]
fn every_file_of_tests_is_part_of_a_program() {
    let mut wrong = Vec::new();
    let sources = below("", &[".rs"]);
    for manifest in below("", &["/Cargo.toml"]) {
        let folder = manifest.path.replace("Cargo.toml", "tests/");
        let inside = |source: &Source| source.path.strip_prefix(&folder).map(str::to_owned);
        let files: Vec<String> = sources.iter().filter_map(inside).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let files: Vec<&str> = files
            .into_iter()
            .filter(|name| !name.contains('/'))
            .collect();
        let main = format!("{folder}main.rs");
        let main = sources.iter().find(|source| source.path == main);
        let main = main.map_or("", |source| source.text.as_str());
        let found = forgotten(&manifest.text, main, &files);
        wrong.extend(found.iter().map(|file| format!("{folder}{file}")));
    }
    let rule =
        "a file of tests is a `mod` of its crate's tests/main.rs, or a [[test]] in its Cargo.toml";
    assert_none(rule, &wrong);
}

#[test]
fn a_file_that_nobody_names_is_forgotten() {
    let manifest = "autotests = false\n[[test]]\nname = \"lone\"\npath = \"tests/lone.rs\"\n";
    let files = ["lone.rs", "one.rs", "two.rs"];
    assert_eq!(forgotten(manifest, "mod one;\n", &files), ["two.rs"]);
    assert!(forgotten("[package]\n", "", &files).is_empty());
}

/// The folder of the sources that a section of a manifest is about, when it says so of a library or a program.
fn target_folder(section: &str, lines: &[&str]) -> Option<String> {
    let path = lines.iter().find_map(|line| line.strip_prefix("path = \""));
    let path = path.map(|path| path.trim_end_matches('"'));
    let path = match section {
        "[lib]" => path.unwrap_or("src/lib.rs"),
        "[[bin]]" => path?,
        _ => return None,
    };
    path.rsplit_once('/')
        .map(|(folder, _)| format!("{folder}/"))
}

#[test]
fn nothing_is_left_out_where_cargo_is_told_not_to_look() {
    let mut wrong = Vec::new();
    let sources = below("", &[".rs"]);
    for manifest in below("", &["/Cargo.toml"]) {
        for (section, lines) in sections(&manifest.text) {
            let Some(folder) = target_folder(section, &lines) else {
                continue;
            };
            let folder = manifest.path.replace("Cargo.toml", &folder);
            let switches = [
                ("test = false", "#[test]"),
                ("doctest = false", "/// ```"),
                ("doctest = false", "//! ```"),
            ];
            for (_, what) in switches.iter().filter(|(switch, _)| lines.contains(switch)) {
                let inside = |source: &&Source| {
                    // A library's folder holds those of programs, which have a section of their own.
                    let rest = source.path.strip_prefix(&folder);
                    rest.is_some_and(|rest| section != "[lib]" || !rest.starts_with("bin/"))
                };
                let has = |source: &&Source| {
                    source
                        .text
                        .lines()
                        .any(|line| line.trim().starts_with(what))
                };
                let found = sources.iter().filter(inside).filter(has);
                wrong.extend(found.map(|source| format!("{}: {what}", source.path)));
            }
        }
    }
    let rule =
        "a test or an example stands where cargo runs it: not below what its manifest takes out";
    assert_none(rule, &wrong);
}
