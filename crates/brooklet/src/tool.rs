//! Kafka's command lines over real sockets, standard input and output.
//!
//! The tool itself is a machine of `client::tools`. Here one thread steps it; each connection and
//! standard input have a thread that only reads, and everything heard comes through one channel.

use bytes::Bytes;
use client::io::{Input, LinkId, Output};
use client::tools::{Env, Tool, files_named};
use server::{Clock, Frames};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// What may be heard and not yet told; readers wait when there is more.
const HEARD_MAX: usize = 64;
/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);

enum Heard {
    Input(Input),
    Connected(LinkId, TcpStream),
}

struct Runner {
    tool: Tool,
    clock: Clock,
    heard: Receiver<Heard>,
    say: SyncSender<Heard>,
    /// Links that the tool knows, with their sockets once they are connected.
    links: BTreeMap<LinkId, Option<TcpStream>>,
}

/// Runs a tool to its end; `words` begins with its name. Gives its exit status.
pub(crate) fn run(words: &[String]) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut env = Env::new(ids::Rng::new(server::Identity::random_seed()));
    env.terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    for name in files_named(&words) {
        // The tool says in Kafka's words that one is missing.
        if let Ok(bytes) = std::fs::read(name) {
            env.files.insert(name.to_owned(), Bytes::from(bytes));
        }
    }
    let (say, heard) = sync_channel(HEARD_MAX);
    let mut runner = Runner {
        tool: Tool::start(&words, env),
        clock: Clock::default(),
        heard,
        say,
        links: BTreeMap::new(),
    };
    if runner.tool.reads_stdin() {
        let say = runner.say.clone();
        thread::spawn(move || read_stdin(&say));
    }
    listen_for_interrupts(&runner.say);
    runner.run()
}

impl Runner {
    fn run(&mut self) -> u8 {
        let mut input = Input::Start;
        loop {
            let mut out = Vec::new();
            self.tool.step(self.clock.now(), &input, &mut out);
            for output in out {
                match self.carry_out(output) {
                    Ok(None) => {}
                    Ok(Some(status)) => return status,
                    // Nobody reads what the tool says any more.
                    Err(_) => return 1,
                }
            }
            input = self.next_input();
        }
    }

    fn next_input(&mut self) -> Input {
        loop {
            let heard = match self.tool.next_deadline() {
                Some(due) => {
                    let wait = Duration::from_micros(due.since(self.clock.now()));
                    self.heard.recv_timeout(wait)
                }
                None => self.heard.recv().map_err(|_| RecvTimeoutError::Timeout),
            };
            match heard {
                Err(_) => return Input::Timer,
                Ok(Heard::Connected(link, stream)) => {
                    if let Some(known) = self.links.get_mut(&link) {
                        *known = Some(stream);
                        return Input::Connected { link };
                    }
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                }
                Ok(Heard::Input(input)) => match &input {
                    Input::Closed { link } | Input::ConnectFailed { link, .. } => {
                        if self.links.remove(link).is_some() {
                            return input;
                        }
                    }
                    Input::Frame { link, .. } if !self.links.contains_key(link) => {}
                    _ => return input,
                },
            }
        }
    }

    /// Does what the tool orders; its exit status when it is over.
    fn carry_out(&mut self, output: Output) -> io::Result<Option<u8>> {
        match output {
            Output::Connect { link, host, port } => {
                self.links.insert(link, None);
                let say = self.say.clone();
                thread::spawn(move || converse(link, &host, port, &say));
            }
            Output::Send { link, frame } => {
                if let Some(Some(stream)) = self.links.get_mut(&link)
                    && send(stream, &frame).is_err()
                {
                    // Its reader finds out as well, and says that it is closed.
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                }
            }
            Output::Disconnect { link } => {
                if let Some(Some(stream)) = self.links.remove(&link) {
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                }
            }
            Output::Stdout(bytes) => {
                let mut out = io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Output::Stderr(bytes) => io::stderr().write_all(&bytes)?,
            Output::Exit(status) => return Ok(Some(u8::try_from(status).unwrap_or(1))),
        }
        Ok(None)
    }
}

fn send(stream: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    let length = i32::try_from(frame.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(frame)
}

/// Connects, then says every frame that comes, until the connection ends.
fn converse(link: LinkId, host: &str, port: u16, say: &SyncSender<Heard>) {
    let connected = connect(host, port).and_then(|stream| Ok((stream.try_clone()?, stream)));
    let (writing, mut reading) = match connected {
        Ok(both) => both,
        Err(error) => {
            let why = Arc::from(error.to_string());
            let _ = say.send(Heard::Input(Input::ConnectFailed { link, why }));
            return;
        }
    };
    if say.send(Heard::Connected(link, writing)).is_err() {
        return;
    }
    let mut frames = Frames::new(i32::MAX as u32);
    let mut piece = vec![0; READ_BYTES];
    while let Ok(read @ 1..) = reading.read(&mut piece) {
        frames.extend(piece.get(..read).unwrap_or_default());
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    if say
                        .send(Heard::Input(Input::Frame { link, frame }))
                        .is_err()
                    {
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    let _ = say.send(Heard::Input(Input::Closed { link }));
                    return;
                }
            }
        }
    }
    let _ = say.send(Heard::Input(Input::Closed { link }));
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read_stdin(say: &SyncSender<Heard>) {
    let mut piece = vec![0; READ_BYTES];
    let mut stdin = io::stdin().lock();
    while let Ok(read @ 1..) = stdin.read(&mut piece) {
        let bytes = Bytes::copy_from_slice(piece.get(..read).unwrap_or_default());
        if say.send(Heard::Input(Input::Stdin(bytes))).is_err() {
            return;
        }
    }
    let _ = say.send(Heard::Input(Input::StdinEnd));
}

/// Ctrl+C is said to the tool, which ends cleanly.
fn listen_for_interrupts(say: &SyncSender<Heard>) {
    let Ok((mut read, write)) = std::os::unix::net::UnixStream::pair() else {
        return;
    };
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let Ok(write) = write.try_clone() else {
            return;
        };
        // Without a handler Ctrl+C ends the process, as it does anyway.
        let _ = signal_hook::low_level::pipe::register(signal, write);
    }
    let say = say.clone();
    thread::spawn(move || {
        let mut byte = [0];
        while let Ok(1) = read.read(&mut byte) {
            if say.send(Heard::Input(Input::Interrupt)).is_err() {
                return;
            }
        }
    });
}
