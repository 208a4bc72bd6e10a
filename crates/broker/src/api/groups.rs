//! The APIs of consumer groups, one file each.

pub(crate) mod consumer_group_describe;
pub(crate) mod delete_groups;
pub(crate) mod describe_groups;
pub(crate) mod heartbeat;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_groups;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod sync_group;

use super::with;
use crate::broker::{Broker, Cx, Handled};
use crate::coordinator::PendingGroup;
use crate::event::Closing;
use crate::parked::Parked;
use crate::waiting::WaitId;
use alloc::sync::Arc;
use group::Refusal;
use ids::{ErrorCode, Time};
use wire::{Reader, Str};

/// Milliseconds after which a request that waits for its records to be committed is refused with
/// 15 (Kafka's `offsets.commit.timeout.ms`).
const COMMIT_TIMEOUT_MS: u64 = 5_000;
/// "Authorized operations" nobody asked for.
const NO_OPERATIONS: i32 = i32::MIN;

pub(crate) fn dispatch(broker: &mut Broker, cx: &mut Cx<'_>, body: Reader) -> Handled {
    match cx.caller.api_key {
        8 => with(cx, body, |cx, m| offset_commit::handle(broker, cx, &m)),
        9 => with(cx, body, |cx, m| offset_fetch::handle(broker, cx, &m)),
        11 => with(cx, body, |cx, m| join_group::handle(broker, cx, &m)),
        12 => with(cx, body, |cx, m| heartbeat::handle(broker, cx, &m)),
        13 => with(cx, body, |cx, m| leave_group::handle(broker, cx, &m)),
        14 => with(cx, body, |cx, m| sync_group::handle(broker, cx, &m)),
        15 => with(cx, body, |cx, m| describe_groups::handle(broker, cx, &m)),
        16 => with(cx, body, |cx, m| list_groups::handle(broker, cx, &m)),
        42 => with(cx, body, |cx, m| delete_groups::handle(broker, cx, &m)),
        47 => with(cx, body, |cx, m| offset_delete::handle(broker, cx, &m)),
        69 => with(cx, body, |cx, m| {
            consumer_group_describe::handle(broker, cx, &m)
        }),
        api_key => Handled::Close(Closing::Unsupported {
            api_key,
            version: cx.caller.version,
        }),
    }
}

/// How the protocol says what a group refuses.
fn code_of(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::Dead => ErrorCode::NOT_COORDINATOR,
        Refusal::UnknownMember => ErrorCode::UNKNOWN_MEMBER_ID,
        Refusal::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        Refusal::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        Refusal::MemberIdRequired(_) => ErrorCode::MEMBER_ID_REQUIRED,
        Refusal::FencedInstance => ErrorCode::FENCED_INSTANCE_ID,
        Refusal::InconsistentProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        Refusal::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        Refusal::GroupMaxSize => ErrorCode::GROUP_MAX_SIZE_REACHED,
        Refusal::NotStored => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        Refusal::NotEmpty => ErrorCode::NON_EMPTY_GROUP,
    }
}

/// Parks a group request. Its group answers it, perhaps before the handler returns.
fn park(broker: &mut Broker, cx: &Cx<'_>, deadline: Option<Time>, pending: PendingGroup) -> WaitId {
    let id = broker.waiting.next_id();
    let parked = Parked::Group(pending);
    broker.waiting.park(id, cx.caller, deadline, parked);
    id
}

/// A copy that does not keep the request's frame alive.
fn text(text: &Str) -> Arc<str> {
    Arc::from(text.as_str())
}

fn optional_text(found: &Option<Str>) -> Option<Arc<str>> {
    found.as_ref().map(text)
}

fn optional_str(found: &Option<Arc<str>>) -> Option<Str> {
    found.as_deref().map(Str::from)
}
