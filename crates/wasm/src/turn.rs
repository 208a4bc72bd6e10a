//! One turn: what has arrived goes in, the world runs for a few milliseconds, what it said is sorted.

use std::collections::VecDeque;
use std::rc::Rc;

use ids::{Time, TopicIdPartition};
use sorted::{SortedMap, SortedSet};
use wasm_bindgen::JsValue;
use world::{Command, Input, Note, Redone, Said, World};

use crate::browser::{Alarm, MessagePort, now};
use crate::ports::{Arrived, Ports};
use crate::push::{Event, Failure, NoticeCode, Outbox, Params, Push};
use crate::stage::{Pace, Stage};
use crate::terminals::{Terminals, Why};

/// Real milliseconds that one turn's work takes at most.
const TURN_MS: f64 = 8.0;
/// Real milliseconds from the beginning of one turn to that of the next: sixty frames a second.
const TURN_EVERY_MS: f64 = 16.0;
/// Events between two looks at the clock.
const EVENTS: u64 = 100;
/// Real time that counts at most, however long the page slept.
const ELAPSED_MAX_MS: f64 = 100.0;
/// How far the world may run ahead of the clock for a client from outside, in microseconds.
const LEAD_MAX_MICROS: f64 = 50_000.0;
/// How far ahead one request may take it: enough to be answered.
const LEAD_MICROS: f64 = 3_000.0;
/// World microseconds that a paused world may take to answer a command; it takes no more than that needs.
const ANSWER_MICROS: u64 = 5_000_000;
/// Lines for the drawer that wait for the page at most; the oldest go.
const EVENTS_MAX: usize = 500;
/// Steps to the next record at most.
const STEPS_MAX: u64 = 50_000;
/// World microseconds that a step to the next record takes at most.
const STEP_MICROS: u64 = 60_000_000;
/// World milliseconds after which a new world counts as set up, whatever is missing.
const SETUP_MS: u64 = 5_000;

/// An open workspace: its world, its clients, and what waits to leave.
pub(crate) struct Session {
    pub(crate) world: World,
    pub(crate) stage: Stage,
    pub(crate) ports: Ports,
    pub(crate) out: Outbox,
    pace: Pace,
    /// Real time of the last turn.
    real: f64,
    /// World time that the clock has reached, in microseconds since 1970.
    due: f64,
    /// Calls that wait for a command's end, by the number of its input; and what the drawer says of it
    /// when it was not refused.
    waiting: SortedMap<u64, (f64, Option<Event>)>,
    pub(crate) terminals: Terminals,
    /// Command lines that a paused world carries out to their end, by the world's number.
    errands: SortedSet<u32>,
    /// Lines for the drawer that have not left.
    events: VecDeque<Event>,
    /// Another branch of the world was taken since the last look.
    turned: bool,
    /// Producers and groups that the scenario places.
    expected: usize,
    /// The turn had to end before the world had reached the clock.
    behind: bool,
    /// The scenario may be another one than at the last look.
    changed: bool,
    /// World time at which a paused world stops waiting for a command's end.
    patience: u64,
    /// Where history began, and whether the page was told that it begins later now.
    began: Time,
    trimmed: bool,
    /// Whether the page was told that there is no room for more.
    full: bool,
}

impl Session {
    /// `terminal` is the number of its first terminal.
    pub(crate) fn new(
        world: World,
        expected: usize,
        pace: Pace,
        stage: Stage,
        terminal: u64,
    ) -> Session {
        Session {
            due: world.now().0 as f64,
            patience: world.now().0,
            began: world.history_start(),
            trimmed: false,
            full: false,
            world,
            stage,
            ports: Ports::default(),
            out: Outbox::default(),
            pace,
            real: now(),
            waiting: SortedMap::new(),
            terminals: Terminals::new(terminal),
            errands: SortedSet::new(),
            events: VecDeque::new(),
            turned: false,
            behind: false,
            expected,
            changed: true,
        }
    }

    /// Earlier moments cannot be gone back to any more.
    pub(crate) fn forget_history(&mut self) {
        self.world.forget_history();
        self.stage.stale = true;
    }

    /// Whether the world runs, and how fast.
    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// Begins a turn: real time has passed, and calls and frames have come in.
    pub(crate) fn begin_turn(&mut self) {
        let began = now();
        let elapsed = (began - self.real).clamp(0.0, ELAPSED_MAX_MS);
        self.real = began;
        if self.moves() {
            self.due += elapsed * 1_000.0 * self.pace.speed;
            // Who looks at the past has left the connections of clients from outside where they are.
            if !self.world.is_in_the_past() {
                self.take_ports();
            }
        }
    }

    /// Runs the world until it has reached the clock, the turn's time is over, or it stands still
    /// because a node waits for bytes; says whether that is so.
    pub(crate) fn run(&mut self) -> bool {
        if !self.moves() {
            return self.run_errands();
        }
        let target = Time((self.due as u64).max(self.world.now().0));
        self.behind = false;
        while self.world.run_until(target, EVENTS) == EVENTS {
            if self.is_late() {
                self.behind = true;
                break;
            }
        }
        self.world.stands_still() && !self.is_late()
    }

    /// A paused world goes on only to answer what was asked of it, and no longer than that takes.
    fn run_errands(&mut self) -> bool {
        while self.has_errands() && !self.world.stands_still() && !self.is_late() {
            self.world.step();
            self.sort_said();
        }
        self.behind = self.has_errands();
        self.world.stands_still() && !self.is_late()
    }

    /// Whether a paused world has something to do now.
    fn has_errands(&self) -> bool {
        let asked = !(self.waiting.is_empty() && self.errands.is_empty());
        let next = self.world.next_time();
        asked && !self.world.is_in_the_past() && next.is_some_and(|next| next.0 <= self.patience)
    }

    fn is_late(&self) -> bool {
        now() - self.real >= TURN_MS
    }

    /// Ends a turn: what was said is sorted.
    pub(crate) fn end_turn(&mut self) {
        if self.moves() {
            // What could not be done in time is not made up for later.
            let late = 200_000.0 * self.pace.speed.max(1.0);
            self.due = self.due.min(self.world.now().0 as f64 + late);
        }
        self.sort_said();
        self.terminals.hold_back(&mut self.world);
        if !self.trimmed && self.world.history_start() > self.began {
            self.trimmed = true;
            self.out.notice(NoticeCode::HistoryTrimmed, Params::new());
        }
        let full = self.world.has_full_disk();
        if std::mem::replace(&mut self.full, full) != full {
            // Where a world is stored, its shell says that there is no room, and when there is again.
            if !self.world.keeps_writes() {
                let code = match full {
                    true => NoticeCode::MemoryFull,
                    false => NoticeCode::MemoryRoom,
                };
                self.out.notice(code, Params::new());
            }
        }
    }

    /// Real time that passes without the world is not made up for.
    pub(crate) fn rest_of_turn(&mut self) {
        self.real = now();
    }

    /// Whether time passes: at the newest moment, or as it did in the past.
    fn moves(&self) -> bool {
        self.pace.running
    }

    /// Takes in what came over the ports; the world may run ahead a little to answer at once.
    fn take_ports(&mut self) {
        let arrived = self.ports.arrived();
        if arrived.is_empty() {
            return;
        }
        for news in arrived {
            match news {
                Arrived::Frame(id, frame) => drop(self.world.input(Input::Frame { id, frame })),
                Arrived::Gone(id) => {
                    self.world.input(Input::Close { id });
                    self.close_port(id);
                }
            }
        }
        let clock = self.due;
        let ahead = self.world.now().0 as f64 + LEAD_MICROS;
        self.due = clock.max(ahead.min(clock + LEAD_MAX_MICROS));
    }

    /// Shows what is due to be shown.
    pub(crate) fn show(&mut self) {
        self.terminals.leave(&mut self.out);
        for event in self.events.drain(..) {
            self.out.push(&Push::Event { event });
        }
        self.stage
            .show(&self.world, self.pace, now(), &mut self.out);
    }

    /// Real milliseconds until the next turn has something to do; `None` when nothing will by itself.
    /// What the page is to be shown waits for it when it does not keep up; then it rings.
    pub(crate) fn rest(&self, keeps_up: bool) -> Option<f64> {
        let moves = self.moves();
        let news = self.ports.has_news() && !self.world.is_in_the_past();
        let output = keeps_up && self.terminals.has_news();
        if self.behind || output || moves && news {
            return Some(0.0);
        }
        if !moves {
            return None;
        }
        Some(match self.ports.any_open() {
            true => 4.0,
            false => (TURN_EVERY_MS - (now() - self.real)).max(1.0),
        })
    }

    /// A command of a person; its end answers the call.
    ///
    /// # Errors
    /// If it would be done in the past, and what came after could not be kept.
    pub(crate) fn command(
        &mut self,
        call: f64,
        command: Command,
        told: Event,
    ) -> Result<(), Failure> {
        let number = self.deed(Input::Command(command))?;
        self.wait_for(number, call, Some(told));
        Ok(())
    }

    fn wait_for(&mut self, number: u32, call: f64, told: Option<Event>) {
        self.waiting.insert(u64::from(number), (call, told));
        self.be_patient();
    }

    fn be_patient(&mut self) {
        self.patience = self.world.now().0.saturating_add(ANSWER_MICROS);
        self.changed = true;
        self.stage.stale = true;
    }

    /// Something that changes the world: done in the past it begins a branch, and that is said.
    fn deed(&mut self, input: Input) -> Result<u32, Failure> {
        if !self.world.can_branch() {
            return Err(Failure::new(
                "future-too-large",
                "More came after this moment than can be kept aside; go back to now to change something.",
            ));
        }
        self.stage.beyond.redo = None;
        let at = self.world.world_millis();
        if self.world.branch_here() {
            self.turned = true;
            self.jumped();
            self.out
                .notice(NoticeCode::Branched, Params::from([("at", at.to_string())]));
            if self.ports.any_open() {
                let params = Params::from([("connections", "all".to_string())]);
                self.out.notice(NoticeCode::PastClosed, params);
            }
        }
        Ok(self.world.input(input))
    }

    /// Begins a command line; gives the page's number of its terminal. One that only reads is answered as of
    /// the moment shown where time does not pass.
    pub(crate) fn spawn(&mut self, line: String) -> Result<f64, Failure> {
        if self.terminals.is_full() {
            return Err(Failure::new(
                "too-many",
                "Too many commands run already; end one of them first.",
            ));
        }
        let stands = !self.moves() || self.world.is_in_the_past();
        if stands && let Some(answer) = self.world.ask(&line) {
            return Ok(self.terminals.answered(answer) as f64);
        }
        let ends = !line.trim_start().contains("kafka-console-");
        let id = self.deed(Input::Spawn { line })?;
        let page = self.terminals.began(id);
        if ends {
            self.errands.insert(id);
        }
        self.be_patient();
        Ok(page as f64)
    }

    /// Something for a command that runs, wherever one looks; nothing where it is over.
    pub(crate) fn tell_terminal(&mut self, page: f64, input: impl FnOnce(u32) -> Input) {
        if let Some(id) = self.terminals.running(page as u64) {
            self.world.input(input(id));
        }
    }

    /// A connection from outside: the page's port.
    pub(crate) fn connect(&mut self, broker: i32, alarm: &Rc<Alarm>) -> MessagePort {
        let id = self.world.input(Input::Connect { broker });
        self.ports.open(id, alarm)
    }

    pub(crate) fn take_back(&mut self) {
        if self.world.undo() {
            self.turned = true;
            self.jumped();
        }
    }

    pub(crate) fn do_again(&mut self, call: f64) {
        match self.world.redo() {
            Some(Redone::Given(number)) => self.wait_for(number, call, None),
            Some(Redone::Rejoined) => {
                self.turned = true;
                self.jumped();
                self.out.reply(call, Ok(JsValue::UNDEFINED));
            }
            None => self.out.reply(call, Ok(JsValue::UNDEFINED)),
        }
    }

    pub(crate) fn set_running(&mut self, running: bool) {
        self.pace.running = running;
        self.due = self.world.now().0 as f64;
        self.real = now();
        self.stage.stale = true;
    }

    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.pace.speed = if speed.is_finite() {
            speed.clamp(0.0, 1_000.0)
        } else {
            1.0
        };
        self.stage.stale = true;
    }

    /// Goes to a moment and stays there.
    pub(crate) fn seek(&mut self, millis: f64) {
        self.pace.running = false;
        self.world.seek(millis.max(0.0) as u64);
        self.jumped();
    }

    pub(crate) fn seek_present(&mut self) {
        self.world.seek_present();
        self.jumped();
    }

    /// One event on, or as many as bring one record; in the past those that happened. Where nobody produces,
    /// a step ends after a minute of the world's time.
    pub(crate) fn step(&mut self, record: bool) {
        self.pace.running = false;
        let before = self.appended();
        let until = self.world.now().0 + STEP_MICROS;
        for _ in 0..STEPS_MAX {
            if !self.world.step() || !record || self.appended() != before {
                break;
            }
            if self.world.next_time().is_none_or(|next| next.0 > until) {
                break;
            }
        }
        self.due = self.world.now().0 as f64;
        self.stage.stale = true;
    }

    /// Whether the scenario may have changed since the last call.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.changed |= self.stage.take_placed();
        // A new world places its clients after its topics; until then there is nothing to keep.
        let placed = self.stage.actors() >= self.expected || self.world.world_millis() > SETUP_MS;
        placed && std::mem::take(&mut self.changed)
    }

    /// Nothing that is still asked will be answered.
    pub(crate) fn fail_waiting(&mut self, why: &Failure) {
        self.errands.clear();
        for (_, (call, _)) in std::mem::take(&mut self.waiting) {
            self.out.reply(call, Err(why.clone()));
        }
    }

    fn appended(&self) -> u64 {
        self.world.sent().map(|(_, sent, _)| sent).sum()
    }

    /// The world is at another moment than before, and may be another branch.
    pub(crate) fn jumped(&mut self) {
        if self.world.is_playing() {
            // It waits for bytes on the way there.
            return;
        }
        self.due = self.world.now().0 as f64;
        self.changed = true;
        self.stage.moved();
        if std::mem::take(&mut self.turned) {
            self.terminals.end_missing(&self.world);
            self.errands.clear();
            self.events.clear();
            let to = self.world.timeline().end;
            let journal = self.world.journal_length();
            self.out.push(&Push::Rewound { to, journal });
        }
    }

    /// The session is over: nothing that still runs in it will end by itself.
    pub(crate) fn end(&mut self, why: Why, failure: &Failure) {
        self.fail_waiting(failure);
        self.terminals.end_all(why, &mut self.out);
    }

    fn close_port(&mut self, id: u32) {
        if let Some(port) = self.ports.forget(id) {
            self.out.close_port(&port);
        }
    }

    /// Turns what the world said into what leaves.
    pub(crate) fn sort_said(&mut self) {
        for said in self.world.take_said() {
            self.sort(said);
        }
    }

    fn sort(&mut self, said: Said) {
        match said {
            Said::Terminal { id, text } => self.terminals.print(id, text),
            Said::Exit { id, code } => {
                self.stage.stale = true;
                self.errands.remove(&id);
                self.terminals.exited(id, code);
            }
            Said::Frame { id, frame } => {
                if let Some(port) = self.ports.port(id) {
                    self.out.send_to_port(port, &frame);
                }
            }
            Said::Closed { id } => self.close_port(id),
            Said::Note { note, .. } => self.note(note),
            Said::Cut {
                log,
                at,
                bytes,
                why,
                ..
            } => {
                let params = [
                    ("log", log),
                    ("at", at.to_string()),
                    ("bytes", bytes.to_string()),
                    ("why", why),
                ];
                self.out.notice(NoticeCode::Cut, Params::from(params));
            }
            Said::Rolled { name, offset } => {
                let params = of_partition(&name, ("offset", offset.to_string()));
                self.tell("storage", "segment-rolled", params);
            }
            Said::Deleted { name, below } => {
                let params = of_partition(&name, ("offset", below.to_string()));
                self.tell("storage", "records-deleted", params);
            }
            Said::Done { input } => self.answer(input, Ok(JsValue::UNDEFINED)),
            Said::Refused {
                input,
                code,
                message,
            } => self.answer(input, Err(Failure { code, message })),
        }
    }

    fn answer(&mut self, input: u64, answer: Result<JsValue, Failure>) {
        if let Some((call, told)) = self.waiting.remove(&input) {
            if let Some(event) = told.filter(|_| answer.is_ok()) {
                self.add_event(event);
            }
            self.out.reply(call, answer);
            self.changed = true;
            self.stage.stale = true;
        }
    }

    fn note(&mut self, note: Note) {
        let (kind, code, params) = match note {
            Note::Rebalanced {
                group, generation, ..
            } => {
                let generation = ("generation", generation.to_string());
                let params = Params::from([("group", group.to_string()), generation]);
                ("group", "rebalance", params)
            }
            Note::MemberTimedOut { group, client_id } => {
                let name = ("name", client_id.to_string());
                let params = Params::from([("group", group.to_string()), name]);
                ("group", "member-timed-out", params)
            }
            Note::TopicMade { topic, client_id } => {
                let Some(again) = self.stage.made(&topic, self.world.world_millis()) else {
                    return;
                };
                let code = if again {
                    "topic-recreated"
                } else {
                    "topic-made"
                };
                let sends = self.world.sent().any(|(name, ..)| *name == *client_id);
                let sends = if sends { "yes" } else { "" };
                let params = Params::from([
                    ("name", topic.to_string()),
                    ("by", client_id.to_string()),
                    ("sends", sends.to_string()),
                ]);
                ("broker", code, params)
            }
            // It is said once, not of each batch that is sent again and again.
            Note::StoreRefused { .. } if self.full => return,
            Note::StoreRefused { name } => {
                let params = Params::from([("topic", name.topic.to_string())]);
                ("storage", "store-refused", params)
            }
            Note::BadMetadata => ("broker", "bad-metadata", Params::new()),
        };
        self.tell(kind, code, params);
    }

    /// A line for the events drawer.
    fn tell(&mut self, kind: &'static str, code: &str, params: Params) {
        self.stage.stale = true;
        self.add_event(Event {
            t: self.world.timeline().end,
            journal: 0,
            kind,
            code: code.to_string(),
            params,
            cli: None,
        });
    }

    fn add_event(&mut self, mut event: Event) {
        event.journal = self.world.journal_length();
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

fn of_partition(name: &TopicIdPartition, more: (&'static str, String)) -> Params {
    let partition = ("partition", name.partition.to_string());
    Params::from([("topic", name.topic.to_string()), partition, more])
}
