//! The worker's one object: calls come in, a task runs the world, replies and pushes go out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;
use world::{Scenario, World};

use crate::browser::Alarm;
use crate::calls::{self, Call, Opening, Outcome};
use crate::push::{Failure, Outbox, set};
use crate::stage::Watch;
use crate::turn::Session;

/// What `web/engine/worker.ts` makes one of.
#[wasm_bindgen]
pub struct Host {
    desk: Rc<Desk>,
}

/// Where calls lie until the engine takes them.
struct Desk {
    calls: RefCell<VecDeque<JsValue>>,
    alarm: Rc<Alarm>,
}

#[wasm_bindgen]
impl Host {
    /// `post(message, transfer)` takes everything that leaves.
    #[wasm_bindgen(constructor)]
    pub fn new(post: Function) -> Host {
        console_error_panic_hook::set_once();
        let desk = Rc::new(Desk {
            calls: RefCell::default(),
            alarm: Rc::new(Alarm::new()),
        });
        let engine = Engine {
            desk: desk.clone(),
            post,
            session: None,
            watch: None,
        };
        wasm_bindgen_futures::spawn_local(engine.run());
        Host { desk }
    }

    /// Takes a call; its reply is posted.
    pub fn call(&self, call: JsValue) {
        self.desk.calls.borrow_mut().push_back(call);
        self.desk.alarm.ring();
    }
}

struct Engine {
    desk: Rc<Desk>,
    post: Function,
    session: Option<Session>,
    /// The page's last wish, for the next workspace.
    watch: Option<JsValue>,
}

impl Engine {
    async fn run(mut self) {
        loop {
            while let Some(call) = self.next_call() {
                self.take(&Call::of(&call)).await;
            }
            let rest = match &mut self.session {
                Some(session) => {
                    session.turn();
                    session.show();
                    session.out.release(&self.post);
                    session.rest()
                }
                None => None,
            };
            self.desk.alarm.sleep(rest).await;
        }
    }

    fn next_call(&self) -> Option<JsValue> {
        self.desk.calls.borrow_mut().pop_front()
    }

    async fn take(&mut self, call: &Call) {
        let outcome = match call.method.as_str() {
            "open" => self.open(call).await,
            "watch" => self.take_watch(call),
            "workspaces" | "renameWorkspace" | "deleteWorkspace" => self.workspaces(call).await,
            _ => match &mut self.session {
                Some(session) => calls::carry_out(session, call, &self.desk.alarm),
                None => Err(Failure::new(
                    "no-workspace",
                    "No workspace is open; open one first.",
                )),
            },
        };
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

    async fn open(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let opening = Opening::of(call)?;
        let layout = self
            .session
            .take()
            .map_or(0, |session| session.stage.layout());
        let scenario = opening.scenario.unwrap_or_else(empty);
        let world = World::new(scenario).map_err(|why| Failure::new("bad-scenario", why.0))?;
        self.session = Some(Session::new(world, opening.speed, Watch::default(), layout));
        let opened: JsValue = Object::new().into();
        set(&opened, "workspace", &opening.workspace.into());
        set(&opened, "restored", &false.into());
        set(&opened, "owner", &true.into());
        Ok(Outcome::Answer(opened))
    }

    fn take_watch(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let watch = calls::watch(call)?;
        if let Some(session) = &mut self.session {
            session.stage.watch = watch;
            session.stage.stale = true;
        }
        Ok(Outcome::Answer(JsValue::UNDEFINED))
    }

    async fn workspaces(&mut self, _call: &Call) -> Result<Outcome, Failure> {
        Ok(Outcome::Answer(js_sys::Array::new().into()))
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
        speed: None,
        properties: Default::default(),
        topics: Vec::new(),
        producers: Vec::new(),
        groups: Vec::new(),
        events: Vec::new(),
    }
}
