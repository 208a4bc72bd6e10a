//! What goes in and out of a [`Raft`](crate::Raft).

use crate::voters::ReplicaKey;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, SnapshotId, Token};
use log::StoreOp;
use wire::Str;
use wire::add_raft_voter_request::AddRaftVoterRequest;
use wire::add_raft_voter_response::AddRaftVoterResponse;
use wire::begin_quorum_epoch_request::BeginQuorumEpochRequest;
use wire::begin_quorum_epoch_response::BeginQuorumEpochResponse;
use wire::end_quorum_epoch_request::EndQuorumEpochRequest;
use wire::end_quorum_epoch_response::EndQuorumEpochResponse;
use wire::fetch_request::FetchRequest;
use wire::fetch_response::FetchResponse;
use wire::fetch_snapshot_request::FetchSnapshotRequest;
use wire::fetch_snapshot_response::FetchSnapshotResponse;
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::remove_raft_voter_response::RemoveRaftVoterResponse;
use wire::update_raft_voter_request::UpdateRaftVoterRequest;
use wire::update_raft_voter_response::UpdateRaftVoterResponse;
use wire::vote_request::VoteRequest;
use wire::vote_response::VoteResponse;

/// Names a request that this node was asked, until it is answered; the shell chose the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId(pub u64);

/// Names a request that this node sends, until its response; the raft chose the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SendId(pub u64);

/// Whom a request goes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Peer {
    /// A controller whose id is known; [`Raft::endpoint_of`](crate::Raft::endpoint_of) says where it is.
    Node(NodeId),
    /// The address with this number in `controller.quorum.bootstrap.servers`.
    Bootstrap(u32),
}

/// Who leads, and where it said it is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaderNode {
    /// Its id.
    pub id: NodeId,
    /// Host and port, if anyone has told.
    pub endpoint: Option<(Str, u16)>,
}

/// A request between the quorum's nodes, decoded.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the names are the APIs'")]
pub enum Request {
    Vote(VoteRequest),
    BeginQuorumEpoch(BeginQuorumEpochRequest),
    EndQuorumEpoch(EndQuorumEpochRequest),
    Fetch(FetchRequest),
    FetchSnapshot(FetchSnapshotRequest),
    AddRaftVoter(AddRaftVoterRequest),
    RemoveRaftVoter(RemoveRaftVoterRequest),
    UpdateRaftVoter(UpdateRaftVoterRequest),
}

impl Request {
    /// The version that a node sends: the newest.
    #[must_use]
    pub fn version(&self) -> i16 {
        match self {
            Request::Vote(_) => 2,
            Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_)
            | Request::FetchSnapshot(_)
            | Request::AddRaftVoter(_) => 1,
            Request::RemoveRaftVoter(_) | Request::UpdateRaftVoter(_) => 0,
            Request::Fetch(_) => 18,
        }
    }
}

/// A response, decoded or to be encoded in its request's version.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the names are the APIs'")]
pub enum Response {
    Vote(VoteResponse),
    BeginQuorumEpoch(BeginQuorumEpochResponse),
    EndQuorumEpoch(EndQuorumEpochResponse),
    Fetch(FetchResponse),
    FetchSnapshot(FetchSnapshotResponse),
    AddRaftVoter(AddRaftVoterResponse),
    RemoveRaftVoter(RemoveRaftVoterResponse),
    UpdateRaftVoter(UpdateRaftVoterResponse),
}

/// A fact a node is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// It may begin.
    Start,
    /// A request about `__cluster_metadata-0` from another node, or from who pretends to be one.
    Request {
        /// Comes back with the answer.
        call: CallId,
        /// The version it came in.
        version: i16,
        /// The request.
        request: Request,
    },
    /// The response to a request it sent.
    Response {
        /// The request's number.
        id: SendId,
        /// The response.
        response: Response,
    },
    /// There will be no response: nobody there, connection broken, or bytes that mean nothing.
    NoResponse {
        /// The request's number.
        id: SendId,
    },
    /// What was ordered is on the disk, where no crash takes it away.
    Stored {
        /// The order's token.
        token: Token,
    },
    /// It could not be written, and neither were any later orders.
    StoreFailed {
        /// The order's token.
        token: Token,
    },
    /// Time has passed.
    Tick,
    /// What is committed was written as a snapshot by who applies it.
    SnapshotTaken {
        /// What it holds.
        id: SnapshotId,
        /// Its file.
        bytes: Bytes,
        /// The log need not keep what is below; who asks for that is given the snapshot.
        log_from: Offset,
    },
    /// Lead no more and never again: the process is about to end in order.
    Resign,
}

/// One thing to write.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// Put the file `quorum-state` whole, in place of the one there may be.
    QuorumState(Vec<u8>),
    /// An order of the log's; the bytes of an append are the log's, right after the step.
    Log(StoreOp),
    /// Put the file `<20 digits>-<10 digits>.checkpoint` whole ([`SnapshotId::name`]).
    Snapshot {
        /// Which snapshot.
        id: SnapshotId,
        /// Its file.
        bytes: Bytes,
    },
    /// Delete a snapshot's file.
    DeleteSnapshot(SnapshotId),
}

/// An order a node gives.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Write these in order and flush them, then say `Stored`.
    Store {
        /// Comes back with the completion.
        token: Token,
        /// What to write.
        orders: Vec<Order>,
    },
    /// Send a request. Its response, or that there is none, comes back with the number.
    Send {
        /// The number.
        id: SendId,
        /// Whom to.
        to: Peer,
        /// The version to send it in.
        version: i16,
        /// The request.
        request: Request,
    },
    /// Answer a request.
    Answer {
        /// The request.
        call: CallId,
        /// The answer.
        response: Response,
    },
    /// Who leads has changed, as far as this node knows. Whoever led on this node leads no more, unless
    /// it is named.
    LeaderChanged {
        /// The leader; it may be this node, which may not yet append.
        leader: Option<LeaderNode>,
        /// The epoch.
        epoch: LeaderEpoch,
    },
    /// This node leads, and everything that was ever committed is: from here on it may append.
    Leading {
        /// The epoch, to be given with each append.
        epoch: LeaderEpoch,
        /// Everything below has been told as committed.
        from: Offset,
    },
    /// Everything below is committed. It is in the log, or was in a snapshot that was given.
    Committed {
        /// The high watermark.
        upto: Offset,
    },
    /// The log was cut. What was committed was not in what is gone.
    Truncated {
        /// Its new end.
        to: Offset,
    },
    /// Take this snapshot in place of all that has been applied; the log begins anew at its end.
    LoadSnapshot {
        /// What it holds.
        id: SnapshotId,
        /// Its file.
        bytes: Bytes,
    },
    /// After [`Event::Resign`]: whoever should know knows, or has been told for long enough.
    MayStop,
}

/// A voter's answer belongs to the one request it was asked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    Vote { voter: ReplicaKey, pre_vote: bool },
    Begin,
    End { voter: NodeId },
    Fetch,
    FetchSnapshot { id: SnapshotId, position: u64 },
}
