//! A client from outside the world: its frames are inputs, its answers are said to it.

use crate::network::FIRST_PORT;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use client::io::{Input, LinkId, Output};

/// Frames that may wait until the connection stands.
const WAITING_MAX: usize = 64;

/// One connection from outside.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    broker: i32,
    connected: bool,
    waiting: VecDeque<Bytes>,
}

impl Outside {
    pub(crate) fn new(broker: i32) -> Outside {
        Outside {
            broker,
            connected: false,
            waiting: VecDeque::new(),
        }
    }

    /// Takes a frame to send; `false` when too many wait already.
    pub(crate) fn send(&mut self, frame: Bytes, out: &mut Vec<Output>) -> bool {
        if self.connected {
            out.push(Output::Send {
                link: LinkId(0),
                frame,
            });
            return true;
        }
        self.waiting.push_back(frame);
        self.waiting.len() <= WAITING_MAX
    }

    pub(crate) fn step(&mut self, input: &Input, out: &mut Vec<Output>) {
        match input {
            Input::Start => {
                let above = u16::try_from(self.broker - 1).unwrap_or(0);
                let port = FIRST_PORT.saturating_add(above);
                out.push(Output::Connect {
                    link: LinkId(0),
                    host: Arc::from("localhost"),
                    port,
                });
            }
            Input::Connected { link } => {
                self.connected = true;
                for frame in self.waiting.drain(..) {
                    out.push(Output::Send { link: *link, frame });
                }
            }
            Input::ConnectFailed { .. } | Input::Closed { .. } => self.connected = false,
            Input::Frame { .. }
            | Input::Stdin(_)
            | Input::StdinEnd
            | Input::Interrupt
            | Input::StdoutFull
            | Input::StdoutReady
            | Input::Timer => {}
        }
    }
}
