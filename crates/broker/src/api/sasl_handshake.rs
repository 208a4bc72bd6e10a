//! SaslHandshake (key 17, versions 0–1): always refused with 34 and no mechanism, as Kafka does on a
//! PLAINTEXT listener.
//!
//! Left out: SASL.

use crate::broker::{Cx, Handled};
use ids::ErrorCode;
use wire::sasl_handshake_response::SaslHandshakeResponse;

pub(crate) fn handle(cx: &Cx<'_>) -> Handled {
    cx.reply(&SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE.0,
        ..SaslHandshakeResponse::default()
    })
}
