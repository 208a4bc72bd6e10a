//! `kafka-groups`: every group of every kind, with its type and its protocol.

use super::options::Parsed;
use super::options::groups::{OPTIONS, misuse};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown, table};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use wire::list_groups_request::ListGroupsRequest;

const ABOUT: &str = "This tool helps to list groups of all types.";

const LOGGER: &str = "org.apache.kafka.tools.GroupsCommand";

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().usage(&thrown.message, OPTIONS);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    let said = Said::default();
    if let Some(message) = misuse(&parsed) {
        return Err(said.usage(&message, OPTIONS));
    }
    let plain = |thrown: &Thrown| Said::default().err(&thrown.message).exit(1);
    let servers = parsed.one("bootstrap-server").map(|_| ());
    servers.map_err(|refusal| plain(&refusal.into()))?;
    let file = super::file(&parsed, &env, "command-config").map(|_| ());
    file.map_err(|thrown| plain(&thrown))?;
    let job = AllGroups::new(&parsed).map_err(|thrown| plain(&thrown))?;
    match super::admin(&parsed, &env, "bootstrap-server") {
        Ok(admin) => Ok(AdminTool::new(admin, env.rng, Job::AllGroups(job), said)),
        Err(thrown) => {
            let text = format!("Error while executing groups command : {}", thrown.message);
            let said = said.out(&text).log("ERROR", &format!("{thrown}\n"), LOGGER);
            Err(said.cause(&thrown).exit(1))
        }
    }
}

/// The work of one command: which groups to list.
#[derive(Clone, Debug)]
pub(crate) struct AllGroups {
    kind: Option<String>,
    protocol: Option<String>,
    /// Classic groups of consumers and groups of the consumer protocol.
    consumers: bool,
}

/// One row: group, type, protocol.
type Row = (String, String, String);

impl AllGroups {
    fn new(parsed: &Parsed) -> Result<AllGroups, Thrown> {
        let mut named = ["share", "streams"].into_iter();
        let named = named.rfind(|name| parsed.has(name));
        let kind = parsed.one("group-type")?.or(named).map(str::to_lowercase);
        let known =
            |kind: &String| ["classic", "consumer", "share", "streams"].contains(&kind.as_str());
        if kind.as_ref().is_some_and(|kind| !known(kind)) {
            let message = "--group-type must be a valid group type.";
            return Err(Thrown::new("java.lang.IllegalArgumentException", message));
        }
        Ok(AllGroups {
            kind,
            protocol: parsed.one("protocol")?.map(ToString::to_string),
            consumers: parsed.has("consumer"),
        })
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        if outcomes.is_empty() {
            return Next::Ask(alloc::vec![Call {
                name: "listGroups",
                target: Target::Any,
                request: Request::ListGroups(ListGroupsRequest::default()),
            }]);
        }
        let rows = match self.rows(outcomes) {
            Ok(rows) => rows,
            Err(problem) => {
                say.out(&format!("Error while executing groups command : {problem}"));
                return Next::Exit(1);
            }
        };
        let width = table::widest(20, rows.iter().map(|row| row.0.as_str()));
        let shown = |group: &str, kind: &str, protocol: &str| {
            table::row(&[(group, width), (kind, width), (protocol, width)])
        };
        say.out(&shown("GROUP", "TYPE", "PROTOCOL"));
        for (group, kind, protocol) in &rows {
            // Kafka pads a row by one more than its heading.
            say.out(&(shown(group, kind, protocol) + " "));
        }
        Next::Exit(0)
    }

    fn rows(&self, outcomes: Vec<Outcome>) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        for outcome in outcomes {
            let response = match outcome {
                Ok(Response::ListGroups(response)) => response,
                Ok(_) => continue,
                Err(failure) => return Err(failure.message),
            };
            let code = ErrorCode(response.error_code);
            if !code.is_ok() {
                return Err(errors::message(code).into());
            }
            for group in response.groups {
                let kind = match group.group_type.as_str() {
                    "consumer" => "Consumer",
                    "share" => "Share",
                    "streams" => "Streams",
                    _ => "Classic",
                };
                let protocol = group.protocol_type.to_string();
                if self.wants(kind, &protocol) {
                    rows.push((group.group_id.to_string(), kind.to_string(), protocol));
                }
            }
        }
        sorted::sort(&mut rows);
        Ok(rows)
    }

    fn wants(&self, kind: &str, protocol: &str) -> bool {
        let of_kind = self
            .kind
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind));
        let of_protocol = self
            .protocol
            .as_ref()
            .is_none_or(|wanted| wanted == protocol);
        let classic = kind == "Classic" && matches!(protocol, "consumer" | "");
        of_kind && of_protocol && (!self.consumers || classic || kind == "Consumer")
    }
}
