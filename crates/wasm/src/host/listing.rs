//! What is asked of workspaces as a whole: who owns one, which there are, and changes to their list.

use wasm_bindgen::JsValue;

use super::{Engine, Outcome, USE_MS};
use crate::browser::{now, plain};
use crate::calls::{Call, NAME_MAX, no_longer_than};
use crate::methods;
use crate::owner;
use crate::push::{Failure, StatusView, WorkspaceView};
use crate::store::{Kind, workspaces};

impl Engine {
    /// Why there is no session to ask.
    pub(super) fn nobody(&self) -> Failure {
        let waiting = self.arrival.as_ref().and_then(|arrival| arrival.owner());
        match waiting {
            Some(owner) => Failure::new(
                "not-owner",
                format!(
                    "{owner} is using the workspace “{}”. This tab only waits, and takes over as soon as that one is closed.",
                    self.opening.workspace
                ),
            ),
            None => Failure::new(
                "no-workspace",
                "This tab has no workspace open that it owns; open one first.",
            ),
        }
    }

    /// Who owns the workspace.
    pub(super) fn status(&self) -> JsValue {
        let arrival = self.arrival.as_ref();
        let owner = self.session.is_some();
        plain(&StatusView {
            workspace: self.opening.workspace.clone(),
            owner,
            owned_by: arrival.and_then(|arrival| arrival.owner()),
            past: self
                .session
                .as_ref()
                .is_some_and(|session| session.world.is_in_the_past()),
        })
    }

    /// Keeps the list of workspaces up to date, now and then.
    pub(super) fn note_use(&mut self) {
        let (at, noted) = self.used;
        let Some(disk) = self.disk.as_ref().filter(|_| now() - at > USE_MS) else {
            return;
        };
        let (id, bytes) = (self.opening.workspace.clone(), disk.bytes());
        self.used = (now(), bytes);
        if bytes != noted {
            wasm_bindgen_futures::spawn_local(async move {
                // The list is a convenience; the next time will do.
                let _ = workspaces::record_use(&id, bytes).await;
            });
        }
        self.tidy();
    }

    pub(super) async fn workspaces(&self) -> Result<Outcome, Failure> {
        if let Some(disk) = &self.disk {
            // What is open is measured now; where that cannot be noted, it is as it was.
            let _ = workspaces::record_use(&self.opening.workspace, disk.bytes()).await;
        }
        let listed = workspaces::list().await?;
        let view = |workspace: workspaces::Workspace| WorkspaceView {
            open: self.session.is_some() && workspace.id == self.opening.workspace,
            title: match workspace.title.is_empty() {
                true => workspace.id.clone(),
                false => workspace.title,
            },
            id: workspace.id,
            bytes: workspace.bytes,
            used_at: workspace.used,
        };
        let stored = listed.into_iter().filter(|w| w.stored != Some(false));
        let views: Vec<WorkspaceView> = stored.map(view).collect();
        Ok(Outcome::Answer(plain(&views)))
    }

    /// Only who owns a workspace changes it, or anyone while nobody does.
    pub(super) async fn change_workspace(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let (id, title) = match call.method.as_str() {
            "renameWorkspace" => methods::rename_workspace(call)?,
            "undeleteWorkspace" => (methods::undelete_workspace(call)?.0, String::new()),
            _ => (methods::delete_workspace(call)?.0, String::new()),
        };
        let is_open = id == self.opening.workspace;
        if is_open && self.arrival.is_some() {
            return Err(self.nobody());
        }
        match call.method.as_str() {
            "renameWorkspace" => {
                let title = no_longer_than(NAME_MAX, "A workspace's title", title)?;
                let _lock = match is_open {
                    true => None,
                    false => Some(owner::acquire_idle(&id).await?),
                };
                workspaces::rename(&id, &title).await?;
            }
            "undeleteWorkspace" => workspaces::undelete(&id).await.map_err(|error| {
                let why = format!("The workspace “{id}” cannot be brought back any more.");
                match error.kind {
                    Kind::Wiped => Failure::new("gone", why),
                    _ => error.into(),
                }
            })?,
            _ => workspaces::delete(&id).await?,
        }
        Ok(Outcome::Answer(JsValue::UNDEFINED))
    }
}
