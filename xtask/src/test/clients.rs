//! Real clients against the native server: kafka-python and kcat through pytest, KafkaJS in Node.js.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::count::{Tally, node_tap, pytest};
use crate::build;
use crate::process::{command, find, run_logged, target};
use crate::root;
use crate::setup;
use crate::steps::when_changed;
use crate::trouble::{Outcome, Trouble};

const FOLDER: &str = "tests/clients";

pub(crate) fn python() -> Outcome<Tally> {
    let python = python_packages()?;
    // Tests that need kcat skip themselves, with this reason, when it cannot be had.
    let kcat = setup::system_program("kcat", "kcat");
    let mut run = Command::new(python);
    run.args([
        "-m",
        "pytest",
        "-rs",
        "--color=no",
        "-p",
        "no:cacheprovider",
        FOLDER,
    ]);
    if let Ok(kcat) = kcat {
        run.env("KCAT", kcat);
    }
    let ended = run_logged("python", against_server(run.current_dir(root()))?)?;
    Ok(pytest(&ended.output).judged(&ended))
}

pub(crate) fn node() -> Outcome<Tally> {
    setup::npm_packages()?;
    let files = node_files();
    if files.is_empty() {
        // Node.js would look for tests elsewhere.
        return Err(Trouble::Failed(format!("there is no {FOLDER}/*.test.mjs.")));
    }
    let mut run = command("node", &["--test", "--test-reporter=tap"]);
    run.args(files);
    let ended = run_logged("node", against_server(&mut run)?)?;
    Ok(node_tap(&ended.output).judged(&ended))
}

/// Builds the native command and tells the tests where it is.
fn against_server(run: &mut Command) -> Outcome<&mut Command> {
    Ok(run.env("BROOKLET", build::native()?))
}

/// A virtual environment in `target/` with `tests/clients/requirements.txt`; its interpreter.
fn python_packages() -> Outcome<PathBuf> {
    let Some(system) = find("python3") else {
        return Err(Trouble::Missing(
            "python3 was not found; install Python 3.9 or newer.".to_owned(),
        ));
    };
    let home = target().join("xtask/python");
    let python = home.join("bin/python");
    let wanted = root().join(FOLDER).join("requirements.txt");
    when_changed("python", std::slice::from_ref(&wanted), &python, || {
        let create = run_logged(
            "venv",
            Command::new(&system).args(["-m", "venv"]).arg(&home),
        )?;
        if !create.status.success() {
            let why = "python3 could not make a virtual environment; install python3-venv";
            return Err(Trouble::Missing(format!("{why}:\n{}", create.tail())));
        }
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&wanted);
        let install = run_logged("pip", &mut pip)?;
        match install.status.success() {
            true => Ok(()),
            false => Err(Trouble::Missing(format!(
                "pip could not install:\n{}",
                install.tail()
            ))),
        }
    })?;
    Ok(python)
}

fn node_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(FOLDER))
        .into_iter()
        .flatten()
        .flatten();
    let named = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(named).collect();
    files.sort();
    files
}
