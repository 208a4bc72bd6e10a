//! `cargo xtask bench-page`: events a second of the world as WebAssembly; frames a second of the stage,
//! and what one costs, with 12 partitions and 10,000 records a second arriving. Figures for people,
//! not tests: a busy machine gives others.

use std::process::Command;

use crate::browser;
use crate::build;
use crate::process::command;
use crate::root;
use crate::serve::Server;
use crate::trouble::{Outcome, Trouble};

pub(crate) fn run() -> Outcome {
    build::everything()?;
    let chromium = browser::chromium()?;
    let server = Server::bind(root().join("dist"), 0)?;
    let url = server.url();
    std::thread::spawn(move || server.run());
    let core = build::core_alone()?;
    let mut speed = command("node", &["tests/core-imports/speed.mjs"]);
    measured(speed.arg(core))?;
    let mut frames = command("node", &["tests/e2e/frames.mjs", &url]);
    measured(frames.env("CHROME_PATH", chromium))
}

fn measured(node: &mut Command) -> Outcome {
    let status = node.status();
    let status = status.map_err(|e| Trouble::Failed(format!("could not run node: {e}.")))?;
    match status.success() {
        true => Ok(()),
        false => Err(Trouble::Failed("the measurement did not end.".to_owned())),
    }
}
