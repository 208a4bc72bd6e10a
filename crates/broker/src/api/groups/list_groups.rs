//! ListGroups (key 16, versions 0–5): the groups this broker coordinates.
//!
//! v4 filters by state (KIP-518), v5 by type (KIP-848), both regardless of case; all groups are of the
//! type `classic`. While groups are being loaded the answer is 14 rather than an incomplete list.

use crate::broker::{Broker, Cx, Handled};
use group::{Group, State};
use ids::ErrorCode;
use sorted::SortedMap;
use wire::Str;
use wire::list_groups_request::ListGroupsRequest;
use wire::list_groups_response::{ListGroupsResponse, ListedGroup};

const TYPE: &str = "classic";

pub(crate) fn handle(broker: &Broker, cx: &mut Cx<'_>, request: &ListGroupsRequest) -> Handled {
    if broker.coordinator.is_loading() {
        return cx.reply(&ListGroupsResponse {
            error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.0,
            ..ListGroupsResponse::default()
        });
    }
    let wanted = |filter: &[Str], name: &str| {
        filter.is_empty() || filter.iter().any(|asked| asked.eq_ignore_ascii_case(name))
    };
    // Filters are as long as a client likes; there are a handful of states, however many groups.
    let mut states: SortedMap<State, bool> = SortedMap::new();
    let mut in_state = |state: State| {
        *(states.entry(state)).or_insert_with(|| wanted(&request.states_filter, state.name()))
    };
    let of_type = wanted(&request.types_filter, TYPE);
    let groups = broker.coordinator.groups();
    let groups = groups.filter(|group| of_type && in_state(group.state()));
    cx.reply(&ListGroupsResponse {
        groups: groups.map(|group| row(cx.caller.version, group)).collect(),
        ..ListGroupsResponse::default()
    })
}

fn row(version: i16, group: &Group) -> ListedGroup {
    let from = |least: i16, name: &'static str| {
        if version >= least {
            Str::from_static(name)
        } else {
            Str::EMPTY
        }
    };
    ListedGroup {
        group_id: Str::from(&**group.id()),
        protocol_type: group
            .protocol_type()
            .map_or(Str::EMPTY, |kind| Str::from(&**kind)),
        group_state: from(4, group.state().name()),
        group_type: from(5, TYPE),
        ..ListedGroup::default()
    }
}
