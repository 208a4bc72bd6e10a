//! Running other programs: with their output shown, or kept in a log file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::root;
use crate::trouble::{Outcome, Trouble};

/// Longest a single program may take; a hanging test must not hang the whole run.
const TIME_MAX: Duration = Duration::from_secs(25 * 60);

/// Lines of a failed program's output that are worth showing.
const TAIL_LINES: usize = 40;

/// Characters of such a line that are worth showing.
const LINE_CHARS: usize = 200;

/// A program that ended, with everything it printed.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) log: PathBuf,
}

impl Ended {
    /// The last lines of the output, indented, for a person to read.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<&str> = self.output.lines().collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let indented: Vec<String> = shown
            .iter()
            .map(|line| format!("    {}", shortened(line)))
            .collect();
        format!(
            "{}\n    (all of it: {})",
            indented.join("\n"),
            self.log.display()
        )
    }
}

fn shortened(line: &str) -> &str {
    line.char_indices()
        .nth(LINE_CHARS)
        .map_or(line, |(end, _)| &line[..end])
}

/// A command that runs at the repository's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Runs `command` with its output in `target/xtask/<name>.log`, and waits for its end.
pub(crate) fn run_logged(name: &str, command: &mut Command) -> Outcome<Ended> {
    let log = scratch()?.join(format!("{name}.log"));
    let file = File::create(&log).map_err(|e| Trouble::io("create", &log, e))?;
    let twin = file.try_clone().map_err(|e| Trouble::io("open", &log, e))?;
    command.stdin(Stdio::null()).stdout(file).stderr(twin);
    // Logs are read and counted, not looked at in colour.
    command
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never");
    let status = wait(command)?;
    let bytes = fs::read(&log).map_err(|e| Trouble::io("read", &log, e))?;
    let output = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended {
        status,
        output,
        log,
    })
}

/// Like [`run_logged`], but a status other than 0 is a failure that shows the output's end.
pub(crate) fn must_run(name: &str, command: &mut Command) -> Outcome {
    let ended = run_logged(name, command)?;
    if ended.status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy();
    let (status, tail) = (ended.status, ended.tail());
    Err(Trouble::Failed(format!(
        "`{program}` ({name}) ended with {status}:\n{tail}"
    )))
}

/// What `program` prints on stdout when it ends well; `None` when it is missing or fails.
pub(crate) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program, arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The full path of `program`, when it is on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// `target/xtask`, for logs, stamps and what tests write.
pub(crate) fn scratch() -> Outcome<PathBuf> {
    let folder = target().join("xtask");
    fs::create_dir_all(&folder).map_err(|e| Trouble::io("create", &folder, e))?;
    Ok(folder)
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(Path::new(&folder)),
        None => root().join("target"),
    }
}

fn wait(command: &mut Command) -> Outcome<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let cannot = |e: std::io::Error| Trouble::Failed(format!("could not run `{program}`: {e}."));
    let mut child = command.spawn().map_err(cannot)?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status);
        }
        if started.elapsed() > TIME_MAX {
            child.kill().map_err(cannot)?;
            let minutes = TIME_MAX.as_secs() / 60;
            let why = format!("`{program}` was stopped: not done after {minutes} minutes.");
            return Err(Trouble::Failed(why));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
