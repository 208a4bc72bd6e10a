//! `records` and `inspect`: looking into a partition's log, also at what is only in the store.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use world::Looked;

use crate::browser::plain;
use crate::calls::{Call, Outcome};
use crate::methods;
use crate::persist::Disk;
use crate::push::{Failure, set};
use crate::turn::Session;

/// Chunks that one answer may need from the store: far more than the records of one answer fill.
const CHUNKS_MAX: u32 = 4_096;

/// What is asked of a log.
enum Question {
    Records { from: i64, max: usize },
    Inspect { offset: i64 },
}

/// Answers a look; what is not in memory is read from `disk` first.
pub(crate) async fn look(
    session: &Session,
    disk: Option<&Disk>,
    call: &Call,
) -> Result<Outcome, Failure> {
    let (topic, partition, question) = question(call)?;
    let Some(mut look) = session.world.look(&topic, partition) else {
        return Ok(Outcome::Answer(nothing(&question)));
    };
    for _ in 0..CHUNKS_MAX {
        let cold = match &question {
            Question::Records { from, max } => match look.records(*from, *max) {
                Looked::Found(records) => return Ok(Outcome::Answer(plain(&records))),
                Looked::Nothing => return Ok(Outcome::Answer(nothing(&question))),
                Looked::Cold(slice) => slice,
            },
            Question::Inspect { offset } => match look.inspect(*offset) {
                Looked::Found(found) => {
                    let answer = plain(&found);
                    let bytes = Uint8Array::from(found.bytes.as_slice()).buffer();
                    set(&answer, "bytes", &bytes);
                    return Ok(Outcome::Give(answer, Array::of1(&bytes)));
                }
                Looked::Nothing => return Ok(Outcome::Answer(nothing(&question))),
                Looked::Cold(slice) => slice,
            },
        };
        let (node, name) = look.place();
        let bytes = match disk {
            Some(disk) => disk.read(node, name, &cold).await?,
            None => bytes::Bytes::new(),
        };
        if !look.install(&cold, bytes) {
            break;
        }
    }
    Err(Failure::new(
        "unreadable",
        format!(
            "The bytes of {topic}-{partition} that hold these records cannot be read from the \
             browser's storage; reload the page to have its logs checked."
        ),
    ))
}

fn question(call: &Call) -> Result<(String, i32, Question), Failure> {
    if call.method == "inspect" {
        let (topic, partition, offset) = methods::inspect(call)?;
        return Ok((topic, partition, Question::Inspect { offset }));
    }
    let (topic, partition, from, max) = methods::records(call)?;
    // Ten thousand are given at most, whatever is asked for.
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    match from.parse() {
        Ok(from @ 0..) => Ok((topic, partition, Question::Records { from, max })),
        _ => Err(Failure::new(
            "invalid-argument",
            format!("{from:?} is no offset; give a decimal number."),
        )),
    }
}

fn nothing(question: &Question) -> JsValue {
    match question {
        Question::Records { .. } => Array::new().into(),
        Question::Inspect { .. } => JsValue::NULL,
    }
}
