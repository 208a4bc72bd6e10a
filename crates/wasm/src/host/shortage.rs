//! When the browser has no room for more: records are refused, and what is deleted makes room.
//!
//! A ballast is stored while there is room (`store::ballast`). When a commit finds none, the ballast is
//! given up, so that small commits fit again, as the deletion of a topic is one; the simulated disks are
//! full meanwhile, so that nothing is acknowledged which could not be stored. When the ballast fits again,
//! there is room.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Engine, MEMORY_ONLY_BYTES};
use crate::browser::Alarm;
use crate::owner::Owned;
use crate::push::{NoticeCode, Params};
use crate::store::sys::{Slot, pause};
use crate::store::{Kind, StoreError, ballast, workspaces};
use crate::turn::Session;

/// Real milliseconds between two looks for room.
const LOOK_MS: i32 = 2_000;
/// Real milliseconds after a world has begun before anything is tidied up.
const TIDY_MS: i32 = 3_000;

/// A look for room that is under way: whether the ballast is stored.
pub(super) type Look = Rc<RefCell<Slot<bool>>>;

/// Looks once, after a while.
fn look(alarm: &Rc<Alarm>, milliseconds: i32) -> Look {
    let (look, alarm) = (Slot::shared(), alarm.clone());
    let found = look.clone();
    wasm_bindgen_futures::spawn_local(async move {
        pause(milliseconds).await;
        let stowed = ballast::stow().await;
        let full = stowed.is_err_and(|error: StoreError| error.kind == Kind::Quota);
        Slot::set(&found, !full);
        alarm.ring();
    });
    look
}

impl Engine {
    /// The disks of a session's world have the room that there is.
    pub(super) fn bound(&mut self, session: &mut Session) {
        match &mut self.disk {
            Some(disk) => {
                session.world.keep_writes();
                disk.short = self.short;
                if self.short {
                    session.world.bound_disks(0);
                }
            }
            None => session.world.bound_disks(MEMORY_ONLY_BYTES),
        }
    }

    /// Deletes what a person has deleted, and what starting over has left behind; then looks for room.
    pub(super) fn tidy(&mut self) {
        let Some(disk) = self.disk.as_ref().filter(|_| self.look.is_none()) else {
            return;
        };
        let mut claim = disk.owned().claim();
        if !std::mem::replace(&mut self.tidied, true) {
            wasm_bindgen_futures::spawn_local(async move {
                pause(TIDY_MS).await;
                // What cannot be deleted now is deleted another time.
                let _ = workspaces::sweep(None).await;
                let _ = claim.sweep().await;
            });
        }
        self.look = Some(look(&self.desk.alarm, TIDY_MS));
    }

    /// Takes in what the last look found.
    pub(super) fn look_for_room(&mut self) {
        let Some(found) = self.look.as_ref().and_then(|look| look.borrow_mut().take()) else {
            return;
        };
        let (Some(session), Some(disk)) = (&mut self.session, &mut self.disk) else {
            return;
        };
        match (self.short, found) {
            (true, true) => {
                session.world.free_disks();
                session.out.notice(NoticeCode::StorageBack, Params::new());
            }
            (false, false) => {
                session.world.bound_disks(0);
                session.out.notice(NoticeCode::Quota, Engine::gone(false));
            }
            _ => {}
        }
        self.short = !found;
        disk.short = self.short;
        if self.short {
            self.look = Some(look(&self.desk.alarm, LOOK_MS));
        }
    }

    /// Gives up the ballast and what is kept only to undo something. Says in the parameters of the notice
    /// whether anything was.
    pub(super) async fn run_short(&mut self, owned: &mut Owned) -> Params {
        self.short = true;
        self.look = Some(look(&self.desk.alarm, LOOK_MS));
        Engine::gone(make_room(owned).await)
    }
}

/// Gives up what can be given up; says whether an undo needed it.
async fn make_room(owned: &mut Owned) -> bool {
    // Whatever stays keeps its place, and the next look finds out.
    let _ = ballast::give_up().await;
    let deleted = workspaces::sweep(None).await.unwrap_or(false);
    let former = Engine::forget_former(owned).await;
    let _ = workspaces::sweep_formers().await;
    deleted || former
}
