//! `cargo xtask first-load`: finds out in a real browser which functions of the core a first visit
//! runs, and renews the profile that splits the core by it.

use std::process::Stdio;

use crate::browser;
use crate::build;
use crate::process::command;
use crate::serve::Server;
use crate::split::profile::Profile;
use crate::trouble::{Outcome, Trouble};

pub(crate) fn run() -> Outcome {
    let chromium = browser::chromium()?;
    let (noting, folder) = build::noting()?;
    let server = Server::bind(folder, 0)?;
    let url = server.url();
    std::thread::spawn(move || server.run());
    let (from, count) = (noting.from.to_string(), noting.count.to_string());
    let mut node = command("node", &["tests/e2e/first-load.mjs", &url, &from, &count]);
    node.env("CHROME_PATH", chromium).stderr(Stdio::inherit());
    let output = node.output();
    let output = output.map_err(|e| Trouble::Failed(format!("could not run node: {e}.")))?;
    if !output.status.success() {
        return Err(Trouble::Failed("the visit did not end.".to_owned()));
    }
    let profile = noting.profile(String::from_utf8_lossy(&output.stdout).trim());
    profile.write(&Profile::path())?;
    println!(
        "  {} of {} functions run in a first visit",
        profile.len(),
        noting.count
    );
    build::everything()
}
