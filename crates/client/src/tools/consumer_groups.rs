//! `kafka-consumer-groups`: list, describe, delete groups; reset and delete their offsets.
//!
//! Kafka has no order for the rows of what it reset and deleted; here they are sorted.

mod csv;
mod describe;
mod reset;

use super::options::consumer_groups::{OPTIONS, incomplete_reset, misuse};
use super::options::{OLD_BROKER_LIST, OLD_NEW_CONSUMER, OLD_ZOOKEEPER, Parsed};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown, table};
use crate::admin::{Call, Failure, Outcome, Request, Response, Target};
use crate::errors;
use crate::pattern::Pattern;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use describe::Describe;
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
use wire::offset_delete_response::{OffsetDeleteResponse, OffsetDeleteResponsePartition};

const ABOUT: &str = "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets.";
const NO_EXECUTE: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and want to keep the current default behavior without prompting.";

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().uncaught(&thrown);
    let old = [OLD_ZOOKEEPER, OLD_BROKER_LIST, OLD_NEW_CONSUMER];
    let parsed = super::read(words, ABOUT, (OPTIONS, &old), refuse)?;
    let mut said = Said::default().notes(&parsed);
    let planned = parsed.has("dry-run") || parsed.has("execute");
    if parsed.has("reset-offsets") && parsed.has("bootstrap-server") && !planned {
        said = said.err(NO_EXECUTE);
    }
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    if let Some(regex) = parsed.last("validate-regex") {
        let text = match Pattern::new(regex) {
            Ok(_) => format!("The regular expression `{regex}` is valid."),
            Err(bad) => format!("The regular expression `{regex}` is invalid: {bad}."),
        };
        return Err(said.out(&text).exit(0));
    }
    let built = super::admin(&parsed, &env, "bootstrap-server").and_then(|admin| {
        let timeout = parsed.long("timeout")?.unwrap_or(TIMEOUT_MS);
        let job = Groups::new(&parsed, &env)?;
        Ok((admin, job, u64::try_from(timeout).unwrap_or_default()))
    });
    match built {
        Ok((admin, job, timeout)) => {
            let tool = AdminTool::new(admin, env.rng, Job::Groups(job), said);
            Ok(tool.within(timeout))
        }
        Err(thrown) if thrown.is_of(&[ILLEGAL]) => Err(said.usage(&thrown.message, OPTIONS)),
        Err(thrown) => Err(said.out(&failed(&thrown)).cause(&thrown).exit(0)),
    }
}

/// How long a call of this tool may take, unless it is told otherwise.
const TIMEOUT_MS: i64 = 30_000;
const ILLEGAL: &str = "java.lang.IllegalArgumentException";
const EXECUTION: &str = "java.util.concurrent.ExecutionException";

fn illegal(message: &str) -> Thrown {
    Thrown::new(ILLEGAL, message)
}

fn failed(thrown: &Thrown) -> String {
    // A file that is missing comes wrapped in another exception.
    let message = match thrown.is_of(&["java.nio.file."]) {
        true => thrown.to_string(),
        false => thrown.message.clone(),
    };
    format!("\nError: Executing consumer group command failed due to {message}")
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    groups: SortedSet<String>,
    all_groups: bool,
    topics: Vec<String>,
    action: Action,
    asked_all: bool,
    /// Partitions whose offsets are to be deleted, and topics that there are not.
    asked: SortedMap<String, Vec<i32>>,
    unknown: Vec<String>,
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
    fn new(parsed: &Parsed, env: &Env) -> Result<Groups, Thrown> {
        let action = if parsed.has("list") {
            Action::List(Listing {
                state: parsed.has("state"),
                kind: parsed.has("type"),
                states: filter(parsed, "state", ("state", "states"), &STATES)?,
                types: filter(parsed, "type", ("types", "types"), &TYPES)?,
            })
        } else if parsed.has("describe") {
            Action::Describe(Describe::new(parsed))
        } else if parsed.has("delete") {
            Action::Delete
        } else if parsed.has("delete-offsets") {
            parsed.one("group")?;
            topics_named(parsed.all("topic"))?;
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
            asked: SortedMap::new(),
            unknown: Vec::new(),
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
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        match self.go(outcomes, say) {
            Ok(next) => next,
            Err(thrown) if thrown.is_of(&[ILLEGAL]) => {
                say.err(&thrown.message);
                say.err(super::options::help(OPTIONS).trim_end_matches('\n'));
                Next::Exit(1)
            }
            Err(thrown) => {
                say.out(&failed(&thrown));
                // The tool ends with 0 all the same.
                Next::Exit(0)
            }
        }
    }

    fn go(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Thrown> {
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
                return match &self.action {
                    Action::Delete => self.deleted(Vec::new(), say),
                    _ => Ok(Next::Exit(0)),
                };
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

    fn list(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Thrown> {
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

    fn deleted(&self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Thrown> {
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
                Err(failure) => Some(failure_problem(&failure).message),
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
    ) -> Result<Next, Thrown> {
        let Some(outcome) = outcomes.into_iter().next() else {
            return Ok(Next::Ask(alloc::vec![metadata_call()]));
        };
        let Some(group) = self.groups.first().cloned() else {
            return Ok(Next::Exit(1));
        };
        match outcome.map_err(|failure| failure_problem(&failure))? {
            Response::Metadata(metadata) => {
                let leaders = sizes(&metadata);
                let named = topics_named(&self.topics)?;
                let gone = |at: &&Named| at.1.is_none() && !leaders.contains_key(&at.0);
                let unknown = named.iter().filter(gone);
                self.unknown = unknown.map(|(topic, _)| topic.clone()).collect();
                self.asked = partitions_of(&named, &leaders);
                Ok(Next::Ask(alloc::vec![offset_delete(&group, &self.asked)]))
            }
            Response::OffsetDelete(response) => {
                self.print_deleted(&group, &response, say);
                Ok(Next::Exit(0))
            }
            _ => Ok(Next::Exit(1)),
        }
    }

    fn print_deleted(&self, group: &str, response: &OffsetDeleteResponse, say: &mut Say<'_>) {
        let top = ErrorCode(response.error_code);
        let mut rows: Vec<(String, i32, i16)> = Vec::new();
        for topic in &response.topics {
            let code = |own: i16| if top.is_ok() { own } else { top.0 };
            let row = |p: &OffsetDeleteResponsePartition| {
                (
                    topic.name.to_string(),
                    p.partition_index,
                    code(p.error_code),
                )
            };
            rows.extend(topic.partitions.iter().map(row));
        }
        if !top.is_ok() {
            say.out(&format!("\nError: {}", errors::message(top)));
            for (topic, partitions) in &self.asked {
                rows.extend(partitions.iter().map(|p| (topic.clone(), *p, top.0)));
            }
        } else if rows.iter().all(|row| row.2 == 0) {
            say.out(&format!(
                "Request succeeded for deleting offsets from group {group}."
            ));
        } else {
            say.out("\nError: Encountered some partition-level error, see the follow-up details.");
        }
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
        rows.extend(
            self.unknown
                .iter()
                .map(|topic| (topic.clone(), -1, unknown)),
        );
        sorted::sort(&mut rows);
        print_rows(&rows, say);
    }
}

fn print_rows(rows: &[(String, i32, i16)], say: &mut Say<'_>) {
    say.out("");
    say.out(&table::row(&[
        ("TOPIC", 15),
        ("PARTITION", 10),
        ("STATUS", 15),
    ]));
    for (topic, partition, code) in rows {
        let status = match code_problem(ErrorCode(*code)) {
            None => "Successful".to_string(),
            Some(problem) => format!("Error: {problem}"),
        };
        let partition = match partition {
            -1 => "-".to_string(),
            partition => partition.to_string(),
        };
        say.out(&table::row(&[(topic, 15), (&partition, 10), (&status, 15)]));
    }
}

/// The states a group can have, in Kafka's words.
const STATES: [&str; 7] = [
    "PreparingRebalance",
    "Reconciling",
    "Assigning",
    "Stable",
    "Dead",
    "Empty",
    "CompletingRebalance",
];
const TYPES: [&str; 2] = ["Consumer", "Classic"];

/// The values of an option that filters, in Kafka's words; what is no such value is refused by `words`.
fn filter(
    parsed: &Parsed,
    option: &'static str,
    words: (&str, &str),
    known: &[&str],
) -> Result<Vec<Str>, Thrown> {
    let Some(list) = parsed.one(option)? else {
        return Ok(Vec::new());
    };
    let value = |text: &str| {
        let same = |known: &&&str| known.eq_ignore_ascii_case(text.trim());
        let invalid = || {
            let (one, many) = words;
            illegal(&format!(
                "Invalid {one} list '{list}'. Valid {many} are: {}",
                known.join(", ")
            ))
        };
        known
            .iter()
            .find(same)
            .map(|&known| Str::from(known))
            .ok_or_else(invalid)
    };
    list.split(',').map(value).collect()
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
fn listed(outcomes: Vec<Outcome>) -> Result<Vec<(String, String, String)>, Thrown> {
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

/// A topic, perhaps with some of its partitions.
type Named = (String, Option<Vec<i32>>);

/// What `topic` and `topic:0,1` name.
fn topics_named(words: &[String]) -> Result<Vec<Named>, Thrown> {
    let mut named = Vec::new();
    for word in words {
        let Some((topic, list)) = word.split_once(':') else {
            named.push((word.clone(), None));
            continue;
        };
        if list.is_empty() || list.contains(':') {
            return Err(illegal(&format!(
                "Invalid topic arg '{word}', expected topic name and partitions"
            )));
        }
        let number = |text: &str| {
            let bad = || {
                illegal(&format!(
                    "Invalid partition '{text}' specified in topic arg '{word}''"
                ))
            };
            text.trim().parse::<i32>().map_err(|_| bad())
        };
        let partitions = list.split(',').map(number).collect::<Result<_, _>>()?;
        named.push((topic.to_string(), Some(partitions)));
    }
    Ok(named)
}

/// The partitions that are meant, those of whole topics as far as there are any.
fn partitions_of(named: &[Named], leaders: &Leaders) -> SortedMap<String, Vec<i32>> {
    let mut scope: SortedMap<String, Vec<i32>> = SortedMap::new();
    for (topic, partitions) in named {
        let there = leaders.get(topic).map_or(0, Vec::len);
        let all = || (0..i32::try_from(there).unwrap_or(i32::MAX)).collect();
        let partitions: Vec<i32> = partitions.clone().unwrap_or_else(all);
        if !partitions.is_empty() {
            scope.entry(topic.clone()).or_default().extend(partitions);
        }
    }
    scope
}

fn code_problem(code: ErrorCode) -> Option<String> {
    let problem = || format!("{}: {}", errors::exception(code), errors::message(code));
    (!code.is_ok()).then(problem)
}

/// What the admin client throws when a call fails.
fn failure_problem(failure: &Failure) -> Thrown {
    Thrown::new(&errors::exception(failure.code), &failure.message).within(EXECUTION)
}
