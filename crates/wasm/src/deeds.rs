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
        let carried_out = self.undone.iter().rfind(|deed| !deed.refused);
        carried_out.map(|deed| &deed.code)
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

    /// Gives the command again that was carried out and taken back last; the number of its input, or
    /// `None` when there is nothing to do again.
    pub(crate) fn do_again(&mut self, world: &mut World) -> Option<u32> {
        while self.undone.last().is_some_and(|deed| deed.refused) {
            self.undone.pop();
            world.skip_redo();
        }
        let input = world.redo()?;
        if let Some(deed) = self.undone.pop() {
            self.done.push(Deed {
                input: u64::from(input),
                ..deed
            });
        }
        Some(input)
    }

    /// There is nothing to take back any more.
    pub(crate) fn clear(&mut self) {
        *self = Deeds::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ids::Time;
    use world::{Command, Input, Said, Scenario};

    const SCENARIO: &str =
        r#"{"version": 1, "seed": "3", "brokers": 1, "topics": [], "producers": [], "groups": []}"#;

    /// Gives a command and lets it end.
    fn give(world: &mut World, deeds: &mut Deeds, text: &str) {
        let command: Command = serde_json::from_str(text).expect("a command");
        let number = world.input(Input::Command(command));
        deeds.did(number, text.to_string());
        end(world, deeds);
    }

    fn end(world: &mut World, deeds: &mut Deeds) {
        let later = Time(world.now().0 + 2_000_000);
        while world.run_until(later, 1_000) > 0 {}
        for said in world.take_said() {
            if let Said::Refused { input, .. } = said {
                deeds.refused(input);
            }
        }
    }

    fn topics(world: &World) -> Vec<String> {
        let all = world.snapshot().topics;
        let shown = all.into_iter().map(|topic| topic.name);
        shown.filter(|name| !name.starts_with("__")).collect()
    }

    #[test]
    fn refused_commands_are_passed_over_on_the_way_back_and_on_the_way_forth() {
        let scenario = Scenario::parse(SCENARIO).expect("a scenario");
        let mut world = World::new(scenario).expect("the scenario is fine");
        let mut deeds = Deeds::default();
        let [a, b] = ["a", "b"].map(|name| {
            format!(r#"{{"do": "createTopic", "topic": {{"name": "{name}", "partitions": 1}}}}"#)
        });
        for command in [&a, &a, &b, &b] {
            give(&mut world, &mut deeds, command);
        }
        assert_eq!(topics(&world), ["a", "b"]);
        for (undoes, left) in [(&b, vec!["a"]), (&a, vec![])] {
            assert_eq!(deeds.to_undo(), Some(undoes));
            assert!(deeds.take_back(&mut world));
            assert_eq!(topics(&world), left);
        }
        assert_eq!(deeds.to_undo(), None);
        for (again, there) in [(&a, vec!["a"]), (&b, vec!["a", "b"])] {
            assert_eq!(deeds.to_redo(), Some(again));
            assert!(deeds.do_again(&mut world).is_some());
            end(&mut world, &mut deeds);
            assert_eq!(topics(&world), there);
        }
        assert_eq!(deeds.to_redo(), None);
        assert_eq!(deeds.do_again(&mut world), None);
    }
}
