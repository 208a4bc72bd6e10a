//! Waiting for a workspace to become this tab's.

use std::cell::RefCell;
use std::rc::Rc;

use crate::browser::{Alarm, now};
use crate::owner::{self, Owned, State};
use crate::push::{NoticeCode, Opened, Outbox, Params};
use crate::store::StoreError;

/// Real milliseconds for a predecessor in this very tab to let go, before anyone is told of waiting.
const PATIENCE_MS: f64 = 400.0;

/// A workspace that was asked for.
pub(crate) struct Arrival {
    /// The call that opens it, while it is not answered.
    pub(crate) call: Option<f64>,
    shared: Rc<RefCell<Shared>>,
    begun: f64,
    said: Option<String>,
}

#[derive(Default)]
struct Shared {
    /// Since when another tab owns it, as it says.
    waiting: Option<Option<f64>>,
    outcome: Option<Result<Owned, StoreError>>,
}

impl Arrival {
    /// Asks for `workspace`; rings when there is news.
    pub(crate) fn begin(workspace: &str, call: Option<f64>, alarm: &Rc<Alarm>) -> Arrival {
        let shared = Rc::new(RefCell::new(Shared::default()));
        // Weak: when nobody waits any more, what comes is let go at once.
        let told = Rc::downgrade(&shared);
        let (workspace, alarm) = (workspace.to_string(), alarm.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let on_state = |state| {
                if let (State::Waiting { since }, Some(shared)) = (state, told.upgrade()) {
                    shared.borrow_mut().waiting = Some(since);
                    alarm.ring();
                }
            };
            let outcome = owner::acquire(&workspace, on_state, |_| {}).await;
            if let Some(shared) = told.upgrade() {
                shared.borrow_mut().outcome = Some(outcome);
                alarm.ring();
            }
        });
        Arrival {
            call,
            shared,
            begun: now(),
            said: None,
        }
    }

    /// The workspace, or why it cannot be had; `None` while that is open.
    pub(crate) fn outcome(&mut self) -> Option<Result<Owned, StoreError>> {
        self.shared.borrow_mut().outcome.take()
    }

    /// Whether it is open if there is somebody to wait for.
    pub(crate) fn is_open(&self) -> bool {
        self.said.is_none()
    }

    /// Whether the page was told that it waits.
    pub(crate) fn has_said(&self) -> bool {
        self.said.is_some()
    }

    /// Who owns it meanwhile, once the page was told.
    pub(crate) fn owner(&self) -> Option<String> {
        self.said.clone()
    }

    /// Tells the page that it has to wait, once; says when to look again.
    pub(crate) fn say_waiting(&mut self, workspace: &str, out: &mut Outbox) -> Option<f64> {
        let waiting = self.shared.borrow().waiting;
        let since = waiting.filter(|_| self.said.is_none())?;
        let waited = now() - self.begun;
        if waited < PATIENCE_MS {
            return Some(PATIENCE_MS - waited + 1.0);
        }
        let owner = since.map_or_else(
            || "Another tab".to_string(),
            |since| {
                let date = js_sys::Date::new(&since.into());
                let time: String = date.to_locale_time_string("en-GB").into();
                format!("A tab opened at {time}")
            },
        );
        self.said = Some(owner.clone());
        out.notice(NoticeCode::NotOwner, Params::from([("owner", owner)]));
        if let Some(call) = self.call.take() {
            let opened = Opened {
                workspace: workspace.to_string(),
                world: String::new(),
                restored: false,
                owner: false,
            };
            out.reply(call, Ok(opened.plain()));
        }
        None
    }
}
