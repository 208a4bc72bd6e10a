//! Plays scripts of requests against a node and compares its answers with those of Apache Kafka.
//!
//! A script is one line of JSON: what to set up, the requests, and what a real broker answered. Time is
//! virtual, so waiting costs nothing and `min_ms` and `max_ms` are exact.

mod compare;

use crate::direct::Direct;
use crate::schema::{Schemas, hex, unhex};
use broker_frames::Frames;
use bytes::Bytes;
use cluster::ClientEvent;
use compare::{Vars, difference, masked};
use ids::ConnId;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the recorded broker was started with.
pub const PROPERTIES: &[(&str, &str)] = &[
    ("num.partitions", "4"),
    ("offsets.topic.num.partitions", "5"),
    ("transaction.state.log.num.partitions", "5"),
    ("group.initial.rebalance.delay.ms", "0"),
];

/// How long an answer is waited for, unless the step says otherwise.
const TIMEOUT_MS: u64 = 12_000;
/// How long a connection is watched for being closed.
const CLOSE_MS: u64 = 3_000;
/// Time between two attempts of a step that is to be retried.
const RETRY_MS: u64 = 100;
/// How often a step is tried.
const TRIES: u32 = 100;
/// Errors of a coordinator that is still loading; always retried.
const LOADING: [i64; 3] = [14, 15, 16];

/// Where a node answered otherwise than Kafka.
pub struct Difference {
    /// The step's number in its script.
    pub step: usize,
    /// What differs, in words.
    pub what: String,
}

/// Plays one script on a node of its own; every difference between the node's answers and Kafka's.
///
/// # Errors
/// When the script cannot be played to its end: why.
pub fn play(schemas: &Schemas, script: &Value) -> Result<Vec<Difference>, String> {
    let mut player = Player::new(schemas);
    player.prepare();
    player
        .set_up(&script["setup"])
        .map_err(|why| format!("setup: {why}"))?;
    let steps = script["requests"].as_array().expect("a list of requests");
    let mut answers = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let answer = player.step(steps, at, step);
        answers.push(answer.map_err(|why| format!("step {at}: {why}"))?);
    }
    let recorded_vars = script["vars"].as_object().into_iter().flatten();
    let recorded_vars: Vars = recorded_vars
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut differences = Vec::new();
    for (at, ours) in answers.iter().enumerate() {
        let recorded = &script["responses"][at];
        let step = steps[at]["await"]
            .as_u64()
            .map_or(&steps[at], |asked| &steps[asked as usize]);
        let recorded = subset_of_apis(&masked(recorded, step, &recorded_vars), ours);
        let ours = masked(ours, step, &player.vars);
        let name = step["api"].as_str().unwrap_or("");
        let told = difference(&recorded, &ours);
        differences.extend(told.into_iter().map(|what| Difference {
            step: at,
            what: format!("{name} {what}"),
        }));
    }
    Ok(differences)
}

/// Brooklet speaks fewer APIs than Kafka and says so: of Kafka's list only those count that both have.
fn subset_of_apis(recorded: &Value, ours: &Value) -> Value {
    let mut recorded = recorded.clone();
    let rows = recorded
        .pointer_mut("/body/ApiKeys")
        .and_then(Value::as_array_mut);
    if let (Some(rows), Some(own)) = (rows, ours["body"]["ApiKeys"].as_array()) {
        rows.retain(|row| own.iter().any(|own| own["ApiKey"] == row["ApiKey"]));
    }
    recorded
}

struct Connection {
    conn: ConnId,
    frames: Frames,
    /// The shell closed it: what came was no frame.
    refused: bool,
}

/// A request that was sent and whose answer is wanted.
struct Asked {
    conn: String,
    api: String,
    version: i16,
}

struct Player<'a> {
    schemas: &'a Schemas,
    direct: Direct,
    connections: BTreeMap<String, Connection>,
    vars: Vars,
    asked: BTreeMap<usize, Asked>,
    correlation: i32,
}

impl Player<'_> {
    fn new(schemas: &Schemas) -> Player<'_> {
        Player {
            schemas,
            direct: Direct::new(PROPERTIES),
            connections: BTreeMap::new(),
            vars: Vars::new(),
            asked: BTreeMap::new(),
            correlation: 0,
        }
    }

    /// Makes the internal topics and takes the first block of producer ids, as the recording did.
    fn prepare(&mut self) {
        for _ in 0..TRIES {
            let body = json!({"Key": "prepare", "KeyType": 0});
            match self.ask("setup", "FindCoordinator", 3, &body) {
                Ok(answer) if answer["ErrorCode"] == 0 => break,
                _ => self.direct.advance(RETRY_MS),
            }
        }
        let _ = self.ask(
            "setup",
            "InitProducerId",
            4,
            &json!({"TransactionalId": null}),
        );
    }

    fn set_up(&mut self, setup: &Value) -> Result<(), String> {
        for step in setup.as_array().into_iter().flatten() {
            if step["create_topic"].is_object() {
                self.create_topic(&step["create_topic"])?;
            } else {
                self.produce(&step["produce"])?;
            }
        }
        self.direct.advance(100);
        Ok(())
    }

    fn create_topic(&mut self, topic: &Value) -> Result<(), String> {
        let name = topic["name"].as_str().expect("a topic's name");
        let configs = topic["configs"].as_object().into_iter().flatten();
        let configs: Vec<Value> = configs
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let body = json!({"Topics": [{"Name": name, "NumPartitions": topic["partitions"],
            "ReplicationFactor": 1, "Assignments": [], "Configs": configs}], "timeoutMs": 10000});
        let answer = self.ask("setup", "CreateTopics", 7, &body)?;
        if answer["Topics"][0]["ErrorCode"] != 0 {
            return Err(format!("creating {name}: {answer}"));
        }
        self.vars.insert(
            format!("tid:{name}"),
            answer["Topics"][0]["TopicId"].clone(),
        );
        Ok(())
    }

    fn produce(&mut self, batch: &Value) -> Result<(), String> {
        let body = json!({"TransactionalId": null, "Acks": -1, "TimeoutMs": 10000, "TopicData": [{
            "Name": batch["topic"],
            "PartitionData": [{"Index": batch["partition"], "Records": batch["records"]}]}]});
        let answer = self.ask("setup", "Produce", 9, &body)?;
        match answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"].as_i64() {
            Some(0) => Ok(()),
            _ => Err(format!("producing: {answer}")),
        }
    }

    /// Sends a request and returns the body of its answer.
    fn ask(&mut self, conn: &str, api: &str, version: i16, body: &Value) -> Result<Value, String> {
        let step = json!({"api": api, "version": version, "body": body, "conn": conn});
        let asked = self.send(&step)?;
        let answer = self.take(&asked, TIMEOUT_MS)?;
        match answer.get("body") {
            Some(body) => Ok(body.clone()),
            None => Err(format!("{api} v{version}: {answer}")),
        }
    }

    /// Carries out one step; what came of it, in the form of the recording.
    fn step(&mut self, steps: &[Value], at: usize, step: &Value) -> Result<Value, String> {
        let conn = step["conn"].as_str().unwrap_or("a");
        if let Some(raw) = step["raw"].as_str() {
            return self.raw(conn, raw, &step["answer_as"]);
        }
        if let Some(conn) = step["expect_close"].as_str() {
            return Ok(
                json!({"closed": self.wait(conn, CLOSE_MS).is_none() && self.is_closed(conn)}),
            );
        }
        if let Some(millis) = step["sleep_ms"].as_u64() {
            self.direct.advance(millis);
            return Ok(Value::Null);
        }
        if let Some(conn) = step["close"].as_str() {
            if let Some(found) = self.connections.remove(conn) {
                self.direct
                    .step(ClientEvent::Disconnected { conn: found.conn });
            }
            return Ok(Value::Null);
        }
        if let Some(earlier) = step["await"].as_u64() {
            let earlier = usize::try_from(earlier).expect("a step's number");
            let asked = self
                .asked
                .remove(&earlier)
                .expect("an await follows its send_only");
            let answer = self.take(&asked, timeout(&steps[earlier]))?;
            self.capture(&steps[earlier], &answer);
            return Ok(answer);
        }
        if step["send_only"] == true {
            let asked = self.send(step)?;
            self.asked.insert(at, asked);
            return Ok(Value::Null);
        }
        self.request(step)
    }

    fn request(&mut self, step: &Value) -> Result<Value, String> {
        let mut answer = Value::Null;
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.direct.advance(RETRY_MS);
            }
            let began = self.direct.now;
            let asked = self.send(step)?;
            answer = self.take(&asked, timeout(step))?;
            let took = self.direct.now.since(began) / 1000;
            if step["min_ms"].is_u64() || step["max_ms"].is_u64() {
                let least = step["min_ms"].as_u64().unwrap_or(0);
                let most = step["max_ms"].as_u64().unwrap_or(u64::MAX);
                answer["in_time"] = json!((least..=most).contains(&took));
            }
            if !is_retried(step, &answer) {
                break;
            }
        }
        self.capture(step, &answer);
        Ok(answer)
    }

    fn capture(&mut self, step: &Value, answer: &Value) {
        for (name, path) in step["capture"].as_object().into_iter().flatten() {
            let path = path.as_str().expect("a path");
            if let Some(value) = at_path(&answer["body"], path) {
                self.vars.insert(name.clone(), value.clone());
            }
        }
    }

    fn send(&mut self, step: &Value) -> Result<Asked, String> {
        let conn = step["conn"].as_str().unwrap_or("a").to_string();
        let api = step["api"]
            .as_str()
            .ok_or_else(|| format!("no known step: {step}"))?
            .to_string();
        let version =
            i16::try_from(step["version"].as_i64().unwrap_or(0)).map_err(|why| why.to_string())?;
        let body = self.filled_in(&step["body"]);
        self.correlation += 1;
        let client_id = step["client_id"].as_str().unwrap_or("vec");
        let request = self
            .schemas
            .request(&api, version, self.correlation, client_id, &body);
        let mut bytes = u32::try_from(request.len())
            .expect("a short frame")
            .to_be_bytes()
            .to_vec();
        bytes.extend(request);
        self.bytes(&conn, &bytes);
        Ok(Asked { conn, api, version })
    }

    fn raw(&mut self, conn: &str, raw: &str, answer_as: &Value) -> Result<Value, String> {
        self.bytes(conn, &unhex(raw));
        let Some(frame) = self.wait(conn, TIMEOUT_MS) else {
            return Ok(self.silence(conn));
        };
        let Some(api) = answer_as[0].as_str() else {
            return Ok(json!({"frame": hex(&frame), "closed": false}));
        };
        let version =
            i16::try_from(answer_as[1].as_i64().unwrap_or(0)).map_err(|why| why.to_string())?;
        let (correlation, body) = self.schemas.response(api, version, &frame)?;
        Ok(json!({"correlation_id": correlation, "body": body, "closed": false}))
    }

    /// Waits for the answer to a request.
    fn take(&mut self, asked: &Asked, timeout_ms: u64) -> Result<Value, String> {
        let Some(frame) = self.wait(&asked.conn, timeout_ms) else {
            return Ok(self.silence(&asked.conn));
        };
        let (api, version) = (&asked.api, asked.version);
        let (_, body) = self
            .schemas
            .response(api, version, &frame)
            .map_err(|why| format!("{api} v{version}: {why}: {}", hex(&frame)))?;
        Ok(json!({"body": body, "closed": false}))
    }

    fn silence(&self, conn: &str) -> Value {
        match self.is_closed(conn) {
            true => json!({"closed": true}),
            false => json!({"timeout": true, "closed": false}),
        }
    }

    /// Puts bytes on a connection, as a socket would deliver them.
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if !self.connections.contains_key(name) {
            let connection = Connection {
                conn: self.direct.connect(),
                frames: Frames::default(),
                refused: false,
            };
            self.connections.insert(name.to_string(), connection);
        }
        let connection = self.connections.get_mut(name).expect("just opened");
        let conn = connection.conn;
        match connection.frames.push(bytes) {
            Ok(frames) => {
                for frame in frames {
                    self.direct.send(conn, frame);
                }
            }
            Err(_) => {
                connection.refused = true;
                self.direct.step(ClientEvent::Disconnected { conn });
            }
        }
    }

    fn is_closed(&self, name: &str) -> bool {
        let found = self.connections.get(name);
        found.is_some_and(|found| found.refused || self.direct.is_closed(found.conn))
    }

    /// The next frame on a connection; `None` when it is closed or nothing comes in time.
    fn wait(&mut self, name: &str, timeout_ms: u64) -> Option<Bytes> {
        let conn = self.connections.get(name)?.conn;
        for _ in 0..timeout_ms {
            if let Some(frame) = self.direct.reply(conn) {
                return Some(frame);
            }
            if self.is_closed(name) {
                return None;
            }
            self.direct.advance(1);
        }
        self.direct.reply(conn)
    }

    /// A body with its variables replaced.
    fn filled_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self.variable(name),
                None => value.clone(),
            },
            Value::Array(list) => {
                Value::Array(list.iter().map(|value| self.filled_in(value)).collect())
            }
            Value::Object(object) if object.contains_key("$hex") => {
                let hex_of = object["$hex"].as_str().expect("hex");
                let number = |key: &str| {
                    object
                        .get(key)
                        .map(|value| self.filled_in(value))
                        .and_then(|value| value.as_i64())
                };
                json!(hex(&signed_by(
                    unhex(hex_of),
                    number("pid"),
                    number("epoch")
                )))
            }
            Value::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(name, value)| (name.clone(), self.filled_in(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn variable(&self, name: &str) -> Value {
        let sign = name
            .rfind(['+', '-'])
            .filter(|_| !self.vars.contains_key(name));
        let (known, add) = match sign.and_then(|at| Some((at, name[at..].parse::<i64>().ok()?))) {
            Some((at, add)) => (&name[..at], add),
            None => (name, 0),
        };
        match self.vars.get(known) {
            Some(value) if add == 0 => value.clone(),
            Some(value) => json!(
                value
                    .as_i64()
                    .unwrap_or_else(|| panic!("${known} is no number"))
                    + add
            ),
            None => json!(format!("${name}")),
        }
    }
}

/// Batches with a producer's id and epoch written into them, and their checksums made right again.
fn signed_by(mut bytes: Vec<u8>, pid: Option<i64>, epoch: Option<i64>) -> Vec<u8> {
    let mut at = 0;
    while bytes.len() >= at + 61 {
        let size =
            u32::from_be_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        let end = (at + 12 + size).min(bytes.len());
        if let Some(pid) = pid {
            bytes[at + 43..at + 51].copy_from_slice(&pid.to_be_bytes());
        }
        if let Some(epoch) = epoch {
            bytes[at + 51..at + 53].copy_from_slice(&epoch.to_be_bytes()[6..]);
        }
        let sum = crc32c::crc32c(&bytes[at + 21..end]);
        bytes[at + 17..at + 21].copy_from_slice(&sum.to_be_bytes());
        at = end;
    }
    bytes
}

fn timeout(step: &Value) -> u64 {
    step["timeout_s"]
        .as_u64()
        .map_or(TIMEOUT_MS, |seconds| seconds * 1000)
}

fn is_retried(step: &Value, answer: &Value) -> bool {
    let mut codes = Vec::new();
    error_codes(&answer["body"], &mut codes);
    let listed = |code: &i64| {
        let retried = step["retry_on"].as_array();
        LOADING.contains(code)
            || retried.is_some_and(|retried| retried.iter().any(|listed| listed == code))
    };
    if codes.iter().any(listed) {
        return true;
    }
    match (step["retry_until"][0].as_str(), &step["retry_until"][1]) {
        (Some(path), wanted) => at_path(&answer["body"], path) != Some(wanted),
        (None, _) => false,
    }
}

fn error_codes(value: &Value, found: &mut Vec<i64>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| error_codes(value, found)),
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_i64() {
                    Some(code) if name.ends_with("ErrorCode") => found.push(code),
                    _ => error_codes(value, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, part| match part.parse::<usize>() {
            Ok(at) => value.get(at),
            Err(_) => value.get(part),
        })
}

mod broker_frames {
    //! How a socket's bytes become frames: four bytes of length before each.

    use bytes::Bytes;

    /// `socket.request.max.bytes`: a longer frame closes the connection.
    const MAX: i32 = 100 << 20;

    /// What has come of a frame so far.
    #[derive(Default)]
    pub(super) struct Frames {
        pending: Vec<u8>,
    }

    /// A length that no frame has: the connection is to be closed.
    pub(super) struct NoLength;

    impl Frames {
        /// The frames that are whole with these bytes.
        pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Bytes>, NoLength> {
            self.pending.extend(bytes);
            let mut found = Vec::new();
            while let Some((length, rest)) = self.pending.split_first_chunk::<4>() {
                let length = i32::from_be_bytes(*length);
                if !(1..=MAX).contains(&length) {
                    return Err(NoLength);
                }
                let Some(frame) = rest.get(..length as usize) else {
                    break;
                };
                found.push(Bytes::copy_from_slice(frame));
                self.pending.drain(..4 + length as usize);
            }
            Ok(found)
        }
    }
}
