//! Set up, build, serve and test Brooklet.

mod codegen;

fn main() -> Result<(), String> {
    match std::env::args().nth(1).as_deref() {
        Some("codegen") => codegen::run(),
        Some("codegen-check") => codegen::check(),
        _ => Err("usage: cargo xtask codegen | codegen-check".to_owned()),
    }
}
