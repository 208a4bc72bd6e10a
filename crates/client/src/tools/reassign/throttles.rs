//! What holds the traffic of a reassignment back: rates on brokers, and which replicas they count for.

use super::Place;
use super::files::Plan;
use crate::admin::{Call, Request, Target};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::NodeId;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;

const LEADERS: &str = "leader.replication.throttled.replicas";
const FOLLOWERS: &str = "follower.replication.throttled.replicas";
const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const DIRECTORY_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// The replicas that a partition is copied from and those it is copied to.
pub(super) type Moves = SortedMap<Place, (SortedSet<i32>, SortedSet<i32>)>;

/// What a plan moves, given where everything is, and what is being added already.
pub(super) fn moves(plan: &Plan, current: &Plan, adding: &Plan) -> Moves {
    let mut moves = Moves::new();
    for (place, wanted) in plan {
        let there = current.get(place).map(Vec::as_slice).unwrap_or_default();
        let coming = adding.get(place).map(Vec::as_slice).unwrap_or_default();
        let from = there.iter().filter(|id| !coming.contains(id)).copied();
        let from: SortedSet<i32> = from.collect();
        let to = wanted.iter().chain(coming).copied();
        let to: SortedSet<i32> = to.filter(|id| !from.contains(id)).collect();
        if !to.is_empty() {
            moves.insert(place.clone(), (from, to));
        }
    }
    moves
}

/// The calls that hold these moves back to a rate in bytes a second.
pub(super) fn set(moves: &Moves, rate: i64, alive: &SortedSet<i32>) -> Vec<Call> {
    let mut topics: SortedMap<&str, [Vec<String>; 2]> = SortedMap::new();
    let mut brokers = SortedSet::new();
    for ((topic, partition), (from, to)) in moves {
        let lists = topics.entry(topic.as_str()).or_default();
        for (list, ids) in lists.iter_mut().zip([from, to]) {
            list.extend(ids.iter().map(|id| format!("{partition}:{id}")));
            brokers.extend(ids.iter().copied());
        }
    }
    let resource = |(topic, [leaders, followers]): (&str, [Vec<String>; 2])| {
        let set = [
            (LEADERS, leaders.join(",")),
            (FOLLOWERS, followers.join(",")),
        ];
        resource(
            TOPIC,
            topic,
            &set.map(|(name, value)| (name, SET, Some(value))),
        )
    };
    let topics: Vec<_> = topics.into_iter().map(resource).collect();
    let rates = [LEADER_RATE, FOLLOWER_RATE];
    let mut calls = on_brokers(
        brokers.iter().filter(|id| alive.contains(id)).copied(),
        |id| {
            let configs = rates.map(|name| (name, SET, Some(rate.to_string())));
            self::resource(BROKER, id, &configs)
        },
    );
    if !topics.is_empty() {
        calls.insert(0, call(Target::Controller, topics));
    }
    calls
}

/// The calls that end all of it.
pub(super) fn clear(brokers: &SortedSet<i32>, topics: &SortedSet<&str>) -> Vec<Call> {
    let rates = [LEADER_RATE, FOLLOWER_RATE, DIRECTORY_RATE];
    let mut calls = on_brokers(brokers.iter().copied(), |id| {
        resource(BROKER, id, &rates.map(|name| (name, DELETE, None)))
    });
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| {
            resource(
                TOPIC,
                topic,
                &[LEADERS, FOLLOWERS].map(|name| (name, DELETE, None)),
            )
        })
        .collect();
    if !topics.is_empty() {
        calls.push(call(Target::Controller, topics));
    }
    calls
}

/// A broker takes its own configs only.
fn on_brokers(
    ids: impl Iterator<Item = i32>,
    resource: impl Fn(&str) -> AlterConfigsResource,
) -> Vec<Call> {
    let one = |id: i32| {
        let resources = alloc::vec![resource(&id.to_string())];
        call(Target::Broker(NodeId(id)), resources)
    };
    ids.map(one).collect()
}

fn resource(kind: i8, name: &str, configs: &[(&str, i8, Option<String>)]) -> AlterConfigsResource {
    let config = |(name, config_operation, value): &(&str, i8, Option<String>)| AlterableConfig {
        name: Str::from(*name),
        config_operation: *config_operation,
        value: value.as_deref().map(Str::from),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type: kind,
        resource_name: Str::from(name),
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    }
}

fn call(target: Target, resources: Vec<AlterConfigsResource>) -> Call {
    let request = IncrementalAlterConfigsRequest {
        resources,
        ..Default::default()
    };
    Call {
        name: "incrementalAlterConfigs",
        target,
        request: Request::AlterConfigs(request),
    }
}
