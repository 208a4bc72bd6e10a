//! Where bytes go: a socket, and for tests something slower.

use std::fs::File;
use std::io::{self, IoSlice, Write};

/// Takes bytes from memory and from files, as many as it has room for.
pub(crate) trait Sink {
    /// Takes some of these bytes; with `more` others follow at once, and need not travel apart.
    fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize>;

    /// Takes some of a file's bytes; none at the file's end.
    fn send_file(&mut self, file: &File, at: u64, length: usize) -> io::Result<usize>;
}

#[cfg(target_os = "linux")]
impl Sink for mio::net::TcpStream {
    fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        if !more {
            return self.write_vectored(slices);
        }
        let (mut nothing, flags) = (Default::default(), rustix::net::SendFlags::MORE);
        Ok(rustix::net::sendmsg(&*self, slices, &mut nothing, flags)?)
    }

    fn send_file(&mut self, file: &File, at: u64, length: usize) -> io::Result<usize> {
        // From the page cache to the socket, through no memory of ours.
        let mut at = at;
        Ok(rustix::fs::sendfile(&*self, file, Some(&mut at), length)?)
    }
}

#[cfg(not(target_os = "linux"))]
impl Sink for mio::net::TcpStream {
    fn send(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        self.write_vectored(slices)
    }

    fn send_file(&mut self, file: &File, at: u64, length: usize) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; length.min(64 << 10)];
        let read = file.read_at(&mut bytes, at)?;
        self.write(bytes.get(..read).unwrap_or_default())
    }
}
