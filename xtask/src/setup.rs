//! What the builds and tests need on this machine: checked, and installed where possible.

use std::path::PathBuf;

use crate::process::{answer, command, find, must_run, run_logged, target};
use crate::root;
use crate::steps::{Did, when_changed};
use crate::trouble::{Outcome, Trouble};

/// Vite needs this Node.js.
const NODE_MIN: (u32, u32) = (20, 19);

/// Checks Node.js and installs the page's packages as locked.
///
/// Not with `npm ci`: that refuses a lock file which lacks the native packages of other platforms,
/// and a registry mirror need not have them. `--no-save` leaves the lock file as it is.
pub(crate) fn npm_packages() -> Outcome<Did> {
    node()?;
    let root = root();
    let inputs = [root.join("package.json"), root.join("package-lock.json")];
    let installed = root.join("node_modules/.package-lock.json");
    when_changed("npm", &inputs, &installed, || {
        must_run("npm", &mut command("npm", &["install", "--no-save"]))
    })
}

/// Adds a Rust target to the pinned toolchain.
pub(crate) fn rust_target(target: &str) -> Outcome<Did> {
    if has_target(target) {
        return Ok(Did::Nothing);
    }
    if find("rustup").is_none() {
        return Err(Trouble::Missing(format!(
            "the Rust target {target} is not installed and rustup is not there to add it; \
             install rustup, or the target with your Rust."
        )));
    }
    let ended = run_logged("rustup", &mut command("rustup", &["target", "add", target]))?;
    if ended.status.success() {
        return Ok(Did::Work);
    }
    let tail = ended.tail();
    Err(Trouble::Missing(format!(
        "rustup could not add the target {target}:\n{tail}"
    )))
}

/// The program `name`, installed with apt-get where we may and it is missing.
pub(crate) fn system_program(name: &str, package: &str) -> Outcome<PathBuf> {
    if let Some(path) = find(name) {
        return Ok(path);
    }
    apt_install(package)?;
    find(name).ok_or_else(|| {
        Trouble::Missing(format!(
            "the package {package} has no program `{name}`; install it."
        ))
    })
}

/// The program `name` from Rust's registry, in just this version: found, or built once into `target/tools`.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Outcome<PathBuf> {
    let tools = target().join("tools");
    let built = tools.join("bin").join(name);
    let wanted = format!("{name} {version}");
    let is_wanted = |path: &PathBuf| {
        answer(&path.to_string_lossy(), &["--version"]).is_some_and(|said| said == wanted)
    };
    if let Some(path) = find(name)
        .into_iter()
        .chain([built.clone()])
        .find(is_wanted)
    {
        return Ok(path);
    }
    // Unoptimised and without all that helps to find bugs in it: it runs for a second.
    let mut install = command("cargo", &["install", "--locked", "--debug", "--force"]);
    install
        .args([name, "--version", version, "--root"])
        .arg(tools);
    install
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
        .env("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false")
        .env("CARGO_INCREMENTAL", "0");
    // What it builds from is of no use to other builds.
    install
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    let ended = run_logged(&format!("install-{name}"), &mut install)?;
    match ended.status.success() && is_wanted(&built) {
        true => Ok(built),
        false => Err(Trouble::Missing(format!(
            "cargo could not install {name} {version}:\n{}",
            ended.tail()
        ))),
    }
}

fn node() -> Outcome {
    let (major, minor) = NODE_MIN;
    let advice = format!("install Node.js {major}.{minor} or newer, with npm.");
    let Some(version) = answer("node", &["--version"]) else {
        return Err(Trouble::Missing(format!("Node.js was not found; {advice}")));
    };
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map(str::parse::<u32>);
    let found = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    };
    if found < NODE_MIN {
        return Err(Trouble::Missing(format!(
            "Node.js {version} is too old; {advice}"
        )));
    }
    if find("npm").is_none() && find("npm.cmd").is_none() {
        return Err(Trouble::Missing(format!("npm was not found; {advice}")));
    }
    Ok(())
}

fn has_target(target: &str) -> bool {
    let libraries = answer("rustc", &["--print", "target-libdir", "--target", target]);
    libraries.is_some_and(|folder| PathBuf::from(folder).is_dir())
}

fn apt_install(package: &str) -> Outcome {
    let missing = |why: &str| Trouble::Missing(format!("`{package}` is not installed and {why}."));
    if find("apt-get").is_none() {
        return Err(missing("only apt-get is known here; install it by hand"));
    }
    if answer("id", &["-u"]).as_deref() != Some("0") {
        return Err(missing(&format!(
            "needs root: `sudo apt-get install {package}`"
        )));
    }
    let apt = |arguments: &[&str]| {
        let mut command = command("apt-get", arguments);
        run_logged("apt", command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let arguments = ["install", "-y", "--no-install-recommends", package];
    if apt(&arguments)?.status.success() {
        return Ok(());
    }
    apt(&["update"])?;
    let ended = apt(&arguments)?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(missing(&format!(
            "apt-get could not install it:\n{}",
            ended.tail()
        ))),
    }
}
