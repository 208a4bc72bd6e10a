//! The page's calls: each method's arguments read, carried out, answered.

use js_sys::Array;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use world::{Input, Scenario};

use crate::browser::{plain, read};
use crate::methods::{self, StepBy, TimeControl, Typed};
use crate::push::{Event, Failure, Params};
use crate::store::sys::property;
use crate::turn::Session;

/// Bytes that are typed into a terminal at once at most.
const TYPED_MAX: usize = 1 << 20;
/// Bytes of a workspace's name or title at most.
pub(crate) const NAME_MAX: usize = 1_000;
/// Bytes of a command line at most.
const LINE_MAX: usize = 64 << 10;

/// A call of the page.
pub(crate) struct Call {
    pub(crate) id: f64,
    pub(crate) method: String,
    args: Array,
}

impl Call {
    pub(crate) fn of(value: &JsValue) -> Call {
        let args = property(value, "args");
        Call {
            id: property(value, "id").as_f64().unwrap_or(-1.0),
            method: property(value, "method").as_string().unwrap_or_default(),
            args: if Array::is_array(&args) {
                Array::from(&args)
            } else {
                Array::new()
            },
        }
    }

    /// The next argument, read as what the method takes.
    pub(crate) fn take<T: Argument>(
        &self,
        at: &mut std::ops::RangeFrom<u32>,
        name: &str,
    ) -> Result<T, Failure> {
        let given = at.next().map_or(JsValue::UNDEFINED, |at| self.args.get(at));
        T::read(&given).map_err(|why| {
            let method = &self.method;
            Failure::new(
                "invalid-argument",
                format!("The argument {name} of {method} is not what it takes: {why}."),
            )
        })
    }

    fn raw(&self, index: u32) -> JsValue {
        self.args.get(index)
    }
}

/// What a call can be given.
pub(crate) trait Argument: Sized {
    /// # Errors
    /// With what it is instead, in words.
    fn read(given: &JsValue) -> Result<Self, String>;
}

impl<T: DeserializeOwned> Argument for T {
    fn read(given: &JsValue) -> Result<T, String> {
        read(given)
    }
}

impl Argument for Typed {
    fn read(given: &JsValue) -> Result<Typed, String> {
        let bytes = match given.as_string() {
            Some(text) => text.into_bytes(),
            None if given.is_instance_of::<js_sys::Uint8Array>()
                || given.is_instance_of::<js_sys::ArrayBuffer>() =>
            {
                js_sys::Uint8Array::new(given).to_vec()
            }
            None => return Err("it is neither text nor bytes".to_string()),
        };
        match bytes.len() {
            0..=TYPED_MAX => Ok(Typed(bytes.into())),
            more => Err(format!(
                "{more} bytes are more than the {TYPED_MAX} that are taken at once"
            )),
        }
    }
}

/// What a call of an open workspace comes to.
pub(crate) enum Outcome {
    /// This is the answer.
    Answer(JsValue),
    /// The answer with something given away.
    Give(JsValue, Array),
    /// The answer comes later, by itself.
    Later,
}

const DONE: Outcome = Outcome::Answer(JsValue::UNDEFINED);

/// Carries out a call that needs an open workspace.
pub(crate) fn carry_out(
    session: &mut Session,
    call: &Call,
    alarm: &std::rc::Rc<crate::browser::Alarm>,
) -> Result<Outcome, Failure> {
    match call.method.as_str() {
        "scenario" => Ok(Outcome::Answer(plain(&session.world.scenario()))),
        "command" => {
            let (command,) = methods::command(call)?;
            let told = told(&call.raw(0), session.world.world_millis());
            session.command(call.id, command, told)?;
            Ok(Outcome::Later)
        }
        "undo" => {
            session.take_back();
            Ok(DONE)
        }
        "redo" => {
            session.do_again(call.id);
            Ok(Outcome::Later)
        }
        "time" => {
            time(session, methods::time(call)?.0);
            Ok(DONE)
        }
        "snapshot" => Ok(Outcome::Answer(snapshot(session))),
        "spawn" => {
            let (line,) = methods::spawn(call)?;
            let line = with_server(no_longer_than(LINE_MAX, "A command line", line)?);
            Ok(Outcome::Answer(session.spawn(line)?.into()))
        }
        "stdin" => {
            let (page, Typed(text)) = methods::stdin(call)?;
            session.tell_terminal(page, |id| Input::Stdin { id, text });
            Ok(DONE)
        }
        "eof" => {
            session.tell_terminal(methods::eof(call)?.0, |id| Input::Eof { id });
            Ok(DONE)
        }
        "hold" => {
            let (page, held) = methods::hold(call)?;
            session.terminals.hold(page as u64, held);
            Ok(DONE)
        }
        "signal" => {
            session.tell_terminal(methods::signal(call)?.0, |id| Input::Interrupt { id });
            Ok(DONE)
        }
        "connect" => {
            let port: JsValue = session.connect(methods::connect(call)?.0, alarm).into();
            let transfer = Array::of1(&port);
            Ok(Outcome::Give(port, transfer))
        }
        method => Err(Failure::new(
            "unknown-method",
            format!(
                "There is no call named {method}; the page and its worker are of different versions."
            ),
        )),
    }
}

/// Text that is no longer than so many bytes.
pub(crate) fn no_longer_than(max: usize, what: &str, text: String) -> Result<String, Failure> {
    match text.len() <= max {
        true => Ok(text),
        false => Err(Failure::new(
            "invalid-argument",
            format!(
                "{what} has {max} bytes at most, and this has {}.",
                text.len()
            ),
        )),
    }
}

/// A tool's line with the one cluster there is, where it names none.
fn with_server(line: String) -> String {
    let tool = line.split_whitespace().next().unwrap_or_default();
    let tool = tool.trim_end_matches(".sh");
    let asks = tool.starts_with("kafka-") && tool != "kafka-dump-log" && tool != "kafka-storage";
    if !asks || line.contains("--bootstrap-server") || line.contains("--bootstrap-controller") {
        return line;
    }
    format!("{line} --bootstrap-server localhost:9092")
}

fn time(session: &mut Session, control: TimeControl) {
    match control {
        TimeControl::Pause => session.set_running(false),
        TimeControl::Resume => session.set_running(true),
        TimeControl::Speed { x } => session.set_speed(x),
        TimeControl::Step { by } => session.step(by == StepBy::Record),
        TimeControl::Seek { t } => session.seek(t),
        TimeControl::Now => session.seek_present(),
    }
}

fn snapshot(session: &Session) -> JsValue {
    let pace = session.pace();
    plain(&crate::push::SnapshotView {
        world: session.world.snapshot(),
        running: pace.running,
        speed: pace.speed,
    })
}

/// What the drawer says of a command.
fn told(command: &JsValue, t: u64) -> Event {
    let text = |object: &JsValue, name| match property(object, name) {
        value if value.is_string() => value.as_string(),
        _ => None,
    };
    let inner = ["producer", "topic", "group", "member"]
        .map(|name| property(command, name))
        .into_iter()
        .find(|value| value.is_object())
        .unwrap_or(JsValue::UNDEFINED);
    let inner_text = |name| match inner.is_object() {
        true => text(&inner, name),
        false => None,
    };
    let name = text(command, "name")
        .or_else(|| inner_text("name"))
        .or_else(|| text(command, "groupId"))
        .or_else(|| inner_text("groupId"))
        .or_else(|| text(command, "producer"));
    let lines = property(command, "lines");
    let count = Array::is_array(&lines).then(|| Array::from(&lines).length().to_string());
    Event {
        t,
        journal: 0,
        kind: "user",
        code: text(command, "do").unwrap_or_default(),
        params: Params::from([
            ("name", name.unwrap_or_default()),
            ("group", text(command, "groupId").unwrap_or_default()),
            ("count", count.unwrap_or_default()),
        ]),
        cli: None,
    }
}

/// What [`crate::host`] needs to open a workspace.
#[derive(Default)]
pub(crate) struct Opening {
    pub(crate) workspace: String,
    pub(crate) scenario: Option<Scenario>,
    pub(crate) speed: f64,
}

impl Opening {
    pub(crate) fn of(call: &Call) -> Result<Opening, Failure> {
        let (workspace, scenario) = methods::open(call)?;
        let workspace = no_longer_than(NAME_MAX, "A workspace's name", workspace)?;
        let speed = match call.raw(1) {
            given if given.is_object() => property(&given, "speed").as_f64(),
            _ => None,
        };
        Ok(Opening {
            workspace,
            scenario,
            speed: speed.unwrap_or(1.0),
        })
    }
}
