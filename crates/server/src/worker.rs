//! Threads beside the one that serves: for what waits for the disk.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A thread that carries out orders one after the other, and says what came of them. What is ordered
/// is done before it is dropped.
pub(crate) struct Worker<Order, Done> {
    orders: Option<Sender<Order>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

impl<Order, Done> fmt::Debug for Worker<Order, Done> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl<Order: Send + 'static, Done: Send + 'static> Worker<Order, Done> {
    /// A thread of this name; it calls `wake` whenever there is something in [`Worker::done`].
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(crate) fn start(
        name: &str,
        mut carry_out: impl FnMut(Order) -> Done + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Worker<Order, Done>> {
        let (orders, waiting) = channel();
        let (tell, done) = channel();
        let run = move || {
            for order in waiting {
                if tell.send(carry_out(order)).is_ok() {
                    wake();
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        Ok(Worker {
            orders: Some(orders),
            done,
            thread: Some(thread.spawn(run)?),
        })
    }

    /// Orders something, which is begun when all that was ordered before has ended.
    pub(crate) fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }

    /// Waits for the next order to end; `None` when the thread has ended.
    pub(crate) fn wait(&self) -> Option<Done> {
        self.done.recv().ok()
    }

    /// What has ended since the last call.
    pub(crate) fn done(&self) -> impl Iterator<Item = Done> {
        self.done.try_iter()
    }
}

impl<Order, Done> Drop for Worker<Order, Done> {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
