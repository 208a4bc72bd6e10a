//! `kafka-log-dirs`: how large each replica is in each directory of each broker, as JSON.

use super::options::Parsed;
use super::options::log_dirs::OPTIONS;
use super::quorum::cluster_request;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::{ErrorCode, NodeId};
use wire::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::describe_log_dirs_response::{DescribeLogDirsResponse, DescribeLogDirsResult};

const ABOUT: &str = "This tool helps to query log directory usage on the specified brokers.";

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    if let Some(message) = parsed.missing(&["bootstrap-server", "describe"]) {
        return Err(Said::default().usage(&message, OPTIONS));
    }
    let admin = super::admin(&parsed, &env, "bootstrap-server");
    let built = admin.and_then(|admin| Ok((admin, LogDirs::new(&parsed)?)));
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).cause(&thrown).exit(1);
    let (admin, job) = built.map_err(refuse)?;
    Ok(AdminTool::new(
        admin,
        env.rng,
        Job::LogDirs(job),
        Said::default(),
    ))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct LogDirs {
    /// Only these topics; all of them when there are none.
    topics: Vec<String>,
    /// Only these brokers; all of them when there are none.
    brokers: Vec<i32>,
}

/// The parts of a list with commas.
fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|part| !part.is_empty())
}

impl LogDirs {
    fn new(parsed: &Parsed) -> Result<LogDirs, Thrown> {
        let number = |text: &str| {
            let class = "java.lang.NumberFormatException";
            let bad = || Thrown::new(class, &format!("For input string: \"{text}\""));
            text.parse().map_err(|_| bad())
        };
        let topics = parsed.one("topic-list")?.unwrap_or_default();
        let brokers = parsed.one("broker-list")?.unwrap_or_default();
        let mut brokers: Vec<i32> = parts(brokers).map(number).collect::<Result<_, _>>()?;
        sorted::sort(&mut brokers);
        brokers.dedup();
        Ok(LogDirs {
            topics: parts(topics).map(String::from).collect(),
            brokers,
        })
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        let mut told = Vec::new();
        if outcomes.is_empty() {
            return Next::Ask(alloc::vec![Call {
                name: "listNodes",
                target: Target::Any,
                request: Request::DescribeCluster(cluster_request()),
            }]);
        }
        for outcome in outcomes {
            match outcome {
                Ok(Response::DescribeCluster(response)) => {
                    let ids = response.brokers.iter().map(|broker| broker.broker_id);
                    return self.ask_brokers(ids.collect(), say);
                }
                Ok(Response::DescribeLogDirs(response)) => told.push(response),
                Ok(_) => {}
                Err(failure) => {
                    say.err(&failure.message);
                    return Next::Exit(1);
                }
            }
        }
        let list = numbers(&self.brokers);
        say.out(&format!(
            "Received log directory information from brokers {list}"
        ));
        let brokers = self.brokers.iter().zip(&told);
        let shown: Vec<String> = brokers.map(|(id, told)| self.broker(*id, told)).collect();
        say.out(&format!(
            "{{\"brokers\":[{}],\"version\":1}}",
            shown.join(",")
        ));
        Next::Exit(0)
    }

    /// Asks the brokers that were named, if they are there.
    fn ask_brokers(&mut self, mut there: Vec<i32>, say: &mut Say<'_>) -> Next {
        sorted::sort(&mut there);
        let missing = self
            .brokers
            .iter()
            .copied()
            .filter(|id| !there.contains(id));
        let missing: Vec<i32> = missing.collect();
        if !missing.is_empty() {
            say.err(&format!(
                "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                numbers(&missing),
                numbers(&there)
            ));
            return Next::Exit(1);
        }
        if self.brokers.is_empty() {
            self.brokers = there;
        }
        say.out("Querying brokers for log directories information");
        let call = |&id: &i32| Call {
            name: "describeLogDirs",
            target: Target::Broker(NodeId(id)),
            request: Request::DescribeLogDirs(every_log_dir()),
        };
        Next::Ask(self.brokers.iter().map(call).collect())
    }

    fn broker(&self, id: i32, told: &DescribeLogDirsResponse) -> String {
        let dirs = told.results.iter().map(|dir| self.dir(dir));
        let dirs: Vec<String> = dirs.collect();
        format!("{{\"broker\":{id},\"logDirs\":[{}]}}", dirs.join(","))
    }

    fn dir(&self, dir: &DescribeLogDirsResult) -> String {
        let mut shown = Vec::new();
        let mut topics: Vec<_> = dir.topics.iter().collect();
        sorted::sort_by_key(&mut topics, |topic| topic.name.clone());
        let wanted = |name: &str| self.topics.is_empty() || self.topics.iter().any(|t| t == name);
        for topic in topics.into_iter().filter(|topic| wanted(&topic.name)) {
            let mut partitions: Vec<_> = topic.partitions.iter().collect();
            sorted::sort_by_key(&mut partitions, |p| (p.partition_index, p.is_future_key));
            for p in partitions {
                let name = json(&format!("{}-{}", topic.name, p.partition_index));
                shown.push(format!(
                    "{{\"partition\":{name},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
                    p.partition_size, p.offset_lag, p.is_future_key
                ));
            }
        }
        let error = match ErrorCode(dir.error_code) {
            ErrorCode::NONE => "null".to_string(),
            code => json(&errors::exception(code)),
        };
        let (partitions, path) = (shown.join(","), json(&dir.log_dir));
        format!("{{\"partitions\":[{partitions}],\"error\":{error},\"logDir\":{path}}}")
    }
}

/// Asks for all replicas in all directories.
pub(super) fn every_log_dir() -> DescribeLogDirsRequest {
    DescribeLogDirsRequest {
        topics: None,
        ..Default::default()
    }
}

/// Numbers with commas between them.
pub(super) fn numbers(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

/// A text as JSON has it.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
