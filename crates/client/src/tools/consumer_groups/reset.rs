//! `--reset-offsets`.

use super::super::get_offsets::list_offsets;
use super::super::log::days;
use super::super::options::Parsed;
use super::super::{Env, Next, Say, table};
use super::{Leaders, failure_problem, metadata_call, scope, sizes};
use crate::admin::{Call, Outcome, Request, Response, Target};
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
    File(SortedMap<(String, i32), i64>),
}

type Offsets = SortedMap<(String, i32), i64>;

/// A reset, step by step.
#[derive(Clone, Debug)]
pub(super) struct Reset {
    to: To,
    pub(super) execute: bool,
    export: bool,
    all_topics: bool,
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
    pub(super) fn new(parsed: &Parsed, env: &Env) -> Result<Reset, String> {
        let number = |name| parsed.number(name);
        let to = if let Some(offset) = number("to-offset") {
            To::Offset(offset)
        } else if let Some(by) = number("shift-by") {
            To::Shift(by)
        } else if let Some(text) = parsed.last("to-datetime") {
            To::Moment(moment(text)?)
        } else if let Some(text) = parsed.last("by-duration") {
            To::Before(duration(text)?)
        } else if let Some(file) = parsed.last("from-file") {
            let text = env.files.get(file);
            let missing = || format!("java.nio.file.NoSuchFileException: {file}");
            To::File(csv(&String::from_utf8_lossy(text.ok_or_else(missing)?))?)
        } else if parsed.has("to-earliest") {
            To::Earliest
        } else if parsed.has("to-current") {
            To::Current
        } else {
            To::Latest
        };
        Ok(Reset {
            to,
            execute: parsed.has("execute"),
            export: parsed.has("export"),
            all_topics: parsed.has("all-topics"),
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
    ) -> Result<Next, String> {
        match self.stage {
            Stage::Begin => {
                self.stage = Stage::States;
                Ok(Next::Ask(
                    groups.iter().map(|group| describe(group)).collect(),
                ))
            }
            Stage::States => {
                self.keep_inactive(groups, outcomes, say)?;
                self.stage = Stage::Known;
                let mut calls = alloc::vec![metadata_call()];
                calls.extend(self.committed.keys().map(|group| offset_fetch(group)));
                Ok(Next::Ask(calls))
            }
            Stage::Known => {
                self.know(topics, outcomes)?;
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
                            return Err(super::code_problem(code).unwrap_or_default());
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
    ) -> Result<(), String> {
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

    fn know(&mut self, topics: &[String], outcomes: Vec<Outcome>) -> Result<(), String> {
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
        let wanted = scope(topics, &self.leaders)?;
        for (group, offsets) in &self.committed {
            let scope: SortedSet<(String, i32)> = match &self.to {
                To::File(file) => file.keys().cloned().collect(),
                _ if self.all_topics => offsets.keys().cloned().collect(),
                _ => {
                    let all = wanted.iter();
                    all.flat_map(|(t, ps)| ps.iter().map(|p| (t.clone(), *p)))
                        .collect()
                }
            };
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
            To::Before(ms) => Some(say.now.millis().saturating_sub(ms).max(0)),
            _ => None,
        }
    }

    fn decide(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, String> {
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
                            return Err(format!(
                                "java.lang.IllegalArgumentException: Cannot shift offset for partition {}-{} since there is no current committed offset",
                                key.0, key.1
                            ));
                        }
                    },
                    To::Moment(_) | To::Before(_) => found[2]
                        .get(key)
                        .copied()
                        .filter(|&at| at >= 0)
                        .unwrap_or(end),
                    To::File(file) => clamp(file.get(key).copied().unwrap_or(end), say),
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
            let many = self.scopes.len() > 1;
            let line = |(group, topic, partition, offset): &(String, String, i32, i64)| {
                let line = format!("{topic},{partition},{offset}");
                if many {
                    format!("{group},{line}")
                } else {
                    line
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

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss[.sss][Z|+hh:mm]`; without a zone it is UTC.
fn moment(text: &str) -> Result<i64, String> {
    let Some((date, time)) = text.split_once('T') else {
        return Err("java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format".into());
    };
    let bad = || format!("java.text.ParseException: Unparseable date: \"{text}\"");
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| (0..10_000).contains(n));
    let parts = |text: &str, by: char| text.split(by).map(number).collect::<Option<Vec<i64>>>();
    let (clock, millis) = time.split_once('.').unwrap_or((time, "0"));
    let date = parts(date, '-').ok_or_else(bad)?;
    let clock = parts(clock, ':').ok_or_else(bad)?;
    let thousandths: String = format!("{millis:0<3}").chars().take(3).collect();
    let millis = number(&thousandths).ok_or_else(bad)?;
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), clock.as_slice()) else {
        return Err(bad());
    };
    let offset_minutes = match zone.split_at(zone.len().min(1)) {
        ("Z", _) => 0,
        (sign, rest) => {
            let digits: String = rest.chars().filter(|&c| c != ':').collect();
            let value = number(&digits).ok_or_else(bad)?;
            let minutes = value / 100 * 60 + value % 100;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let seconds = ((hour * 60 + minute) - offset_minutes) * 60 + second;
    Ok((days(*year, *month, *day) * 86_400 + seconds) * 1000 + millis)
}

/// Milliseconds of an ISO 8601 duration `PnDTnHnMnS`.
fn duration(text: &str) -> Result<i64, String> {
    let bad = || {
        "java.time.format.DateTimeParseException: Text cannot be parsed to a Duration".to_string()
    };
    let rest = text.strip_prefix(['P', 'p']).ok_or_else(bad)?;
    let mut millis: i64 = 0;
    let mut number = String::new();
    let mut any = false;
    for c in rest.chars() {
        let unit: i64 = match c.to_ascii_uppercase() {
            'T' if number.is_empty() => continue,
            'D' => 86_400_000,
            'H' => 3_600_000,
            'M' => 60_000,
            'S' => 1000,
            c if c.is_ascii_digit() || c == '-' => {
                number.push(c);
                continue;
            }
            _ => return Err(bad()),
        };
        let value: i64 = number.parse().map_err(|_| bad())?;
        millis = millis.saturating_add(value.saturating_mul(unit));
        number.clear();
        any = true;
    }
    if any && number.is_empty() {
        Ok(millis)
    } else {
        Err(bad())
    }
}

/// `topic,partition,offset` lines; names may be quoted.
fn csv(text: &str) -> Result<Offsets, String> {
    let mut offsets = Offsets::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line
            .split(',')
            .map(|field| field.trim().trim_matches('"'))
            .collect();
        let bad =
            || format!("java.lang.IllegalArgumentException: Invalid line in the CSV file: {line}");
        // With a group in front, as the export of several groups writes it, the group is passed over.
        let [.., topic, partition, offset] = fields.as_slice() else {
            return Err(bad());
        };
        let partition = partition.parse().map_err(|_| bad())?;
        offsets.insert(
            (topic.to_string(), partition),
            offset.parse().map_err(|_| bad())?,
        );
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations_are_read_as_iso_8601() {
        assert_eq!(moment("2020-01-01T00:00:00.000"), Ok(1_577_836_800_000));
        assert_eq!(moment("2020-01-01T01:00:00.5+01:00"), Ok(1_577_836_800_500));
        assert!(moment("yesterday").is_err());
        assert_eq!(duration("PT1H"), Ok(3_600_000));
        assert_eq!(duration("P1DT2M3S"), Ok(86_523_000));
        assert!(duration("1H").is_err());
    }

    #[test]
    fn a_csv_file_names_topic_partition_and_offset() {
        let read = csv("\"quickstart-events\",0,1\n").unwrap();
        assert_eq!(read.get(&("quickstart-events".into(), 0)), Some(&1));
        assert!(csv("x").is_err());
    }
}
