//! Carries out what the quorum's part orders: store, send, answer, and tell what is committed.

use crate::asks::{Call, Called};
use crate::calls::Purpose;
use crate::cluster::Effect;
use crate::codec;
use crate::link::Endpoint;
use crate::node::{Node, Work, Works};
use alloc::sync::Arc;
use alloc::vec::Vec;
use broker::ControllerEvent;
use ids::{ErrorCode, LeaderEpoch, Offset, Time};
use log::{DiskEffect, LogFile, LogId, Read, StoreOp};
use raft::{AppendError, Order, Peer};
use records::{Batches, ValidBatch};

/// Bytes of committed batches that are looked at together.
const READ_BYTES: u32 = 1 << 20;

impl Node {
    pub(crate) fn tell_quorum(
        &mut self,
        now: Time,
        event: raft::Event,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        // Whoever waits for what a disk refuses to write is told so.
        let code = match &event {
            raft::Event::StoreFailed { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
            _ => ErrorCode::NOT_CONTROLLER,
        };
        let mut told = core::mem::take(&mut self.told);
        self.raft.step(now, event, &mut told);
        self.carry_quorum(now, told, code, works, out);
    }

    /// The controller's batch; it is committed later, or never.
    pub(crate) fn append(
        &mut self,
        now: Time,
        epoch: LeaderEpoch,
        batch: &ValidBatch<'_>,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let mut told = core::mem::take(&mut self.told);
        match self.raft.append(now, epoch, batch, &mut told) {
            Ok(_) => {}
            // It leads no more, and is about to hear of it: then all that waits is refused.
            Err(AppendError::NotLeading) => {}
            Err(AppendError::Refused(why)) => {
                panic!("the metadata log refused the controller's own batch: {why:?}");
            }
        }
        let code = ErrorCode::NOT_CONTROLLER;
        self.carry_quorum(now, told, code, works, out);
    }

    fn carry_quorum(
        &mut self,
        now: Time,
        mut told: Vec<raft::Effect>,
        code: ErrorCode,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        use raft::Effect as Told;
        for effect in told.drain(..) {
            match effect {
                Told::Store { token, orders } => {
                    let ops = orders.into_iter().map(op).collect();
                    let log = LogId::METADATA;
                    out.push(Effect::Disk(DiskEffect::Store { log, token, ops }));
                }
                Told::Send {
                    id,
                    to,
                    version,
                    request,
                } => self.send(now, (id, to), version, &request, works, out),
                Told::Answer { call, response } => {
                    let frame = self.encode_answer(call.0, &response);
                    self.answer(now, call.0, frame, works, out);
                }
                Told::LeaderChanged { .. } => self.follow_leader(now, code, works, out),
                Told::Leading { epoch, .. } => {
                    works.push_back(Work::Controller(controller::Event::Leading { epoch }));
                }
                Told::Committed { upto } => self.tell_committed(now, upto, works),
                // What is cut was not committed, and has been told to nobody.
                Told::Truncated { .. } => {}
                Told::LoadSnapshot { id, bytes } => self.load(id, &bytes, works, out),
                Told::MayStop => self.quorum_may_stop(),
            }
        }
        self.told = told;
    }

    fn send(
        &mut self,
        now: Time,
        (id, to): (raft::SendId, Peer),
        version: i16,
        request: &raft::Request,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        let to = match to {
            Peer::Node(node) => (self.raft.endpoint_of(node)).map(|(host, port)| Endpoint {
                host: Arc::from(&*host),
                port,
            }),
            Peer::Bootstrap(at) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                self.bootstrap_servers.get(at).cloned()
            }
        };
        let made = codec::request(self.id(), id, version, request);
        let (Some(to), Some((key, frame))) = (to, made) else {
            return works.push_back(Work::Quorum(raft::Event::NoResponse { id }));
        };
        let until = now.plus_millis(self.request_ms);
        let call = Call {
            to: (Purpose::Quorum, to),
            called: Called::Quorum { id, key, version },
            frame,
            until,
        };
        self.call(now, call, works, out);
    }

    /// Somebody else leads, or nobody: this node's controller does not.
    fn follow_leader(
        &mut self,
        now: Time,
        code: ErrorCode,
        works: &mut Works,
        out: &mut Vec<Effect>,
    ) {
        if self.controller.as_ref().is_some_and(|it| it.is_leading()) {
            works.push_back(Work::Controller(controller::Event::Resigned { code }));
        }
        let leader = self.raft.election().leader;
        let leader = leader.and_then(|leader| self.raft.endpoint_of(leader));
        let leader = leader.map(|(host, port)| Endpoint {
            host: Arc::from(&*host),
            port,
        });
        self.leave_controller(now, leader.as_ref(), works, out);
    }

    /// Tells broker and controller what is committed and new to them.
    fn tell_committed(&mut self, now: Time, upto: Offset, works: &mut Works) {
        while self.applied < upto {
            let from = self.applied;
            let log = self.raft.log();
            let Ok(Read::Slice(slice)) = log.read(from, READ_BYTES, upto, true) else {
                return;
            };
            for piece in log.slice_pieces(&slice).unwrap_or_default() {
                for (_, view) in Batches::new(&piece) {
                    if view.next_offset() <= self.applied {
                        continue;
                    }
                    self.applied = view.next_offset();
                    self.fresh.add(now, view.header());
                    let batch = piece.slice_ref(view.bytes());
                    let event = ControllerEvent::Metadata {
                        batch: batch.clone(),
                    };
                    works.push_back(Work::Broker(broker::Event::Controller(event)));
                    works.push_back(Work::Controller(controller::Event::Committed { batch }));
                }
            }
            if self.applied == from {
                return;
            }
        }
    }
}

fn op(order: Order) -> StoreOp {
    match order {
        Order::QuorumState(bytes) => StoreOp::Put {
            file: LogFile::QuorumState,
            bytes,
        },
        Order::Log(op) => op,
        Order::Snapshot { id, bytes } => StoreOp::Put {
            file: LogFile::MetadataSnapshot(id),
            bytes: bytes.to_vec(),
        },
        Order::DeleteSnapshot(id) => StoreOp::Delete {
            file: LogFile::MetadataSnapshot(id),
        },
    }
}
