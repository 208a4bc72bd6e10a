//! `kafka-features`: which features the cluster knows and has, and to what level it takes them.

mod levels;

use super::options::Parsed;
use super::options::features::GRAMMAR;
use super::quorum::check;
use super::{AdminTool, Body, Env, Job, Next, Said, Say, Thrown};
use crate::admin::{Call, Outcome, Request, Response, Target};
use crate::errors;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ids::NodeId;
use levels::{METADATA, Release, dependencies, level, mapping, release_of, shown};
use sorted::SortedMap;
use wire::Str;
use wire::api_versions_request::ApiVersionsRequest;
use wire::api_versions_response::ApiVersionsResponse;
use wire::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use wire::update_features_response::UpdateFeaturesResponse;

/// `UpgradeType` of UpdateFeatures.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;
const TIMEOUT_MS: i32 = 60_000;

pub(super) fn start(words: &[String], env: Env) -> Body {
    Body::Said(match begin(words, env) {
        Ok(tool) => return Body::Admin(tool),
        Err(said) => said,
    })
}

fn begin(words: &[String], env: Env) -> Result<AdminTool, Said> {
    let line = GRAMMAR.read(words)?;
    let parsed = line.parsed;
    let refuse = |said: Said, text: &str| said.err(text).exit(1);
    let usage = |text: &str| {
        let text = format!("Command line error: {text}. Type --help for help.");
        Said::default().err_without_end(&text).exit(1)
    };
    if parsed.has("bootstrap-server") && parsed.has("bootstrap-controller") {
        return Err(usage(
            "argument --bootstrap-controller: not allowed with argument --bootstrap-server",
        ));
    }
    match line.command {
        "version-mapping" => return Err(tell_mapping(&parsed)),
        "feature-dependencies" => return Err(tell_dependencies(parsed.all("feature"))),
        _ => {}
    }
    if !parsed.has("bootstrap-server") && !parsed.has("bootstrap-controller") {
        return Err(usage(
            "You must specify either --bootstrap-controller or --bootstrap-server.",
        ));
    }
    let mut said = Said::default();
    let node = parsed.last("node-id").and_then(|id| id.parse().ok());
    let ask = match line.command {
        "describe" => Ask::Describe(node.map(NodeId)),
        command => {
            if parsed.has("metadata") {
                said = said
                    .out(" `metadata` flag is deprecated and may be removed in a future release.");
            }
            let change = Change::new(command, &parsed);
            Ask::Change(change.map_err(|text| refuse(said.clone(), &text))?)
        }
    };
    let admin = super::admin_of_commands(&parsed, &env);
    let admin = admin.map_err(|thrown| refuse(said.clone(), &thrown.to_string()))?;
    let job = Job::Features(Features { ask });
    Ok(AdminTool::new(admin, env.rng, job, said))
}

/// All features of one release.
pub(super) fn tell_mapping(parsed: &Parsed) -> Said {
    let release = match parsed.last("release-version") {
        Some(text) => release_of(text),
        None => Ok(Release::LATEST_STABLE),
    };
    match release {
        Ok(release) => {
            let lines = mapping(release).into_iter();
            let said = lines.fold(Said::default(), |said, (name, level)| {
                said.out(&shown(name, level))
            });
            said.exit(0)
        }
        Err(text) => Said::default().err(&text).exit(1),
    }
}

/// What each of these features requires.
pub(super) fn tell_dependencies(features: &[String]) -> Said {
    let mut said = Said::default();
    for text in features {
        let found = level(text).and_then(|(name, level)| {
            let needs = dependencies(name, level)?;
            Ok((shown(name, level), needs))
        });
        match found {
            Err(text) => return said.err(&text).exit(1),
            Ok((feature, needs)) if needs.is_empty() => {
                said = said.out(&format!("{feature} has no dependencies."));
            }
            Ok((feature, needs)) => {
                said = said.out(&format!("{feature} requires:"));
                for (name, level) in needs {
                    said = said.out(&format!("    {}", shown(name, level)));
                }
            }
        }
    }
    said.exit(0)
}

/// The work of one command.
#[derive(Clone, Debug)]
pub(crate) struct Features {
    ask: Ask,
}

#[derive(Clone, Debug)]
enum Ask {
    Describe(Option<NodeId>),
    Change(Change),
}

#[derive(Clone, Debug)]
struct Change {
    /// `upgrade`, `downgrade`, `disable`.
    command: &'static str,
    levels: SortedMap<String, i16>,
    kind: i8,
    dry_run: bool,
}

impl Change {
    fn new(command: &'static str, parsed: &Parsed) -> Result<Change, String> {
        let mut levels = SortedMap::new();
        let features = parsed.all("feature");
        match (parsed.last("release-version"), parsed.last("metadata")) {
            (Some(_), metadata) if metadata.is_some() || !features.is_empty() => {
                return Err("Can not specify `release-version` with other feature flags.".into());
            }
            (Some(release), _) => {
                for (name, level) in mapping(release_of(release)?) {
                    levels.insert(name.to_string(), level);
                }
            }
            (None, Some(metadata)) => {
                levels.insert(METADATA.to_string(), release_of(metadata)?.0);
            }
            (None, None) => {}
        }
        for text in features {
            let (name, level) = match command {
                "disable" => (text.as_str(), 0),
                _ => level(text)?,
            };
            if levels.insert(name.to_string(), level).is_some() {
                return Err(format!("Feature {name} was specified more than once."));
            }
        }
        if levels.is_empty() {
            return Err(format!(
                "You must specify at least one feature to {command}"
            ));
        }
        let kind = match (command, parsed.has("unsafe")) {
            ("upgrade", _) => UPGRADE,
            (_, false) => SAFE_DOWNGRADE,
            (_, true) => UNSAFE_DOWNGRADE,
        };
        Ok(Change {
            command,
            levels,
            kind,
            dry_run: parsed.has("dry-run"),
        })
    }

    fn request(&self) -> UpdateFeaturesRequest {
        let update = |(name, level): (&String, &i16)| FeatureUpdateKey {
            feature: Str::from(name.as_str()),
            max_version_level: *level,
            allow_downgrade: self.kind != UPGRADE,
            upgrade_type: self.kind,
            ..Default::default()
        };
        UpdateFeaturesRequest {
            timeout_ms: TIMEOUT_MS,
            feature_updates: self.levels.iter().map(update).collect(),
            validate_only: self.dry_run,
            ..Default::default()
        }
    }

    /// How it went, feature by feature; the exit status.
    fn tell(&self, response: &UpdateFeaturesResponse, say: &mut Say<'_>) -> i32 {
        let whole = check(response.error_code, response.error_message.as_ref()).err();
        let (mut failed, total) = (0, self.levels.len());
        for (name, level) in &self.levels {
            let own = response
                .results
                .iter()
                .find(|result| *result.feature == **name);
            let own = own.and_then(|r| check(r.error_code, r.error_message.as_ref()).err());
            let done = match self.command {
                "disable" => "disabled".to_string(),
                command => format!("{command}d to {level}"),
            };
            let wish = match self.command {
                "disable" => format!("disable {name}"),
                command => format!("{command} {name} to {level}"),
            };
            match whole.as_ref().or(own.as_ref()) {
                Some(thrown) => {
                    failed += 1;
                    let not = if self.dry_run { "Can not" } else { "Could not" };
                    say.out(&format!("{not} {wish}. {}", thrown.message));
                }
                None if self.dry_run => say.out(&format!("{name} can be {done}.")),
                None => say.out(&format!("{name} was {done}.")),
            }
        }
        if failed == 0 {
            return 0;
        }
        say.err(&format!("{failed} out of {total} operation(s) failed."));
        1
    }
}

impl Features {
    pub(super) fn only_reads(&self) -> bool {
        matches!(self.ask, Ask::Describe(_))
    }

    /// One round further.
    #[inline(never)]
    pub(super) fn next(&mut self, outcomes: Vec<Outcome>, say: &mut Say<'_>) -> Next {
        let Some(outcome) = outcomes.into_iter().next() else {
            return Next::Ask(alloc::vec![self.call()]);
        };
        match (outcome, &self.ask) {
            (Ok(Response::ApiVersions(response)), _) => {
                tell_features(&response, say);
                Next::Exit(0)
            }
            (Ok(Response::UpdateFeatures(response)), Ask::Change(change)) => {
                Next::Exit(change.tell(&response, say))
            }
            (Err(failure), _) => {
                let class = errors::exception(failure.code);
                say.err(&Thrown::new(&class, &failure.message).to_string());
                Next::Exit(1)
            }
            _ => Next::Exit(1),
        }
    }

    fn call(&self) -> Call {
        match &self.ask {
            Ask::Describe(node) => Call {
                name: "describeFeatures",
                target: node.map_or(Target::Any, Target::Broker),
                request: Request::ApiVersions(versions_request()),
            },
            Ask::Change(change) => Call {
                name: "updateFeatures",
                target: Target::Controller,
                request: Request::UpdateFeatures(change.request()),
            },
        }
    }
}

/// Asks a broker what it knows.
pub(super) fn versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: Str::from_static("brooklet"),
        client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
        ..Default::default()
    }
}

fn tell_features(response: &ApiVersionsResponse, say: &mut Say<'_>) {
    let mut supported: Vec<_> = response.supported_features.iter().collect();
    sorted::sort_by_key(&mut supported, |feature| feature.name.clone());
    let epoch = match response.finalized_features_epoch {
        epoch if epoch < 0 => "-".to_string(),
        epoch => epoch.to_string(),
    };
    for feature in supported {
        let name = feature.name.as_str();
        let mut finalized = response.finalized_features.iter();
        let finalized = finalized.find(|found| found.name == feature.name);
        let now = finalized.map_or(0, |found| found.max_version_level);
        let version = |level: i16| levels::version(name, level);
        let (least, most) = (version(feature.min_version), version(feature.max_version));
        say.out(&format!(
            "Feature: {name:42}SupportedMinVersion: {least:17}SupportedMaxVersion: {most:17}FinalizedVersionLevel: {:17}Epoch: {epoch}",
            version(now)
        ));
    }
}
