//! Clients that ask faster than they read.

use super::Server;
use ids::Time;

/// Time after which a client that has not taken its answers is slow, in microseconds.
const SLOW_MICROS: u64 = 1_000_000;

impl Server {
    /// Keeps bounded what answers take in memory: a client that does not take its own loses its
    /// connection as soon as there is too much of them, the slowest first.
    pub(super) fn relieve(&mut self, now: Time) {
        while self.driver.unsent.bytes() > self.unsent_max {
            let waiting = self.connections.iter();
            let waiting = waiting.filter_map(|(conn, one)| Some((one.waiting_since()?, *conn)));
            let Some((since, conn)) = waiting.min() else {
                return;
            };
            let is_far_too_much = self.driver.unsent.bytes() > 2 * self.unsent_max;
            if now.since(since) < SLOW_MICROS && !is_far_too_much {
                return;
            }
            if let Some(slow) = self.connections.get(&conn) {
                self.console.say(format!(
                    "{}: closed: it does not read its answers, and there is no memory for more of them",
                    slow.peer
                ));
            }
            self.drop_connection(now, conn);
        }
    }
}
