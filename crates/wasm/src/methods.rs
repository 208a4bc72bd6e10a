//! The table of calls: what the page may ask, with which arguments, and what it is answered.
//!
//! `cargo xtask codegen` makes the page's `Engine` of it. Each line is a function here, too, which reads the
//! arguments as just these types; what is not one is refused in words and never taken for something else.

use serde::Deserialize;
use world::{Command, Inspection, RecordView, Scenario};

use crate::browser::MessagePort;
use crate::calls::Call;
use crate::push::{Failure, Opened, SnapshotView, StatusView, WorkspaceView};
use crate::stage::Watch;

/// Reads `fn name(argument: Type) -> Answer;` line by line.
macro_rules! calls {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($argument:ident: $of:ty),* $(,)?) -> $answer:ty;
    )*) => {
        $(
            $(#[doc = $doc])*
            #[allow(dead_code, unused_mut, unused_variables, reason = "some calls have no arguments")]
            pub(crate) fn $name(call: &Call) -> Result<($($of,)*), Failure> {
                // The answer is a type that there is.
                const _: Option<$answer> = None;
                let mut at = 0..;
                Ok(($(call.take::<$of>(&mut at, stringify!($argument))?,)*))
            }
        )*
    };
}

calls! {
    /// Opens a workspace (a database of its own). The scenario is used only if it is new, or started over.
    fn open(workspace: String, scenario: Option<Scenario>) -> Opened;
    /// Begins the workspace anew; what it held is kept, and undo leads back to it.
    fn start_over() -> Opened;
    fn status() -> StatusView;
    /// The present topology as a scenario document.
    fn scenario() -> Scenario;
    fn command(command: Command) -> ();
    fn undo() -> ();
    fn redo() -> ();
    fn time(control: TimeControl) -> ();
    fn watch(watch: Watch) -> ();
    fn snapshot() -> SnapshotView;
    /// Up to `max` records from the offset `from` on, which is a decimal number.
    fn records(topic: String, partition: i32, from: String, max: u32) -> Vec<RecordView>;
    fn inspect(topic: String, partition: i32, offset: i64) -> Option<Inspection>;
    /// Starts a command line (`kafka-topics --list`) and gives its number; output comes as pushes.
    fn spawn(line: String) -> f64;
    /// What is typed into a command that runs: text, or bytes as they are.
    fn stdin(id: f64, text: Typed) -> ();
    fn eof(id: f64) -> ();
    /// Whether nobody takes a command's output for now: it is held back, and the command waits when it is full.
    fn hold(id: f64, held: bool) -> ();
    /// Ctrl+C; the exit status comes as a push.
    fn signal(id: f64) -> ();
    /// A connection to a broker: Kafka frames with their 4-byte length, as ArrayBuffers.
    fn connect(broker_id: i32) -> MessagePort;
    fn workspaces() -> Vec<WorkspaceView>;
    fn rename_workspace(id: String, title: String) -> ();
    /// Hides it; until the page is loaded again, or another one is deleted, it can be brought back.
    fn delete_workspace(id: String) -> ();
    fn undelete_workspace(id: String) -> ();
}

/// Time is not an event of the world: it is where and how fast we look. Not undone.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", try_from = "Control")]
pub(crate) enum TimeControl {
    Pause,
    Resume,
    Speed {
        /// World seconds in a real one, from 0 to 1000.
        x: f64,
    },
    Step {
        by: StepBy,
    },
    /// Goes to a world time in milliseconds, and pauses there.
    Seek {
        t: f64,
    },
    /// Back to the newest moment.
    Now,
}

/// How far a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StepBy {
    Event,
    Record,
}

/// A time control with the fields of all kinds: such a reader is small.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    op: String,
    x: Option<f64>,
    by: Option<StepBy>,
    t: Option<f64>,
}

/// How fast a world may run at most.
const SPEED_MAX: f64 = 1_000.0;
/// Milliseconds beyond which JavaScript's numbers are no longer whole.
const TIME_MAX: f64 = 9_007_199_254_740_991.0;

impl TryFrom<Control> for TimeControl {
    type Error = String;

    fn try_from(from: Control) -> Result<TimeControl, String> {
        Ok(match (from.op.as_str(), from.x, from.by, from.t) {
            ("pause", None, None, None) => TimeControl::Pause,
            ("resume", None, None, None) => TimeControl::Resume,
            ("now", None, None, None) => TimeControl::Now,
            ("speed", Some(x), None, None) if (0.0..=SPEED_MAX).contains(&x) => {
                TimeControl::Speed { x }
            }
            ("speed", ..) => return Err(format!("`x` is a number from 0 to {SPEED_MAX}")),
            ("step", None, Some(by), None) => TimeControl::Step { by },
            ("step", ..) => return Err("`by` is `event` or `record`".to_string()),
            ("seek", None, None, Some(t)) if (0.0..=TIME_MAX).contains(&t) => {
                TimeControl::Seek { t }
            }
            ("seek", ..) => return Err("`t` is a number of milliseconds, 0 or more".to_string()),
            (op, ..) => return Err(format!("there is no time control `{op}`")),
        })
    }
}

/// What is typed into a terminal.
pub(crate) struct Typed(pub(crate) bytes::Bytes);

#[cfg(test)]
mod tests {
    use super::{StepBy, TimeControl};

    fn read(text: &str) -> Result<TimeControl, String> {
        serde_json::from_str(text).map_err(|why| why.to_string())
    }

    #[test]
    fn time_goes_only_where_it_is_told_to_in_full() {
        assert_eq!(read(r#"{"op":"pause"}"#), Ok(TimeControl::Pause));
        assert_eq!(
            read(r#"{"op":"seek","t":2067}"#),
            Ok(TimeControl::Seek { t: 2067.0 })
        );
        let by = StepBy::Record;
        assert_eq!(
            read(r#"{"op":"step","by":"record"}"#),
            Ok(TimeControl::Step { by })
        );
        for (text, why) in [
            (r#"{"op":"seek"}"#, "`t` is a number of milliseconds"),
            (r#"{"op":"seek","t":null}"#, "`t` is a number"),
            (r#"{"op":"seek","t":-1}"#, "0 or more"),
            (r#"{"op":"seek","t":"2067"}"#, "invalid type"),
            (r#"{"op":"seek","t":1e300}"#, "`t` is a number"),
            (r#"{"op":"speed","x":null}"#, "`x` is a number"),
            (r#"{"op":"speed","x":-2}"#, "from 0 to 1000"),
            (r#"{"op":"speed","x":1001}"#, "from 0 to 1000"),
            (r#"{"op":"step"}"#, "`by` is `event` or `record`"),
            (r#"{"op":"step","by":"week"}"#, "unknown variant `week`"),
            (r#"{"op":"pause","t":3}"#, "no time control"),
            (r#"{"op":"fly"}"#, "no time control `fly`"),
            ("{}", "missing field `op`"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
