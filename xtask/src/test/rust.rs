//! The Rust parts: format, lints, tests, and what keeps the core free of its surroundings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::count::{Tally, libtest};
use crate::codegen;
use crate::process::{Ended, answer, command, run_logged};
use crate::root;
use crate::setup;
use crate::trouble::{Outcome, Trouble};

/// A target that has no `std` at all: what compiles for it cannot have smuggled it in.
const BARE_TARGET: &str = "wasm32v1-none";
/// A wasm32 target on which the ordinary test harness runs.
const WASI_TARGET: &str = "wasm32-wasip1";
/// The version of cargo-deny that tests.
const DENY: &str = "0.20.2";
/// How it says that it could not fetch its database.
const NO_DATABASE: &str = "failed to fetch advisory database";
/// Lives that must break no rule.
const LIVES: &str = "60";
/// The one core crate that may use `std`; what depends on it cannot do without either.
const STD_CRATE: &str = "brooklet-codecs";

pub(crate) fn fmt() -> Outcome<Tally> {
    single("fmt", &["fmt", "--all", "--", "--check"])
}

/// The committed code is what its schema gives.
pub(crate) fn codegen() -> Outcome<Tally> {
    codegen::check().map_err(Trouble::Failed)?;
    Ok(Tally::passed(1))
}

pub(crate) fn clippy() -> Outcome<Tally> {
    let arguments = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    single("clippy", &arguments)
}

/// What may come in from outside, by what is in the checkout alone (`deny.toml`).
pub(crate) fn deny() -> Outcome<Tally> {
    let ended = deny_check("deny", &["licenses", "bans", "sources"])?;
    Ok(Tally::single(&ended))
}

/// Whether anything that comes in has a weakness known by now, by a database on the network.
pub(crate) fn advisories() -> Outcome<Tally> {
    let ended = deny_check("advisories", &["advisories"])?;
    if ended.output.contains(NO_DATABASE) {
        let tail = ended.tail();
        return Err(Trouble::Missing(format!(
            "the database cannot be had here:\n{tail}"
        )));
    }
    Ok(Tally::single(&ended))
}

fn deny_check(name: &str, checks: &[&str]) -> Outcome<Ended> {
    let deny = setup::cargo_tool("cargo-deny", DENY)?;
    let arguments = ["--locked", "--all-features", "check"];
    let mut run = command(&deny.to_string_lossy(), &arguments);
    run_logged(name, run.args(checks))
}

pub(crate) fn tests() -> Outcome<Tally> {
    let arguments = ["test", "--locked", "--workspace", "--no-fail-fast"];
    let ended = run_logged("rust", &mut command("cargo", &arguments))?;
    Ok(libtest(&ended.output).judged(&ended))
}

/// The worst frames at their full length, lives of brokers and of quorums of [`LIVES`] seeds, and the bugs that can be
/// planted (`crates/ids/src/mutants.rs`), each of which the same check must find. Each program counts or plants in its whole
/// process, one test after the other; so two run at a time.
pub(crate) fn mutants() -> Outcome<Tally> {
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut tally = with_mutants("brooklet-tests", "bounded")?;
            tally.add(with_mutants("brooklet-raft", "lives")?);
            Ok(tally)
        });
        let mut tally = with_mutants("brooklet-tests", "simulation")?;
        let others = others.join();
        tally.add(others.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        Ok(tally)
    })
}

/// A build of its own, a little optimised: it lives ten times as fast.
fn with_mutants(package: &str, program: &str) -> Outcome<Tally> {
    let arguments = ["test", "--locked", "-p", package, "--test", program];
    let mut run = command("cargo", &arguments);
    run.args(["--", "--nocapture", "--test-threads=1"]);
    run.env("RUSTFLAGS", "--cfg brooklet_mutants");
    run.env("CARGO_TARGET_DIR", root().join("target/mutants"));
    run.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    run.env("CARGO_PROFILE_DEV_DEBUG", "none");
    if std::env::var_os("BROOKLET_SEEDS").is_none() {
        run.env("BROOKLET_SEEDS", LIVES);
    }
    let ended = run_logged(&format!("mutants-{program}"), &mut run)?;
    Ok(libtest(&ended.output).judged(&ended))
}

/// Each core crate that does not need `codecs` compiles where there is no `std`.
pub(crate) fn no_std() -> Outcome<Tally> {
    setup::rust_target(BARE_TARGET)?;
    let mut tally = Tally::default();
    for name in core_crates()?.without_std {
        let arguments = [
            "check",
            "--locked",
            "--quiet",
            "-p",
            &name,
            "--target",
            BARE_TARGET,
        ];
        tally.add(single(&format!("no-std-{name}"), &arguments)?);
    }
    Ok(tally)
}

/// The tests of floors 0 to 3, compiled to wasm32 and run in Node.js.
pub(crate) fn wasm_tests() -> Outcome<Tally> {
    setup::npm_packages()?;
    setup::rust_target(WASI_TARGET)?;
    let script = root().join("xtask/wasi.mjs");
    // Node's fast calls into WASI may collect garbage where V8 allows none, and crash
    // (nodejs/node#46777): its ordinary calls do not.
    let node = "'node','--no-warnings','--no-turbo-fast-api-calls'";
    let runner = format!("target.{WASI_TARGET}.runner=[{node},{script:?}]");
    let mut arguments = vec!["test", "--locked", "--no-fail-fast", "--tests"];
    arguments.extend(["--target", WASI_TARGET, "--config", &runner]);
    let names = core_crates()?.all;
    arguments.extend(names.iter().flat_map(|name| ["-p", name.as_str()]));
    let mut run = command("cargo", &arguments);
    // A little optimised: an engine runs what is not at a tenth of that speed.
    run.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    run.env("CARGO_PROFILE_DEV_DEBUG", "none");
    let ended = run_logged("wasm", &mut run)?;
    let mut tally = libtest(&ended.output);
    // A panic ends a Wasm instance, so the harness leaves such tests to the native run.
    let expected = "should panic ... ignored";
    let left_out = tally
        .reasons
        .iter()
        .filter(|line| line.contains(expected))
        .count() as u64;
    tally.skipped -= left_out;
    tally.reasons.retain(|line| !line.contains(expected));
    Ok(tally.judged(&ended))
}

fn single(name: &str, arguments: &[&str]) -> Outcome<Tally> {
    let ended = run_logged(name, &mut command("cargo", arguments))?;
    Ok(Tally::single(&ended))
}

/// Package names of floors 0 to 3.
struct CoreCrates {
    all: BTreeSet<String>,
    without_std: BTreeSet<String>,
}

/// The core is what says `#![no_std]`, and `codecs`; `tests/tidy.rs` sees to it that it does.
fn core_crates() -> Outcome<CoreCrates> {
    let needs = dependencies()?;
    let mut all = BTreeSet::new();
    for name in needs.keys() {
        let folder = name.trim_start_matches("brooklet-");
        let file = root().join("crates").join(folder).join("src/lib.rs");
        let text = fs::read_to_string(&file).unwrap_or_default();
        if name == STD_CRATE || text.lines().any(|line| line == "#![no_std]") {
            all.insert(name.clone());
        }
    }
    let without_std = all
        .iter()
        .filter(|name| !reaches(&needs, name, STD_CRATE))
        .cloned()
        .collect();
    Ok(CoreCrates { all, without_std })
}

fn reaches(needs: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let next = needs.get(from).map(Vec::as_slice).unwrap_or_default();
    from == to || next.iter().any(|name| reaches(needs, name, to))
}

/// Which packages of the workspace each of them needs outside its tests.
fn dependencies() -> Outcome<BTreeMap<String, Vec<String>>> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let unreadable = || Trouble::Failed("`cargo metadata` did not answer as expected.".to_owned());
    let text = answer("cargo", &arguments).ok_or_else(unreadable)?;
    let metadata: Value = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let packages = metadata["packages"].as_array().ok_or_else(unreadable)?;
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let needs_of = |package: &Value| -> Vec<String> {
        let all = package["dependencies"].as_array().into_iter().flatten();
        all.filter(|needed| needed["kind"].is_null())
            .map(name_of)
            .collect()
    };
    Ok(packages
        .iter()
        .map(|package| (name_of(package), needs_of(package)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is built from outside, each with its features.
    fn outside(which: &[&str]) -> BTreeSet<String> {
        let list = "tree --locked --prefix none --edges normal,build --format";
        let mut arguments: Vec<&str> = list.split(' ').collect();
        arguments.push("{p} [{f}]");
        arguments.extend(which);
        let text = answer("cargo", &arguments).expect("cargo lists what it builds");
        let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
        let ours = |line: &&str| line.starts_with("brooklet") || line.starts_with("xtask");
        let outside = lines.filter(|line| !line.is_empty() && !ours(line));
        outside.map(str::to_owned).collect()
    }

    #[test]
    fn nothing_that_xtask_is_made_of_is_compiled_again_for_the_tests() {
        let workspace = outside(&["--workspace"]);
        let twice: Vec<String> = outside(&["-p", "xtask"])
            .difference(&workspace)
            .cloned()
            .collect();
        let advice = "name it with the workspace's features in xtask/Cargo.toml";
        assert!(twice.is_empty(), "{advice}: {twice:?}");
    }
}
