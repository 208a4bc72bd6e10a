//! `kafka-reassign-partitions`: proposes, starts, watches, cancels and lists moves of replicas between brokers.
//!
//! Moves between the directories of one broker are not part of it: a plan may name a directory, and any will do.

mod files;
mod placement;
mod throttles;
mod view;

use super::log_dirs::{every_log_dir, numbers};
use super::options::Parsed;
use super::options::reassign::{OPTIONS, misuse};
use super::quorum::check;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use files::{ANY, Plan, failed};
use ids::{NodeId, Rng};
use sorted::{SortedMap, SortedSet};
use view::View;
use wire::Str;
use wire::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::metadata_request::{MetadataRequest, MetadataRequestTopic};

const ABOUT: &str = "This tool helps to move topic partitions between replicas.";
const TIMEOUT_MS: i32 = 60_000;
const EXISTING: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a new partition assignment in addition to the existing one. The --additional flag can also be used to change the throttle by resubmitting the current reassignment.";
const NO_RACKS: &str = "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without rack information.";

/// A partition: its topic and its number.
type Place = (String, i32);

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().uncaught(&thrown);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    if let Some(message) = misuse(&parsed) {
        return Err(Said::default().usage(&message, OPTIONS));
    }
    let refuse = |thrown: Thrown| {
        let said = Said::default().out(&format!("Error: {}", thrown.message));
        said.exit(1)
    };
    let admin = super::admin_of_commands(&parsed, &env).map_err(refuse)?;
    let job = Reassign::new(&parsed, &env).map_err(refuse)?;
    Ok(AdminTool::new(
        admin,
        env.rng,
        Job::Reassign(job),
        Said::default(),
    ))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Reassign {
    action: Action,
    /// Where partitions are to be.
    plan: Plan,
    keeps_throttles: bool,
    asks_controllers: bool,
    additional: bool,
    may_change_factor: bool,
    /// Bytes a second, if not negative.
    throttle: i64,
    directory_throttle: i64,
    rng: Rng,
    /// What the first round told.
    cluster: View,
    step: Step,
}

#[derive(Clone, Debug)]
enum Action {
    Generate {
        topics: Vec<String>,
        brokers: Vec<i32>,
        by_rack: bool,
    },
    Execute,
    Verify,
    Cancel,
    List,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Look,
    Directories,
    Throttle,
    Move,
    Clear,
}

/// What ends a command early: words on standard output.
type Ended = String;

impl Reassign {
    fn new(parsed: &Parsed, env: &Env) -> Result<Reassign, Thrown> {
        let throttle = parsed.long("throttle")?.unwrap_or(-1);
        let directory_throttle = parsed
            .long("replica-alter-log-dirs-throttle")?
            .unwrap_or(-1);
        parsed.long("timeout")?;
        let mut plan = Plan::new();
        if let Some(file) = parsed.one("reassignment-json-file")? {
            plan = files::plan(&files::read(file, env)?, parsed.has("execute"))?;
        }
        let action = match () {
            () if parsed.has("generate") => {
                let file = parsed.one("topics-to-move-json-file")?.unwrap_or_default();
                let brokers = parsed.one("broker-list")?.unwrap_or_default();
                Action::Generate {
                    topics: files::topics(&files::read(file, env)?)?,
                    brokers: files::brokers(brokers)?,
                    by_rack: !parsed.has("disable-rack-aware"),
                }
            }
            () if parsed.has("execute") => Action::Execute,
            () if parsed.has("verify") => Action::Verify,
            () if parsed.has("cancel") => Action::Cancel,
            () => Action::List,
        };
        Ok(Reassign {
            action,
            plan,
            keeps_throttles: parsed.has("preserve-throttles"),
            asks_controllers: parsed.has("bootstrap-controller"),
            additional: parsed.has("additional"),
            may_change_factor: !parsed.has("disallow-replication-factor-change"),
            throttle,
            directory_throttle,
            rng: env.rng.clone(),
            cluster: View::default(),
            step: Step::Look,
        })
    }

    pub(super) fn only_reads(&self) -> bool {
        matches!(self.action, Action::Generate { .. } | Action::List)
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        let first = outcomes.is_empty();
        let next = match (first, self.step) {
            (true, _) => Ok(Next::Ask(self.look())),
            (false, Step::Look) => self.looked(outcomes, say),
            (false, Step::Directories) => self.found(outcomes, say),
            (false, Step::Throttle) => self.throttled(outcomes, say),
            (false, Step::Move) => self.moved(outcomes, say),
            (false, Step::Clear) => altered(outcomes).map(|()| Next::Exit(0)),
        };
        next.unwrap_or_else(|words| {
            say.out(&words);
            Next::Exit(1)
        })
    }

    /// The topics that it is about.
    fn topics(&self) -> SortedSet<&str> {
        match &self.action {
            Action::Generate { topics, .. } => topics.iter().map(String::as_str).collect(),
            _ => self.plan.keys().map(|(topic, _)| topic.as_str()).collect(),
        }
    }

    fn look(&self) -> Vec<Call> {
        let topic = |name: &str| MetadataRequestTopic {
            name: Some(Str::from(name)),
            ..Default::default()
        };
        let metadata = Call {
            name: "describeTopics",
            target: Target::Any,
            request: Request::Metadata(MetadataRequest {
                topics: Some(self.topics().into_iter().map(topic).collect()),
                ..Default::default()
            }),
        };
        let ongoing = Call {
            name: "listPartitionReassignments",
            target: Target::Any,
            request: Request::ListReassignments(ListPartitionReassignmentsRequest {
                timeout_ms: TIMEOUT_MS,
                topics: None,
                ..Default::default()
            }),
        };
        match self.action {
            Action::Generate { .. } => alloc::vec![metadata],
            Action::List => alloc::vec![ongoing],
            // A cancellation needs the rest for its throttles only, and controllers do not know it.
            Action::Cancel if self.keeps_throttles || self.asks_controllers => alloc::vec![ongoing],
            _ => alloc::vec![ongoing, metadata],
        }
    }

    fn looked(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Ended> {
        for outcome in outcomes {
            let view = &mut self.cluster;
            match outcome.map_err(|failure| error(&thrown(&failure)))? {
                Response::Metadata(response) => view.take_metadata(&response),
                Response::ListReassignments(response) => {
                    let whole = check(response.error_code, response.error_message.as_ref());
                    whole.map_err(|thrown| error(&thrown))?;
                    view.take_ongoing(response);
                }
                _ => {}
            }
        }
        match self.action {
            Action::List => {
                self.cluster.tell_ongoing(say);
                Ok(Next::Exit(0))
            }
            Action::Verify => self.verify(say),
            Action::Cancel => Ok(self.cancel(say)),
            Action::Execute => self.execute(),
            Action::Generate { .. } => {
                self.cluster.refuse_unknown()?;
                Ok(self.ask_directories())
            }
        }
    }

    fn execute(&mut self) -> Result<Next, Ended> {
        if !self.cluster.ongoing.is_empty() && !self.additional {
            return Err(EXISTING.to_string());
        }
        let brokers = &self.cluster.brokers;
        let unknown = self
            .plan
            .values()
            .flatten()
            .find(|id| !brokers.contains_key(id));
        if let Some(id) = unknown {
            return Err(error(&failed(&format!("Unknown broker id {id}"))));
        }
        self.cluster.refuse_unknown()?;
        let there = &self.cluster.replicas;
        if let Some((topic, partition)) = self.plan.keys().find(|place| !there.contains_key(place))
        {
            let class = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException";
            return Err(error(
                &Thrown::new(
                    class,
                    &format!("Unable to find partition: {topic}-{partition}"),
                )
                .within(class),
            ));
        }
        // What is shown is where the plan's partitions are, not all of their topics'.
        let plan = &self.plan;
        self.cluster
            .replicas
            .retain(|place, _| plan.contains_key(place));
        Ok(self.ask_directories())
    }

    /// Asks the brokers in which directories replicas lie.
    fn ask_directories(&mut self) -> Next {
        self.step = Step::Directories;
        let ids: SortedSet<i32> = self.cluster.replicas.values().flatten().copied().collect();
        let alive = ids
            .into_iter()
            .filter(|id| self.cluster.brokers.contains_key(id));
        let call = |id: i32| Call {
            name: "describeReplicaLogDirs",
            target: Target::Broker(NodeId(id)),
            request: Request::DescribeLogDirs(every_log_dir()),
        };
        let mut calls: Vec<Call> = alive.map(call).collect();
        if calls.is_empty() {
            // Nobody is there to be asked; a round without calls would never end.
            calls.extend(self.look().pop());
        }
        Next::Ask(calls)
    }

    fn found(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Ended> {
        let ids: SortedSet<i32> = self.cluster.replicas.values().flatten().copied().collect();
        let alive: Vec<i32> = ids
            .into_iter()
            .filter(|id| self.cluster.brokers.contains_key(id))
            .collect();
        for (id, outcome) in alive.into_iter().zip(outcomes) {
            // A broker that does not answer leaves its directories unknown.
            let Ok(Response::DescribeLogDirs(response)) = outcome else {
                continue;
            };
            for dir in response.results {
                for topic in &dir.topics {
                    for p in topic.partitions.iter().filter(|p| !p.is_future_key) {
                        let place = (topic.name.to_string(), p.partition_index);
                        let path = dir.log_dir.to_string();
                        self.cluster.directories.insert((place, id), path);
                    }
                }
            }
        }
        match self.action {
            Action::Generate { .. } => self.propose(say),
            _ => Ok(self.begin_moves(say)),
        }
    }

    fn propose(&mut self, say: &mut Say<'_>) -> Result<Next, Ended> {
        let Action::Generate {
            brokers, by_rack, ..
        } = &self.action
        else {
            return Ok(Next::Exit(1));
        };
        let there = self.cluster.brokers.iter();
        let usable = there.filter(|(id, _)| brokers.contains(id));
        let rack = |rack: &Option<String>| rack.clone().filter(|_| *by_rack);
        let usable: SortedMap<i32, Option<String>> =
            usable.map(|(id, name)| (*id, rack(name))).collect();
        let with = usable.values().filter(|rack| rack.is_some()).count();
        if with > 0 && with < usable.len() {
            let class = "org.apache.kafka.server.common.AdminOperationException";
            return Err(error(&Thrown::new(class, NO_RACKS)));
        }
        let mut by_topic: SortedMap<&str, Vec<(&Place, usize)>> = SortedMap::new();
        for (place, replicas) in &self.cluster.replicas {
            let partitions = by_topic.entry(place.0.as_str()).or_default();
            partitions.push((place, replicas.len()));
        }
        let mut proposed = Plan::new();
        for partitions in by_topic.into_values() {
            let factor = partitions
                .iter()
                .map(|(_, count)| *count)
                .max()
                .unwrap_or(0);
            let placed = placement::place(&usable, partitions.len(), factor, &mut self.rng);
            let placed = placed.map_err(|thrown| error(&thrown))?;
            let places = partitions.into_iter().map(|(place, _)| place.clone());
            proposed.extend(places.zip(placed));
        }
        say.out("Current partition replica assignment");
        say.out(&self.cluster.shown());
        say.out("\nProposed partition reassignment configuration");
        say.out(&files::shown(&proposed, |_, _| ANY.to_string()));
        Ok(Next::Exit(0))
    }

    fn begin_moves(&mut self, say: &mut Say<'_>) -> Next {
        let current = self.cluster.shown();
        say.out(&format!(
            "Current partition replica assignment\n\n{current}\n"
        ));
        say.out("Save this to use as the --reassignment-json-file option during rollback");
        if self.throttle < 0 && self.directory_throttle < 0 {
            return self.ask_moves(false);
        }
        say.out("Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.");
        let ongoing = self.cluster.ongoing.iter();
        let adding = ongoing.map(|(place, o)| (place.clone(), o.adding_replicas.clone()));
        let moves = throttles::moves(&self.plan, &self.cluster.replicas, &adding.collect());
        let alive: SortedSet<i32> = self.cluster.brokers.keys().copied().collect();
        let calls = match self.throttle {
            rate @ 0.. => throttles::set(&moves, rate, &alive),
            _ => Vec::new(),
        };
        if calls.is_empty() {
            self.tell_throttles(say);
            return self.ask_moves(false);
        }
        self.step = Step::Throttle;
        Next::Ask(calls)
    }

    fn tell_throttles(&self, say: &mut Say<'_>) {
        let (rate, directories) = (self.throttle, self.directory_throttle);
        if rate >= 0 {
            say.out(&format!(
                "The inter-broker throttle limit was set to {rate} B/s"
            ));
        }
        if directories >= 0 {
            say.out(&format!(
                "The replica-alter-dir throttle limit was set to {directories} B/s"
            ));
        }
    }

    fn throttled(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Ended> {
        altered(outcomes)?;
        self.tell_throttles(say);
        Ok(self.ask_moves(false))
    }

    /// Orders the moves of the plan, or that they end.
    fn ask_moves(&mut self, cancel: bool) -> Next {
        self.step = Step::Move;
        let mut topics: SortedMap<&str, Vec<ReassignablePartition>> = SortedMap::new();
        for ((topic, partition_index), replicas) in &self.plan {
            let partitions = topics.entry(topic.as_str()).or_default();
            partitions.push(ReassignablePartition {
                partition_index: *partition_index,
                replicas: (!cancel).then(|| replicas.clone()),
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<ReassignablePartition>)| ReassignableTopic {
            name: Str::from(name),
            partitions,
            ..Default::default()
        };
        Next::Ask(alloc::vec![Call {
            name: "alterPartitionReassignments",
            target: Target::Controller,
            request: Request::AlterReassignments(AlterPartitionReassignmentsRequest {
                timeout_ms: TIMEOUT_MS,
                allow_replication_factor_change: self.may_change_factor,
                topics: topics.into_iter().map(topic).collect(),
                ..Default::default()
            }),
        }])
    }

    fn moved(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Result<Next, Ended> {
        let cancels = matches!(self.action, Action::Cancel);
        let mut refused: SortedMap<Place, String> = SortedMap::new();
        for outcome in outcomes {
            let response = outcome.map_err(|failure| error(&thrown(&failure)))?;
            let Response::AlterReassignments(response) = response else {
                continue;
            };
            let whole = check(response.error_code, response.error_message.as_ref());
            whole.map_err(|thrown| error(&thrown))?;
            for topic in response.responses {
                for p in topic.partitions {
                    if let Err(thrown) = check(p.error_code, p.error_message.as_ref()) {
                        let place = (topic.name.to_string(), p.partition_index);
                        refused.insert(place, thrown.message);
                    }
                }
            }
        }
        let plural = if self.plan.len() == 1 { "" } else { "s" };
        if !refused.is_empty() {
            let lines = refused
                .iter()
                .map(|((t, p), why)| format!("{t}-{p}: {why}"));
            let lines: Vec<String> = lines.collect();
            let lines = lines.join("\n");
            return Err(match cancels {
                true => format!("Error cancelling partition reassignment{plural} for:\n{lines}"),
                false => format!("Error reassigning partition(s):\n{lines}"),
            });
        }
        let names = names(self.plan.keys());
        if !cancels {
            say.out(&format!(
                "Successfully started partition reassignment{plural} for {names}"
            ));
            return Ok(Next::Exit(0));
        }
        say.out(&format!(
            "Successfully cancelled partition reassignment{plural} for: {names}"
        ));
        Ok(self.cancelled(say))
    }

    fn cancel(&mut self, say: &mut Say<'_>) -> Next {
        let ongoing = &self.cluster.ongoing;
        let active: Plan = self
            .plan
            .iter()
            .filter(|(place, _)| ongoing.contains_key(place))
            .map(|(place, replicas)| (place.clone(), replicas.clone()))
            .collect();
        // The topics whose throttles go are those of the whole file.
        self.cluster.replicas = core::mem::replace(&mut self.plan, active);
        if self.plan.is_empty() {
            say.out("None of the specified partition reassignments are active.");
            return self.cancelled(say);
        }
        self.ask_moves(true)
    }

    /// What follows when nothing of the plan is under way any more. Kafka ends no line here.
    fn cancelled(&mut self, say: &mut Say<'_>) -> Next {
        let words = "None of the specified partition moves are active.";
        say.out
            .push(crate::io::Output::Stdout(bytes::Bytes::from_static(
                words.as_bytes(),
            )));
        self.plan = core::mem::take(&mut self.cluster.replicas);
        self.clear_throttles(say)
    }

    fn verify(&mut self, say: &mut Say<'_>) -> Result<Next, Ended> {
        say.out("Status of partition reassignment:");
        let mut all_done = true;
        for (place, wanted) in &self.plan {
            let (topic, partition) = place;
            let name = format!("{topic}-{partition}");
            let there = self
                .cluster
                .replicas
                .get(place)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if self.cluster.ongoing.contains_key(place) {
                all_done = false;
                say.out(&format!(
                    "Reassignment of partition {name} is still in progress."
                ));
            } else if there == wanted.as_slice() {
                say.out(&format!("Reassignment of partition {name} is completed."));
            } else {
                let (there, wanted) = (numbers(there), numbers(wanted));
                say.out(&format!("There is no active reassignment of partition {name}, but replica set is {there} rather than {wanted}."));
            }
        }
        say.out("");
        Ok(if all_done {
            self.clear_throttles(say)
        } else {
            Next::Exit(0)
        })
    }

    fn clear_throttles(&mut self, say: &mut Say<'_>) -> Next {
        if self.keeps_throttles {
            return Next::Exit(0);
        }
        self.step = Step::Clear;
        let brokers: SortedSet<i32> = self.cluster.brokers.keys().copied().collect();
        let topics = self.topics();
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let ids: Vec<i32> = brokers.iter().copied().collect();
        let names: Vec<&str> = topics.iter().copied().collect();
        let (ids, s) = (numbers(&ids), plural(brokers.len()));
        say.out(&format!(
            "Clearing broker-level throttles on broker{s} {ids}"
        ));
        let (names, s) = (names.join(","), plural(topics.len()));
        say.out(&format!(
            "Clearing topic-level throttles on topic{s} {names}"
        ));
        match throttles::clear(&brokers, &topics) {
            calls if calls.is_empty() => Next::Exit(0),
            calls => Next::Ask(calls),
        }
    }
}

fn names<'a>(places: impl Iterator<Item = &'a Place>) -> String {
    let names = places.map(|(topic, partition)| format!("{topic}-{partition}"));
    names.collect::<Vec<String>>().join(",")
}

fn thrown(failure: &crate::admin::Failure) -> Thrown {
    let inner = Thrown::new(&errors::exception(failure.code), &failure.message);
    inner.within("java.util.concurrent.ExecutionException")
}

fn error(thrown: &Thrown) -> Ended {
    format!("Error: {}", thrown.message)
}

/// That all configs were altered.
fn altered(outcomes: Vec<Outcome>) -> Result<(), Ended> {
    for outcome in outcomes {
        let response = outcome.map_err(|failure| error(&thrown(&failure)))?;
        let Response::AlterConfigs(response) = response else {
            continue;
        };
        for found in &response.responses {
            if let Err(thrown) = check(found.error_code, found.error_message.as_ref()) {
                return Err(format!("Error: {thrown}"));
            }
        }
    }
    Ok(())
}
