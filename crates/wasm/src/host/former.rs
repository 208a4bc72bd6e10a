//! Starting over, and undoing it: a workspace has another world, and keeps the one before.

use world::World;

use super::{Engine, Outcome, empty};
use crate::calls::Call;
use crate::owner::Owned;
use crate::push::{Failure, Opened, Outbox, Params};
use crate::stage::{Beyond, Pace, Stage};
use crate::store::Kind;
use crate::store::place::Switch;
use crate::turn::Session;

/// What undo and redo are called when they change the whole world.
const START_OVER: &str = "startOver";

/// A world that is kept in memory, because the browser stores nothing.
pub(super) struct Shelved {
    world: World,
    pace: Pace,
    /// It is the newer one of the two.
    newer: bool,
}

impl Engine {
    /// Which switch a call asks for: to start over, or to undo or redo that when nothing else is to be
    /// undone or done again.
    pub(super) fn switch_of(&self, call: &Call) -> Option<Switch> {
        let beyond = |look: for<'a> fn(&'a Beyond, &World) -> Option<&'a String>| {
            let session = self.session.as_ref()?;
            look(&session.stage.beyond, &session.world).map(|_| Switch::Kept)
        };
        match call.method.as_str() {
            "startOver" => Some(Switch::Fresh),
            "undo" => beyond(Beyond::back),
            "redo" => beyond(Beyond::forth),
            _ => None,
        }
    }

    /// Has the workspace go on with another world. This tab stays its owner throughout.
    pub(super) async fn switch(&mut self, call: &Call, switch: Switch) -> Result<Outcome, Failure> {
        if self.session.is_none() {
            return Err(self.nobody());
        }
        self.settle().await?;
        if let Some(disk) = &mut self.disk {
            let bytes = disk.bytes() as f64;
            if let Err(error) = disk.owned_mut().switch(switch, bytes).await {
                if error.kind == Kind::TakenOver {
                    self.failed(error.clone()).await;
                } else if disk.owned().place() != *disk.store().place() {
                    // The other world could not be opened here; asking again finds out why.
                    self.end_session();
                    self.disk = None;
                    self.ask(None);
                }
                return Err(error.into());
            }
        }
        let ended = self.end_session();
        self.pace = None;
        let mut out = Outbox::default();
        let begun = match (self.disk.take(), ended) {
            (Some(disk), _) => self.begin(Ok(disk.into_owned()), false, &mut out).await,
            (None, Some(ended)) => self.unshelve(ended, switch, &mut out),
            (None, None) => return Err(self.nobody()),
        };
        match begun {
            Ok(opened) => out.reply(call.id, Ok(opened)),
            Err(failure) => out.reply(call.id, Err(failure)),
        }
        self.finish_opening(out);
        Ok(Outcome::Later)
    }

    /// Where nothing is stored, the world that ended is kept in memory.
    fn unshelve(
        &mut self,
        ended: Session,
        switch: Switch,
        out: &mut Outbox,
    ) -> Result<wasm_bindgen::JsValue, Failure> {
        let given = self.opening.scenario.clone().unwrap_or_else(empty);
        let kept = self.shelf.take();
        let newer = kept.as_ref().is_some_and(|kept| kept.newer);
        let pace = ended.pace();
        let shelved = Shelved {
            newer: switch == Switch::Kept && !newer,
            world: ended.world,
            pace,
        };
        let (world, pace, expected) = match kept.filter(|_| switch == Switch::Kept) {
            Some(kept) => (kept.world, kept.pace, 0),
            None => {
                let expected = given.producers.len() + given.groups.len();
                let world = World::new(given);
                let world = world.map_err(|why| Failure::new("bad-scenario", why.0))?;
                let speed = self.opening.speed;
                let running = true;
                (world, Pace { running, speed }, expected)
            }
        };
        self.worlds += u32::from(switch == Switch::Fresh);
        self.shelf = Some(shelved);
        let restored = switch == Switch::Kept;
        let stage = Stage::new(self.watch.clone(), self.layout);
        let session = Session::new(world, expected, pace, stage, self.terminal);
        Ok(self.start(session, restored, out))
    }

    /// What undo and redo lead to beyond what was done in this world.
    pub(super) fn beyond(&self) -> Beyond {
        let former = self.disk.as_ref().and_then(|disk| disk.owned().former());
        let newer = match (former, &self.shelf) {
            (Some(former), _) => former.newer,
            (None, Some(shelved)) => shelved.newer,
            (None, None) => return Beyond::default(),
        };
        let what = Some(START_OVER.to_string());
        match newer {
            true => Beyond {
                redo: what,
                ..Beyond::default()
            },
            false => Beyond {
                undo: what,
                ..Beyond::default()
            },
        }
    }

    /// Which of the workspace's worlds is open.
    fn world(&self) -> String {
        let workspace = &self.opening.workspace;
        match &self.disk {
            Some(disk) => format!("{workspace}~{}", disk.owned().place().number),
            None => format!("{workspace}~{}", self.worlds),
        }
    }

    /// Makes `session` the one that is open, and tells the page.
    pub(super) fn start(
        &mut self,
        session: Session,
        restored: bool,
        out: &mut Outbox,
    ) -> wasm_bindgen::JsValue {
        let mut session = session;
        session.stage.beyond = self.beyond();
        self.bound(&mut session);
        self.session = Some(session);
        let opened = Opened {
            workspace: self.opening.workspace.clone(),
            world: self.world(),
            restored,
            owner: true,
        };
        out.opened(&opened);
        opened.plain()
    }

    /// What was kept of the workspace is gone for good.
    pub(super) async fn forget_former(owned: &mut Owned) -> bool {
        let kept = owned.former().is_some();
        kept && owned.forget_former().await.is_ok() && owned.claim().sweep().await.is_ok()
    }

    /// Parameters of the notice that says what had to go.
    pub(super) fn gone(what: bool) -> Params {
        Params::from([("gone", if what { "1" } else { "" }.to_string())])
    }
}
