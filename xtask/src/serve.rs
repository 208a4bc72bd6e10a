//! A small server for the built page: `dist/`, on this machine only.
//!
//! GET and HEAD, one request per connection. It sends the headers a static host should send; the
//! content security policy goes on worker scripts too, which do not inherit the page's.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::trouble::{Outcome, Trouble};

/// Connections served at once; one more is told to come back.
const CONNECTIONS_MAX: usize = 64;
/// Longest request head, bytes.
const HEAD_MAX: usize = 16 * 1024;
/// Longest a connection may stay silent.
const SILENCE_MAX: Duration = Duration::from_secs(10);

const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; \
    frame-ancestors 'self'";

/// A listening server; it serves until the process ends.
pub(crate) struct Server {
    listener: TcpListener,
    folder: PathBuf,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    pub(crate) fn bind(folder: PathBuf, port: u16) -> Outcome<Server> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).map_err(|e| {
            Trouble::Failed(format!(
                "could not listen on {address}: {e}; try --port with another."
            ))
        })?;
        Ok(Server { listener, folder })
    }

    /// Where a browser finds the page.
    pub(crate) fn url(&self) -> String {
        let port = self
            .listener
            .local_addr()
            .map_or(0, |address| address.port());
        format!("http://127.0.0.1:{port}/")
    }

    /// Serves until the process ends.
    pub(crate) fn run(self) {
        let folder = Arc::new(self.folder);
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                open.fetch_sub(1, Ordering::Relaxed);
                let _ = send(&stream, &Reply::plain("503 Service Unavailable"), false);
                continue;
            }
            let (folder, open) = (Arc::clone(&folder), Arc::clone(&open));
            std::thread::spawn(move || {
                // A browser that hangs up mid-reply is its own business.
                let _ = converse(&stream, &folder);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

struct Reply {
    status: &'static str,
    kind: &'static str,
    cache: &'static str,
    body: Vec<u8>,
}

impl Reply {
    fn plain(status: &'static str) -> Reply {
        let body = format!("{status}\n").into_bytes();
        Reply {
            status,
            kind: "text/plain; charset=utf-8",
            cache: "no-store",
            body,
        }
    }
}

fn converse(stream: &TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let head = read_head(stream)?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let reply = match method {
        "GET" | "HEAD" if is_local(&head) => look_up(folder, target),
        // A foreign name for this address is how DNS rebinding looks.
        "GET" | "HEAD" => Reply::plain("421 Misdirected Request"),
        _ => Reply::plain("405 Method Not Allowed"),
    };
    send(stream, &reply, method != "HEAD")
}

fn read_head(mut stream: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let got = stream.read(&mut piece)?;
        if got == 0 || head.len() + got > HEAD_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&piece[..got]);
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn is_local(head: &str) -> bool {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let host = fields.find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let name = host.map(|(_, value)| value.trim().split(':').next().unwrap_or_default());
    matches!(name, Some("127.0.0.1" | "localhost"))
}

fn look_up(folder: &Path, target: &str) -> Reply {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let Some(path) = relative(path) else {
        return Reply::plain("400 Bad Request");
    };
    let mut file = folder.join(&path);
    if file.is_dir() {
        file.push("index.html");
    }
    let Ok(body) = fs::read(&file) else {
        return Reply::plain("404 Not Found");
    };
    // Names in assets/ carry a hash of their content.
    let hashed = path.starts_with("assets");
    let cache = if hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    Reply {
        status: "200 OK",
        kind: media_type(&file),
        cache,
        body,
    }
}

/// The path inside the served folder, or `None` when it could lead out of it.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decoded(path.strip_prefix('/')?)?;
    if decoded.contains(['\\', '\0', ':']) {
        return None;
    }
    let path = PathBuf::from(decoded);
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside.then_some(path)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (char::from(bytes.next()?), char::from(bytes.next()?));
            let value = high.to_digit(16)? * 16 + low.to_digit(16)?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

fn media_type(file: &Path) -> &'static str {
    match file
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default()
    {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn send(mut stream: &TcpStream, reply: &Reply, with_body: bool) -> io::Result<()> {
    let Reply {
        status,
        kind,
        cache,
        body,
    } = reply;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Cache-Control: {cache}\r\nContent-Security-Policy: {POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if with_body {
        stream.write_all(body)?;
    }
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_folder() {
        assert_eq!(relative("/a/b.js"), Some(PathBuf::from("a/b.js")));
        assert_eq!(relative("/"), Some(PathBuf::new()));
        assert_eq!(relative("/a%20b"), Some(PathBuf::from("a b")));
        for hostile in [
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "//etc/passwd",
            "/..%5cx",
            "x",
            "/%zz",
        ] {
            assert_eq!(relative(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        assert!(is_local("GET / HTTP/1.1\r\nHost: 127.0.0.1:4173\r\n\r\n"));
        assert!(is_local("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        assert!(!is_local("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n"));
        assert!(!is_local("GET / HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn files_carry_the_policy_and_their_media_type() {
        let folder = std::env::temp_dir().join(format!("xtask-serve-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("core.wasm"), b"\0asm").expect("a file");
        let server = Server::bind(folder.clone(), 0).expect("a free port");
        let address = server.listener.local_addr().expect("an address");
        std::thread::spawn(move || server.run());

        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .write_all(b"GET /core.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        fs::remove_dir_all(&folder).expect("cleaned up");

        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert!(
            reply.contains("Content-Type: application/wasm\r\n"),
            "{reply}"
        );
        assert!(
            reply.contains("Content-Security-Policy: default-src 'none';"),
            "{reply}"
        );
        assert!(reply.ends_with("\r\n\r\n\0asm"), "{reply}");
    }
}
