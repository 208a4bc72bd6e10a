//! Carrying out commands. What Kafka has a tool for goes through that tool, as a person would do it.

use crate::actors::{Actor, ActorId, For, Member, ProducerActor, Terminal, bootstrap};
use crate::command::{Command, GroupChange, How, Line, ProducerChange};
use crate::fault::Fault;
use crate::queue::Happening;
use crate::said::Said;
use crate::scenario::{GroupSpec, MemberSpec, ProducerSpec};
use crate::state::State;
use crate::tool_lines;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use client::io::Input as ToClient;
use ids::{Offset, PartitionIndex, Time};

/// Producers and members that one world may have.
const ACTORS_MAX: usize = 2_000;
/// Time members get to leave before their group's offsets are reset, in milliseconds. One that waits
/// for a fetch says goodbye after its answer, so the reset is tried again ...
const LEAVE_MS: u64 = 50;
/// ... for so long; a killed member's session ends within it.
const LEAVE_MAX_MS: u64 = 30_000;
/// The number of inputs that are the scenario's own.
const SCENARIO: u64 = u64::MAX;

/// How long a scripted command waits before it looks again whether the scenario stands.
const SETUP_WAIT_MS: u64 = 1;
/// How often it is looked whether all brokers serve, before the topics are created without those that do not,
/// and how long is waited in between, in milliseconds.
const SETUP_TRIES: u32 = 600;
const SETUP_TRY_MS: u64 = 50;

/// What waits for members to leave: offsets to be reset, or a group to be deleted.
#[derive(Clone, Debug)]
pub(crate) struct Reset {
    pub(crate) line: Vec<String>,
    /// From when on Kafka's refusal is final.
    until: Time,
    /// Placed again afterwards.
    pub(crate) group: Option<GroupSpec>,
}

impl State {
    /// The scenario's topics are created first, on all its brokers; its clients are placed when that is done.
    pub(crate) fn set_up(&mut self, tries: u32) {
        let topics = self.scenario.topics.clone();
        self.setup_left = u32::try_from(topics.len()).unwrap_or(u32::MAX);
        // A lone broker's tools wait for it by themselves.
        let stands = self.scenario.brokers == 1 || self.all_serve() || topics.is_empty();
        if !stands && tries < SETUP_TRIES {
            let later = self.now.plus_millis(SETUP_TRY_MS);
            let tries = tries + 1;
            return self.queue.push(later, Happening::SetUp { tries });
        }
        for topic in &topics {
            self.run_tool(SCENARIO, tool_lines::create_topic(topic));
        }
        if topics.is_empty() {
            self.place_clients();
            self.plan_script();
        }
    }

    /// Whether every broker is known to the metadata, and may be given replicas.
    fn all_serve(&self) -> bool {
        let newest = self.newest_image();
        newest.is_some_and(|image| {
            let known = image.brokers().values();
            let ready = known.filter(|broker| !broker.fenced).count();
            ready >= self.scenario.brokers as usize
        })
    }

    pub(crate) fn place_clients(&mut self) {
        let scenario = self.scenario.clone();
        for producer in &scenario.producers {
            self.add_producer(producer.clone());
        }
        for group in &scenario.groups {
            self.add_group(group.clone());
        }
    }

    /// The scenario's own commands come when everything it places is there, so that one at
    /// time 0 finds its producer.
    fn plan_script(&mut self) {
        let scenario = self.scenario.clone();
        for (index, event) in (0..).zip(&scenario.events) {
            let at = self.began.plus_millis(event.at).max(self.now);
            self.queue.push(at, Happening::Scripted { index });
        }
    }

    /// What is due before the scenario's clients are placed waits for them, in order.
    pub(crate) fn scripted_command(&mut self, index: u32) {
        if self.setup_left > 0 {
            let later = self.now.plus_millis(SETUP_WAIT_MS);
            self.queue.push(later, Happening::Scripted { index });
            return;
        }
        let scenario = self.scenario.clone();
        if let Some(event) = scenario.events.get(index as usize) {
            self.command(SCENARIO, event.command.clone());
        }
    }

    /// Carries out a command; its end is said as `Done` or `Refused`.
    pub(crate) fn command(&mut self, input: u64, command: Command) {
        let result = match command {
            Command::CreateTopic { topic } => {
                return self.run_tool(input, tool_lines::create_topic(&topic));
            }
            Command::AddPartitions { name, partitions } => {
                return self.run_tool(input, tool_lines::add_partitions(&name, partitions));
            }
            Command::DeleteTopic { name } => {
                return self.run_tool(input, tool_lines::delete_topic(&name));
            }
            Command::ConfigureTopic { name, config } => {
                return self.run_tool(input, tool_lines::configure_topic(&name, &config));
            }
            Command::ResetOffsets {
                group_id,
                topic,
                partition,
                offset,
                restart,
            } => {
                return self.reset_offsets(input, &group_id, &topic, partition, offset, restart);
            }
            Command::AddProducer { producer } => self.try_add_producer(producer),
            Command::UpdateProducer { name, change } => self.update_producer(&name, &change),
            Command::RemoveProducer { name } => self.remove_producer(&name),
            Command::Send {
                producer, lines, ..
            } => self.send_lines(&producer, &lines),
            Command::AddGroup { group } => self.try_add_group(group),
            Command::UpdateGroup { group_id, change } => self.update_group(&group_id, &change),
            Command::RemoveGroup { group_id } => self.remove_group(input, &group_id),
            Command::AddMember { group_id, member } => self.try_add_member(&group_id, member),
            Command::RemoveMember {
                group_id,
                name,
                how,
            } => self.remove_member(&group_id, &name, how),
            Command::SeekMember {
                group_id,
                topic,
                partition,
                offset,
            } => self.seek_member(&group_id, &topic, partition, offset),
            Command::KillBroker { broker: node } => self.fault(&Fault::Kill { node }),
            Command::StartBroker { broker: node } => self.fault(&Fault::Start { node }),
            Command::Fault { fault } => self.fault(&fault),
        };
        self.answer(input, result);
    }

    fn answer(&mut self, input: u64, result: Result<(), (&str, String)>) {
        self.said.push(match result {
            Ok(()) => Said::Done { input },
            Err((code, message)) => Said::Refused {
                input,
                code: code.to_string(),
                message,
            },
        });
    }

    /// Runs one of Kafka's tools for a command.
    fn run_tool(&mut self, input: u64, mut words: Vec<String>) {
        // Any of the brokers will do.
        if self.scenario.brokers > 1
            && let Some(at) = words.iter().position(|word| word == "--bootstrap-server")
            && let Some(servers) = words.get_mut(at + 1)
        {
            let all = bootstrap(self.scenario.brokers).into_iter();
            let all = all.map(|(host, port)| format!("{host}:{port}"));
            *servers = all.collect::<Vec<String>>().join(",");
        }
        let id = ActorId(self.next_actor);
        self.next_actor += 1;
        let rng = self.rng.fork();
        self.actors.insert(
            id,
            Actor::Terminal(Terminal::new(&words, For::Input(input), rng)),
        );
        self.tell_actor(id, &ToClient::Start);
    }

    /// A tool that ran for a command is over.
    pub(crate) fn input_done(&mut self, input: u64, code: i32, printed: &str) {
        if input == SCENARIO && self.setup_left > 0 {
            self.setup_left -= 1;
            if self.setup_left == 0 {
                self.place_clients();
                self.plan_script();
            }
        }
        let text = printed.trim();
        let refused = code != 0 || text.starts_with("Error");
        if let Some(reset) = self.resets.remove(&input) {
            if refused && error_name(text) == "NON_EMPTY_GROUP" && self.now < reset.until {
                self.resets.insert(input, reset);
                return self.reset_soon(input);
            }
            match reset.group {
                Some(group) => self.add_group(group),
                // Removing the group was answered when it was asked for; there may have been nothing to delete.
                None => return,
            }
        }
        let result = if refused {
            Err((error_name(text), text.to_string()))
        } else {
            Ok(())
        };
        self.answer(input, result);
    }

    fn try_add_producer(&mut self, spec: ProducerSpec) -> Result<(), (&'static str, String)> {
        if self
            .producers()
            .any(|(_, producer)| producer.spec.name == spec.name)
        {
            return Err((
                "name-taken",
                format!("There is a producer named {} already.", spec.name),
            ));
        }
        self.check_room()?;
        self.add_producer(spec);
        Ok(())
    }

    fn check_room(&self) -> Result<(), (&'static str, String)> {
        match self.actors.len() < ACTORS_MAX {
            true => Ok(()),
            false => Err((
                "too-many",
                format!("This world has {ACTORS_MAX} clients; it takes no more."),
            )),
        }
    }

    fn add_producer(&mut self, spec: ProducerSpec) {
        let id = ActorId(self.next_actor);
        self.next_actor += 1;
        let rng = self.rng.fork();
        let servers = bootstrap(self.scenario.brokers);
        self.actors.insert(
            id,
            Actor::Producer(ProducerActor::new(self.now, spec, servers, rng)),
        );
        self.tell_actor(id, &ToClient::Start);
    }

    fn producer_named(&mut self, name: &str) -> Result<ActorId, (&'static str, String)> {
        let found = self
            .producers()
            .find(|(_, producer)| producer.spec.name == name)
            .map(|(id, _)| id);
        found.ok_or_else(|| {
            (
                "unknown-producer",
                format!("There is no producer named {name}."),
            )
        })
    }

    fn update_producer(
        &mut self,
        name: &str,
        change: &ProducerChange,
    ) -> Result<(), (&'static str, String)> {
        let id = self.producer_named(name)?;
        let mut out = Vec::new();
        let now = self.now;
        if let Some(Actor::Producer(producer)) = self.actors.get_mut(&id) {
            producer.change(now, change, &mut out);
        }
        for output in out {
            self.carry_client(id, output);
        }
        self.tell_actor(id, &ToClient::Timer);
        Ok(())
    }

    fn remove_producer(&mut self, name: &str) -> Result<(), (&'static str, String)> {
        let id = self.producer_named(name)?;
        self.remove_actor(id);
        Ok(())
    }

    fn send_lines(&mut self, name: &str, lines: &[Line]) -> Result<(), (&'static str, String)> {
        let id = self.producer_named(name)?;
        let taken = match self.actors.get_mut(&id) {
            Some(Actor::Producer(producer)) => producer.send(lines),
            _ => false,
        };
        self.tell_actor(id, &ToClient::Timer);
        match taken {
            true => Ok(()),
            false => Err((
                "too-many",
                format!(
                    "{name} has {} lines to send already; wait until they are sent.",
                    crate::actors::LINES_MAX
                ),
            )),
        }
    }

    fn try_add_group(&mut self, group: GroupSpec) -> Result<(), (&'static str, String)> {
        if self.groups.contains_key(&group.group_id) {
            return Err((
                "name-taken",
                format!("There is a group named {} already.", group.group_id),
            ));
        }
        self.check_room()?;
        self.add_group(group);
        Ok(())
    }

    fn add_group(&mut self, group: GroupSpec) {
        let members = group.members.clone();
        self.groups.insert(group.group_id.clone(), group.clone());
        for member in members {
            self.add_member(&group, &member.name);
        }
    }

    fn add_member(&mut self, group: &GroupSpec, name: &str) {
        let id = ActorId(self.next_actor);
        self.next_actor += 1;
        let rng = self.rng.fork();
        let servers = bootstrap(self.scenario.brokers);
        let member = Member::new(self.now, group, name, servers, rng);
        self.actors.insert(id, Actor::Member(member));
        self.tell_actor(id, &ToClient::Start);
    }

    fn group_named(&self, group_id: &str) -> Result<GroupSpec, (&'static str, String)> {
        let found = self.groups.get(group_id).cloned();
        found.ok_or_else(|| {
            (
                "unknown-group",
                format!("There is no group named {group_id} on the stage."),
            )
        })
    }

    fn try_add_member(
        &mut self,
        group_id: &str,
        member: MemberSpec,
    ) -> Result<(), (&'static str, String)> {
        let mut group = self.group_named(group_id)?;
        if group.members.iter().any(|other| other.name == member.name) {
            return Err((
                "name-taken",
                format!("{group_id} has a member named {} already.", member.name),
            ));
        }
        self.check_room()?;
        self.add_member(&group, &member.name);
        group.members.push(member);
        self.groups.insert(group_id.to_string(), group);
        Ok(())
    }

    fn remove_member(
        &mut self,
        group_id: &str,
        name: &str,
        how: How,
    ) -> Result<(), (&'static str, String)> {
        let mut group = self.group_named(group_id)?;
        let Some(id) = self.find_member(group_id, name) else {
            return Err((
                "unknown-member",
                format!("{group_id} has no member named {name}."),
            ));
        };
        group.members.retain(|member| member.name != name);
        self.groups.insert(group_id.to_string(), group);
        self.member_goes(id, how);
        Ok(())
    }

    /// Its members leave; then the group goes, with its offsets, as Kafka's tool deletes it. That is
    /// not waited for: the session of a killed member has to end before.
    fn remove_group(&mut self, input: u64, group_id: &str) -> Result<(), (&'static str, String)> {
        self.group_named(group_id)?;
        self.groups.remove(group_id);
        self.all_leave(group_id);
        let deletion = Reset {
            line: tool_lines::delete_group(group_id),
            until: self.now.plus_millis(LEAVE_MAX_MS),
            group: None,
        };
        self.resets.insert(input, deletion);
        self.reset_soon(input);
        Ok(())
    }

    fn all_leave(&mut self, group_id: &str) {
        let members: Vec<ActorId> = self
            .members()
            .filter(|(_, member)| &*member.group == group_id)
            .map(|(id, _)| id)
            .collect();
        for id in members {
            self.member_goes(id, How::Leave);
        }
    }

    /// Rates change in place; anything else needs consumers that begin anew.
    fn update_group(
        &mut self,
        group_id: &str,
        change: &GroupChange,
    ) -> Result<(), (&'static str, String)> {
        let mut group = self.group_named(group_id)?;
        macro_rules! set {
            ($($field:ident),*) => {
                $(if let Some(value) = &change.$field { group.$field = value.clone(); })*
            };
        }
        set!(rate, paused);
        let calm = group.clone();
        set!(
            topics,
            assignor,
            auto_commit,
            auto_commit_interval_ms,
            auto_offset_reset,
            session_timeout_ms
        );
        self.groups.insert(group_id.to_string(), group.clone());
        if calm != group {
            self.all_leave(group_id);
            self.add_group(group);
            return Ok(());
        }
        let now = self.now;
        let members: Vec<ActorId> = self
            .members()
            .filter(|(_, member)| &*member.group == group_id)
            .map(|(id, _)| id)
            .collect();
        for id in members {
            if let Some(Actor::Member(member)) = self.actors.get_mut(&id) {
                member.set_rate(now, group.rate, group.paused);
            }
            self.tell_actor(id, &ToClient::Timer);
        }
        Ok(())
    }

    fn seek_member(
        &mut self,
        group_id: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), (&'static str, String)> {
        let owns = |member: &Member| {
            let mut owned = member.client().positions();
            owned.any(|(name, index, _)| &**name == topic && index == PartitionIndex(partition))
        };
        let mut owners = self
            .members()
            .filter(|(_, member)| &*member.group == group_id && owns(member));
        let Some((id, _)) = owners.next() else {
            return Err((
                "no-owner",
                format!("No member of {group_id} reads {topic}-{partition} now."),
            ));
        };
        drop(owners);
        if let Some(Actor::Member(member)) = self.actors.get_mut(&id) {
            member.seek(topic, PartitionIndex(partition), Offset(offset));
        }
        self.tell_actor(id, &ToClient::Timer);
        Ok(())
    }

    fn reset_offsets(
        &mut self,
        input: u64,
        group_id: &str,
        topic: &str,
        partition: i32,
        offset: i64,
        restart: bool,
    ) {
        let line = tool_lines::reset_offsets(group_id, topic, partition, offset);
        let Some(group) = self.groups.get(group_id).cloned().filter(|_| restart) else {
            return self.run_tool(input, line);
        };
        self.all_leave(group_id);
        let until = self.now.plus_millis(LEAVE_MAX_MS);
        let group = Some(group);
        self.resets.insert(input, Reset { line, until, group });
        self.reset_soon(input);
    }

    fn reset_soon(&mut self, input: u64) {
        let at = self.now.plus_millis(LEAVE_MS);
        self.queue.push(at, Happening::Reset { input });
    }

    /// The members had time to leave: now Kafka lets the offset be moved.
    pub(crate) fn reset_now(&mut self, input: u64) {
        if let Some(reset) = self.resets.get(&input) {
            let line = reset.line.clone();
            self.run_tool(input, line);
        }
    }
}

/// Kafka's name of the error in a tool's words, as far as the stage tells errors apart.
fn error_name(text: &str) -> &'static str {
    let known = [
        ("already exists", "TOPIC_ALREADY_EXISTS"),
        ("is invalid", "INVALID_TOPIC_EXCEPTION"),
        ("does not exist", "UNKNOWN_TOPIC_OR_PARTITION"),
        ("inactive", "NON_EMPTY_GROUP"),
        ("not empty", "NON_EMPTY_GROUP"),
        ("configuration", "INVALID_CONFIG"),
        ("config", "INVALID_CONFIG"),
        ("partition", "INVALID_PARTITIONS"),
    ];
    known
        .iter()
        .find(|(part, _)| text.contains(part))
        .map_or("refused", |(_, name)| name)
}
