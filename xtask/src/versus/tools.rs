//! What the comparison needs and a clone has not: Kafka's jars and librdkafka's own load generator.

use crate::kafka;
use crate::process::{command, find, must_run, target};
use crate::trouble::{Outcome, Trouble};
use std::fs;
use std::path::{Path, PathBuf};

/// The crate that carries librdkafka 2.12.1 with its examples.
const RDKAFKA_SYS: &str = "4.10.0+2.12.1";

/// Where the tools lie.
pub(crate) struct Tools {
    /// Kafka's jars, as a class path.
    pub(crate) jars: String,
    pub(crate) performance: PathBuf,
}

pub(crate) fn fetch() -> Outcome<Tools> {
    if find("taskset").is_none() {
        let why = "`taskset` was not found; install util-linux.".to_owned();
        return Err(Trouble::Missing(why));
    }
    let jars = format!("{}/*", kafka::jars()?.display());
    let performance = librdkafka(&target().join("tools/librdkafka"))?;
    Ok(Tools { jars, performance })
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
