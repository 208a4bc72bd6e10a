//! ControllerRegistration (key 70, version 0) and UpdateFeatures (key 57, versions 0–2): what the nodes of the
//! cluster speak, and what is in force (KIP-584, KIP-919).
//!
//! Left out: other levels of `metadata.version` than 30, and features of which no level above 0 is spoken here.

use crate::controller::{Controller, METADATA_VERSION};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ids::{ErrorCode, Time};
use metadata::MetadataRecord;
use wire::Str;
use wire::config_record::ConfigRecord;
use wire::controller_registration_request::{ControllerRegistrationRequest, Feature, Listener};
use wire::controller_registration_response::ControllerRegistrationResponse;
use wire::feature_level_record::FeatureLevelRecord;
use wire::register_controller_record::{
    ControllerEndpoint, ControllerFeature, RegisterControllerRecord,
};
use wire::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use wire::update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse};

/// The feature that eligible leaders come with (KIP-966).
const ELIGIBLE_LEADERS: &str = "eligible.leader.replicas.version";

/// The features whose level may change while the cluster runs: name, least and highest level.
const FEATURES: &[(&str, i16, i16)] = &[
    (ELIGIBLE_LEADERS, 0, 1),
    ("metadata.version", METADATA_VERSION, METADATA_VERSION),
];

/// Kafka 4.3's features with the levels that a controller names when it registers.
const KAFKAS: &[(&str, i16, i16)] = &[
    ("eligible.leader.replicas.version", 0, 1),
    ("group.version", 0, 1),
    ("kraft.version", 0, 1),
    ("metadata.version", 7, METADATA_VERSION),
    ("share.version", 0, 2),
    ("streams.version", 0, 1),
    ("transaction.version", 0, 2),
];

fn spoken_feature(
    &(name, min_supported_version, max_supported_version): &(&str, i16, i16),
) -> Feature {
    Feature {
        name: Str::from(name),
        min_supported_version,
        max_supported_version,
        ..Feature::default()
    }
}

impl Controller {
    /// What a new cluster begins with: the features that are in force, and what goes with them.
    pub(crate) fn first_records(&self) -> Vec<MetadataRecord> {
        let level = |(name, feature_level)| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: Str::from_static(name),
                feature_level,
                ..FeatureLevelRecord::default()
            })
        };
        let levels = [
            ("metadata.version", METADATA_VERSION),
            (ELIGIBLE_LEADERS, 1),
        ];
        if !self.config.keeps_eligible_leaders {
            return levels.into_iter().take(1).map(level).collect();
        }
        let mut records: Vec<MetadataRecord> = levels.into_iter().map(level).collect();
        // With eligible leaders the cluster's own value is what their leaving is judged by.
        records.push(MetadataRecord::Config(ConfigRecord {
            resource_type: metadata::BROKER,
            name: Str::from_static("min.insync.replicas"),
            value: Some(Str::from_static("1")),
            ..ConfigRecord::default()
        }));
        records
    }

    /// How this controller introduces itself to the one that decides.
    #[must_use]
    pub fn registration(&self) -> ControllerRegistrationRequest {
        let listeners = self.listeners.iter().map(|(name, host, port)| Listener {
            name: name.clone(),
            host: host.clone(),
            port: *port,
            ..Listener::default()
        });
        // One without a listener has nobody to tell.
        let features = KAFKAS.iter().filter(|_| !self.listeners.is_empty());
        ControllerRegistrationRequest {
            controller_id: self.config.node.0,
            incarnation_id: self.config.incarnation,
            listeners: listeners.collect(),
            features: features.map(spoken_feature).collect(),
            ..ControllerRegistrationRequest::default()
        }
    }

    /// Whether what the log says of this controller is of this process.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        let known = self.image().controllers().get(&self.config.node);
        known.is_some_and(|known| known.incarnation_id == self.config.incarnation)
    }

    #[inline(never)]
    pub(crate) fn register_controller(
        &mut self,
        _now: Time,
        _version: i16,
        request: &ControllerRegistrationRequest,
    ) -> (Vec<MetadataRecord>, ControllerRegistrationResponse) {
        let listeners = request.listeners.iter().map(|listener| ControllerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..ControllerEndpoint::default()
        });
        let features = request.features.iter().map(|feature| ControllerFeature {
            name: feature.name.clone(),
            min_supported_version: feature.min_supported_version,
            max_supported_version: feature.max_supported_version,
            ..ControllerFeature::default()
        });
        let record = MetadataRecord::RegisterController(RegisterControllerRecord {
            controller_id: request.controller_id,
            incarnation_id: request.incarnation_id,
            zk_migration_ready: request.zk_migration_ready,
            end_points: listeners.collect(),
            features: features.collect(),
            ..RegisterControllerRecord::default()
        });
        let answer = ControllerRegistrationResponse {
            error_message: None,
            ..ControllerRegistrationResponse::default()
        };
        (alloc::vec![record], answer)
    }

    #[inline(never)]
    pub(crate) fn update_features(
        &mut self,
        _now: Time,
        version: i16,
        request: &UpdateFeaturesRequest,
    ) -> (Vec<MetadataRecord>, UpdateFeaturesResponse) {
        let mut records = Vec::new();
        let mut answer = UpdateFeaturesResponse {
            error_message: None,
            ..UpdateFeaturesResponse::default()
        };
        for update in &request.feature_updates {
            let judged = self.judge_feature(version, update);
            let mut row = UpdatableFeatureResult {
                feature: update.feature.clone(),
                error_message: None,
                ..UpdatableFeatureResult::default()
            };
            match judged {
                Ok(record) => records.extend(record),
                Err((code, why)) => {
                    row.error_code = code.0;
                    row.error_message = Some(Str::from(why));
                }
            }
            answer.results.push(row);
        }
        // From version 2 on all updates are carried out or none.
        let failed = answer.results.iter().find(|row| row.error_code != 0);
        if let Some(failed) = failed.filter(|_| version >= 2) {
            answer.error_code = failed.error_code;
            answer.error_message = failed.error_message.as_ref().map(|why| {
                let feature = &failed.feature;
                Str::from(format!(
                    "The update failed for all features since the following feature had an error: {feature}: {why}"
                ))
            });
            records.clear();
        }
        if version >= 2 {
            answer.results.clear();
        }
        if request.validate_only {
            records.clear();
        }
        (records, answer)
    }

    fn judge_feature(
        &self,
        version: i16,
        update: &FeatureUpdateKey,
    ) -> Result<Option<MetadataRecord>, (ErrorCode, String)> {
        let (name, wanted) = (&update.feature, update.max_version_level);
        let known = FEATURES.iter().find(|(known, _, _)| *known == &**name);
        let Some((_, least, most)) = known else {
            let why = format!(
                "Invalid update version {wanted} for feature {name}. Local controller does not support this feature."
            );
            return Err((ErrorCode::FEATURE_UPDATE_FAILED, why));
        };
        if wanted < *least || wanted > *most {
            let why = format!(
                "Invalid update version {wanted} for feature {name}. Local controller only supports versions \
                 {least}-{most}"
            );
            return Err((ErrorCode::FEATURE_UPDATE_FAILED, why));
        }
        let speaks = |features: &[(alloc::sync::Arc<str>, i16, i16)]| {
            let spoken = features.iter().find(|(spoken, _, _)| **spoken == **name);
            spoken.map_or((0, 0), |(_, least, most)| (*least, *most))
        };
        for (node, entry) in self.image.brokers().iter() {
            // A broker of this program that told nothing speaks what the controller speaks.
            let (least, most) = speaks(&entry.features);
            if !entry.features.is_empty() && (wanted < least || wanted > most) {
                let why = format!(
                    "Invalid update version {wanted} for feature {name}. Broker {node} only supports versions \
                     {least}-{most}"
                );
                return Err((ErrorCode::FEATURE_UPDATE_FAILED, why));
            }
        }
        let now = self.image.feature(name);
        let may_lower = match version {
            0 => update.allow_downgrade,
            _ => update.upgrade_type > 1,
        };
        if wanted < now && !may_lower {
            let why = format!(
                "Invalid update version {wanted} for feature {name}. Can't downgrade the version of this feature \
                 without setting the upgrade type to either safe or unsafe downgrade."
            );
            return Err((ErrorCode::FEATURE_UPDATE_FAILED, why));
        }
        Ok((wanted != now).then(|| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: name.clone(),
                feature_level: wanted,
                ..FeatureLevelRecord::default()
            })
        }))
    }
}
