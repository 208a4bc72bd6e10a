//! What a reassignment knows of the cluster: where everything is, and what is on its way.

use super::super::Say;
use super::super::begin::Thrown;
use super::super::log_dirs::numbers;
use super::super::quorum::check;
use super::files::{self, ANY, Plan};
use super::{Ended, Place};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sorted::SortedMap;
use wire::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment,
};

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Brokers that are up, with their racks.
    pub(super) brokers: SortedMap<i32, Option<String>>,
    pub(super) replicas: Plan,
    pub(super) ongoing: SortedMap<Place, OngoingPartitionReassignment>,
    /// Topics that there are not, or cannot be looked at.
    unknown: Vec<(String, Thrown)>,
    pub(super) directories: SortedMap<(Place, i32), String>,
}

impl View {
    pub(super) fn take_ongoing(&mut self, response: ListPartitionReassignmentsResponse) {
        for topic in response.topics {
            let name = topic.name.to_string();
            let place = |p: &OngoingPartitionReassignment| (name.clone(), p.partition_index);
            let found = topic.partitions.into_iter().map(|p| (place(&p), p));
            self.ongoing.extend(found);
        }
    }

    pub(super) fn take_metadata(&mut self, response: &wire::metadata_response::MetadataResponse) {
        for broker in &response.brokers {
            let rack = broker.rack.as_ref().map(ToString::to_string);
            self.brokers.insert(broker.node_id, rack);
        }
        for topic in &response.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            if let Err(thrown) = check(topic.error_code, None) {
                self.unknown.push((name.to_string(), thrown));
            }
            for p in &topic.partitions {
                let place = (name.to_string(), p.partition_index);
                self.replicas.insert(place, p.replica_nodes.clone());
            }
        }
    }

    pub(super) fn refuse_unknown(&self) -> Result<(), Ended> {
        let Some((topic, thrown)) = self.unknown.first() else {
            return Ok(());
        };
        let class = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException";
        Err(match thrown.is_of(&[class]) {
            true => format!("Error: {class}: Topic {topic} not found."),
            false => format!("Error: {thrown}"),
        })
    }

    /// Where everything is, as a file that brings it back.
    pub(super) fn shown(&self) -> String {
        let directory = |place: &Place, id: i32| {
            let found = self.directories.get(&(place.clone(), id));
            found.cloned().unwrap_or_else(|| ANY.to_string())
        };
        files::shown(&self.replicas, directory)
    }

    pub(super) fn tell_ongoing(&self, say: &mut Say<'_>) {
        if self.ongoing.is_empty() {
            say.out("No partition reassignments found.");
            return;
        }
        say.out("Current partition reassignments:");
        for ((topic, partition), o) in &self.ongoing {
            let list = |name: &str, ids: &[i32]| match ids {
                [] => String::new(),
                ids => format!(" {name}: {}.", numbers(ids)),
            };
            let replicas = list("replicas", &o.replicas);
            let adding = list("adding", &o.adding_replicas);
            let removing = list("removing", &o.removing_replicas);
            say.out(&format!("{topic}-{partition}:{replicas}{adding}{removing}"));
        }
    }
}
