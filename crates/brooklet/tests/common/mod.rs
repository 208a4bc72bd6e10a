//! The built command as a process, and frames to talk to it.

#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use bytes::Bytes;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;
use wire::{Message, RequestHeader};

/// An empty directory that only this test has.
pub fn fresh_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// `brooklet` with these words, until it ends.
pub fn brooklet(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brooklet"));
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

/// `brooklet serve`, killed when it is dropped.
pub struct Served {
    pub child: Child,
    stdout: BufReader<ChildStdout>,
    address: Option<SocketAddr>,
}

impl Served {
    /// Starts it on any free port.
    pub fn spawn(words: &[&str]) -> Served {
        let on_any_port = [&["--listen", "127.0.0.1:0"], words].concat();
        Served::spawn_with(&on_any_port, Stdio::null())
    }

    /// Starts it with just these words and this standard input.
    pub fn spawn_with(words: &[&str], stdin: Stdio) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_brooklet"))
            .arg("serve")
            .args(words)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Served {
            child,
            stdout,
            address: None,
        }
    }

    /// Waits for the line that says where it is.
    pub fn ready(&mut self) -> SocketAddr {
        if let Some(address) = self.address {
            return address;
        }
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let found = line
            .strip_prefix("ready ")
            .and_then(|rest| rest.trim().parse().ok());
        let Some(address) = found else {
            let _ = self.child.kill();
            panic!("not ready: {line:?} {}", self.errors());
        };
        self.address = Some(address);
        address
    }

    /// Sends SIGTERM, as whoever runs servers does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal, named as `kill` wants it.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end: status, the rest of stdout, stderr.
    pub fn wait(mut self) -> (ExitStatus, String, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let errors = self.errors();
        (self.child.wait().unwrap(), rest, errors)
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request as it goes over the wire.
pub fn frame<Q: Message>(version: i16, request: &Q) -> Vec<u8> {
    let header = RequestHeader {
        api_key: Q::API_KEY,
        api_version: version,
        correlation_id: 7,
        client_id: None,
    };
    let frame = wire::encode_request(&header, request).unwrap();
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&frame);
    bytes
}

/// Reads one answer.
pub fn receive<A: Message>(stream: &mut TcpStream, version: i16) -> std::io::Result<A> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    let (_, answer) = wire::decode_response(Bytes::from(frame), version).unwrap();
    Ok(answer)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn ask<Q: Message, A: Message>(stream: &mut TcpStream, version: i16, request: &Q) -> A {
    stream.write_all(&frame(version, request)).unwrap();
    receive(stream, version).unwrap()
}
