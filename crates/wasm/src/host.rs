//! The worker's one object: calls come in, a task runs the world, replies and pushes go out.

mod former;
mod listing;
mod shortage;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;
use world::{Scenario, World};

use crate::arrival::Arrival;
use crate::browser::Alarm;
use crate::calls::{self, Call, Opening, Outcome};
use crate::look::look;
use crate::methods;
use crate::owner::Owned;
use crate::persist::Disk;
use crate::push::{Failure, NoticeCode, Outbox, Params, Post, Push};
use crate::recover;
use crate::stage::{Pace, Stage, Watch};
use crate::store::sys::{Slot, pause};
use crate::store::{Kind, StoreError, Turn, workspaces};
use crate::terminals::Why;
use crate::turn::Session;

/// Real milliseconds after a failed commit before the world is built anew.
const RETRY_MS: i32 = 1_000;
/// Real milliseconds between two notes of a workspace's size.
const USE_MS: f64 = 5_000.0;
/// Calls that wait for their turn at most; what comes then is refused.
const CALLS_MAX: usize = 1_024;
/// Bytes of logs that stay in memory.
const MEMORY_BYTES: u64 = 64 << 20;
/// Bytes that logs come to at most where nothing can be stored: history may hold as many again.
const MEMORY_ONLY_BYTES: u64 = 96 << 20;
/// Bytes that may be written while a commit is under way; then the world waits for it.
const UNSTORED_BYTES: u64 = 32 << 20;

/// What `web/engine/worker.ts` makes one of.
#[wasm_bindgen]
pub struct Host {
    desk: Rc<Desk>,
}

/// Where calls lie until the engine takes them.
struct Desk {
    calls: RefCell<VecDeque<JsValue>>,
    alarm: Rc<Alarm>,
    post: Post,
}

#[wasm_bindgen]
impl Host {
    /// `post(message, transfer)` takes everything that leaves.
    #[wasm_bindgen(constructor)]
    pub fn new(post: Function) -> Host {
        console_error_panic_hook::set_once();
        let post = Post::new(post);
        let desk = Rc::new(Desk {
            calls: RefCell::default(),
            alarm: Rc::new(Alarm::new()),
            post: post.clone(),
        });
        let engine = Engine {
            desk: desk.clone(),
            post,
            // No other worker of this page begins in the same millisecond and gives as many.
            terminal: js_sys::Date::now() as u64,
            session: None,
            disk: None,
            commit: None,
            arrival: None,
            opening: Opening::default(),
            layout: 0,
            trouble: false,
            gathered: 0,
            watch: Watch::default(),
            pace: None,
            used: (f64::MIN, u64::MAX),
            short: false,
            look: None,
            tidied: false,
            shelf: None,
            worlds: 0,
        };
        wasm_bindgen_futures::spawn_local(engine.run());
        Host { desk }
    }

    /// The page has taken everything up to a turn.
    pub fn saw(&self, turn: f64) {
        let waits = !self.desk.post.keeps_up();
        self.desk.post.saw(turn);
        if waits {
            self.desk.alarm.ring();
        }
    }

    /// Takes a call; its reply is posted.
    pub fn call(&self, call: JsValue) {
        let waiting = self.desk.calls.borrow().len();
        if waiting >= CALLS_MAX {
            let mut out = Outbox::default();
            let why = format!("{waiting} calls wait for their turn; wait for their answers first.");
            let refusal = Failure::new("too-many-calls", why);
            out.reply(Call::of(&call).id, Err(refusal));
            return out.release(&self.desk.post);
        }
        self.desk.calls.borrow_mut().push_back(call);
        self.desk.alarm.ring();
    }
}

/// The end of a commit under way.
type Commit = Rc<RefCell<Slot<Result<(), StoreError>>>>;

struct Engine {
    desk: Rc<Desk>,
    post: Post,
    /// Number of the next terminal.
    terminal: u64,
    session: Option<Session>,
    /// Where the session is stored; `None` where the browser stores nothing.
    disk: Option<Disk>,
    commit: Option<Commit>,
    /// A workspace that this tab waits for.
    arrival: Option<Arrival>,
    /// What the page opened last.
    opening: Opening,
    /// Number of the last layout shown.
    layout: u32,
    /// The last commit failed.
    trouble: bool,
    /// Bytes that the world had written when it was gathered last.
    gathered: u64,
    /// Which cells the page wants.
    watch: Watch,
    /// How the session that failed ran: the next one goes on like that.
    pace: Option<Pace>,
    /// When the workspace's size was noted, and what it was.
    used: (f64, u64),
    /// The browser has no room for more.
    short: bool,
    look: Option<shortage::Look>,
    /// What earlier lives of the page have left behind was seen to.
    tidied: bool,
    /// The other world of the workspace, where the browser stores nothing; and how many there were.
    shelf: Option<former::Shelved>,
    worlds: u32,
}

impl Engine {
    async fn run(mut self) {
        loop {
            while let Some(call) = self.next_call() {
                self.take(&call).await;
            }
            let arriving = self.arrive().await;
            let rest = self.turn().await.or(arriving);
            self.desk.alarm.sleep(rest).await;
        }
    }

    /// The next call to take. While a workspace is being opened and nobody is waited for, what is asked
    /// of it waits, too.
    fn next_call(&self) -> Option<Call> {
        let mut calls = self.desk.calls.borrow_mut();
        let call = Call::of(calls.front()?);
        let opening = self.arrival.as_ref().is_some_and(Arrival::is_open);
        if opening && call.method != "open" {
            return None;
        }
        calls.pop_front();
        Some(call)
    }

    async fn take(&mut self, call: &Call) {
        let outcome = match (call.method.as_str(), self.switch_of(call)) {
            (_, Some(switch)) => self.switch(call, switch).await,
            ("open", _) => self.open(call).await,
            ("status", _) => Ok(Outcome::Answer(self.status())),
            ("watch", _) => self.take_watch(call),
            ("workspaces", _) => self.workspaces().await,
            ("renameWorkspace" | "deleteWorkspace" | "undeleteWorkspace", _) => {
                self.change_workspace(call).await
            }
            _ => self.ask_session(call).await,
        };
        self.serve(true).await;
        let mut direct = Outbox::default();
        let out = match &mut self.session {
            Some(session) => &mut session.out,
            None => &mut direct,
        };
        match outcome {
            Ok(Outcome::Answer(value)) => out.reply(call.id, Ok(value)),
            Ok(Outcome::Give(value, transfer)) => out.reply_with(call.id, Ok(value), transfer),
            Ok(Outcome::Later) => {}
            Err(failure) => out.reply(call.id, Err(failure)),
        }
        direct.release(&self.post);
    }

    async fn ask_session(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let Some(session) = &mut self.session else {
            return Err(self.nobody());
        };
        match call.method.as_str() {
            "records" | "inspect" => look(session, self.disk.as_ref(), call).await,
            _ => calls::carry_out(session, call, &self.desk.alarm),
        }
    }

    /// Reads what the world stands still for, until it can go on; `jumped` when that is on the way
    /// to another moment.
    async fn serve(&mut self, jumped: bool) {
        let Some(session) = self.session.as_mut() else {
            return;
        };
        if !session.world.stands_still() {
            return;
        }
        while session.world.stands_still() {
            for wanted in session.world.owed() {
                let bytes = match &self.disk {
                    // The node says that it cannot read, as it does of a disk.
                    Some(disk) => disk.load(&wanted).await.unwrap_or_default(),
                    None => Default::default(),
                };
                session.world.loaded(wanted.node, wanted.token, bytes);
            }
        }
        if jumped {
            session.jumped();
        }
    }

    /// Lets go of the workspace that is open and asks for another one.
    async fn open(&mut self, call: &Call) -> Result<Outcome, Failure> {
        self.opening = Opening::of(call)?;
        self.leave().await;
        self.trouble = false;
        self.pace = None;
        (self.shelf, self.worlds) = (None, 0);
        self.ask(Some(call.id));
        Ok(Outcome::Later)
    }

    async fn leave(&mut self) {
        // However it ends: who comes next reads what is stored.
        let _ = self.settle().await;
        self.end_session();
        if let Some(disk) = self.disk.take() {
            let bytes = disk.bytes();
            let _ = workspaces::record_use(disk.store().workspace(), bytes).await;
        }
    }

    /// Waits until all is stored that has happened so far; what is said of it leaves.
    async fn settle(&mut self) -> Result<(), Failure> {
        for last in [false, true] {
            if let Some(commit) = self.commit.clone() {
                let ended = poll_fn(|context| Slot::poll(&commit, context)).await;
                Slot::set(&commit, ended);
            }
            if let Some(Err(error)) = self.commit_end() {
                let failure = Failure::from(error.clone());
                self.failed(error).await;
                return Err(failure);
            }
            if !last {
                self.store();
            }
        }
        Ok(())
    }

    /// Ends the session that is open.
    fn end_session(&mut self) -> Option<Session> {
        let mut session = self.session.take()?;
        self.layout = session.stage.layout();
        self.terminal = session.terminals.next();
        session.end(
            Why::Replaced,
            &Failure::new("closed", "The workspace was closed."),
        );
        session.out.push(&Push::Rewound { to: 0, journal: 0 });
        session.out.release(&self.post);
        Some(session)
    }

    fn ask(&mut self, call: Option<f64>) {
        let workspace = &self.opening.workspace;
        self.arrival = Some(Arrival::begin(workspace, call, &self.desk.alarm));
    }

    /// Goes on with the workspace that is waited for; says when to look again.
    async fn arrive(&mut self) -> Option<f64> {
        let mut out = Outbox::default();
        let arrival = self.arrival.as_mut()?;
        match arrival.outcome() {
            None => {
                let rest = arrival.say_waiting(&self.opening.workspace, &mut out);
                out.release(&self.post);
                rest
            }
            Some(owned) => {
                let (call, waited) = (arrival.call.take(), arrival.has_said());
                self.arrival = None;
                let answer = self.begin(owned, call.is_none() && waited, &mut out).await;
                match (call, answer) {
                    (Some(call), answer) => out.reply(call, answer),
                    (None, Err(failure)) => {
                        let why = Params::from([("why", failure.message)]);
                        out.notice(NoticeCode::StorageLost, why);
                    }
                    (None, Ok(_)) => {}
                }
                self.finish_opening(out);
                None
            }
        }
    }

    /// What was said while opening leaves with the first commit.
    fn finish_opening(&mut self, mut out: Outbox) {
        match &mut self.session {
            Some(session) => session.out.append(&mut out),
            None => out.release(&self.post),
        }
    }

    /// Opens what this tab owns now.
    async fn begin(
        &mut self,
        owned: Result<Owned, StoreError>,
        took_over: bool,
        out: &mut Outbox,
    ) -> Result<JsValue, Failure> {
        let given = self.opening.scenario.clone().unwrap_or_else(empty);
        let mut expected = given.producers.len() + given.groups.len();
        let (world, restored, cuts, pace) = match owned {
            Ok(mut owned) => {
                if owned.short && !self.short {
                    let gone = self.run_short(&mut owned).await;
                    out.notice(NoticeCode::Quota, gone);
                }
                let opened = recover::open(owned, given).await?;
                self.disk = Some(opened.disk);
                expected = opened.placed;
                (opened.world, opened.restored, opened.cuts, opened.pace)
            }
            Err(error) if error.kind == Kind::Unavailable => {
                out.notice(NoticeCode::Memory, Params::new());
                let world = World::new(given);
                let world = world.map_err(|why| Failure::new("bad-scenario", why.0))?;
                (world, false, Vec::new(), None)
            }
            Err(error) => return Err(error.into()),
        };
        if took_over {
            out.notice(NoticeCode::TookOver, Params::new());
        }
        let quietly = took_over || self.trouble || self.short;
        if let Some((code, params)) = recover::told(cuts, restored && !quietly) {
            out.notice(code, params);
        }
        let speed = self.opening.speed;
        let running = true;
        let pace = self.pace.take().or(pace);
        let pace = pace.unwrap_or(Pace { running, speed });
        let stage = Stage::new(self.watch.clone(), self.layout);
        let session = Session::new(world, expected, pace, stage, self.terminal);
        self.gathered = 0;
        self.used = (f64::MIN, u64::MAX);
        self.look = self.look.take().filter(|_| self.short);
        Ok(self.start(session, restored, out))
    }

    /// One turn of the world; what it says leaves when it is stored. Says when the next is due.
    async fn turn(&mut self) -> Option<f64> {
        if let Some(Err(error)) = self.commit_end() {
            self.failed(error).await;
            return Some(0.0);
        }
        if self.is_congested() {
            // The world waits for the store; the end of the commit rings.
            self.session.as_mut()?.rest_of_turn();
            return None;
        }
        self.look_for_room();
        self.session.as_mut()?.begin_turn();
        while self.session.as_mut()?.run() {
            self.serve(false).await;
        }
        self.serve(false).await;
        let session = self.session.as_mut()?;
        session.end_turn();
        if self.post.keeps_up() {
            session.show();
        }
        let rest = session.rest(self.post.keeps_up());
        self.store();
        self.note_use();
        rest
    }

    /// Whether a commit is under way and much has been written since it began.
    fn is_congested(&self) -> bool {
        let written = self.session.as_ref().map_or(0, |s| s.world.written());
        self.commit.is_some() && written.saturating_sub(self.gathered) > UNSTORED_BYTES
    }

    /// The end of the last commit, once.
    fn commit_end(&mut self) -> Option<Result<(), StoreError>> {
        let commit = self.commit.as_ref()?;
        let end = commit.borrow_mut().take()?;
        self.commit = None;
        if end.is_ok()
            && std::mem::take(&mut self.trouble)
            && let Some(session) = &mut self.session
        {
            session.out.notice(NoticeCode::StorageBack, Params::new());
        }
        Some(end)
    }

    /// Begins to store what the last turns wrote, unless a commit is under way; the world goes on
    /// meanwhile, but what it says waits for its own commit.
    fn store(&mut self) {
        let Some(session) = self.session.as_mut().filter(|_| self.commit.is_none()) else {
            return;
        };
        let (changed, pace) = (session.take_changed(), session.pace());
        let turn = match &mut self.disk {
            Some(disk) => {
                let turn = disk.gather(&mut session.world, changed, pace);
                if std::mem::take(&mut disk.forgot) {
                    session.forget_history();
                }
                self.gathered = session.world.written();
                // The turn holds what it stores; only now may logs let go of it.
                session.world.evict(MEMORY_BYTES);
                turn
            }
            None => Turn::default(),
        };
        let Some(disk) = self.disk.as_ref().filter(|_| !turn.is_empty()) else {
            return session.out.release(&self.post);
        };
        let end = Slot::shared();
        self.commit = Some(end.clone());
        let mut out = std::mem::take(&mut session.out);
        let (store, post) = (disk.store().clone(), self.post.clone());
        let alarm = self.desk.alarm.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let stored = store.commit(&turn).await;
            match &stored {
                Ok(()) => out.release(&post),
                Err(error) => out.fail(&Failure::from(error.clone()), &post),
            }
            Slot::set(&end, stored);
            alarm.ring();
        });
    }

    /// Nothing of the last turn was seen: the world begins again from what is stored.
    async fn failed(&mut self, error: StoreError) {
        let mut out = Outbox::default();
        let mut disk = self.disk.take();
        match error.kind {
            Kind::TakenOver => out.notice(NoticeCode::LostOwnership, Params::new()),
            Kind::Quota if !self.short => {
                if let Some(disk) = &mut disk {
                    let gone = self.run_short(disk.owned_mut()).await;
                    out.notice(NoticeCode::Quota, gone);
                }
            }
            _ if self.trouble || self.short => {}
            _ => out.notice(
                NoticeCode::StorageLost,
                Params::from([("why", error.to_string())]),
            ),
        }
        let failure = Failure::from(error.clone());
        if let Some(mut session) = self.session.take() {
            session.fail_waiting(&failure);
            self.pace = Some(session.pace());
            self.layout = session.stage.layout();
            self.terminal = session.terminals.next();
            session.out.fail(&failure, &self.post);
            session.terminals.end_all(Why::Restarted, &mut out);
        }
        out.release(&self.post);
        if error.kind == Kind::TakenOver {
            return;
        }
        self.trouble = error.kind != Kind::Quota;
        pause(RETRY_MS).await;
        let Some(disk) = disk.filter(|_| error.kind != Kind::Wiped) else {
            return self.ask(None);
        };
        let mut out = Outbox::default();
        match self.begin(Ok(disk.into_owned()), false, &mut out).await {
            Ok(_) => self.finish_opening(out),
            Err(_) => self.ask(None),
        }
    }

    fn take_watch(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let (watch,) = methods::watch(call)?;
        if !watch.is_bounded() {
            return Err(Failure::new(
                "invalid-argument",
                "More lanes are watched than a page can show.",
            ));
        }
        self.watch = watch;
        if let Some(session) = &mut self.session {
            session.stage.watch = self.watch.clone();
            session.stage.stale = true;
        }
        Ok(Outcome::Answer(JsValue::UNDEFINED))
    }
}

/// A world with nothing in it but a broker.
fn empty() -> Scenario {
    Scenario {
        version: 1,
        title: None,
        seed: "1".to_string(),
        start_ms: 1_767_225_600_000,
        brokers: 1,
        controllers: 1,
        racks: Vec::new(),
        speed: None,
        properties: Default::default(),
        topics: Vec::new(),
        producers: Vec::new(),
        groups: Vec::new(),
        events: Vec::new(),
    }
}
