//! What a server needs before it serves: a port, and a node over its logs.

use crate::console::Console;
use crate::disk::Fsync;
use crate::driver::Driver;
use crate::files::RealFiles;
use crate::open::{Identity, open_dir, open_memory};
use crate::settings::{Refusal, Settings, Storage};
use ids::Time;
use mio::net::TcpListener;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// A driver over the node's logs.
pub(super) fn open(
    settings: &Settings,
    address: SocketAddr,
    now: Time,
    console: &Console,
) -> Result<Driver, Refusal> {
    let (host, port) = match &settings.advertised {
        Some((host, 0)) => (host.clone(), address.port()),
        Some(advertised) => advertised.clone(),
        None => (reachable_host(settings, address), address.port()),
    };
    let properties = settings.in_force(address, (&host, port));
    let identity = Identity {
        node: settings.node,
        host,
        port,
        properties,
        seed: Identity::random_seed(),
    };
    let opened = match &settings.storage {
        Storage::Memory => {
            if settings.fsync == Fsync::Always {
                return Err(Refusal(
                    "--fsync always needs --data DIR: in memory there is nothing to fsync"
                        .to_owned(),
                ));
            }
            open_memory(&identity, settings.memory_bytes, now)
        }
        Storage::Directory(path) => {
            let files = RealFiles::open(path).map_err(|error| {
                let path = path.display();
                Refusal(match error.kind() {
                    ErrorKind::WouldBlock => format!(
                        "the data directory {path} is in use by another process; stop it or name \
                         another directory"
                    ),
                    _ => format!("the data directory {path} cannot be opened: {error}"),
                })
            })?;
            let (fsync, cache) = (settings.fsync, settings.cache_bytes);
            open_dir(Box::new(files), &identity, fsync, cache, now, console)?
        }
    };
    let Settings { cache_bytes, .. } = settings;
    Ok(Driver::new(
        opened.node,
        opened.store,
        *cache_bytes,
        console.clone(),
    ))
}

/// A host that clients can come to, where none was named.
fn reachable_host(settings: &Settings, address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if !ip.is_unspecified() => settings.host.clone(),
        IpAddr::V6(ip) if !ip.is_unspecified() => settings.host.clone(),
        // As Kafka does when it listens everywhere: the machine's own name.
        _ => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".to_owned()),
    }
}

/// Listens where the settings say.
pub(super) fn bind(settings: &Settings) -> Result<(TcpListener, SocketAddr), Refusal> {
    let (host, port) = (settings.host.as_str(), settings.port);
    let refuse = |error: io::Error| {
        Refusal(match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{host}:{port} is in use; stop whatever listens there, or use --listen {host}:0 \
                 for any free port"
            ),
            _ => format!("cannot listen on {host}:{port}: {error}"),
        })
    };
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs().map_err(refuse)? {
        match TcpListener::bind(address) {
            Ok(listener) => {
                let address = listener.local_addr().map_err(refuse)?;
                return Ok((listener, address));
            }
            Err(error) => last = error,
        }
    }
    Err(refuse(last))
}
