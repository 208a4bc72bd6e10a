//! `cargo xtask play`: build what changed, serve the playground, open it.

use std::process::Stdio;

use crate::build;
use crate::options;
use crate::process::{command, find};
use crate::root;
use crate::serve::Server;
use crate::trouble::{Outcome, Trouble};

const PORT_DEFAULT: u16 = 4173;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    println!("Building the playground:");
    build::everything()?;
    let server = Server::bind(root().join("dist"), options.port)?;
    let url = server.url();
    println!("\nThe playground is at {url} (Ctrl+C ends it).");
    if options.open && !open(&url) {
        println!("No browser could be opened from here: open that address by hand.");
    }
    server.run();
    Ok(())
}

struct Options {
    port: u16,
    open: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Outcome<Options> {
        let mut options = Options {
            port: PORT_DEFAULT,
            open: true,
        };
        let known = ["--no-open", "--port="];
        for (option, value) in options::read("play", arguments, &known)? {
            match option.as_str() {
                "--no-open" => options.open = false,
                _ => options.port = port(&value)?,
            }
        }
        Ok(options)
    }
}

fn port(value: &str) -> Outcome<u16> {
    let parsed = value.parse().ok();
    parsed.ok_or_else(|| Trouble::Usage("--port wants a number from 0 to 65535.".to_owned()))
}

fn open(url: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[url]),
        "windows" => ("cmd", &["/C", "start", "", url]),
        _ => ("xdg-open", &[url]),
    };
    let there = program == "cmd" || find(program).is_some();
    let quiet = |mut command: std::process::Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .is_ok()
    };
    there && quiet(command(program, arguments))
}
