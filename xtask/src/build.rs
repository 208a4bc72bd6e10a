//! The playground: the `brooklet-wasm` crate to `web/wasm/`, the page to `dist/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::process::{command, must_run, target};
use crate::root;
use crate::setup;
use crate::split::profile::{Noting, Profile};
use crate::split::{self, Halves};
use crate::steps::{Did, step, when_changed};
use crate::trouble::{Outcome, Trouble};

/// The target of what the browser runs.
pub(crate) const BROWSER_TARGET: &str = "wasm32-unknown-unknown";

/// Builds the native command `brooklet` and says where it is. Of just what the workspace's tests are made of: for
/// itself, cargo would choose fewer features of what comes from outside, and compile all that rests on it anew.
pub(crate) fn native() -> Outcome<PathBuf> {
    let arguments = ["build", "--locked", "--workspace", "--bin", "brooklet"];
    must_run("brooklet", &mut command("cargo", &arguments))?;
    Ok(target().join("debug/brooklet"))
}

/// One step of the build: its title, and what does it.
type Step = (&'static str, fn() -> Outcome<Did>);

/// The core and its bindings; the page's types come from them.
const CORE: [Step; 3] = [
    ("Rust target for the browser", || {
        setup::rust_target(BROWSER_TARGET)
    }),
    ("core to WebAssembly", compile),
    ("its bindings, and split in two", bind),
];

const PAGE: [Step; 2] = [("npm packages", setup::npm_packages), ("page (vite)", page)];

/// Sets up and builds the whole playground and says so; a second call does only what has changed.
pub(crate) fn everything() -> Outcome {
    CORE.iter()
        .chain(&PAGE)
        .try_for_each(|(title, work)| step(title, work))
}

/// The same without a word.
pub(crate) fn everything_quietly() -> Outcome {
    CORE.iter()
        .chain(&PAGE)
        .try_for_each(|(_, work)| work().map(|_| ()))
}

/// The core and its bindings alone.
pub(crate) fn core_quietly() -> Outcome {
    CORE.iter().try_for_each(|(_, work)| work().map(|_| ()))
}

fn compile() -> Outcome<Did> {
    // Cargo knows best whether anything changed.
    must_run("core", &mut core_build()).map(|()| Did::Work)
}

fn core_build() -> Command {
    let arguments = [
        "build",
        "--locked",
        "-p",
        "brooklet-wasm",
        profile_flag(),
        "--target",
        BROWSER_TARGET,
    ];
    let mut cargo = command("cargo", &arguments);
    // Names that tell the instances of a generic function apart: the profile goes by them.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Csymbol-mangling-version=v0");
    cargo
}

/// Whether the core is built soon rather than small: for who changes it and looks at the page again and
/// again. What is shipped, measured and tested is the small one.
fn is_quick() -> bool {
    std::env::var_os("BROOKLET_QUICK").is_some()
}

fn profile_flag() -> &'static str {
    match is_quick() {
        true => "--profile=wasm-quick",
        false => "--profile=wasm",
    }
}

/// The core as cargo built it.
fn built() -> PathBuf {
    module("brooklet_wasm.wasm")
}

fn module(file: &str) -> PathBuf {
    let folder = if is_quick() { "wasm-quick" } else { "wasm" };
    target().join(BROWSER_TARGET).join(folder).join(file)
}

/// The whole core as a module without the browser's shell. In one go with the page's, both are of the same crates,
/// compiled once, and the linker works on both at a time.
pub(crate) fn core_alone() -> Outcome<PathBuf> {
    setup::rust_target(BROWSER_TARGET)?;
    let mut cargo = core_build();
    must_run("core-alone", cargo.args(["-p", "brooklet-core-imports"]))?;
    Ok(module("brooklet_core_imports.wasm"))
}

/// Where the page takes the core from: its bindings, and both of its halves.
fn bound() -> PathBuf {
    root().join("web/wasm")
}

const FIRST: &str = "brooklet_wasm_bg.wasm";
const REST: &str = "brooklet_wasm_rest.wasm";

fn bind() -> Outcome<Did> {
    let inputs = [built(), Profile::path()];
    let (first, rest) = (bound().join(FIRST), bound().join(REST));
    when_changed("bindings", &inputs, &rest, || {
        generate(&built(), &bound(), Names::Kept)?;
        let halves: Halves = split::split(&read(&first)?, &Profile::read()?)?;
        write(&first, &halves.first)?;
        write(&rest, &halves.rest)
    })
}

/// The page with a core that notes what of it runs, in a folder of its own. The next build of the
/// playground puts the usual core back.
pub(crate) fn noting() -> Outcome<(Noting, PathBuf)> {
    everything()?;
    let (first, rest) = (bound().join(FIRST), bound().join(REST));
    generate(&built(), &bound(), Names::Kept)?;
    let noting = Noting::new(&read(&first)?)?;
    write(&first, &noting.module)?;
    // Its absence makes the next build bind anew.
    fs::remove_file(&rest).map_err(|e| Trouble::io("remove", &rest, e))?;
    let folder = target().join("xtask/noting");
    let mut vite = command("npx", &["--no-install", "vite", "build", "--outDir"]);
    must_run("vite", vite.arg(&folder))?;
    Ok((noting, folder))
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|e| Trouble::io("read", path, e))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|e| Trouble::io("write", path, e))
}

/// The core with what only the store's browser tests call, and its bindings: the folder of both. All but the last
/// crate is what the page's core is made of. The next build of that puts it back in its place.
pub(crate) fn store_test() -> Outcome<PathBuf> {
    let mut cargo = core_build();
    must_run("store-test", cargo.args(["--features", "store-test"]))?;
    let folder = target().join("store-test");
    generate(&built(), &folder, Names::Removed).map(|()| folder)
}

/// What happens to the names of functions in a bound core.
#[derive(PartialEq)]
enum Names {
    Kept,
    Removed,
}

fn generate(module: &Path, folder: &Path, names: Names) -> Outcome {
    let failed = |e| Trouble::Failed(format!("could not bind {}: {e:#}.", module.display()));
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .typescript(true)
        .demangle(false)
        .remove_name_section(names == Names::Removed)
        .remove_producers_section(true)
        .omit_default_module_path(true);
    bindgen
        .web(true)
        .and_then(|web| web.generate(folder))
        .map_err(failed)
}

fn page() -> Outcome<Did> {
    let root = root();
    let inputs = ["web", "index.html", "vite.config.ts", "package-lock.json"];
    let inputs = inputs.map(|name| root.join(name));
    when_changed("page", &inputs, &root.join("dist/index.html"), || {
        must_run("vite", &mut command("npm", &["run", "--silent", "build"]))
    })
}
