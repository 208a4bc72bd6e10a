//! The page's calls: each method's arguments read, carried out, answered.

use js_sys::Array;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use world::{Command, Input, Scenario};

use crate::browser::{plain, read};
use crate::push::{Event, Failure, Params};
use crate::stage::Watch;
use crate::store::sys::property;
use crate::turn::Session;

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

    /// An argument, read as what the method takes.
    pub(crate) fn arg<T: DeserializeOwned>(&self, index: u32) -> Result<T, Failure> {
        read(&self.args.get(index)).map_err(|why| {
            let method = &self.method;
            Failure::new(
                "invalid-argument",
                format!(
                    "Argument {} of {method} is not what it takes: {why}.",
                    index + 1
                ),
            )
        })
    }

    fn raw(&self, index: u32) -> JsValue {
        self.args.get(index)
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
            let command: Command = call.arg(0)?;
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
        "time" => time(session, &call.raw(0)),
        "snapshot" => Ok(Outcome::Answer(snapshot(session))),
        "spawn" => {
            let line = with_server(call.arg(0)?);
            Ok(Outcome::Answer(session.spawn(line)?.into()))
        }
        "stdin" => {
            let (page, text): (f64, String) = (call.arg(0)?, call.arg(1)?);
            let text = text.into();
            session.tell_terminal(page, |id| Input::Stdin { id, text });
            Ok(DONE)
        }
        "eof" => {
            session.tell_terminal(call.arg(0)?, |id| Input::Eof { id });
            Ok(DONE)
        }
        "signal" => {
            session.tell_terminal(call.arg(0)?, |id| Input::Interrupt { id });
            Ok(DONE)
        }
        "connect" => {
            let port: JsValue = session.connect(call.arg(0)?, alarm).into();
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

fn time(session: &mut Session, control: &JsValue) -> Result<Outcome, Failure> {
    let number = |name| property(control, name).as_f64();
    match property(control, "op")
        .as_string()
        .unwrap_or_default()
        .as_str()
    {
        "pause" => session.set_running(false),
        "resume" => session.set_running(true),
        "speed" => session.set_speed(number("x").unwrap_or(1.0)),
        "step" => session.step(property(control, "by").as_string().as_deref() == Some("record")),
        "seek" => session.seek(number("t").unwrap_or(0.0)),
        "now" => session.seek_present(),
        op => {
            let why = format!("There is no time control named {op:?}.");
            return Err(Failure::new("invalid-argument", why));
        }
    }
    Ok(DONE)
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
        let scenario: Option<Scenario> = call.arg(1)?;
        let speed = match call.raw(1) {
            given if given.is_object() => property(&given, "speed").as_f64(),
            _ => None,
        };
        Ok(Opening {
            workspace: call.arg(0)?,
            scenario,
            speed: speed.unwrap_or(1.0),
        })
    }
}

/// The page's wish for cells.
pub(crate) fn watch(call: &Call) -> Result<Watch, Failure> {
    call.arg(0)
}
