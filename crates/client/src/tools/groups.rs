//! `kafka-groups`: every group of every kind, with its type and its protocol.

use super::options::{Opt, Parsed, file, switch, text};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, table};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use wire::list_groups_request::ListGroupsRequest;

/// The options of `kafka-groups`.
pub(super) const OPTIONS: &[Opt] = &[
    text(
        "bootstrap-server",
        "server to connect to",
        "REQUIRED: The server(s) to connect to.",
    ),
    file(
        "command-config",
        "command config property file",
        "A file of properties of the admin client.",
    ),
    switch("consumer", "Only groups of consumers, of either type."),
    text(
        "group-type",
        "type",
        "Only groups of this type: 'classic', 'consumer', 'share' or 'streams'.",
    ),
    switch("help", "Print usage information."),
    switch("list", "List the groups."),
    text("protocol", "protocol", "Only groups of this protocol."),
    switch("share", "Only share groups."),
    switch("streams", "Only streams groups."),
    switch("version", "Display Kafka version."),
];

const ABOUT: &str = "This tool helps to list groups of all types.";

pub(super) fn start(words: &[String], env: Env) -> Body {
    if let Some(body) = super::help_or_version(words, ABOUT, OPTIONS) {
        return body;
    }
    let parsed = match super::parse(words, OPTIONS, &[]) {
        Ok(parsed) => parsed,
        Err(refusal) => return Said::default().usage(&refusal.to_string(), OPTIONS),
    };
    let said = Said::default();
    if !parsed.has("list") {
        return said.usage("Command must include exactly one action: --list.", OPTIONS);
    }
    let Some(servers) = parsed.last("bootstrap-server") else {
        return said.usage("Missing required argument \"[bootstrap-server]\"", OPTIONS);
    };
    match super::addresses(servers) {
        Ok(bootstrap) => {
            let job = Job::AllGroups(AllGroups::new(&parsed));
            Body::Admin(AdminTool::new(bootstrap, env, job, said))
        }
        Err(message) => Body::Said(said.err(&message).exit(1)),
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
    fn new(parsed: &Parsed) -> AllGroups {
        let mut named = ["share", "streams"].into_iter();
        let named = named.rfind(|name| parsed.has(name));
        AllGroups {
            kind: parsed.last("group-type").or(named).map(str::to_lowercase),
            protocol: parsed.last("protocol").map(ToString::to_string),
            consumers: parsed.has("consumer"),
        }
    }

    /// One round further.
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
                say.err(&format!("Error while executing groups command : {problem}"));
                return Next::Exit(1);
            }
        };
        let width = table::widest(15, rows.iter().map(|row| row.0.as_str()));
        if !rows.is_empty() {
            say.out(&table::row(&[
                ("GROUP", width),
                ("TYPE", 22),
                ("PROTOCOL", 22),
            ]));
        }
        for (group, kind, protocol) in &rows {
            // Kafka pads a row by one more than its heading.
            let protocol = format!("{protocol} ");
            say.out(&table::row(&[(group, width), (kind, 22), (&protocol, 23)]));
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
