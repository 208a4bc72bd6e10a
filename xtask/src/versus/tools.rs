//! What the comparison needs and a clone has not: Kafka's jars and librdkafka's own load generator.

use crate::process::{command, find, must_run, target};
use crate::trouble::{Outcome, Trouble};
use std::fs;
use std::path::{Path, PathBuf};

const KAFKA: &str = "4.3.1";
/// The crate that carries librdkafka 2.12.1 with its examples.
const RDKAFKA_SYS: &str = "4.10.0+2.12.1";

/// Where the tools lie.
pub(crate) struct Tools {
    /// Kafka's jars, as a class path.
    pub(crate) jars: String,
    pub(crate) performance: PathBuf,
}

pub(crate) fn fetch() -> Outcome<Tools> {
    for (name, package) in [
        ("java", "a Java 17"),
        ("mvn", "maven"),
        ("taskset", "util-linux"),
    ] {
        if find(name).is_none() {
            return Err(Trouble::Missing(format!(
                "`{name}` was not found; install {package}."
            )));
        }
    }
    let tools = target().join("tools");
    let jars = kafka(&tools.join(format!("kafka-{KAFKA}")))?;
    let performance = librdkafka(&tools.join("librdkafka"))?;
    Ok(Tools { jars, performance })
}

fn kafka(folder: &Path) -> Outcome<String> {
    let libs = folder.join("libs");
    if !libs.is_dir() {
        write(&folder.join("pom.xml"), &pom())?;
        eprintln!("fetching Apache Kafka {KAFKA} from Maven Central");
        let mut maven = command("mvn", &["-q", "-B", "dependency:copy-dependencies"]);
        maven.args(["-DincludeScope=runtime", "-DoutputDirectory=libs.part"]);
        must_run("versus-maven", maven.current_dir(folder))?;
        let part = folder.join("libs.part");
        fs::rename(&part, &libs).map_err(|e| Trouble::io("rename", &part, e))?;
    }
    Ok(format!("{}/*", libs.display()))
}

fn pom() -> String {
    let dependency = |group: &str, name: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    let logging = "org.apache.logging.log4j";
    let dependencies = [
        dependency("org.apache.kafka", "kafka_2.13", KAFKA),
        dependency(logging, "log4j-slf4j-impl", "2.25.1"),
        dependency(logging, "log4j-core", "2.25.1"),
    ];
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>versus</groupId><artifactId>versus</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}</dependencies></project>\n",
        dependencies.join("")
    )
}

/// `rdkafka_performance`, built from the sources that a crate of Rust's registry carries.
fn librdkafka(folder: &Path) -> Outcome<PathBuf> {
    let built = folder.join("librdkafka/examples/rdkafka_performance");
    if built.is_file() {
        return Ok(built);
    }
    let manifest = format!(
        "[package]\nname = \"versus\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
         [dependencies]\nrdkafka-sys = {{ version = \"={RDKAFKA_SYS}\", default-features = false }}\n"
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("src/lib.rs"), "")?;
    eprintln!("building librdkafka's rdkafka_performance ({RDKAFKA_SYS}), which takes minutes");
    let mut vendor = command("cargo", &["vendor", "-q", "vendor"]);
    must_run("versus-vendor", vendor.current_dir(folder))?;
    let script = "rm -rf librdkafka && cp -r vendor/rdkafka-sys/librdkafka . && cd librdkafka && \
        chmod +x configure lds-gen.py && \
        ./configure --disable-curl --disable-sasl --disable-ssl --disable-zstd && \
        make libs && make -C examples rdkafka_performance";
    let mut make = command("sh", &["-c", script]);
    must_run("versus-librdkafka", make.current_dir(folder))?;
    Ok(built)
}

fn write(path: &Path, text: &str) -> Outcome {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))?;
    fs::write(path, text).map_err(|e| Trouble::io("write", path, e))
}
