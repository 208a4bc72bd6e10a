//! What leaves the worker: replies and pushes, held back until stored. The page's types are generated from these.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, ArrayBuffer, Function, Uint8Array};
use serde::Serialize;
use sorted::SortedMap;
use wasm_bindgen::JsValue;

use crate::browser::{MessagePort, plain};
use crate::store::sys::object_with;

/// What a call failed with: Kafka's error name or one of ours, and a sentence.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Failure {
        Failure {
            code: code.to_string(),
            message: message.into(),
        }
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Failure::new(error.kind.code(), error.to_string())
    }
}

/// Parameters of an event or a notice.
pub(crate) type Params = SortedMap<&'static str, String>;

/// A message without bytes of its own.
#[derive(Serialize)]
#[serde(tag = "push", rename_all = "camelCase")]
pub(crate) enum Push<'a> {
    /// Another world is open: after opening, taking over, starting over, and undoing that.
    Opened {
        opened: &'a Opened,
    },
    /// Sent before the first frame that uses it; frames name it by `id`.
    Layout {
        layout: &'a Layout,
    },
    Snapshot {
        snapshot: &'a SnapshotView,
    },
    /// What has been placed, for the editors. Sent when it changes.
    Actors {
        actors: &'a world::Actors,
    },
    /// At most 8 per second.
    Timeline {
        timeline: &'a Timeline,
    },
    Event {
        event: Event,
    },
    Notice {
        notice: Notice,
    },
    Stdout {
        id: f64,
        text: String,
    },
    Stderr {
        id: f64,
        text: String,
    },
    Exit {
        id: f64,
        code: i32,
        /// Why it ended, when not by itself. One of `undone`, `replaced`, `restarted`.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'static str>,
    },
    /// The world was taken back to a moment before which so many inputs had come: what is known of later
    /// ones is no more.
    Rewound {
        to: u64,
        journal: u64,
    },
    /// All of a turn has left; the page answers with its number when it has taken it.
    Turn {
        turn: f64,
    },
}

impl Opened {
    pub(crate) fn plain(&self) -> JsValue {
        plain(self)
    }
}

/// What the indexes in a frame mean.
#[derive(Clone, Default, PartialEq, Serialize)]
pub(crate) struct Layout {
    pub(crate) id: u32,
    pub(crate) lanes: Vec<LaneName>,
    pub(crate) groups: Vec<String>,
    pub(crate) producers: Vec<String>,
    pub(crate) members: Vec<MemberName>,
}

/// A lane of the stage.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct LaneName {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// A placed member, in all groups; a marker names its owner by index + 1.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberName {
    pub(crate) group_id: String,
    pub(crate) name: String,
}

/// `window.brooklet.snapshot()`: the world and how it runs; version 1 is stable. 64-bit numbers are decimal strings.
#[derive(PartialEq, Serialize)]
pub(crate) struct SnapshotView {
    #[serde(flatten)]
    pub(crate) world: world::Snapshot,
    pub(crate) running: bool,
    pub(crate) speed: f64,
}

/// What the time bar shows; times in milliseconds since the world began.
#[derive(PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// Where history begins; before it there is nothing to go back to.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) now: u64,
    pub(crate) ticks: Vec<Tick>,
    /// Records appended per second of world time, in equal slices from start to end; at most 240 of them.
    pub(crate) rates: Vec<f64>,
    /// What undo and redo would do, as event codes; null is nothing.
    pub(crate) undo: Option<String>,
    pub(crate) redo: Option<String>,
}

/// A tick of the timeline.
#[derive(PartialEq, Serialize)]
pub(crate) struct Tick {
    pub(crate) t: u64,
    /// One of `rebalance`, `topic`, `user`, `crash`.
    pub(crate) kind: &'static str,
}

/// A line of the events drawer. The page's catalogue has words for `code` and `params` (`events.<code>`).
#[derive(Serialize)]
pub(crate) struct Event {
    pub(crate) t: u64,
    /// Inputs that had come into the world by then.
    pub(crate) journal: u64,
    /// One of `user`, `broker`, `group`, `client`, `storage`.
    pub(crate) kind: &'static str,
    pub(crate) code: String,
    pub(crate) params: Params,
    /// The command line that does the same, of events of kind `user`; null when there is none.
    pub(crate) cli: Option<String>,
}

/// A notice at the top of the page.
#[derive(Serialize)]
pub(crate) struct Notice {
    pub(crate) code: NoticeCode,
    pub(crate) params: Params,
}

/// What a notice says; in brackets its parameters.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NoticeCode {
    /// {owner} Another tab writes this workspace; this tab only waits.
    NotOwner,
    /// {} That tab is gone, this one owns it now.
    TookOver,
    /// {} Another tab took it: the generation changed.
    LostOwnership,
    /// {gone} The browser has no room: appends are refused until there is; with `gone`, what was kept to be
    /// undone is gone for good.
    Quota,
    /// {why} The database's connection was lost; nothing is acknowledged until it is back.
    StorageLost,
    /// {}
    StorageBack,
    /// {log, at, bytes, why, more} Recovery removed a torn or corrupt tail, and those of `more` other logs.
    Cut,
    /// {} After a reload the timeline begins here.
    HistoryBegins,
    /// {} The oldest part of the history was let go.
    HistoryTrimmed,
    /// {at} Something was done in the past: what came after it is kept, and undo leads back to it.
    Branched,
    /// {connections} Doing something in the past closed connections from outside.
    PastClosed,
    /// {} This browser keeps no storage: the world lives in memory only.
    Memory,
    /// {} The logs that live in memory only have come to their bound: appends are refused.
    MemoryFull,
    /// {} There is room in memory again.
    MemoryRoom,
}

/// The answer to `open`.
#[derive(Serialize)]
pub(crate) struct Opened {
    pub(crate) workspace: String,
    /// Tells the workspace's worlds apart: it has another one once it was started over.
    pub(crate) world: String,
    /// It was there before and has been recovered from its logs.
    pub(crate) restored: bool,
    /// False when another tab owns it: this one only waits (see the notice `not-owner`) and takes over when
    /// that is gone.
    pub(crate) owner: bool,
}

/// A line of the list of workspaces.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkspaceView {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) bytes: f64,
    /// Wall-clock milliseconds, for the list only.
    pub(crate) used_at: f64,
    pub(crate) open: bool,
}

/// Who owns the workspace that was asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusView {
    pub(crate) workspace: String,
    /// This tab owns it: what it is asked to do, it does.
    pub(crate) owner: bool,
    /// Who owns it while this tab waits, in words.
    pub(crate) owned_by: Option<String>,
    /// It shows an older moment: what is changed there begins a branch.
    pub(crate) past: bool,
}

/// Something on its way out.
enum Outgoing {
    Message(JsValue, Array),
    Frame(MessagePort, JsValue),
    Close(MessagePort),
}

/// Turns that the page may have before it that it has not taken yet: then nothing more is shown it.
const UNSEEN_MAX: f64 = 3.0;

/// The way to the page, and how far the page is behind.
#[derive(Clone)]
pub(crate) struct Post {
    function: Function,
    posted: Rc<Cell<f64>>,
    seen: Rc<Cell<f64>>,
}

impl Post {
    pub(crate) fn new(function: Function) -> Post {
        Post {
            function,
            posted: Rc::default(),
            seen: Rc::default(),
        }
    }

    /// The page has taken everything up to a turn.
    pub(crate) fn saw(&self, turn: f64) {
        self.seen
            .set(turn.max(self.seen.get()).min(self.posted.get()));
    }

    /// Whether the page keeps up; if not, frames and output wait here, where they are bounded.
    pub(crate) fn keeps_up(&self) -> bool {
        self.posted.get() - self.seen.get() < UNSEEN_MAX
    }

    fn send(&self, message: &JsValue, transfer: &Array) {
        // Nobody listens any more when this throws.
        let _ = self.function.call2(&JsValue::UNDEFINED, message, transfer);
    }

    fn end_turn(&self) {
        let turn = self.posted.get() + 1.0;
        self.posted.set(turn);
        self.send(&plain(&Push::Turn { turn }), &Array::new());
    }
}

/// What waits to leave, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Vec<Outgoing>,
    /// Something in it was not asked for.
    pushes: bool,
    /// The calls that are answered in it.
    answers: Vec<f64>,
}

impl Outbox {
    pub(crate) fn push(&mut self, push: &Push<'_>) {
        self.pushes = true;
        self.message(plain(push), Array::new());
    }

    pub(crate) fn notice(&mut self, code: NoticeCode, params: Params) {
        let notice = Notice { code, params };
        self.push(&Push::Notice { notice });
    }

    pub(crate) fn opened(&mut self, opened: &Opened) {
        self.push(&Push::Opened { opened });
    }

    /// A frame of the stage; its buffer is given away.
    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        let buffer = Uint8Array::from(bytes).buffer();
        self.pushes = true;
        let message = object_with("push", &"frame".into());
        set(&message, "buffer", &buffer);
        self.message(message, Array::of1(&buffer));
    }

    /// The answer to a call.
    pub(crate) fn reply(&mut self, call: f64, answer: Result<JsValue, Failure>) {
        self.reply_with(call, answer, Array::new());
    }

    pub(crate) fn reply_with(
        &mut self,
        call: f64,
        answer: Result<JsValue, Failure>,
        transfer: Array,
    ) {
        self.answers.push(call);
        let message = object_with("reply", &call.into());
        set(&message, "ok", &answer.is_ok().into());
        match answer {
            Ok(value) => set(&message, "value", &value),
            Err(failure) => {
                set(&message, "code", &failure.code.into());
                set(&message, "message", &failure.message.into());
                set(&message, "params", &js_sys::Object::new().into());
            }
        }
        self.message(message, transfer);
    }

    /// A frame for a client from outside, with its length in front.
    pub(crate) fn send_to_port(&mut self, port: &MessagePort, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let bytes = Uint8Array::new_with_length(length.saturating_add(4));
        bytes.subarray(0, 4).copy_from(&length.to_be_bytes());
        bytes.subarray(4, length.saturating_add(4)).copy_from(frame);
        let buffer: ArrayBuffer = bytes.buffer();
        self.waiting
            .push(Outgoing::Frame(port.clone(), buffer.into()));
    }

    pub(crate) fn close_port(&mut self, port: &MessagePort) {
        self.waiting.push(Outgoing::Close(port.clone()));
    }

    /// Takes over what waits in another one.
    pub(crate) fn append(&mut self, other: &mut Outbox) {
        self.waiting.append(&mut other.waiting);
        self.answers.append(&mut other.answers);
        self.pushes |= std::mem::take(&mut other.pushes);
    }

    /// What waits was not stored and is forgotten; the calls that it answers have failed.
    pub(crate) fn fail(&mut self, why: &Failure, post: &Post) {
        self.waiting.clear();
        for call in std::mem::take(&mut self.answers) {
            self.reply(call, Err(why.clone()));
        }
        self.release(post);
    }

    /// Lets everything go.
    pub(crate) fn release(&mut self, post: &Post) {
        self.answers.clear();
        for outgoing in self.waiting.drain(..) {
            match outgoing {
                Outgoing::Message(message, transfer) => post.send(&message, &transfer),
                Outgoing::Frame(port, frame) => port.post(&frame, &Array::of1(&frame)),
                Outgoing::Close(port) => port.close(),
            }
        }
        if std::mem::take(&mut self.pushes) {
            post.end_turn();
        }
    }

    fn message(&mut self, message: JsValue, transfer: Array) {
        self.waiting.push(Outgoing::Message(message, transfer));
    }
}

/// Sets a property of a plain object, which cannot fail.
pub(crate) fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = js_sys::Reflect::set(object, &name.into(), value);
}
