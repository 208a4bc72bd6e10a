//! What TCP does with the same bytes when nobody reads them: the limit of the wire.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Takes frames (length, wanted length of the answer, anything) and answers zeros.
pub(super) struct Echo {
    pub(super) address: String,
}

impl Echo {
    /// Listens until the process ends; each connection's thread ends with the connection.
    pub(super) fn start() -> Result<Echo, String> {
        let listener =
            TcpListener::bind("127.0.0.1:0").map_err(|why| format!("cannot listen: {why}"))?;
        let address = listener
            .local_addr()
            .map_err(|why| format!("cannot listen: {why}"))?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Echo {
            address: address.to_string(),
        })
    }
}

/// Answers frames until the connection ends.
fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let mut frame = Vec::new();
    let mut out = Vec::new();
    loop {
        let mut eight = [0; 8];
        reader.read_exact(&mut eight)?;
        let [a, b, c, d, e, f, g, h] = eight;
        let length = u32::from_be_bytes([a, b, c, d]);
        let reply = u32::from_be_bytes([e, f, g, h]);
        frame.resize(length.saturating_sub(4) as usize, 0);
        reader.read_exact(&mut frame)?;
        out.extend_from_slice(&reply.to_be_bytes());
        out.resize(out.len() + reply as usize, 0);
        if reader.buffer().is_empty() {
            reader.get_mut().write_all(&out)?;
            out.clear();
        }
    }
}
