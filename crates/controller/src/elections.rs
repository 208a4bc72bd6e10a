//! ElectLeaders (key 43, versions 0–2): leaderships go back to preferred replicas, or, when a partition
//! has lost its leader, to any replica that lives (KIP-460).

use crate::controller::Controller;
use crate::partition_change::Election;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, PartitionIndex, Time};
use metadata::MetadataRecord;
use wire::Str;
use wire::elect_leaders_request::ElectLeadersRequest;
use wire::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};

/// `election_type`: the first replica is to lead.
const PREFERRED: i8 = 0;
/// `election_type`: any live replica may lead, even if records are lost.
const UNCLEAN: i8 = 1;

type Refusal = (ErrorCode, String);

impl Controller {
    pub(crate) fn elect_leaders(
        &mut self,
        _now: Time,
        _version: i16,
        request: &ElectLeadersRequest,
    ) -> (Vec<MetadataRecord>, ElectLeadersResponse) {
        let kind = request.election_type;
        let known = matches!(kind, PREFERRED | UNCLEAN);
        let mut records = Vec::new();
        let mut results = Vec::new();
        for (topic, partitions) in self.candidates(request) {
            let mut rows = Vec::with_capacity(partitions.len());
            for index in partitions {
                let judged = if known {
                    self.elect(kind, &topic, PartitionIndex(index))
                } else {
                    Err((
                        ErrorCode::INVALID_REQUEST,
                        format!("Unknown election type {kind}"),
                    ))
                };
                let mut row = PartitionResult {
                    partition_id: index,
                    ..PartitionResult::default()
                };
                match judged {
                    Ok(record) => records.push(record),
                    // Whoever asks for all partitions wants to hear of those that changed.
                    Err((ErrorCode::ELECTION_NOT_NEEDED, _))
                        if request.topic_partitions.is_none() =>
                    {
                        continue;
                    }
                    Err((code, message)) => {
                        row.error_code = code.0;
                        row.error_message = Some(Str::from(message));
                    }
                }
                rows.push(row);
            }
            results.push(ReplicaElectionResult {
                topic,
                partition_result: rows,
                ..ReplicaElectionResult::default()
            });
        }
        let code = match known {
            true => ErrorCode::NONE,
            false => ErrorCode::INVALID_REQUEST,
        };
        let answer = ElectLeadersResponse {
            error_code: code.0,
            replica_election_results: results,
            ..ElectLeadersResponse::default()
        };
        (records, answer)
    }

    /// The partitions that a request names; all of them when it names none.
    fn candidates(&self, request: &ElectLeadersRequest) -> Vec<(Str, Vec<i32>)> {
        match &request.topic_partitions {
            Some(named) => {
                let named = named.iter();
                named
                    .map(|named| (named.topic.clone(), named.partitions.clone()))
                    .collect()
            }
            None => {
                let all = self.image.topics().map(|topic| {
                    let indexes = topic.partitions.keys().map(|index| index.0);
                    (Str::from(&*topic.name), indexes.collect())
                });
                all.collect()
            }
        }
    }

    fn elect(
        &self,
        kind: i8,
        name: &str,
        index: PartitionIndex,
    ) -> Result<MetadataRecord, Refusal> {
        let unknown = |what: String| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, what);
        let topic = self
            .image
            .topic(name)
            .ok_or_else(|| unknown(format!("No such topic as {name}")))?;
        let partition = topic
            .partitions
            .get(&index)
            .ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
        let is_needed = match kind {
            UNCLEAN => partition.leader().is_none(),
            _ => partition.leader() != partition.replicas.first().copied(),
        };
        if !is_needed {
            return Err(not_needed());
        }
        let mut transition = self.transition(name, partition);
        let (election, code, why) = match kind {
            UNCLEAN => (
                Election::Unclean,
                ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
                "Eligible topic partition leaders are not available.",
            ),
            _ => (
                Election::Preferred,
                ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
                "The preferred leader was not available.",
            ),
        };
        transition.election = election;
        let record = transition.record(topic.id, index, &self.brokers_now());
        record.ok_or_else(|| (code, why.to_string()))
    }
}

fn not_needed() -> Refusal {
    (
        ErrorCode::ELECTION_NOT_NEEDED,
        "Leader election not needed for topic partition.".to_string(),
    )
}
