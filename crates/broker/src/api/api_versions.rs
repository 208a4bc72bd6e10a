//! ApiVersions (key 18, versions 0–4): which APIs and versions this broker speaks.
//!
//! A client asks before it knows anything, perhaps in a version from the future; it is then answered in
//! version 0 with error 35 and the versions of ApiVersions itself, and tries again (KIP-511).
//!
//! Each row told is Kafka 4.3's, down to the versions; rows of APIs that Brooklet does not have are missing,
//! which clients understand as "an older broker": transactions (24–28, 65, 66), ACLs, quotas, SCRAM and
//! delegation tokens (29–31, 38–41, 48–51), moving replicas between directories (34), the group protocol of KIP-848 and share groups (68, 76 and above), telemetry (71, 72).
//! The features that go with them are told as ones of which no level above 0 is known, so that tools list
//! what Kafka's do and no client counts on one.

use crate::broker::{Broker, Cx, Handled, encode};
use crate::waiting::Caller;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ids::ErrorCode;
use wire::Str;
use wire::api_table::{APIS, Api};
use wire::api_versions_request::ApiVersionsRequest;
use wire::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

/// The APIs this broker answers; the versions are Kafka's.
const SPOKEN: &[i16] = &[
    0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 32, 33, 35, 37, 42,
    43, 44, 45, 46, 47, 55, 57, 60, 61, 64, 69, 74, 75,
];

/// Kafka's features: name, least and highest level known here. Clients before version 4 cannot read a
/// least level of 0 (KIP-1022).
const FEATURES: &[(&str, i16, i16)] = &[
    ("eligible.leader.replicas.version", 0, 0),
    ("group.version", 0, 0),
    ("kraft.version", 0, 1),
    ("metadata.version", 7, 30),
    ("share.version", 0, 0),
    ("streams.version", 0, 0),
    ("transaction.version", 0, 0),
];

/// The table's row of an API that this broker answers.
pub(crate) fn spoken(api_key: i16) -> Option<&'static Api> {
    if !SPOKEN.contains(&api_key) {
        return None;
    }
    APIS.iter().find(|api| api.key == api_key)
}

/// The least version that is answered; Produce 0 to 2 are advertised for librdkafka's
/// sake (KAFKA-18659) and refused.
pub(crate) fn least_accepted(api: &Api) -> i16 {
    if api.key == 0 { 3 } else { api.min }
}

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &ApiVersionsRequest,
) -> Handled {
    if cx.caller.version >= 3 {
        if !is_software_name(&request.client_software_name)
            || !is_software_name(&request.client_software_version)
        {
            let error_code = ErrorCode::INVALID_REQUEST.0;
            return cx.reply(&ApiVersionsResponse {
                error_code,
                ..ApiVersionsResponse::default()
            });
        }
        if let Some(connection) = broker.connections.get_mut(cx.caller.conn) {
            let (name, version) = (
                &request.client_software_name,
                &request.client_software_version,
            );
            connection.software = Some((Arc::from(&**name), Arc::from(&**version)));
        }
    }
    let finalized = broker
        .image
        .features()
        .iter()
        .filter(|(_, level)| **level > 0);
    let response = ApiVersionsResponse {
        api_keys: SPOKEN
            .iter()
            .filter_map(|key| spoken(*key))
            .map(row)
            .collect(),
        supported_features: FEATURES
            .iter()
            .filter(|(_, min, _)| *min > 0 || cx.caller.version >= 4)
            .map(supported)
            .collect(),
        finalized_features_epoch: broker.image.end().0 - 1,
        finalized_features: finalized
            .map(|(name, level)| FinalizedFeatureKey {
                name: Str::from(&**name),
                max_version_level: *level,
                min_version_level: *level,
                ..FinalizedFeatureKey::default()
            })
            .collect(),
        ..ApiVersionsResponse::default()
    };
    cx.reply(&response)
}

/// Answers a version this broker does not know.
pub(crate) fn unsupported(cx: &Cx<'_>) -> Handled {
    let caller = Caller {
        version: 0,
        ..cx.caller
    };
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION.0,
        api_keys: spoken(18).map(row).into_iter().collect(),
        ..ApiVersionsResponse::default()
    };
    Handled::Reply(encode(&caller, &response, &Vec::new()))
}

fn row(api: &Api) -> ApiVersion {
    ApiVersion {
        api_key: api.key,
        min_version: api.min,
        max_version: api.max,
        ..ApiVersion::default()
    }
}

fn supported(&(name, min_version, max_version): &(&str, i16, i16)) -> SupportedFeatureKey {
    SupportedFeatureKey {
        name: Str::from(name),
        min_version,
        max_version,
        ..SupportedFeatureKey::default()
    }
}

/// Kafka's rule for a client's software name and version (KIP-511): letters, digits, dots and
/// dashes, beginning and ending with a letter or digit.
fn is_software_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next()) && edge(name.chars().next_back()) && name.chars().all(inner)
}
