//! A Chromium for the tests: found, or installed.

use std::path::PathBuf;

use crate::process::{answer, command, find, run_logged};
use crate::setup;
use crate::trouble::{Outcome, Trouble};

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser to test with: `$CHROME_PATH`, one on the search path, Playwright's own, or a new one.
///
/// Needs the npm packages, for Playwright.
pub(crate) fn chromium() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("CHROME_PATH").map(PathBuf::from) {
        return match path.is_file() {
            true => Ok(path),
            false => Err(Trouble::Failed(format!(
                "CHROME_PATH names {}, which is not a file; correct or unset it.",
                path.display()
            ))),
        };
    }
    if let Some(path) = NAMES
        .iter()
        .find_map(|name| find(name))
        .or_else(playwrights)
    {
        return Ok(path);
    }
    if let Ok(path) = setup::system_program("chromium", "chromium") {
        return Ok(path);
    }
    let arguments = ["--no-install", "playwright", "install", "chromium"];
    run_logged("chromium", &mut command("npx", &arguments))?;
    playwrights().ok_or_else(|| {
        Trouble::Missing(
            "no Chromium was found and none could be installed; install one, or set CHROME_PATH."
                .to_owned(),
        )
    })
}

/// The browser Playwright has downloaded, if it has.
fn playwrights() -> Option<PathBuf> {
    let script = "console.log(require('@playwright/test').chromium.executablePath())";
    let path = PathBuf::from(answer("node", &["--eval", script])?);
    path.is_file().then_some(path)
}
