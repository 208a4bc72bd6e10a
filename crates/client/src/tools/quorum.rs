//! `kafka-metadata-quorum`: who votes in the metadata quorum, who watches it, and how far each is.

use super::options::Parsed;
use super::options::quorum::GRAMMAR;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown, table};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, Uuid};
use wire::Str;
use wire::describe_cluster_request::DescribeClusterRequest;
use wire::describe_quorum_request::{self as request, DescribeQuorumRequest};
use wire::describe_quorum_response::{DescribeQuorumResponse, Node, PartitionData, ReplicaState};
use wire::remove_raft_voter_request::RemoveRaftVoterRequest;

const METADATA_TOPIC: &str = "__cluster_metadata";

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let line = GRAMMAR.read(words)?;
    let parsed = line.parsed;
    let refuse = |text: &str| Said::default().err(text).exit(1);
    if let Some(file) = parsed.last("command-config")
        && !env.files.contains_key(file)
    {
        return Err(refuse(&format!("Properties file {file} does not exists!")));
    }
    let ask = match line.command {
        "describe" => described(&parsed).map_err(refuse)?,
        "remove-controller" => removed(&parsed)?,
        _ if !parsed.has("command-config") => {
            return Err(refuse(
                "You must supply the configuration file of the controller you are adding when using add-controller.",
            ));
        }
        _ => {
            return Err(refuse(
                "add-controller: this command is not part of Brooklet yet.",
            ));
        }
    };
    let admin = super::admin_of_commands(&parsed, &env);
    let admin = admin.map_err(|thrown| refuse(&thrown.to_string()))?;
    let job = Job::Quorum(Quorum { ask });
    Ok(AdminTool::new(admin, env.rng, job, Said::default()))
}

fn described(parsed: &Parsed) -> Result<Ask, &'static str> {
    let human = parsed.has("human-readable");
    match (parsed.has("status"), parsed.has("replication")) {
        (true, true) => Err(
            "Only one of --status or --replication should be specified with describe sub-command",
        ),
        (true, false) if human => {
            Err("The option --human-readable is only supported along with --replication")
        }
        (true, false) => Ok(Ask::Status),
        (false, true) => Ok(Ask::Replication { human }),
        (false, false) => {
            Err("One of --status or --replication must be specified with describe sub-command")
        }
    }
}

fn removed(parsed: &Parsed) -> Result<Ask, Said> {
    let refuse = |text: &str| Said::default().err(text).exit(1);
    let id = parsed.last("controller-id").and_then(|id| id.parse().ok());
    let id: i32 = id.unwrap_or(-1);
    if id < 0 {
        return Err(refuse(&format!("Invalid negative --controller-id: {id}")));
    }
    let text = parsed.last("controller-directory-id").unwrap_or_default();
    let directory = super::topics::uuid(text).map_err(|thrown| {
        let message = &thrown.message;
        refuse(&format!(
            "Failed to parse --controller-directory-id: {message}"
        ))
    })?;
    if parsed.has("dry-run") {
        let text =
            format!("DRY RUN of removing  KRaft controller {id} with directory id {directory}");
        return Err(Said::default().out(&text).exit(0));
    }
    Ok(Ask::Remove(id, directory))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Quorum {
    ask: Ask,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Status,
    Replication { human: bool },
    Remove(i32, Uuid),
}

impl Quorum {
    pub(super) fn only_reads(&self) -> bool {
        !matches!(self.ask, Ask::Remove(..))
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        if outcomes.is_empty() {
            return Next::Ask(self.calls());
        }
        match self.tell(outcomes, say) {
            Ok(()) => Next::Exit(0),
            Err(thrown) => {
                say.err(&thrown.to_string());
                Next::Exit(1)
            }
        }
    }

    fn calls(&self) -> Vec<Call> {
        let call = |name, request| Call {
            name,
            target: Target::Any,
            request,
        };
        let quorum = || {
            let partitions = alloc::vec![request::PartitionData::default()];
            let topic = request::TopicData {
                topic_name: Str::from_static(METADATA_TOPIC),
                partitions,
                ..Default::default()
            };
            let request = DescribeQuorumRequest {
                topics: alloc::vec![topic],
                ..Default::default()
            };
            call("describeMetadataQuorum", Request::DescribeQuorum(request))
        };
        match self.ask {
            Ask::Status => alloc::vec![
                call(
                    "describeCluster",
                    Request::DescribeCluster(cluster_request())
                ),
                quorum()
            ],
            Ask::Replication { .. } => alloc::vec![quorum()],
            Ask::Remove(voter_id, voter_directory_id) => {
                let request = RemoveRaftVoterRequest {
                    voter_id,
                    voter_directory_id,
                    ..Default::default()
                };
                alloc::vec![call("removeRaftVoter", Request::RemoveVoter(request))]
            }
        }
    }

    fn tell(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<(), Thrown> {
        let mut cluster = String::new();
        for outcome in outcomes {
            match outcome.map_err(|failure| {
                Thrown::new(&errors::exception(failure.code), &failure.message)
            })? {
                Response::DescribeCluster(response) => cluster = response.cluster_id.to_string(),
                Response::RemoveVoter(response) => {
                    check(response.error_code, response.error_message.as_ref())?;
                    if let Ask::Remove(id, directory) = self.ask {
                        say.out(&format!(
                            "Removed  KRaft controller {id} with directory id {directory}"
                        ));
                    }
                }
                Response::DescribeQuorum(response) => {
                    check(response.error_code, response.error_message.as_ref())?;
                    let partition = metadata_partition(&response)?;
                    check(partition.error_code, partition.error_message.as_ref())?;
                    match self.ask {
                        Ask::Replication { human } => tell_replication(partition, human, say),
                        _ => tell_status(&cluster, partition, &response.nodes, say),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What every tool that wants the cluster's id asks.
pub(super) fn cluster_request() -> DescribeClusterRequest {
    DescribeClusterRequest {
        endpoint_type: 1,
        ..Default::default()
    }
}

/// The exception that a code and perhaps its message stand for.
pub(super) fn check(code: i16, message: Option<&Str>) -> Result<(), Thrown> {
    let code = ErrorCode(code);
    if code.is_ok() {
        return Ok(());
    }
    let message = message.map_or(errors::message(code), |message| message.as_str());
    Err(Thrown::new(&errors::exception(code), message))
}

fn metadata_partition(response: &DescribeQuorumResponse) -> Result<&PartitionData, Thrown> {
    let topic = response.topics.first();
    let partition = topic.and_then(|topic| topic.partitions.first());
    let none = || {
        let class = "org.apache.kafka.common.errors.UnknownServerException";
        Thrown::new(class, "The answer tells nothing of the metadata quorum.")
    };
    partition.ok_or_else(none)
}

fn tell_status(cluster: &str, quorum: &PartitionData, nodes: &[Node], say: &mut Say<'_>) {
    let voters = &quorum.current_voters;
    let leader = voters
        .iter()
        .find(|voter| voter.replica_id == quorum.leader_id);
    // Of those that are equally far behind it is the first.
    let behind = voters.iter().min_by_key(|voter| voter.log_end_offset);
    let (lag, time) = match (leader, behind) {
        (Some(leader), Some(behind)) => {
            let lag = leader.log_end_offset.saturating_sub(behind.log_end_offset);
            let (up, caught) = (
                leader.last_caught_up_timestamp,
                behind.last_caught_up_timestamp,
            );
            let time = match leader.replica_id == behind.replica_id {
                true => 0,
                false if up < 0 || caught < 0 => -1,
                false => up.saturating_sub(caught),
            };
            (lag, time)
        }
        _ => (0, 0),
    };
    let list = |replicas: &[ReplicaState], nodes: &[Node]| {
        let shown: Vec<String> = replicas.iter().map(|r| replica(r, nodes)).collect();
        format!("[{}]", shown.join(", "))
    };
    for (name, value) in [
        ("ClusterId", cluster.to_string()),
        ("LeaderId", quorum.leader_id.to_string()),
        ("LeaderEpoch", quorum.leader_epoch.to_string()),
        ("HighWatermark", quorum.high_watermark.to_string()),
        ("MaxFollowerLag", lag.to_string()),
        ("MaxFollowerLagTimeMs", time.to_string()),
        ("CurrentVoters", list(voters, nodes)),
        ("CurrentObservers", list(&quorum.observers, &[])),
    ] {
        say.out(&format!("{:24}{value}", format!("{name}:")));
    }
}

/// A replica as the status shows it, with the endpoints of its node if they are known.
fn replica(state: &ReplicaState, nodes: &[Node]) -> String {
    let id = state.replica_id;
    let directory = match state.replica_directory_id {
        Uuid::ZERO => "null".to_string(),
        directory => format!("\"{directory}\""),
    };
    let node = nodes.iter().find(|node| node.node_id == id);
    let endpoints = node.map(|node| {
        let shown = node.listeners.iter();
        let shown: Vec<String> = shown
            .map(|at| format!("\"{}://{}:{}\"", at.name, at.host, at.port))
            .collect();
        format!(", \"endpoints\": [{}]", shown.join(", "))
    });
    let endpoints = endpoints.unwrap_or_default();
    format!("{{\"id\": {id}, \"directoryId\": {directory}{endpoints}}}")
}

fn tell_replication(quorum: &PartitionData, human: bool, say: &mut Say<'_>) {
    let mut rows: Vec<[String; 7]> = alloc::vec![
        [
            "NodeId",
            "DirectoryId",
            "LogEndOffset",
            "Lag",
            "LastFetchTimestamp",
            "LastCaughtUpTimestamp",
            "Status",
        ]
        .map(String::from)
    ];
    let is_leader = |state: &&ReplicaState| state.replica_id == quorum.leader_id;
    let leader = quorum.current_voters.iter().find(is_leader);
    let end = leader.map_or(0, |leader| leader.log_end_offset);
    let now = say.now.millis();
    let moment = |at: i64| match human {
        true if at >= 0 => format!("{} ms ago", now.saturating_sub(at).max(0)),
        _ => at.to_string(),
    };
    let mut row = |state: &ReplicaState, status: &str| {
        rows.push([
            state.replica_id.to_string(),
            state.replica_directory_id.to_string(),
            state.log_end_offset.to_string(),
            end.saturating_sub(state.log_end_offset).to_string(),
            moment(state.last_fetch_timestamp),
            moment(state.last_caught_up_timestamp),
            status.to_string(),
        ]);
    };
    if let Some(state) = leader {
        row(state, "Leader");
    }
    for state in quorum
        .current_voters
        .iter()
        .filter(|state| !is_leader(state))
    {
        row(state, "Follower");
    }
    for state in &quorum.observers {
        row(state, "Observer");
    }
    let widths: [usize; 7] =
        core::array::from_fn(|i| table::widest(0, rows.iter().map(|row| row[i].as_str())));
    for row in &rows {
        let cells = row.iter().zip(widths);
        say.out(
            &cells
                .map(|(cell, width)| format!("{cell:width$}\t"))
                .collect::<String>(),
        );
    }
}
