//! `cargo xtask bench-page`: frames a second of the stage, and what one costs, with 12 partitions and
//! 10,000 records a second arriving. A figure for people, not a test: a busy machine gives another.

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
    let mut node = command("node", &["tests/e2e/frames.mjs", &url]);
    let status = node.env("CHROME_PATH", chromium).status();
    let status = status.map_err(|e| Trouble::Failed(format!("could not run node: {e}.")))?;
    match status.success() {
        true => Ok(()),
        false => Err(Trouble::Failed("the measurement did not end.".to_owned())),
    }
}
