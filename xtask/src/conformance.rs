//! `cargo xtask conformance --tools`: Kafka's console tools, run by a real Kafka and by Brooklet, side by side.
//!
//! Java 17 and Maven are needed, which fetches Apache Kafka; no test does.

use crate::build;
use crate::kafka;
use crate::process::{command, target};
use crate::steps::{Did, step};
use crate::trouble::{Outcome, Trouble};

/// Prints where the two differ; `--record` renews what the tests read, and tools can be named.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let Some((_, rest)) = arguments
        .split_first()
        .filter(|(first, _)| *first == "--tools")
    else {
        let why = "conformance wants --tools, then perhaps --record and names of tools.";
        return Err(Trouble::Usage(why.to_owned()));
    };
    let libs = kafka::jars()?;
    step("Brooklet", || build::native().map(|_| Did::Work))?;
    let mut play = command(
        "cargo",
        &["run", "--quiet", "--locked", "-p", "brooklet-tests"],
    );
    play.args(["--bin", "conformance", "--", "--libs"])
        .arg(libs)
        .arg("--brooklet")
        .arg(target().join("debug/brooklet"))
        .args(rest);
    match play.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Trouble::Failed("the two sides differ.".to_owned())),
        Err(error) => Err(Trouble::Failed(format!("could not run cargo: {error}."))),
    }
}
