//! What goes into a group and what comes out of it.

use crate::GroupState;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Generation;

/// A way to divide partitions, with what a member says about itself under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Name of the assignor, such as `range`.
    pub name: Arc<str>,
    /// The member's subscription, opaque to the group.
    pub metadata: Bytes,
}

/// A request to become, or to stay, a member of the next generation.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// Names the parked request; unique among the group's open requests.
    pub waiter: u64,
    /// The member id given earlier; empty for a new member.
    pub member_id: Arc<str>,
    /// Name of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// What the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address as Kafka shows it, such as `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// Milliseconds without a heartbeat after which the member is removed.
    pub session_timeout_ms: i32,
    /// Milliseconds the group waits for the member to rejoin.
    pub rebalance_timeout_ms: i32,
    /// Kind of group, such as `consumer`.
    pub protocol_type: Arc<str>,
    /// Supported protocols, the preferred first.
    pub protocols: Vec<Protocol>,
    /// Whether a new dynamic member must first fetch its id (KIP-394).
    pub require_known_member: bool,
    /// Whether the client understands "skip the assignment" (KIP-814).
    pub can_skip_assignment: bool,
}

/// What a member learns when the join phase is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAnswer {
    /// The generation the member now belongs to.
    pub generation: Generation,
    /// Kind of group.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol that won the vote.
    pub protocol: Option<Arc<str>>,
    /// Member id of the leader.
    pub leader: Arc<str>,
    /// The member's own id.
    pub member_id: Arc<str>,
    /// All members in the order of their joining, for the leader only.
    pub members: Vec<JoinedMember>,
    /// Tells a leader that came back that the assignment stands (KIP-814).
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// The member's id.
    pub member_id: Arc<str>,
    /// Its name if it is static.
    pub instance_id: Option<Arc<str>>,
    /// Its metadata under the protocol that won.
    pub metadata: Bytes,
}

/// A request for one's share of the assignment; the leader brings it along.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Names the parked request; unique among the group's open requests.
    pub waiter: u64,
    /// The member's id.
    pub member_id: Arc<str>,
    /// Name of a static member.
    pub instance_id: Option<Arc<str>>,
    /// The generation the member believes in.
    pub generation: Generation,
    /// Kind of group, if the client says it (KIP-559).
    pub protocol_type: Option<Arc<str>>,
    /// The protocol the client computed with, if it says so (KIP-559).
    pub protocol: Option<Arc<str>>,
    /// The leader's assignment by member id; ignored from others.
    pub assignments: Vec<(Arc<str>, Bytes)>,
}

/// A member's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncAnswer {
    /// Kind of group.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol of this generation.
    pub protocol: Option<Arc<str>>,
    /// The member's assignment; empty if the leader left it out.
    pub assignment: Bytes,
}

/// Who is to leave: a member id, an instance id alone (by an administrator), or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// The member's id; empty when only the instance id is known.
    pub member_id: Arc<str>,
    /// Name of a static member.
    pub instance_id: Option<Arc<str>>,
}

/// What the group orders its caller to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer a parked join.
    Joined {
        /// The waiter of the [`JoinRequest`].
        waiter: u64,
        /// What to say.
        result: Result<JoinAnswer, Refusal>,
    },
    /// Answer a parked sync.
    Synced {
        /// The waiter of the [`SyncRequest`].
        waiter: u64,
        /// What to say.
        result: Result<SyncAnswer, Refusal>,
    },
    /// Write this to the group's log, then call [`crate::Group::persisted`].
    Persist {
        /// Comes back with the completion.
        ticket: u64,
        /// What to write.
        state: GroupState,
    },
    /// A member was given up, because it was silent or late. Nothing is to be done.
    TimedOut {
        /// Its `client.id`.
        client_id: Arc<str>,
    },
}

/// Why the group does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The group is gone, or its coordinator moved.
    Dead,
    /// No member has that id.
    UnknownMember,
    /// The request is about another generation.
    IllegalGeneration,
    /// The group is about to form a new generation: join again.
    RebalanceInProgress,
    /// Join again with this id (KIP-394).
    MemberIdRequired(Arc<str>),
    /// Another client took over this static member (KIP-345).
    FencedInstance,
    /// The member's protocols have nothing in common with the group's.
    InconsistentProtocol,
    /// The session timeout is outside of the configured range.
    InvalidSessionTimeout,
    /// The group has as many members as it may have.
    GroupMaxSize,
    /// The group's log could not be written.
    NotStored,
    /// The group still has members.
    NotEmpty,
}
