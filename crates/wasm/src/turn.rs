//! One turn: what has arrived goes in, the world runs for a few milliseconds, what it said is sorted.

use std::rc::Rc;

use ids::Time;
use sorted::SortedMap;
use wasm_bindgen::JsValue;
use world::{Command, Input, Note, ReplicaName, Said, TerminalText, World};

use crate::browser::{Alarm, MessagePort, now};
use crate::deeds::Deeds;
use crate::ports::{Arrived, Ports};
use crate::push::{Event, Failure, Outbox, Params, Push};
use crate::stage::{Pace, Stage, Undoable};

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
/// World microseconds that a paused world may take to answer a command.
const ANSWER_MICROS: u64 = 5_000_000;
/// Steps to the next record at most.
const STEPS_MAX: u64 = 50_000;
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
    deeds: Deeds,
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
    pub(crate) fn new(world: World, expected: usize, pace: Pace, stage: Stage) -> Session {
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
            deeds: Deeds::default(),
            behind: false,
            expected,
            changed: true,
        }
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
            self.take_ports();
        }
    }

    /// Runs the world until it has reached the clock, the turn's time is over, or it stands still
    /// because a node waits for bytes; says whether that is so.
    pub(crate) fn run(&mut self) -> bool {
        let moves = self.moves();
        let target = self.target(moves);
        let is_late = || now() - self.real >= TURN_MS;
        while !is_late() && self.world.run_until(target, EVENTS) == EVENTS {
            if !moves && self.waiting.is_empty() {
                break;
            }
        }
        self.behind = self.world.next_time().is_some_and(|next| next <= target);
        self.world.stands_still() && !is_late()
    }

    /// Ends a turn: what was said is sorted.
    pub(crate) fn end_turn(&mut self) {
        if self.moves() {
            // What could not be done in time is not made up for later.
            let late = 200_000.0 * self.pace.speed.max(1.0);
            self.due = self.due.min(self.world.now().0 as f64 + late);
        }
        self.sort_said();
        if !self.trimmed && self.world.history_start() > self.began {
            self.trimmed = true;
            self.out.notice("history-trimmed", Params::new());
        }
        let full = self.world.has_full_disk();
        if std::mem::replace(&mut self.full, full) != full {
            let code = if full { "memory-full" } else { "memory-room" };
            self.out.notice(code, Params::new());
        }
    }

    /// Real time that passes without the world is not made up for.
    pub(crate) fn rest_of_turn(&mut self) {
        self.real = now();
    }

    fn moves(&self) -> bool {
        self.pace.running && !self.world.is_in_the_past()
    }

    /// How far the world goes in this turn.
    fn target(&self, moves: bool) -> Time {
        let clock = self.due as u64;
        match (moves, self.waiting.is_empty()) {
            (true, _) => Time(clock.max(self.world.now().0)),
            // A paused world goes on only to answer what was asked of it.
            (false, false) => Time(self.patience),
            (false, true) => Time(0),
        }
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
        let undoable = Undoable {
            undo: self.deeds.to_undo(),
            redo: self.deeds.to_redo(),
        };
        self.stage
            .show(&self.world, self.pace, &undoable, now(), &mut self.out);
    }

    /// Real milliseconds until the next turn has something to do; `None` when nothing will by itself.
    pub(crate) fn rest(&self) -> Option<f64> {
        let moves = self.moves();
        if self.behind || !self.waiting.is_empty() || moves && self.ports.has_news() {
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
    pub(crate) fn command(&mut self, call: f64, command: Command, told: Event) {
        self.continue_here();
        let continues = self.world.continues_step(&command);
        let number = self.world.input(Input::Command(command));
        self.deeds.did(number, told.code.clone(), continues);
        self.wait_for(number, call, Some(told));
    }

    fn wait_for(&mut self, number: u32, call: f64, told: Option<Event>) {
        self.waiting.insert(u64::from(number), (call, told));
        self.patience = self.world.now().0.saturating_add(ANSWER_MICROS);
        self.changed = true;
        self.stage.stale = true;
    }

    /// An input without an end of its own; gives its number.
    pub(crate) fn input(&mut self, input: Input) -> u32 {
        self.continue_here();
        self.world.input(input)
    }

    /// A connection from outside: the page's port.
    pub(crate) fn connect(&mut self, broker: i32, alarm: &Rc<Alarm>) -> MessagePort {
        let id = self.input(Input::Connect { broker });
        self.ports.open(id, alarm)
    }

    pub(crate) fn take_back(&mut self) {
        if self.deeds.take_back(&mut self.world) {
            self.jumped();
        }
    }

    pub(crate) fn do_again(&mut self, call: f64) {
        self.continue_here();
        match self.deeds.do_again(&mut self.world) {
            Some(number) => self.wait_for(number, call, None),
            None => self.out.reply(call, Ok(JsValue::UNDEFINED)),
        }
    }

    pub(crate) fn set_running(&mut self, running: bool) {
        if running {
            self.continue_here();
        }
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

    /// One event on, or as many as bring one record.
    pub(crate) fn step(&mut self, record: bool) {
        self.pace.running = false;
        if self.world.is_in_the_past() {
            let ahead = if record { 100 } else { 10 };
            self.world.seek(self.world.world_millis() + ahead);
            return self.jumped();
        }
        let before = self.appended();
        for _ in 0..STEPS_MAX {
            if !self.world.step() || !record || self.appended() != before {
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
        for (_, (call, _)) in std::mem::take(&mut self.waiting) {
            self.out.reply(call, Err(why.clone()));
        }
    }

    fn appended(&self) -> u64 {
        self.world.sent().map(|(_, sent, _)| sent).sum()
    }

    /// Something is done in the past: what came after it is given up.
    fn continue_here(&mut self) {
        if self.world.continue_here() {
            self.deeds.clear();
            self.jumped();
            let open = self.ports.any_open();
            if open {
                let params = Params::from([("connections", "all".to_string())]);
                self.out.notice("past-closed", params);
            }
        }
    }

    /// The world is at another moment than before.
    pub(crate) fn jumped(&mut self) {
        self.due = self.world.now().0 as f64;
        self.changed = true;
        self.stage.moved();
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
            Said::Terminal { id, text } => self.out.push(&match text {
                TerminalText::Out(bytes) => Push::Stdout {
                    id,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                },
                TerminalText::Err(bytes) => Push::Stderr {
                    id,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                },
            }),
            Said::Exit { id, code } => {
                self.stage.stale = true;
                self.out.push(&Push::Exit { id, code });
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
                self.out.notice("cut", Params::from(params));
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
            match told {
                Some(event) if answer.is_ok() => self.out.push(&Push::Event { event }),
                _ if answer.is_err() => self.deeds.refused(input),
                _ => {}
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
        self.out.push(&Push::Event {
            event: Event {
                t: self.world.world_millis(),
                kind,
                code: code.to_string(),
                params,
                cli: None,
            },
        });
    }
}

fn of_partition(name: &ReplicaName, more: (&'static str, String)) -> Params {
    let partition = ("partition", name.partition.to_string());
    Params::from([("topic", name.topic.to_string()), partition, more])
}
