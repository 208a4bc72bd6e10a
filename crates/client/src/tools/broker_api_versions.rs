//! `kafka-broker-api-versions`: which requests each broker knows, in which versions, and which would be used.

use super::features::versions_request;
use super::options::broker_api_versions::OPTIONS;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::NodeId;
use wire::api_table::{APIS, Api};
use wire::api_versions_response::ApiVersion;
use wire::metadata_request::MetadataRequest;
use wire::metadata_response::MetadataResponseBroker;

const ABOUT: &str = "This tool helps to retrieve broker version information.";
/// Requests of clients that a broker without a metrics plugin does not advertise.
const OF_PLUGINS: [(i16, &str); 2] = [(71, "GetTelemetrySubscriptions"), (72, "PushTelemetry")];

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let refuse = |thrown: Thrown| Said::default().err(&thrown.message).exit(1);
    let parsed = super::read(words, ABOUT, (OPTIONS, &[]), refuse)?;
    if let Some(message) = parsed.missing(&["bootstrap-server"]) {
        return Err(Said::default().usage(&message, OPTIONS));
    }
    let servers = parsed.one("bootstrap-server").map_err(Thrown::from);
    let file = super::file(&parsed, &env, "command-config").map(|_| ());
    let addresses = servers.and_then(|servers| super::addresses(servers.unwrap_or_default()));
    file.and(addresses).map_err(refuse)?;
    let admin = super::admin(&parsed, &env, "bootstrap-server").map_err(refuse)?;
    let job = Job::ApiVersions(ApiVersions {
        brokers: Vec::new(),
    });
    Ok(AdminTool::new(admin, env.rng, job, Said::default()))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct ApiVersions {
    brokers: Vec<MetadataResponseBroker>,
}

impl ApiVersions {
    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        if outcomes.is_empty() {
            let request = MetadataRequest {
                topics: Some(Vec::new()),
                ..Default::default()
            };
            return Next::Ask(alloc::vec![Call {
                name: "listNodes",
                target: Target::Any,
                request: Request::Metadata(request),
            }]);
        }
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(Response::Metadata(response)) => {
                    self.brokers = response.brokers;
                    let call = |broker: &MetadataResponseBroker| Call {
                        name: "apiVersions",
                        target: Target::Broker(NodeId(broker.node_id)),
                        request: Request::ApiVersions(versions_request()),
                    };
                    return Next::Ask(self.brokers.iter().map(call).collect());
                }
                Ok(Response::ApiVersions(response)) => {
                    say.out(&format!("{} -> (", self.shown(at)));
                    say.out(&lines(&response.api_keys).join(",\n"));
                    say.out(")");
                }
                Ok(_) => {}
                Err(failure) if self.brokers.is_empty() => {
                    say.err(&failure.message);
                    return Next::Exit(1);
                }
                Err(failure) => {
                    let class = crate::errors::exception(failure.code);
                    let thrown = Thrown::new(&class, &failure.message);
                    say.out(&format!("{} -> ERROR: {thrown}", self.shown(at)));
                }
            }
        }
        Next::Exit(0)
    }

    fn shown(&self, at: usize) -> String {
        let broker = self.brokers.get(at);
        let shown = broker.map(|b| {
            let rack = b.rack.as_ref().map_or("null", |rack| rack.as_str());
            let (host, port, id) = (&b.host, b.port, b.node_id);
            format!("{host}:{port} (id: {id} rack: {rack} isFenced: false)")
        });
        shown.unwrap_or_default()
    }
}

/// A line for every request that the broker or this client knows, in the order of their keys.
fn lines(theirs: &[ApiVersion]) -> Vec<String> {
    let mut rows: Vec<(i16, String)> = Vec::new();
    for api in theirs {
        let known = APIS.iter().find(|known| known.key == api.api_key);
        rows.push((api.api_key, line(api, known)));
    }
    let ours = APIS.iter().map(|api| (api.key, api.name)).chain(OF_PLUGINS);
    for (key, name) in ours {
        if !theirs.iter().any(|api| api.api_key == key) {
            rows.push((key, format!("\t{name}({key}): UNSUPPORTED")));
        }
    }
    sorted::sort_by_key(&mut rows, |row| row.0);
    rows.into_iter().map(|row| row.1).collect()
}

fn line(api: &ApiVersion, known: Option<&Api>) -> String {
    let (key, least, most) = (api.api_key, api.min_version, api.max_version);
    let plugin = OF_PLUGINS.iter().find(|row| row.0 == key).map(|row| row.1);
    let name = known
        .map(|known| known.name)
        .or(plugin)
        .unwrap_or("UNKNOWN");
    let range = match least == most {
        true => most.to_string(),
        false => format!("{least} to {most}"),
    };
    let usable = match known {
        None => String::new(),
        Some(known) if known.min > most => " [unusable: node too old]".to_string(),
        Some(known) if known.max < least => " [unusable: node too new]".to_string(),
        Some(known) => format!(" [usable: {}]", most.min(known.max)),
    };
    format!("\t{name}({key}): {range}{usable}")
}
