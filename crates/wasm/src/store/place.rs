//! Which database a workspace uses, and the one it used before.
//!
//! Starting over opens another database and keeps the former one, so that it can be undone. The row of the
//! list changes first, in one transaction, and what it leads away from is deleted only after that: a crash
//! at any moment leaves a workspace that opens what its row says, and nothing that a row leads to is gone.

use super::error::{Kind, StoreError};
use super::registry::{Former, Registry, Workspace};
use super::sys::pause;
use super::{fail, workspaces};

/// How long what a workspace held before it was started over is kept, in milliseconds: a week.
const FORMER_MS: f64 = 7.0 * 24.0 * 3_600_000.0;
/// Pauses before the tries to read the list, in milliseconds.
const RETRIES_MS: [i32; 4] = [0, 50, 200, 1_000];

/// A database of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The workspace.
    pub workspace: String,
    /// Which of its databases.
    pub number: u32,
}

/// What a workspace's owner knows of its row.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The row as it was when this owner changed it last.
    row: Workspace,
}

/// Another database for a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// An empty one; the one in use is kept.
    Fresh,
    /// The one that is kept, which may be the older or the newer one.
    Kept,
}

impl Place {
    /// The first database of a workspace.
    pub fn first(workspace: &str) -> Place {
        Place {
            workspace: workspace.to_string(),
            number: 0,
        }
    }

    /// The database's name. The first has no number in it.
    pub(crate) fn database(&self) -> String {
        let name = super::database_name(&self.workspace);
        match self.number {
            0 => name,
            number => format!("{name}~{number}"),
        }
    }

    /// The workspace and the number that a database's name stands for.
    pub(crate) fn of_database(name: &str) -> Option<Place> {
        let name = name.strip_prefix(&super::database_name(""))?;
        let numbered = name
            .rsplit_once('~')
            .and_then(|(id, number)| Some((id, number.parse().ok()?)));
        let (workspace, number) = numbered.unwrap_or((name, 0));
        Some(Place {
            workspace: workspace.to_string(),
            number,
        })
    }
}

impl Claim {
    /// Notes that this tab owns the workspace, and finds out which database it uses. For whoever holds
    /// the workspace's lock.
    ///
    /// # Errors
    /// `Unavailable`, or what reading the list met several times.
    pub(crate) async fn take(workspace: &str) -> Result<Claim, StoreError> {
        let mut failure = fail(workspace, Kind::Lost, String::new());
        for wait in RETRIES_MS {
            if wait > 0 {
                pause(wait).await;
            }
            match Claim::try_take(workspace).await {
                Ok(claim) => return Ok(claim),
                Err(error) if error.kind == Kind::Unavailable => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn try_take(workspace: &str) -> Result<Claim, StoreError> {
        let registry = Registry::open(workspace).await?;
        let found = known(&registry, workspace).await?;
        let (now, guessed) = (js_sys::Date::now(), found.clone());
        let taken = registry
            .change(|row| Ok(Some(claimed(row.unwrap_or(guessed), now))))
            .await;
        let row = match taken {
            Ok(row) => row.unwrap_or_default(),
            // Where nothing more can be stored, what is there is opened all the same.
            Err(error) if error.kind == Kind::Quota && found.deleted == 0.0 => found,
            Err(error) => return Err(error),
        };
        Ok(Claim { row })
    }

    /// For whoever holds the lock of a workspace that is not open.
    pub(crate) fn of(row: Workspace) -> Claim {
        Claim { row }
    }

    /// The database that the workspace uses.
    pub(crate) fn place(&self) -> Place {
        Place {
            workspace: self.row.id.clone(),
            number: self.row.database,
        }
    }

    /// What it used before, if that is kept.
    pub(crate) fn former(&self) -> Option<&Former> {
        self.row.former.as_ref()
    }

    /// Has the workspace use another database; `bytes` is what the one in use comes to.
    ///
    /// # Errors
    /// `TakenOver`, `Quota`, `Aborted`, `Lost`: then it uses the same as before.
    pub(crate) async fn switch(&mut self, switch: Switch, bytes: f64) -> Result<(), StoreError> {
        let now = js_sys::Date::now();
        self.change(|row| switched(row, switch, bytes, now)).await
    }

    /// Lets go of what it used before, for good.
    ///
    /// # Errors
    /// As [`Claim::switch`].
    pub(crate) async fn forget_former(&mut self) -> Result<(), StoreError> {
        self.change(forgotten).await
    }

    /// Deletes the databases that nothing leads to any more.
    ///
    /// # Errors
    /// `Blocked`, and as [`Claim::switch`]: what is left is deleted another time.
    pub(crate) async fn sweep(&mut self) -> Result<(), StoreError> {
        for number in self.row.doomed.clone() {
            let workspace = self.row.id.clone();
            workspaces::delete_database(&Place { workspace, number }).await?;
            self.change(|mut row| {
                row.doomed.retain(|doomed| *doomed != number);
                row
            })
            .await?;
        }
        Ok(())
    }

    async fn change(
        &mut self,
        change: impl FnOnce(Workspace) -> Workspace,
    ) -> Result<(), StoreError> {
        let (id, mine) = (self.row.id.clone(), self.row.claims);
        let registry = Registry::open(&id).await?;
        let known = self.row.clone();
        let changed = registry
            .change(|row| match row.unwrap_or(known) {
                row if row.claims != mine => Err(fail(&id, Kind::TakenOver, String::new())),
                row => Ok(Some(change(row))),
            })
            .await?;
        self.row = changed.unwrap_or_default();
        Ok(())
    }
}

/// The row of a workspace; a guess where the list is new, or the browser has lost it.
pub(crate) async fn known(registry: &Registry, workspace: &str) -> Result<Workspace, StoreError> {
    let rows = registry.rows().await?;
    Ok(match rows.into_iter().find(|row| row.id == workspace) {
        Some(row) => row,
        None => guess(workspace, &workspaces::numbers_of(workspace).await),
    })
}

/// A row for a workspace that has none: of several databases the newest is in use.
fn guess(workspace: &str, numbers: &[u32]) -> Workspace {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    let database = numbers.pop().unwrap_or(0);
    let former = numbers.pop().map(|number| Former {
        database: number,
        since: js_sys::Date::now(),
        ..Former::default()
    });
    Workspace {
        id: workspace.to_string(),
        database,
        last: database,
        former,
        ..Workspace::default()
    }
}

/// The row of a workspace that has an owner from `now` on. One that was deleted begins anew; what it
/// held is kept like what is started over.
fn claimed(row: Workspace, now: f64) -> Workspace {
    let mut row = row;
    if row.deleted > 0.0 {
        let bytes = row.bytes;
        row = switched(row, Switch::Fresh, bytes, now);
        row.deleted = 0.0;
    }
    if row
        .former
        .as_ref()
        .is_some_and(|f| now - f.since > FORMER_MS)
    {
        row = forgotten(row);
    }
    row.claims += 1.0;
    row.stored = None;
    row
}

fn switched(row: Workspace, switch: Switch, bytes: f64, now: f64) -> Workspace {
    let mut row = row;
    let kept = Former {
        database: row.database,
        since: now,
        bytes,
        newer: false,
    };
    match (switch, row.former.take()) {
        (Switch::Fresh, former) => {
            row.doomed.extend(former.map(|former| former.database));
            row.last += 1;
            row.database = row.last;
            row.former = Some(kept);
        }
        (Switch::Kept, Some(former)) => {
            row.database = former.database;
            row.former = Some(Former {
                newer: !former.newer,
                ..kept
            });
        }
        (Switch::Kept, None) => {}
    }
    row
}

fn forgotten(row: Workspace) -> Workspace {
    let mut row = row;
    let former = row.former.take();
    row.doomed.extend(former.map(|former| former.database));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Workspace {
        Workspace {
            id: "w".to_string(),
            ..Workspace::default()
        }
    }

    fn former_of(row: &Workspace) -> Option<(u32, bool)> {
        row.former.as_ref().map(|f| (f.database, f.newer))
    }

    #[test]
    fn starting_over_keeps_one_former_database_and_dooms_the_one_before_it() {
        let once = switched(row(), Switch::Fresh, 7.0, 1.0);
        assert_eq!((once.database, former_of(&once)), (1, Some((0, false))));
        assert!(once.doomed.is_empty());
        let twice = switched(once, Switch::Fresh, 7.0, 2.0);
        assert_eq!((twice.database, former_of(&twice)), (2, Some((1, false))));
        assert_eq!(twice.doomed, [0]);
    }

    #[test]
    fn undoing_goes_back_and_doing_again_goes_forth_and_no_number_is_used_twice() {
        let over = switched(row(), Switch::Fresh, 0.0, 1.0);
        let back = switched(over, Switch::Kept, 0.0, 2.0);
        assert_eq!((back.database, former_of(&back)), (0, Some((1, true))));
        let forth = switched(back.clone(), Switch::Kept, 0.0, 3.0);
        assert_eq!((forth.database, former_of(&forth)), (1, Some((0, false))));
        let again = switched(back, Switch::Fresh, 0.0, 3.0);
        assert_eq!((again.database, again.doomed), (2, vec![1]));
    }

    #[test]
    fn a_deleted_workspace_begins_anew_beside_what_it_held() {
        let deleted = Workspace {
            deleted: 5.0,
            ..row()
        };
        let opened = claimed(deleted, 6.0);
        assert_eq!((opened.database, former_of(&opened)), (1, Some((0, false))));
        assert_eq!(opened.deleted, 0.0);
    }

    #[test]
    fn what_is_kept_goes_after_a_week() {
        let over = switched(row(), Switch::Fresh, 0.0, 1.0);
        assert!(claimed(over.clone(), 1.0 + FORMER_MS).former.is_some());
        let late = claimed(over, 2.0 + FORMER_MS);
        assert_eq!((late.former, late.doomed), (None, vec![0]));
    }

    #[test]
    fn a_database_is_named_after_its_workspace_and_the_first_as_ever() {
        let place = |workspace: &str, number| Place {
            workspace: workspace.to_string(),
            number,
        };
        for (name, at) in [
            ("brooklet:sandbox", place("sandbox", 0)),
            ("brooklet:sandbox~3", place("sandbox", 3)),
            ("brooklet:a~b", place("a~b", 0)),
        ] {
            assert_eq!(at.database(), name);
            assert_eq!(Place::of_database(name), Some(at));
        }
        assert_eq!(Place::of_database("brooklet"), None);
    }
}
