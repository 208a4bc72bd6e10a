//! `--describe`: offsets, members or state of groups.

use super::super::get_offsets::list_offsets;
use super::super::options::Parsed;
use super::super::{Next, Say, Thrown, table};
use super::reset::offset_fetch;
use super::{EXECUTION, Leaders, failure_problem, metadata_call, sizes};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::consumer::protocol;
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use sorted::{SortedMap, SortedSet};
use wire::Str;
use wire::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::consumer_group_describe_response::{
    Assignment, DescribedGroup as ConsumerGroup, Member as ConsumerMember,
};
use wire::describe_groups_request::DescribeGroupsRequest;
use wire::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use wire::find_coordinator_request::FindCoordinatorRequest;

const LATEST: i64 = -1;
/// Calls of the first round for each group.
const CALLS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Offsets,
    Members,
    State,
}

/// A description, step by step.
#[derive(Clone, Debug)]
pub(super) struct Describe {
    what: What,
    verbose: bool,
    groups: Vec<Group>,
}

/// A group of either protocol.
#[derive(Clone, Debug, Default)]
struct Group {
    name: String,
    state: String,
    strategy: String,
    coordinator: String,
    /// Group epoch and assignment epoch, with KIP-848.
    epochs: Option<(i32, i32)>,
    members: Vec<Member>,
    /// What is stored: offset and leader epoch.
    stored: SortedMap<(String, i32), (i64, i32)>,
}

#[derive(Clone, Debug, Default)]
struct Member {
    id: String,
    host: String,
    client: String,
    partitions: Vec<(String, i32)>,
    /// Epoch, and what it is to have, with KIP-848.
    target: Option<(i32, Vec<(String, i32)>)>,
}

impl Describe {
    pub(super) fn new(parsed: &Parsed) -> Describe {
        let what = if parsed.has("members") {
            What::Members
        } else if parsed.has("state") {
            What::State
        } else {
            What::Offsets
        };
        Describe {
            what,
            verbose: parsed.has("verbose"),
            groups: Vec::new(),
        }
    }

    pub(super) fn go(
        &mut self,
        names: &SortedSet<String>,
        outcomes: Vec<Outcome>,
        say: &mut Say<'_>,
    ) -> Result<Next, Thrown> {
        if outcomes.is_empty() {
            let mut calls = alloc::vec![metadata_call()];
            names.iter().for_each(|name| calls.extend(ask_about(name)));
            return Ok(Next::Ask(calls));
        }
        if self.groups.is_empty() {
            let leaders = self.know(names, outcomes)?;
            if self.what == What::Offsets {
                let calls = self.ask_ends(&leaders);
                if !calls.is_empty() {
                    return Ok(Next::Ask(calls));
                }
            }
            return Ok(self.print(&SortedMap::new(), say));
        }
        let mut ends = SortedMap::new();
        for outcome in outcomes {
            let response = outcome.map_err(|failure| failure_problem(&failure))?;
            if let Response::ListOffsets(response) = response {
                for topic in response.topics {
                    for p in topic.partitions.iter().filter(|p| p.error_code == 0) {
                        ends.insert((topic.name.to_string(), p.partition_index), p.offset);
                    }
                }
            }
        }
        Ok(self.print(&ends, say))
    }

    /// Takes the answers of the first round in.
    fn know(
        &mut self,
        names: &SortedSet<String>,
        outcomes: Vec<Outcome>,
    ) -> Result<Leaders, Thrown> {
        let mut outcomes = outcomes.into_iter();
        let leaders = match outcomes.next() {
            Some(Ok(Response::Metadata(metadata))) => sizes(&metadata),
            Some(Err(failure)) => return Err(failure_problem(&failure)),
            _ => Leaders::new(),
        };
        let rest: Vec<Outcome> = outcomes.collect();
        for (name, answers) in names.iter().zip(rest.chunks(CALLS)) {
            let mut group = Group {
                name: name.clone(),
                ..Default::default()
            };
            match (modern(answers.first())?, answers.get(1)) {
                (Some(modern), _) => group.take_modern(modern),
                (None, Some(Ok(Response::DescribeGroups(response)))) => {
                    let classic = response.groups.first();
                    let empty = || Thrown::new(EXECUTION, "the broker's answer is empty");
                    group.take_classic(classic.ok_or_else(empty)?)?;
                }
                (None, Some(Err(failure))) => return Err(failure_problem(failure)),
                _ => {}
            }
            if let Some(Ok(Response::OffsetFetch(response))) = answers.get(2) {
                group.take_offsets(response);
            }
            if let Some(Ok(Response::FindCoordinator(response))) = answers.get(3)
                && let Some(found) = response.coordinators.first()
            {
                group.coordinator = format!("{}:{}  ({})", found.host, found.port, found.node_id);
            }
            self.groups.push(group);
        }
        Ok(leaders)
    }

    fn ask_ends(&self, leaders: &Leaders) -> Vec<Call> {
        let mut by_leader: SortedMap<i32, SortedMap<&str, Vec<i32>>> = SortedMap::new();
        let keys: SortedSet<(String, i32)> =
            self.groups.iter().flat_map(Group::partitions).collect();
        for (topic, partition) in &keys {
            let index = usize::try_from(*partition).unwrap_or(usize::MAX);
            let leader = leaders
                .get(topic)
                .and_then(|leaders| leaders.get(index).copied());
            if let Some(leader) = leader.filter(|&leader| leader >= 0) {
                let topics = by_leader.entry(leader).or_default();
                topics.entry(topic.as_str()).or_default().push(*partition);
            }
        }
        let call = |(leader, topics)| list_offsets(leader, topics, LATEST);
        by_leader.into_iter().map(call).collect()
    }

    fn print(&self, ends: &SortedMap<(String, i32), i64>, say: &mut Say<'_>) -> Next {
        for group in &self.groups {
            match group.state.as_str() {
                "Empty" => {
                    say.err(&format!(
                        "\nConsumer group '{}' has no active members.",
                        group.name
                    ));
                }
                "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling"
                    if self.what != What::State =>
                {
                    say.err(&format!(
                        "\nWarning: Consumer group '{}' is rebalancing.",
                        group.name
                    ));
                }
                _ => {}
            }
            match self.what {
                What::Offsets => group.print_offsets(self.verbose, ends, say),
                What::Members => group.print_members(self.verbose, say),
                What::State => group.print_state(self.verbose, say),
            }
        }
        Next::Exit(0)
    }
}

/// The group, if it is one of the new protocol.
fn modern(answer: Option<&Outcome>) -> Result<Option<&ConsumerGroup>, Thrown> {
    let Some(Ok(Response::DescribeConsumerGroups(response))) = answer else {
        return Ok(None);
    };
    let found = response.groups.first();
    let code = ErrorCode(found.map_or(0, |group| group.error_code));
    if code == ErrorCode::INVALID_GROUP_ID {
        let thrown = Thrown::new(&errors::exception(code), "The group id is invalid.");
        return Err(thrown.within(EXECUTION));
    }
    Ok(found.filter(|_| code.is_ok()))
}

fn ask_about(name: &str) -> [Call; CALLS] {
    let group = Str::from(name);
    let modern = ConsumerGroupDescribeRequest {
        group_ids: alloc::vec![group.clone()],
        ..Default::default()
    };
    let classic = DescribeGroupsRequest {
        groups: alloc::vec![group.clone()],
        ..Default::default()
    };
    let find = FindCoordinatorRequest {
        coordinator_keys: alloc::vec![group.clone()],
        ..Default::default()
    };
    let call = |request| Call {
        name: "describeConsumerGroups",
        target: Target::Group(group.clone()),
        request,
    };
    [
        call(Request::DescribeConsumerGroups(modern)),
        call(Request::DescribeGroups(classic)),
        offset_fetch(name),
        call(Request::FindCoordinator(find)),
    ]
}

impl Group {
    fn take_modern(&mut self, found: &ConsumerGroup) {
        self.state = found.group_state.to_string();
        self.strategy = found.assignor_name.to_string();
        self.epochs = Some((found.group_epoch, found.assignment_epoch));
        let member = |m: &ConsumerMember| Member {
            id: m.member_id.to_string(),
            host: m.client_host.to_string(),
            client: m.client_id.to_string(),
            partitions: partitions(&m.assignment),
            target: Some((m.member_epoch, partitions(&m.target_assignment))),
        };
        self.members = found.members.iter().map(member).collect();
        sorted::sort_by(&mut self.members, |a, b| a.id.cmp(&b.id));
    }

    fn take_classic(&mut self, found: &DescribedGroup) -> Result<(), Thrown> {
        let code = ErrorCode(found.error_code);
        if !code.is_ok() || found.group_state == "Dead" {
            let code = if code.is_ok() {
                ErrorCode::GROUP_ID_NOT_FOUND
            } else {
                code
            };
            let not_found = || format!("Group {} not found.", self.name);
            let said = found.error_message.as_ref().map(ToString::to_string);
            let said = match code {
                ErrorCode::GROUP_ID_NOT_FOUND => said.unwrap_or_else(not_found),
                code => said.unwrap_or_else(|| errors::message(code).into()),
            };
            return Err(Thrown::new(&errors::exception(code), &said).within(EXECUTION));
        }
        self.state = found.group_state.to_string();
        self.strategy = match found.protocol_data.as_str() {
            "" => "-".to_string(),
            strategy => strategy.to_string(),
        };
        let member = |m: &DescribedGroupMember| {
            let topics = protocol::assigned(&m.member_assignment).into_iter();
            let mut partitions: Vec<(String, i32)> = topics
                .flat_map(|(t, ps)| ps.into_iter().map(move |p| (t.to_string(), p)))
                .collect();
            sorted::sort(&mut partitions);
            Member {
                id: m.member_id.to_string(),
                host: m.client_host.to_string(),
                client: m.client_id.to_string(),
                partitions,
                target: None,
            }
        };
        self.members = found.members.iter().map(member).collect();
        sorted::sort_by(&mut self.members, |a, b| a.id.cmp(&b.id));
        Ok(())
    }

    fn take_offsets(&mut self, response: &wire::offset_fetch_response::OffsetFetchResponse) {
        for topic in &response.topics {
            for p in topic.partitions.iter().filter(|p| p.committed_offset >= 0) {
                let at = (topic.name.to_string(), p.partition_index);
                self.stored
                    .insert(at, (p.committed_offset, p.committed_leader_epoch));
            }
        }
    }

    /// Partitions that are assigned or have a stored offset.
    fn partitions(&self) -> SortedSet<(String, i32)> {
        let assigned = self
            .members
            .iter()
            .flat_map(|member| member.partitions.iter().cloned());
        assigned.chain(self.stored.keys().cloned()).collect()
    }

    fn print_offsets(
        &self,
        verbose: bool,
        ends: &SortedMap<(String, i32), i64>,
        say: &mut Say<'_>,
    ) {
        let partitions = self.partitions();
        if partitions.is_empty() && self.members.is_empty() {
            return;
        }
        let owner = |at: &(String, i32)| self.members.iter().find(|m| m.partitions.contains(at));
        let groups = table::widest(15, [self.name.as_str()].into_iter());
        let topics = table::widest(15, partitions.iter().map(|(topic, _)| topic.as_str()));
        let ids = table::widest(15, self.members.iter().map(|member| member.id.as_str()));
        let hosts = table::widest(15, self.members.iter().map(|member| member.host.as_str()));
        let row = |topic: &str, p: &str, numbers: [&str; 4], who: [&str; 3]| {
            let group = if topic == "TOPIC" {
                "GROUP"
            } else {
                self.name.as_str()
            };
            let mut cells = alloc::vec![(group, groups), (topic, topics), (p, 10)];
            if verbose {
                cells.push((numbers[0], 15));
            }
            cells.extend(numbers[1..].iter().map(|number| (*number, 15)));
            cells.extend([(who[0], ids), (who[1], hosts), (who[2], 0)]);
            table::row(&cells)
        };
        let titles = ["LEADER-EPOCH", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"];
        say.out("");
        say.out(&row(
            "TOPIC",
            "PARTITION",
            titles,
            ["CONSUMER-ID", "HOST", "CLIENT-ID"],
        ));
        let known = |number: Option<i64>| number.map_or_else(|| "-".to_string(), |n| n.to_string());
        for at in &partitions {
            let stored = self.stored.get(at);
            let (current, end) = (stored.map(|s| s.0), ends.get(at).copied());
            let epoch = stored.map(|s| i64::from(s.1)).filter(|&epoch| epoch >= 0);
            let lag = current
                .zip(end)
                .map(|(current, end)| end.saturating_sub(current));
            let numbers = [known(epoch), known(current), known(end), known(lag)];
            let who = owner(at).map_or(["-"; 3], |m| [&m.id, &m.host, &m.client]);
            let numbers = numbers.each_ref().map(String::as_str);
            say.out(&row(&at.0, &at.1.to_string(), numbers, who));
        }
        for m in self
            .members
            .iter()
            .filter(|member| member.partitions.is_empty())
        {
            say.out(&row("-", "-", ["-"; 4], [&m.id, &m.host, &m.client]));
        }
    }

    fn print_members(&self, verbose: bool, say: &mut Say<'_>) {
        let groups = table::widest(15, [self.name.as_str()].into_iter());
        let ids = table::widest(15, self.members.iter().map(|member| member.id.as_str()));
        let rows: Vec<[String; 8]> = self.members.iter().map(Member::cells).collect();
        let hosts = table::widest(15, rows.iter().map(|row| row[1].as_str()));
        let clients = table::widest(15, rows.iter().map(|row| row[2].as_str()));
        let current = table::widest(20, rows.iter().map(|row| row[5].as_str()));
        let target = table::widest(20, rows.iter().map(|row| row[7].as_str()));
        let row = |group: &str, cells: [&str; 8]| {
            let widths = [ids, hosts, clients, 15, 15, current, 15, target];
            let shown = if verbose { 8 } else { 4 };
            let mut all = alloc::vec![(group, groups)];
            all.extend(cells.into_iter().zip(widths).take(shown));
            if verbose {
                table::row(&all)
            } else {
                table::row(&all) + " "
            }
        };
        let titles = [
            "CONSUMER-ID",
            "HOST",
            "CLIENT-ID",
            "#PARTITIONS",
            "CURRENT-EPOCH",
            "CURRENT-ASSIGNMENT",
            "TARGET-EPOCH",
            "TARGET-ASSIGNMENT",
        ];
        say.out("");
        say.out(&row("GROUP", titles));
        for cells in &rows {
            say.out(&row(&self.name, cells.each_ref().map(String::as_str)));
        }
    }

    fn print_state(&self, verbose: bool, say: &mut Say<'_>) {
        let groups = table::widest(15, [self.name.as_str()].into_iter());
        let place = table::widest(25, [self.coordinator.as_str()].into_iter());
        let row = |first: [&str; 4], epochs: [&str; 2], members: &str| {
            let mut cells: Vec<(&str, usize)> =
                first.into_iter().zip([groups, place, 20, 20]).collect();
            if verbose {
                cells.extend([(epochs[0], 15), (epochs[1], 25)]);
            }
            cells.push((members, 0));
            table::row(&cells)
        };
        let epochs = self.epochs.map_or_else(
            || ["-".to_string(), "-".to_string()],
            |(group, assignment)| [group.to_string(), assignment.to_string()],
        );
        let titles = ["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE"];
        say.out("");
        say.out(&row(
            titles,
            ["GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"],
            "#MEMBERS",
        ));
        say.out(&row(
            [&self.name, &self.coordinator, &self.strategy, &self.state],
            [&epochs[0], &epochs[1]],
            &self.members.len().to_string(),
        ));
    }
}

impl Member {
    fn cells(&self) -> [String; 8] {
        let none = || "-".to_string();
        let (epoch, target) = match &self.target {
            Some((epoch, target)) => (epoch.to_string(), shown(target)),
            None => (none(), none()),
        };
        [
            self.id.clone(),
            self.host.clone(),
            self.client.clone(),
            self.partitions.len().to_string(),
            epoch.clone(),
            shown(&self.partitions),
            epoch,
            target,
        ]
    }
}

/// `orders:0,1,2;other:3`, or `-` for nothing.
fn shown(partitions: &[(String, i32)]) -> String {
    let mut by_topic: SortedMap<&str, Vec<String>> = SortedMap::new();
    for (topic, partition) in partitions {
        by_topic
            .entry(topic.as_str())
            .or_default()
            .push(partition.to_string());
    }
    if by_topic.is_empty() {
        return "-".into();
    }
    let topic =
        |(topic, partitions): (&str, Vec<String>)| format!("{topic}:{}", partitions.join(","));
    let topics: Vec<String> = by_topic.into_iter().map(topic).collect();
    topics.join(";")
}

fn partitions(assignment: &Assignment) -> Vec<(String, i32)> {
    let topics = assignment.topic_partitions.iter();
    let mut all: Vec<(String, i32)> = topics
        .flat_map(|t| {
            t.partitions
                .iter()
                .map(move |p| (t.topic_name.to_string(), *p))
        })
        .collect();
    sorted::sort(&mut all);
    all
}
