//! Ending connections on purpose.

use super::{Loss, Net, Node};
use crate::io::Output;
use alloc::vec::Vec;

impl Net {
    /// Closes every connection; nothing in flight is answered any more.
    pub fn close(&mut self, out: &mut Vec<Output>) {
        for &link in self.links.keys() {
            out.push(Output::Disconnect { link });
        }
        self.links.clear();
        self.conns.clear();
        self.events.clear();
        self.metadata.in_flight = None;
        self.metadata.wanted = false;
    }

    /// Drops one connection on purpose, as when a coordinator has moved away.
    pub fn disconnect(&mut self, node: Node, out: &mut Vec<Output>) {
        let Some(conn) = self.conns.remove(&node) else {
            return;
        };
        if self.links.remove(&conn.link).is_some() {
            out.push(Output::Disconnect { link: conn.link });
        }
        for lost in conn.in_flight {
            self.lose(&lost, Loss::Disconnected);
        }
    }
}
