//! Buffers that large frames are received in, used again and again so that they stay in the
//! processor's caches and their pages in the process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a buffer: Kafka's largest batch by default, and what is around it in a request.
pub(crate) const BUFFER_BYTES: usize = (1 << 20) + (16 << 10);
/// Buffers that may be out before their bytes have come; more frames than that at a time get
/// room as they grow.
pub(crate) const UNEARNED_MAX: usize = 64;
/// Buffers kept for later.
const KEPT_MAX: usize = 16;
/// Room that a frame begins with when too many buffers are out.
const LEAST_BYTES: usize = 4 << 10;

/// Where buffers are taken from and come back to.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    free: Mutex<Vec<Vec<u8>>>,
    /// Leases that are out.
    out: AtomicUsize,
}

/// A buffer for one frame; it comes back when nobody has the frame any more.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) bytes: Vec<u8>,
    /// The frame's length, once all of it has come.
    pub(crate) length: usize,
    from: Buffers,
}

impl Buffers {
    /// A buffer for a frame of this length, of which so much has come.
    pub(crate) fn lease(&self, length: usize, come: usize) -> Lease {
        let bytes = match self.0.out.fetch_add(1, Ordering::Relaxed) {
            few if few < UNEARNED_MAX => {
                let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
                free.pop().unwrap_or_else(|| vec![0; BUFFER_BYTES])
            }
            _ => vec![0; length.min(earned(come))],
        };
        let from = self.clone();
        Lease {
            bytes,
            length,
            from,
        }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        self.0.out.fetch_sub(1, Ordering::Relaxed);
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() == BUFFER_BYTES && free.len() < KEPT_MAX {
            free.push(bytes);
        }
    }
}

impl Lease {
    /// Makes room for more of the frame, of which so much has come.
    pub(crate) fn grow(&mut self, come: usize) {
        let size = self.length.min(earned(come));
        if size > self.bytes.len() {
            self.bytes.resize(size, 0);
        }
    }
}

/// Room that a frame has earned by what has come of it.
fn earned(come: usize) -> usize {
    LEAST_BYTES.max(come.saturating_mul(2))
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.from.give_back(std::mem::take(&mut self.bytes));
    }
}
