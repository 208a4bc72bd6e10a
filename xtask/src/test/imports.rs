//! The core as a WebAssembly module: it asks nothing of its host, and does what the native one does.

use super::count::Tally;
use crate::build;
use crate::process::{Ended, command, run_logged};
use crate::trouble::{Outcome, Trouble};

const SCENARIO: &str = "tests/scenarios/determinism.json";
/// World time of the scenario that is played, in milliseconds.
const MILLIS: &str = "70000";
/// How every line of a trace begins.
const EVENT: &str = "event ";

/// Two cases: the module imports nothing, and a scenario leaves the same trace in it as natively.
pub(crate) fn imports() -> Outcome<Tally> {
    let module = build::core_alone()?;
    let mut node = command("node", &["tests/core-imports/trace.mjs"]);
    let wasm = run_logged("imports-wasm", node.arg(&module).arg(MILLIS))?;
    if !wasm.status.success() {
        return Ok(Tally::single(&wasm));
    }
    let brooklet = build::native()?;
    let arguments = ["run", SCENARIO, "--for", MILLIS, "--trace"];
    let native = run_logged(
        "imports-trace",
        &mut command(&brooklet.to_string_lossy(), &arguments),
    )?;
    if !native.status.success() {
        return Ok(Tally::single(&native));
    }
    compare(&native, &wasm)?;
    Ok(Tally::passed(2))
}

/// The first event after which the two traces differ is the failure.
fn compare(native: &Ended, wasm: &Ended) -> Outcome {
    let mut theirs = wasm.output.lines().filter(|line| line.starts_with(EVENT));
    let mut events = 0_u64;
    for ours in native.output.lines().filter(|line| line.starts_with(EVENT)) {
        let theirs = theirs.next().unwrap_or("no event");
        // A native line has the event's number, the hash after it, and what it was.
        let hash = ours.split(' ').nth(2);
        if hash.is_none() || hash != theirs.strip_prefix(EVENT) {
            return Err(Trouble::Failed(format!(
                "the same scenario goes on differently in Wasm; first here:\n    \
                 native: {ours}\n    wasm:   {theirs}"
            )));
        }
        events += 1;
    }
    match (events, theirs.next()) {
        (0, _) => Err(Trouble::Failed(format!("{SCENARIO} has no events."))),
        (_, None) => Ok(()),
        (_, Some(more)) => Err(Trouble::Failed(format!(
            "the same scenario goes on in Wasm where the native one ends: {more}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn printed(output: &str) -> Ended {
        let status = Command::new("true")
            .status()
            .expect("a program that ends well");
        Ended {
            status,
            output: output.to_owned(),
            log: std::path::PathBuf::new(),
        }
    }

    #[test]
    fn the_first_event_that_differs_is_named() {
        let native = printed("event 0 aa a starts\nevent 1 bb b wakes\nhash bb\n");
        assert!(compare(&native, &printed("event aa\nevent bb\n")).is_ok());
        for wrong in [
            "",
            "event aa\n",
            "event aa\nevent cc\n",
            "event aa\nevent bb\nevent cc\n",
        ] {
            assert!(compare(&native, &printed(wrong)).is_err(), "{wrong:?}");
        }
        let Err(Trouble::Failed(why)) = compare(&native, &printed("event aa\nevent cc")) else {
            panic!("different traces pass for the same");
        };
        assert!(why.contains("event 1 bb b wakes"), "{why}");
    }
}
