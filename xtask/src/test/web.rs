//! The page's parts: lint, types, unit tests, and the built page in a real browser.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::count::{Tally, playwright, vitest};
use crate::browser;
use crate::build;
use crate::process::{command, run_logged, scratch};
use crate::root;
use crate::serve::Server;
use crate::setup;
use crate::trouble::{Outcome, Trouble};

/// How often a test kills Chromium in the middle of a produce. By hand a few are enough.
const KILLS: &str = "10";

pub(crate) fn lint() -> Outcome<Tally> {
    setup::npm_packages()?;
    npm_script("lint")
}

/// The core's bindings are built first: the page's types rest on them.
pub(crate) fn types() -> Outcome<Tally> {
    build::core_quietly()?;
    setup::npm_packages()?;
    npm_script("check")
}

pub(crate) fn unit() -> Outcome<Tally> {
    build::core_quietly()?;
    setup::npm_packages()?;
    let report = fresh_report("vitest.json")?;
    let mut vitest_run = command(
        "npx",
        &["--no-install", "vitest", "run", "--reporter=default"],
    );
    vitest_run
        .arg("--reporter=json")
        .arg(format!("--outputFile.json={}", report.display()));
    let ended = run_logged("unit", &mut vitest_run)?;
    Ok(vitest(&read_report(&report)).judged(&ended))
}

/// Serves the built page as `cargo xtask play` does and runs Playwright against it: first what bears
/// company, two at a time, then what measures time, one by one.
pub(crate) fn page() -> Outcome<Tally> {
    build::everything_quietly()?;
    let store_test = build::store_test()?;
    let chromium = browser::chromium()?;
    let server = Server::bind(root().join("dist"), 0)?;
    let url = server.url();
    std::thread::spawn(move || server.run());
    let mut tally = Tally::default();
    let passes = [
        ("page", ["--grep-invert", "@alone", "--workers", "2"]),
        ("page-alone", ["--grep", "@alone", "--workers", "1"]),
    ];
    for (name, which) in passes {
        let report = fresh_report(&format!("{name}.json"))?;
        let mut run = command("npx", &["--no-install", "playwright", "test"]);
        run.args(["--config", "tests/e2e/playwright.config.ts"])
            .args(["--reporter=list,json", "--output"])
            .arg(root().join("test-results").join(name))
            .args(which);
        run.env("BROOKLET_URL", &url).env("CHROME_PATH", &chromium);
        run.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report)
            .env("BROOKLET_STORE_TEST", &store_test);
        if std::env::var_os("BROOKLET_KILLS").is_none() {
            run.env("BROOKLET_KILLS", KILLS);
        }
        let ended = run_logged(name, &mut run)?;
        tally.add(playwright(&read_report(&report)).judged(&ended));
    }
    Ok(tally)
}

fn npm_script(name: &str) -> Outcome<Tally> {
    let ended = run_logged(name, &mut command("npm", &["run", "--silent", name]))?;
    Ok(Tally::single(&ended))
}

/// Where a runner shall write its report; an old one is removed, so that it cannot be counted.
fn fresh_report(name: &str) -> Outcome<PathBuf> {
    let path = scratch()?.join(name);
    if path.exists() {
        fs::remove_file(&path).map_err(|e| Trouble::io("remove", &path, e))?;
    }
    Ok(path)
}

/// The report, or `null` when the runner came to write none.
fn read_report(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
