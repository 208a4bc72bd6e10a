//! `kafka-cluster`: the cluster's id, its endpoints, and the end of a broker's registration.

use super::options::cluster::GRAMMAR;
use super::quorum::{check, cluster_request};
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown, table};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::ErrorCode;
use wire::describe_cluster_request::DescribeClusterRequest;
use wire::describe_cluster_response::DescribeClusterBroker;
use wire::unregister_broker_request::UnregisterBrokerRequest;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let line = GRAMMAR.read(words)?;
    let parsed = line.parsed;
    let mut said = Said::default();
    let mut given = parsed.clone();
    if let Some(file) = parsed.last("config") {
        said = said.out("Option --config has been deprecated and will be removed in a future version. Use --command-config instead.");
        given.put("command-config", Some(file.to_string()));
    }
    let refuse = |said: Said, thrown: &Thrown| said.err(&thrown.message).cause(thrown).exit(1);
    let admin = super::admin_of_commands(&given, &env);
    let admin = admin.map_err(|thrown| refuse(said.clone(), &thrown))?;
    let controllers = admin.controllers;
    let fenced = parsed.has("include-fenced-brokers");
    if fenced && controllers {
        let message =
            "The option --include-fenced-brokers is only supported with --bootstrap-server option";
        return Err(said.err(message).exit(1));
    }
    let id = parsed.last("id").and_then(|id| id.parse().ok());
    let ask = match line.command {
        "cluster-id" => Ask::Id,
        "unregister" => Ask::Unregister(id.unwrap_or(-1)),
        _ => Ask::Endpoints { fenced },
    };
    let job = Job::Cluster(Cluster { ask, controllers });
    Ok(AdminTool::new(admin, env.rng, job, said))
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    ask: Ask,
    controllers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Id,
    Endpoints { fenced: bool },
    Unregister(i32),
}

impl Cluster {
    pub(super) fn only_reads(&self) -> bool {
        !matches!(self.ask, Ask::Unregister(_))
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        let Some(outcome) = outcomes.into_iter().next() else {
            return Next::Ask(alloc::vec![self.call()]);
        };
        match self.tell(outcome, say) {
            Ok(()) => Next::Exit(0),
            Err(thrown) => {
                say.err(&thrown.to_string());
                Next::Exit(1)
            }
        }
    }

    fn call(&self) -> Call {
        let (name, request) = match self.ask {
            Ask::Unregister(broker_id) => {
                let request = UnregisterBrokerRequest {
                    broker_id,
                    ..Default::default()
                };
                ("unregisterBroker", Request::UnregisterBroker(request))
            }
            Ask::Id | Ask::Endpoints { .. } => {
                let request = DescribeClusterRequest {
                    endpoint_type: if self.controllers {
                        CONTROLLERS
                    } else {
                        BROKERS
                    },
                    include_fenced_brokers: matches!(self.ask, Ask::Endpoints { fenced: true }),
                    ..cluster_request()
                };
                ("listNodes", Request::DescribeCluster(request))
            }
        };
        Call {
            name,
            target: Target::Any,
            request,
        }
    }

    fn tell(&self, outcome: Outcome, say: &mut Say<'_>) -> Result<(), Thrown> {
        let response = match outcome {
            Err(failure) if failure.code == ErrorCode::UNSUPPORTED_VERSION => {
                say.out("The target cluster does not support the broker unregistration API.");
                return Ok(());
            }
            Err(failure) => {
                let class = errors::exception(failure.code);
                return Err(Thrown::new(&class, &failure.message));
            }
            Ok(response) => response,
        };
        match (response, self.ask) {
            (Response::UnregisterBroker(response), Ask::Unregister(id)) => {
                check(response.error_code, response.error_message.as_ref())?;
                say.out(&format!("Broker {id} is no longer registered."));
            }
            (Response::DescribeCluster(response), ask) => {
                check(response.error_code, response.error_message.as_ref())?;
                match ask {
                    Ask::Id => say.out(&format!("Cluster ID: {}", response.cluster_id)),
                    _ => self.tell_endpoints(&response.brokers, say),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn tell_endpoints(&self, nodes: &[DescribeClusterBroker], say: &mut Say<'_>) {
        let host = table::widest(0, nodes.iter().map(|node| node.host.as_str()));
        let racks = || nodes.iter().filter_map(|node| node.rack.as_ref());
        // Where nobody has a rack, the column is as wide as the others.
        let rack = match racks().next() {
            Some(_) => table::widest(0, racks().map(|rack| rack.as_str())),
            None => 10,
        };
        let kind = if self.controllers {
            "controller"
        } else {
            "broker"
        };
        let row = |id: &str, at: &str, port: &str, r: &str, state: &str, kind: &str| {
            let state = match self.controllers {
                true => String::new(),
                false => format!("{state:10} "),
            };
            format!("{id:10} {at:host$} {port:10} {r:rack$} {state}{kind:15}")
        };
        say.out(&row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"));
        for node in nodes {
            let state = if node.is_fenced { "fenced" } else { "unfenced" };
            let (id, port) = (node.broker_id.to_string(), node.port.to_string());
            let r = node.rack.as_ref().map_or("null", |rack| rack.as_str());
            say.out(&row(&id, &node.host, &port, r, state, kind));
        }
    }
}
