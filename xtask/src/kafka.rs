//! The Apache Kafka that Brooklet is held against, as Maven fetches it (`tests/conformance/pom.xml`).

use std::path::PathBuf;
use std::process::Command;

use crate::process::{find, must_run, scratch};
use crate::root;
use crate::steps::{step, when_changed};
use crate::trouble::{Outcome, Trouble};

/// The folder with the jars of Apache Kafka.
pub(crate) fn jars() -> Outcome<PathBuf> {
    for (program, package) in [("java", "a Java 17"), ("mvn", "Maven")] {
        if find(program).is_none() {
            let why = format!("{program} was not found; install {package}.");
            return Err(Trouble::Missing(why));
        }
    }
    let libs = scratch()?.join("kafka");
    let pom = root().join("tests/conformance/pom.xml");
    step("Apache Kafka", || {
        when_changed("kafka", std::slice::from_ref(&pom), &libs, || {
            let mut maven = Command::new("mvn");
            maven
                .args(["-q", "-B", "-f"])
                .arg(&pom)
                .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
                .arg(format!("-DoutputDirectory={}", libs.display()));
            must_run("maven", &mut maven)
        })
    })?;
    Ok(libs)
}
