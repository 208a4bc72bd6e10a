//! `--reset-offsets`.

use super::super::get_offsets::list_offsets;
use super::super::moments::{duration, moment};
use super::super::options::Parsed;
use super::super::{Env, Next, Say, Thrown, table};
use super::csv::{Plan, plan};
use super::{
    EXECUTION, Leaders, Named, failure_problem, illegal, incomplete_reset, metadata_call,
    partitions_of, sizes, topics_named,
};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::describe_groups_request::DescribeGroupsRequest;
use wire::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::offset_fetch_request::OffsetFetchRequest;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const OFFSETS: &str = "org.apache.kafka.tools.OffsetsUtils";

/// Where offsets are put.
#[derive(Clone, Debug)]
enum To {
    Earliest,
    Latest,
    Current,
    Offset(i64),
    Shift(i64),
    Moment(i64),
    /// So many milliseconds before now.
    Before(i64),
    /// Where a file says, for each group.
    File(Plan),
    /// Nowhere: what is missing is said once the groups are known.
    Incomplete(String),
}

type Offsets = SortedMap<(String, i32), i64>;

/// A reset, step by step.
#[derive(Clone, Debug)]
pub(super) struct Reset {
    to: To,
    pub(super) execute: bool,
    export: bool,
    all_topics: bool,
    /// One group was named: an export leaves its name out.
    single: bool,
    stage: Stage,
    leaders: Leaders,
    /// Groups that may be reset, and what they have stored.
    committed: SortedMap<String, Offsets>,
    scopes: SortedMap<String, SortedSet<(String, i32)>>,
    new: Vec<(String, String, i32, i64)>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Begin,
    States,
    Known,
    Looked,
    Stored,
}

impl Reset {
    pub(super) fn new(parsed: &Parsed, env: &Env) -> Result<Reset, Thrown> {
        let to = if let Some(offset) = parsed.long("to-offset")? {
            To::Offset(offset)
        } else if let Some(by) = parsed.long("shift-by")? {
            To::Shift(by)
        } else if let Some(text) = parsed.one("to-datetime")? {
            To::Moment(moment(text)?)
        } else if let Some(text) = parsed.one("by-duration")? {
            To::Before(duration(text)?)
        } else if let Some(file) = parsed.one("from-file")? {
            let missing = || {
                let unable = format!("Unable to read file {file}");
                Thrown::new("java.io.IOException", &unable).within("java.lang.RuntimeException")
            };
            let bytes = env.files.get(file).ok_or_else(missing)?;
            To::File(plan(&String::from_utf8_lossy(bytes), parsed.all("group"))?)
        } else if parsed.has("to-earliest") {
            To::Earliest
        } else if parsed.has("to-current") {
            To::Current
        } else {
            To::Latest
        };
        let to = incomplete_reset(parsed).map_or(to, To::Incomplete);
        topics_named(parsed.all("topic"))?;
        Ok(Reset {
            to,
            execute: parsed.has("execute"),
            export: parsed.has("export"),
            all_topics: parsed.has("all-topics"),
            single: parsed.all("group").len() == 1,
            stage: Stage::Begin,
            leaders: Leaders::new(),
            committed: SortedMap::new(),
            scopes: SortedMap::new(),
            new: Vec::new(),
        })
    }

    pub(super) fn go(
        &mut self,
        groups: &SortedSet<String>,
        topics: &[String],
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<Next, Thrown> {
        match self.stage {
            Stage::Begin => {
                self.stage = Stage::States;
                Ok(Next::Ask(
                    groups.iter().map(|group| describe(group)).collect(),
                ))
            }
            Stage::States => {
                self.keep_inactive(groups, outcomes, say)?;
                if let To::Incomplete(message) = &self.to {
                    return Err(illegal(message));
                }
                self.stage = Stage::Known;
                let mut calls = alloc::vec![metadata_call()];
                calls.extend(self.committed.keys().map(|group| offset_fetch(group)));
                Ok(Next::Ask(calls))
            }
            Stage::Known => {
                self.know(topics, outcomes, say)?;
                self.stage = Stage::Looked;
                let calls = self.look_ups(say);
                if calls.is_empty() {
                    self.decide(Vec::new(), say)
                } else {
                    Ok(Next::Ask(calls))
                }
            }
            Stage::Looked => self.decide(outcomes, say),
            Stage::Stored => {
                for outcome in outcomes {
                    let response = outcome.map_err(|failure| failure_problem(&failure))?;
                    if let Response::OffsetCommit(response) = response {
                        let all = response.topics.iter().flat_map(|topic| &topic.partitions);
                        let mut codes = all.map(|p| ErrorCode(p.error_code));
                        if let Some(code) = codes.find(|code| !code.is_ok()) {
                            let thrown =
                                Thrown::new(&errors::exception(code), errors::message(code));
                            return Err(thrown.within(EXECUTION));
                        }
                    }
                }
                self.print(say);
                Ok(Next::Exit(0))
            }
        }
    }

    /// Only groups without active members are reset.
    fn keep_inactive(
        &mut self,
        groups: &SortedSet<String>,
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<(), Thrown> {
        for (name, outcome) in groups.iter().zip(outcomes) {
            let response = outcome.map_err(|failure| failure_problem(&failure))?;
            let Response::DescribeGroups(response) = response else {
                continue;
            };
            let group = response.groups.first();
            let state = group.map_or("Dead", |group| group.group_state.as_str());
            if matches!(state, "Empty" | "Dead" | "") {
                self.committed.insert(name.clone(), Offsets::new());
            } else {
                say.out(&format!("\nError: Assignments can only be reset if the group '{name}' is inactive, but the current state is {state}."));
            }
        }
        Ok(())
    }

    fn know(
        &mut self,
        topics: &[String],
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<(), Thrown> {
        let mut answers = Vec::new();
        for outcome in outcomes {
            match outcome.map_err(|failure| failure_problem(&failure))? {
                Response::Metadata(metadata) => self.leaders = sizes(&metadata),
                other => answers.push(other),
            }
        }
        for ((_, offsets), answer) in self.committed.iter_mut().zip(answers) {
            if let Response::OffsetFetch(response) = answer {
                *offsets = stored(&response);
            }
        }
        let named = topics_named(topics)?;
        let by_file = matches!(self.to, To::File(_));
        if !by_file && !self.all_topics {
            all_there(&named, &self.leaders)?;
        }
        let wanted = partitions_of(&named, &self.leaders);
        for (group, offsets) in &self.committed {
            let scope: SortedSet<(String, i32)> = match &self.to {
                To::File(plan) => match plan.get(group) {
                    Some(offsets) => offsets.keys().cloned().collect(),
                    None => {
                        say.out(&format!("\nError: No reset plan for group {group} found"));
                        SortedSet::new()
                    }
                },
                _ if self.all_topics => offsets.keys().cloned().collect(),
                _ => {
                    let all = wanted.iter();
                    all.flat_map(|(t, ps)| ps.iter().map(|p| (t.clone(), *p)))
                        .collect()
                }
            };
            if by_file {
                file_there(&scope, &self.leaders)?;
            }
            self.scopes.insert(group.clone(), scope);
        }
        Ok(())
    }

    /// Beginning, end and, for a moment, the offset there, of every partition in question.
    fn look_ups(&self, say: &Say<'_>) -> Vec<Call> {
        let mut by_leader: SortedMap<i32, SortedMap<&str, Vec<i32>>> = SortedMap::new();
        let all: SortedSet<&(String, i32)> = self.scopes.values().flatten().collect();
        for (topic, partition) in all {
            let leaders = self.leaders.get(topic);
            let index = usize::try_from(*partition).unwrap_or(usize::MAX);
            let leader = leaders.and_then(|leaders| leaders.get(index).copied());
            if let Some(leader) = leader.filter(|&leader| leader >= 0) {
                let topics = by_leader.entry(leader).or_default();
                topics.entry(topic.as_str()).or_default().push(*partition);
            }
        }
        let mut times = alloc::vec![EARLIEST, LATEST];
        times.extend(self.moment(say));
        let calls = times.iter().flat_map(|&time| {
            by_leader
                .iter()
                .map(move |(leader, topics)| list_offsets(*leader, topics.clone(), time))
        });
        calls.collect()
    }

    fn moment(&self, say: &Say<'_>) -> Option<i64> {
        match self.to {
            To::Moment(at) => Some(at),
            To::Before(ms) => Some(say.now.millis().saturating_sub(ms)),
            _ => None,
        }
    }

    fn decide(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Thrown> {
        let rounds = if self.moment(say).is_some() { 3 } else { 2 };
        let each = outcomes.len() / rounds;
        let mut found: Vec<Offsets> = alloc::vec![Offsets::new(); 3];
        for (i, outcome) in outcomes.into_iter().enumerate() {
            let response = outcome.map_err(|failure| failure_problem(&failure))?;
            if let Response::ListOffsets(response) = response {
                let round = i.checked_div(each).unwrap_or(0).min(2);
                for topic in response.topics {
                    for p in topic.partitions.iter().filter(|p| p.error_code == 0) {
                        found[round].insert((topic.name.to_string(), p.partition_index), p.offset);
                    }
                }
            }
        }
        for (group, scope) in &self.scopes {
            for key in scope {
                let (Some(&first), Some(&end)) = (found[0].get(key), found[1].get(key)) else {
                    continue;
                };
                let current = self.committed.get(group).and_then(|c| c.get(key)).copied();
                let clamp = |wanted: i64, say: &mut Say<'_>| clamped(wanted, first, end, key, say);
                let offset = match &self.to {
                    To::Earliest => first,
                    To::Latest => end,
                    To::Current => current.unwrap_or(end),
                    To::Offset(offset) => clamp(*offset, say),
                    To::Shift(by) => match current {
                        Some(current) => clamp(current.saturating_add(*by), say),
                        None => {
                            return Err(illegal(&format!(
                                "Cannot shift offset for partition {}-{} since there is no current committed offset",
                                key.0, key.1
                            )));
                        }
                    },
                    To::Moment(_) | To::Before(_) => {
                        let at = found[2].get(key).copied().filter(|&at| at >= 0);
                        at.unwrap_or_else(|| {
                            let (topic, partition) = key;
                            say.out(&format!("\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."));
                            end
                        })
                    }
                    To::File(plan) => {
                        let planned = plan.get(group).and_then(|plan| plan.get(key));
                        clamp(planned.copied().unwrap_or(end), say)
                    }
                    To::Incomplete(message) => return Err(illegal(message)),
                };
                self.new.push((group.clone(), key.0.clone(), key.1, offset));
            }
        }
        sorted::sort(&mut self.new);
        if self.execute && !self.new.is_empty() {
            self.stage = Stage::Stored;
            return Ok(Next::Ask(
                self.scopes.keys().map(|group| self.commit(group)).collect(),
            ));
        }
        self.print(say);
        Ok(Next::Exit(0))
    }

    fn commit(&self, group: &str) -> Call {
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for (_, topic, partition, offset) in self.new.iter().filter(|row| row.0 == group) {
            if topics
                .last()
                .is_none_or(|last| last.name != *topic.as_str())
            {
                topics.push(OffsetCommitRequestTopic {
                    name: Str::from(topic.as_str()),
                    ..Default::default()
                });
            }
            if let Some(last) = topics.last_mut() {
                last.partitions.push(OffsetCommitRequestPartition {
                    partition_index: *partition,
                    committed_offset: *offset,
                    committed_metadata: Some(Str::EMPTY),
                    ..Default::default()
                });
            }
        }
        let request = OffsetCommitRequest {
            group_id: Str::from(group),
            generation_id_or_member_epoch: -1,
            topics,
            ..Default::default()
        };
        Call {
            name: "alterConsumerGroupOffsets",
            target: Target::Group(Str::from(group)),
            request: Request::OffsetCommit(request),
        }
    }

    fn print(&self, say: &mut Say<'_>) {
        if self.export {
            let line = |(group, topic, partition, offset): &(String, String, i32, i64)| {
                let line = format!("{topic},{partition},{offset}");
                match self.single {
                    true => line,
                    false => format!("{group},{line}"),
                }
            };
            let lines: Vec<String> = self.new.iter().map(line).collect();
            say.out(&(lines.join("\n") + "\n"));
            return;
        }
        let groups = table::widest(15, self.new.iter().map(|row| row.0.as_str()));
        let topics = table::widest(15, self.new.iter().map(|row| row.1.as_str()));
        let row = |group: &str, topic: &str, partition: &str, offset: &str| {
            table::row(&[
                (group, groups),
                (topic, topics),
                (partition, 10),
                (offset, 0),
            ])
        };
        say.out("");
        say.out(&row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"));
        for (group, topic, partition, offset) in &self.new {
            say.out(&row(
                group,
                topic,
                &partition.to_string(),
                &offset.to_string(),
            ));
        }
    }
}

fn unknown(message: &str) -> Thrown {
    let class = errors::exception(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    Thrown::new(&class, message)
}

/// Whether there are all the topics and partitions that were named.
fn all_there(named: &[Named], leaders: &Leaders) -> Result<(), Thrown> {
    let not_hosted = || unknown(errors::message(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let mut missing: Vec<String> = Vec::new();
    for (topic, partitions) in named {
        let there = match (leaders.get(topic), partitions) {
            (Some(leaders), _) => i32::try_from(leaders.len()).unwrap_or(i32::MAX),
            (None, None) => return Err(not_hosted()),
            (None, Some(_)) => {
                let failed = not_hosted().within(EXECUTION);
                return Err(failed.within("java.lang.RuntimeException"));
            }
        };
        let gone = partitions
            .iter()
            .flatten()
            .filter(|p| !(0..there).contains(*p));
        missing.extend(gone.map(|partition| format!("{topic}-{partition}")));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(",");
    Err(unknown(&format!(
        "The partitions \"{missing}\" do not exist"
    )))
}

/// Whether there are all the topics that a file names. Kafka's tool asks for a partition that there is not for
/// half a minute; here that is said at once.
fn file_there(scope: &SortedSet<(String, i32)>, leaders: &Leaders) -> Result<(), Thrown> {
    for (topic, partition) in scope {
        let Some(there) = leaders.get(topic) else {
            let message = format!(
                "Failed to fetch metadata for partition {topic}-{partition} because metadata for topic `{topic}` could not be found"
            );
            return Err(unknown(&message)
                .within(EXECUTION)
                .within("java.lang.RuntimeException"));
        };
        let index = usize::try_from(*partition).unwrap_or(usize::MAX);
        if index >= there.len() {
            let missing = format!("The partitions \"{topic}-{partition}\" do not exist");
            return Err(unknown(&missing));
        }
    }
    Ok(())
}

/// The offset within what the partition holds, with a warning when it is not.
fn clamped(wanted: i64, first: i64, end: i64, key: &(String, i32), say: &mut Say<'_>) -> i64 {
    let (than, limit) = if wanted > end {
        ("higher than latest", end)
    } else if wanted < first {
        ("lower than earliest", first)
    } else {
        return wanted;
    };
    let text = format!(
        "New offset ({wanted}) is {than} offset for topic partition {}-{}. Value will be set to {limit}",
        key.0, key.1
    );
    say.log("WARN", &text, OFFSETS);
    limit
}

fn describe(group: &str) -> Call {
    let request = DescribeGroupsRequest {
        groups: alloc::vec![Str::from(group)],
        ..Default::default()
    };
    Call {
        name: "describeConsumerGroups",
        target: Target::Group(Str::from(group)),
        request: Request::DescribeGroups(request),
    }
}

/// Asks a group for all the offsets it has stored.
pub(super) fn offset_fetch(group: &str) -> Call {
    let request = OffsetFetchRequest {
        group_id: Str::from(group),
        topics: None,
        ..Default::default()
    };
    Call {
        name: "listConsumerGroupOffsets",
        target: Target::Group(Str::from(group)),
        request: Request::OffsetFetch(request),
    }
}

/// The offsets in an answer.
pub(super) fn stored(response: &wire::offset_fetch_response::OffsetFetchResponse) -> Offsets {
    let mut offsets = Offsets::new();
    for topic in &response.topics {
        for p in topic.partitions.iter().filter(|p| p.committed_offset >= 0) {
            let at = (topic.name.to_string(), p.partition_index);
            offsets.insert(at, p.committed_offset);
        }
    }
    offsets
}
