//! What a person did: to be taken back, and to be done again.

use world::World;

/// Commands in the order they were given, those that were taken back apart.
///
/// The world's journal holds refused commands, too. Taking one back would change nothing that anyone
/// can see, so it goes together with the one before it.
#[derive(Default)]
pub(crate) struct Deeds {
    done: Vec<Deed>,
    undone: Vec<Deed>,
}

struct Deed {
    /// Number of the input.
    input: u64,
    /// The command's name.
    code: String,
    refused: bool,
}

impl Deeds {
    /// A command was given.
    pub(crate) fn did(&mut self, input: u32, code: String) {
        self.undone.clear();
        self.done.push(Deed {
            input: u64::from(input),
            code,
            refused: false,
        });
    }

    /// It was refused.
    pub(crate) fn refused(&mut self, input: u64) {
        let found = self.done.iter_mut().rfind(|deed| deed.input == input);
        if let Some(deed) = found {
            deed.refused = true;
        }
    }

    /// What undoing would take back.
    pub(crate) fn to_undo(&self) -> Option<&String> {
        let carried_out = self.done.iter().rfind(|deed| !deed.refused);
        carried_out.map(|deed| &deed.code)
    }

    /// What would be done again.
    pub(crate) fn to_redo(&self) -> Option<&String> {
        let next = self.undone.last().filter(|deed| !deed.refused);
        next.map(|deed| &deed.code)
    }

    /// Takes the last command back that was carried out; `false` when nothing changes.
    pub(crate) fn take_back(&mut self, world: &mut World) -> bool {
        let mut changed = false;
        while self.to_undo().is_some() && world.undo() {
            changed = true;
            let Some(deed) = self.done.pop() else { break };
            let enough = !deed.refused || world.is_playing();
            self.undone.push(deed);
            if enough {
                break;
            }
        }
        changed
    }

    /// The command taken back last is given again, as this input.
    pub(crate) fn again(&mut self, input: u32) {
        if let Some(mut deed) = self.undone.pop() {
            deed.input = u64::from(input);
            deed.refused = false;
            self.done.push(deed);
        }
    }

    /// There is nothing to take back any more.
    pub(crate) fn clear(&mut self) {
        *self = Deeds::default();
    }
}
