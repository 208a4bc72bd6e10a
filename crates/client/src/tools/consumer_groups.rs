//! `kafka-consumer-groups`: list, describe, delete groups; reset and delete their offsets.
//!
//! Not here: `--from-file` with several groups, `--to-datetime` in other time zones than the one given.

mod describe;
mod flags;
mod reset;

pub(super) use flags::OPTIONS;

use super::options::{OLD_BROKER_LIST, OLD_NEW_CONSUMER, OLD_ZOOKEEPER, Parsed};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, table};
use crate::admin::{Call, Failure, Outcome, Request, Response, Target};
use crate::errors;
use crate::pattern::Pattern;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use describe::Describe;
use flags::misuse;
use ids::ErrorCode;
use reset::Reset;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::delete_groups_request::DeleteGroupsRequest;
use wire::list_groups_request::ListGroupsRequest;
use wire::metadata_request::MetadataRequest;
use wire::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};

const ABOUT: &str = "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets.";
const ACTIONS: [&str; 6] = [
    "list",
    "describe",
    "delete",
    "reset-offsets",
    "delete-offsets",
    "validate-regex",
];
const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.";

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let old = [OLD_ZOOKEEPER, OLD_BROKER_LIST, OLD_NEW_CONSUMER];
    let parsed = match super::parse(words, OPTIONS, &old) {
        Ok(parsed) => parsed,
        Err(refusal) => {
            let text = format!(
                "Exception in thread \"main\" {}: {refusal}",
                refusal.class()
            );
            return Body::Said(Said::default().err(&text).exit(1));
        }
    };
    let mut said = Said::default().notes(&parsed);
    if ACTIONS.iter().filter(|action| parsed.has(action)).count() != 1 {
        return said.usage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, --validate-regex", OPTIONS);
    }
    if let Some(regex) = parsed.last("validate-regex") {
        let text = match Pattern::new(regex) {
            Ok(_) => format!("The regular expression `{regex}` is valid."),
            Err(bad) => format!("The regular expression `{regex}` is invalid: {bad}."),
        };
        return Body::Said(said.out(&text).exit(0));
    }
    let planned = parsed.has("dry-run") || parsed.has("execute") || parsed.has("export");
    if parsed.has("reset-offsets") && !planned {
        said = said.err(NO_EXECUTE);
    }
    if let Some(message) = misuse(&parsed) {
        return said.usage(&message, OPTIONS);
    }
    let servers = parsed.last("bootstrap-server").unwrap_or_default();
    let failed = |message: &str| {
        format!("\nError: Executing consumer group command failed due to {message}")
    };
    match (super::addresses(servers), Groups::new(&parsed, &env)) {
        (Ok(bootstrap), Ok(job)) => {
            Body::Admin(AdminTool::new(bootstrap, env, Job::Groups(job), said))
        }
        (Err(message), _) | (_, Err(message)) => Body::Said(said.out(&failed(&message)).exit(0)),
    }
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    groups: SortedSet<String>,
    all_groups: bool,
    topics: Vec<String>,
    action: Action,
    asked_all: bool,
}

#[derive(Clone, Debug)]
enum Action {
    List(Listing),
    Describe(Describe),
    Delete,
    DeleteOffsets,
    Reset(Reset),
}

/// What `--list` shows beside the names, and which groups.
#[derive(Clone, Debug, Default)]
struct Listing {
    state: bool,
    kind: bool,
    states: Vec<Str>,
    types: Vec<Str>,
}

impl Groups {
    fn new(parsed: &Parsed, env: &Env) -> Result<Groups, String> {
        let action = if parsed.has("list") {
            let filter = |name: &str| -> Vec<Str> {
                let values = parsed
                    .last(name)
                    .into_iter()
                    .flat_map(|list| list.split(','));
                values.map(|value| Str::from(value.trim())).collect()
            };
            Action::List(Listing {
                state: parsed.has("state"),
                kind: parsed.has("type"),
                states: filter("state"),
                types: filter("type"),
            })
        } else if parsed.has("describe") {
            Action::Describe(Describe::new(parsed))
        } else if parsed.has("delete") {
            Action::Delete
        } else if parsed.has("delete-offsets") {
            Action::DeleteOffsets
        } else {
            Action::Reset(Reset::new(parsed, env)?)
        };
        Ok(Groups {
            groups: parsed.all("group").iter().cloned().collect(),
            all_groups: parsed.has("all-groups"),
            topics: parsed.all("topic").to_vec(),
            action,
            asked_all: false,
        })
    }

    /// Whether nothing is changed.
    pub(super) fn only_reads(&self) -> bool {
        match &self.action {
            Action::List(_) | Action::Describe(_) => true,
            Action::Reset(reset) => !reset.execute,
            Action::Delete | Action::DeleteOffsets => false,
        }
    }

    /// One round further.
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        match self.go(outcomes, say) {
            Ok(next) => next,
            Err(problem) => {
                say.out(&format!(
                    "\nError: Executing consumer group command failed due to {problem}"
                ));
                // The tool ends with 0 all the same.
                Next::Exit(0)
            }
        }
    }

    fn go(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, String> {
        if let Action::List(listing) = &self.action {
            if outcomes.is_empty() {
                return Ok(Next::Ask(alloc::vec![list_groups(listing)]));
            }
            return self.list(outcomes, say);
        }
        if self.all_groups && !self.asked_all {
            self.asked_all = true;
            return Ok(Next::Ask(alloc::vec![list_groups(&Listing::default())]));
        }
        let mut outcomes = outcomes;
        if self.all_groups && self.groups.is_empty() {
            self.groups = listed(outcomes)?.into_iter().map(|row| row.0).collect();
            outcomes = Vec::new();
            if self.groups.is_empty() {
                return Ok(Next::Exit(0));
            }
        }
        match &mut self.action {
            Action::Describe(describe) => describe.go(&self.groups, outcomes, say),
            Action::Reset(reset) => reset.go(&self.groups, &self.topics, outcomes, say),
            Action::Delete if outcomes.is_empty() => Ok(Next::Ask(self.delete_calls())),
            Action::Delete => self.deleted(outcomes, say),
            Action::DeleteOffsets => self.delete_offsets(outcomes, say),
            Action::List(_) => Ok(Next::Exit(0)),
        }
    }

    fn list(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, String> {
        let Action::List(listing) = &self.action else {
            return Ok(Next::Exit(0));
        };
        let rows = listed(outcomes)?;
        if !listing.state && !listing.kind {
            for (group, ..) in &rows {
                say.out(group);
            }
            return Ok(Next::Exit(0));
        }
        // Kafka pads this table to the longest group and ten more.
        let width = table::widest(15, rows.iter().map(|row| row.0.as_str())) + 10;
        let shown = |group: &str, kind: &str, state: &str| {
            let mut cells = alloc::vec![(group, width)];
            if listing.kind {
                cells.push((kind, 20));
            }
            if listing.state {
                cells.push((state, 20));
            }
            table::row(&cells)
        };
        say.out(&shown("GROUP", "TYPE", "STATE"));
        for (group, kind, state) in &rows {
            say.out(&shown(group, kind, state));
        }
        Ok(Next::Exit(0))
    }

    fn delete_calls(&self) -> Vec<Call> {
        let call = |group: &String| {
            let group = Str::from(group.as_str());
            let request = DeleteGroupsRequest {
                groups_names: alloc::vec![group.clone()],
                ..Default::default()
            };
            Call {
                name: "deleteConsumerGroups",
                target: Target::Group(group),
                request: Request::DeleteGroups(request),
            }
        };
        self.groups.iter().map(call).collect()
    }

    fn deleted(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, String> {
        let mut done = Vec::new();
        let mut failed = Vec::new();
        for (group, outcome) in self.groups.iter().zip(outcomes) {
            let problem = match outcome {
                Ok(Response::DeleteGroups(response)) => {
                    let code = response
                        .results
                        .first()
                        .map_or(-1, |result| result.error_code);
                    code_problem(ErrorCode(code))
                }
                Ok(_) => None,
                Err(failure) => Some(failure_problem(&failure)),
            };
            match problem {
                None => done.push(format!("'{group}'")),
                Some(problem) => failed.push((group, problem)),
            }
        }
        if failed.is_empty() {
            let done = done.join(", ");
            say.out(&format!(
                "Deletion of requested consumer groups ({done}) was successful."
            ));
            return Ok(Next::Exit(0));
        }
        say.out("\nError: Deletion of some consumer groups failed:");
        for (group, problem) in failed {
            say.out(&format!(
                "* Group '{group}' could not be deleted due to: {problem}"
            ));
        }
        if !done.is_empty() {
            let done = done.join(", ");
            say.out(&format!(
                "\nThese consumer groups were deleted successfully: {done}"
            ));
        }
        Ok(Next::Exit(0))
    }

    fn delete_offsets(
        &mut self,
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<Next, String> {
        let Some(outcome) = outcomes.into_iter().next() else {
            return Ok(Next::Ask(alloc::vec![metadata_call()]));
        };
        let Some(group) = self.groups.first().cloned() else {
            return Ok(Next::Exit(1));
        };
        match outcome.map_err(|failure| failure_problem(&failure))? {
            Response::Metadata(metadata) => {
                let sizes = sizes(&metadata);
                let scope = scope(&self.topics, &sizes)?;
                let call = offset_delete(&group, &scope);
                Ok(Next::Ask(alloc::vec![call]))
            }
            Response::OffsetDelete(response) => {
                let code = ErrorCode(response.error_code);
                if let Some(problem) = code_problem(code) {
                    say.out(&format!("\nError: {problem}"));
                    return Ok(Next::Exit(0));
                }
                print_deleted(&group, &response, say);
                Ok(Next::Exit(0))
            }
            _ => Ok(Next::Exit(1)),
        }
    }
}

fn print_deleted(
    group: &str,
    response: &wire::offset_delete_response::OffsetDeleteResponse,
    say: &mut Say<'_>,
) {
    let all = response.topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(move |p| (topic.name.to_string(), p.partition_index, p.error_code))
    });
    let mut rows: Vec<(String, i32, i16)> = all.collect();
    sorted::sort(&mut rows);
    if rows.iter().all(|row| row.2 == 0) {
        say.out(&format!(
            "Request succeeded for deleting offsets from group {group}."
        ));
    } else {
        say.out("\nError: Encountered some partition-level error, see the follow-up details.");
    }
    say.out("");
    say.out(&table::row(&[
        ("TOPIC", 15),
        ("PARTITION", 10),
        ("STATUS", 15),
    ]));
    for (topic, partition, code) in rows {
        let status = match code_problem(ErrorCode(code)) {
            None => "Successful".to_string(),
            Some(problem) => format!("Error: {problem}"),
        };
        say.out(&table::row(&[
            (&topic, 15),
            (&partition.to_string(), 10),
            (&status, 15),
        ]));
    }
}

fn offset_delete(group: &str, scope: &SortedMap<String, Vec<i32>>) -> Call {
    let partition = |&partition_index: &i32| OffsetDeleteRequestPartition { partition_index };
    let topic = |(name, partitions): (&String, &Vec<i32>)| OffsetDeleteRequestTopic {
        name: Str::from(name.as_str()),
        partitions: partitions.iter().map(partition).collect(),
    };
    let request = OffsetDeleteRequest {
        group_id: Str::from(group),
        topics: scope.iter().map(topic).collect(),
    };
    Call {
        name: "deleteConsumerGroupOffsets",
        target: Target::Group(Str::from(group)),
        request: Request::OffsetDelete(request),
    }
}

fn list_groups(listing: &Listing) -> Call {
    Call {
        name: "listConsumerGroups",
        target: Target::Any,
        request: Request::ListGroups(ListGroupsRequest {
            states_filter: listing.states.clone(),
            types_filter: listing.types.clone(),
            ..Default::default()
        }),
    }
}

fn metadata_call() -> Call {
    let request = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    Call {
        name: "listTopics",
        target: Target::Any,
        request: Request::Metadata(request),
    }
}

/// Name, type and state of the groups in answers to ListGroups, sorted by name; consumer groups only.
fn listed(outcomes: Vec<Outcome>) -> Result<Vec<(String, String, String)>, String> {
    let mut rows = Vec::new();
    for outcome in outcomes {
        let Response::ListGroups(response) =
            outcome.map_err(|failure| failure_problem(&failure))?
        else {
            continue;
        };
        for group in response.groups {
            if !matches!(group.protocol_type.as_str(), "" | "consumer") {
                continue;
            }
            let kind = match group.group_type.as_str() {
                "consumer" => "Consumer",
                _ => "Classic",
            };
            let state = group.group_state.to_string();
            rows.push((group.group_id.to_string(), kind.to_string(), state));
        }
    }
    sorted::sort(&mut rows);
    Ok(rows)
}

/// Topics with the leader of each partition.
type Leaders = SortedMap<String, Vec<i32>>;

fn sizes(metadata: &wire::metadata_response::MetadataResponse) -> Leaders {
    let mut topics = Leaders::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else {
            continue;
        };
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        sorted::sort_by_key(&mut partitions, |p| p.partition_index);
        topics.insert(
            name.to_string(),
            partitions.iter().map(|p| p.leader_id).collect(),
        );
    }
    topics
}

/// The partitions that `topic` or `topic:0,1` name, out of those there are.
fn scope(words: &[String], leaders: &Leaders) -> Result<SortedMap<String, Vec<i32>>, String> {
    let mut scope: SortedMap<String, Vec<i32>> = SortedMap::new();
    for word in words {
        let (topic, list) = word.split_once(':').unwrap_or((word, ""));
        let partitions = if list.is_empty() {
            let known = leaders.get(topic).map_or(0, Vec::len);
            (0..i32::try_from(known).unwrap_or(i32::MAX)).collect()
        } else {
            let number = |text: &str| {
                let bad = || {
                    format!(
                        "java.lang.IllegalArgumentException: Invalid partition '{text}' specified in topic arg '{word}''"
                    )
                };
                text.trim().parse::<i32>().map_err(|_| bad())
            };
            list.split(',')
                .map(number)
                .collect::<Result<Vec<i32>, String>>()?
        };
        if partitions.is_empty() {
            return Err(format!(
                "{}: {}",
                errors::exception(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                errors::message(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            ));
        }
        scope
            .entry(topic.to_string())
            .or_default()
            .extend(partitions);
    }
    Ok(scope)
}

fn code_problem(code: ErrorCode) -> Option<String> {
    let problem = || format!("{}: {}", errors::exception(code), errors::message(code));
    (!code.is_ok()).then(problem)
}

fn failure_problem(failure: &Failure) -> String {
    format!("{}: {}", errors::exception(failure.code), failure.message)
}
