//! One tab owns a workspace: a Web Lock says who, a generation in the database makes it binding.
//!
//! The browser gives the lock on as soon as its holder is gone, whichever way it went. A holder that was
//! frozen cannot know that it lost the workspace, so each of its commits checks the generation.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::store::place::{Claim, Switch};
use crate::store::registry::Former;
use crate::store::sys::{Exception, LockManager, Slot, property};
use crate::store::{
    Kind, Notice, Opened, Place, Store, StoreError, ballast, database_name, fail, workspaces,
};

/// Where an attempt to own a workspace stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// This tab owns the workspace.
    Owner {
        /// Claims on the workspace so far, this one included.
        generation: i64,
    },
    /// Another tab owns it; this one gets it when that one is gone.
    Waiting {
        /// When the other tab got it, in milliseconds since 1970; `None` where the browser does not tell.
        since: Option<f64>,
    },
}

/// A workspace that this tab owns until this is dropped.
pub struct Owned {
    /// The workspace's database, claimed.
    pub opened: Opened,
    /// Claims on the workspace so far.
    pub generation: i64,
    claim: Claim,
    /// Opening it found storage full.
    pub(crate) short: bool,
    _lock: Lock,
}

impl Owned {
    /// What the workspace held before it was started over, or after that was undone.
    pub(crate) fn former(&self) -> Option<&Former> {
        self.claim.former()
    }

    /// Where it is stored.
    pub(crate) fn place(&self) -> Place {
        self.claim.place()
    }

    /// Has the workspace use another database; `bytes` is what the one in use comes to. This tab stays
    /// its owner throughout.
    ///
    /// # Errors
    /// Those of changing the row and of opening. Where the workspace uses the other one already, it is to
    /// be asked for again.
    pub(crate) async fn switch(&mut self, switch: Switch, bytes: f64) -> Result<(), StoreError> {
        self.claim.switch(switch, bytes).await?;
        self.opened.store.close();
        let tell = Rc::new(|_| {});
        (self.opened, self.generation) = open(&self.claim.place(), &tell).await?;
        Ok(())
    }

    /// Lets go of what the workspace held before, for good.
    ///
    /// # Errors
    /// Those of changing the row.
    pub(crate) async fn forget_former(&mut self) -> Result<(), StoreError> {
        self.claim.forget_former().await
    }

    /// What the workspace's owner does when it has the time: deletes what nothing leads to any more.
    pub(crate) fn claim(&self) -> Claim {
        self.claim.clone()
    }
}

/// Waits until this tab owns `workspace`, then opens and claims its database. `on_state` hears at once
/// when it has to wait, and when it owns; `tell` is for [`crate::store::Store::open`].
///
/// # Errors
/// `Unavailable` without Web Locks, and those of opening and claiming.
pub async fn acquire(
    workspace: &str,
    on_state: impl Fn(State),
    tell: impl Fn(Notice) + 'static,
) -> Result<Owned, StoreError> {
    let lock = match Lock::request(workspace, Wait::No).await? {
        Some(lock) => lock,
        None => {
            on_state(State::Waiting {
                since: held_since(workspace).await,
            });
            let lock = Lock::request(workspace, Wait::Yes).await?;
            lock.ok_or_else(|| fail(workspace, Kind::InUse, String::new()))?
        }
    };
    let claim = Claim::take(workspace).await?;
    let place = claim.place();
    let tell = Rc::new(tell);
    let mut claimed = open(&place, &tell).await;
    let short = claimed.as_ref().is_err_and(|e| e.kind == Kind::Quota);
    if short {
        // Where it is not there, or what is given up is not enough, the second try says so.
        let _ = ballast::give_up().await;
        let _ = workspaces::sweep(None).await;
        claimed = open(&place, &tell).await;
    }
    let (opened, generation) = claimed?;
    on_state(State::Owner { generation });
    Ok(Owned {
        opened,
        generation,
        claim,
        short,
        _lock: lock,
    })
}

async fn open(
    place: &Place,
    tell: &Rc<impl Fn(Notice) + 'static>,
) -> Result<(Opened, i64), StoreError> {
    let tell = tell.clone();
    let opened = Store::open(place, move |notice| tell(notice)).await?;
    let generation = opened.store.claim(opened.fresh).await?;
    Ok((opened, generation))
}

/// The lock if nobody holds it: for work on a workspace that is not open, as deleting it.
pub(crate) async fn acquire_idle(workspace: &str) -> Result<Lock, StoreError> {
    let lock = Lock::request(workspace, Wait::No).await?;
    lock.ok_or_else(|| fail(workspace, Kind::InUse, String::new()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Yes,
    No,
}

/// A held Web Lock. The browser takes it back when this is dropped, or when the worker is gone.
pub(crate) struct Lock {
    release: Vec<Function>,
}

impl Lock {
    /// `None` when somebody else holds it and there is no waiting.
    async fn request(workspace: &str, wait: Wait) -> Result<Option<Self>, StoreError> {
        let Some(release) = hold(workspace, &database_name(workspace), wait).await? else {
            return Ok(None);
        };
        let mut lock = Self {
            release: vec![release],
        };
        // A second lock, whose name says since when: `query()` shows names to every tab, and it goes
        // when its holder goes. Nobody else asks for it, so it is free.
        let stamp = format!("{}{}", since_prefix(workspace), js_sys::Date::now());
        lock.release
            .extend(hold(workspace, &stamp, Wait::No).await?);
        Ok(Some(lock))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        for release in &self.release {
            // Resolving a promise does not throw.
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Asks for the lock `name`; the function that is returned lets go of it.
async fn hold(workspace: &str, name: &str, wait: Wait) -> Result<Option<Function>, StoreError> {
    let locks = manager(workspace)?;
    let slot = Slot::shared();
    let (granted, refused) = (slot.clone(), slot.clone());
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            Slot::set(&granted, Ok(None));
            return JsValue::UNDEFINED;
        }
        let release = RefCell::new(None);
        let held = Promise::new(&mut |resolve, _| *release.borrow_mut() = Some(resolve));
        Slot::set(&granted, Ok(release.take()));
        held.into()
    });
    let options = Object::new();
    let _ = Reflect::set(
        &options,
        &"ifAvailable".into(),
        &JsValue::from_bool(wait == Wait::No),
    );
    let refused_by = |e: &JsValue| {
        let exception = Exception::of(e);
        fail(workspace, exception.kind(Kind::Lost), exception.detail())
    };
    let ended = locks
        .request(name, &options, callback.unchecked_ref())
        .map_err(|e| refused_by(&e))?;
    wasm_bindgen_futures::spawn_local(async move {
        // Settles when the lock is released; before it was granted, only with an error.
        if let Err(error) = JsFuture::from(ended).await {
            Slot::set(&refused, Err(error));
        }
    });
    poll_fn(|context| Slot::poll(&slot, context))
        .await
        .map_err(|error| refused_by(&error))
}

/// When the holder of the workspace got it.
async fn held_since(workspace: &str) -> Option<f64> {
    let asked = manager(workspace).ok()?.query().ok()?;
    let answer = JsFuture::from(asked).await.ok()?;
    let held = property(&answer, "held").dyn_into::<Array>().ok()?;
    let prefix = since_prefix(workspace);
    held.iter()
        .filter_map(|lock| property(&lock, "name").as_string())
        .find_map(|name| name.strip_prefix(&prefix)?.parse().ok())
}

fn since_prefix(workspace: &str) -> String {
    format!("brooklet-since:{workspace}:")
}

fn manager(workspace: &str) -> Result<Rc<LockManager>, StoreError> {
    let locks = property(&property(&js_sys::global(), "navigator"), "locks");
    if locks.is_undefined() {
        return Err(fail(
            workspace,
            Kind::Unavailable,
            "no Web Locks".to_string(),
        ));
    }
    Ok(Rc::new(locks.unchecked_into()))
}
