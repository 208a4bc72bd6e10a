//! InitProducerId (key 22, versions 0–5): an id for an idempotent producer (KIP-98).
//!
//! Ids come in blocks from the controller, so that no two brokers give out the same.
//!
//! Left out: transactional ids; they are refused for good with 31, as FindCoordinator refuses them.

use crate::broker::{Broker, Cx, Handled};
use ids::ErrorCode;
use wire::init_producer_id_request::InitProducerIdRequest;
use wire::init_producer_id_response::InitProducerIdResponse;

/// Kafka's default of `transaction.max.timeout.ms`.
const TIMEOUT_MAX_MS: i32 = 900_000;

pub(crate) fn handle(
    broker: &mut Broker,
    cx: &mut Cx<'_>,
    request: &InitProducerIdRequest,
) -> Handled {
    if let Some(id) = &request.transactional_id {
        let code = if id.is_empty() {
            ErrorCode::INVALID_REQUEST
        } else if !(1..=TIMEOUT_MAX_MS).contains(&request.transaction_timeout_ms) {
            ErrorCode::INVALID_TRANSACTION_TIMEOUT
        } else {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        };
        return cx.reply(&refused(code));
    }
    match broker.take_producer_id(cx.now, cx.out) {
        Some(producer_id) => cx.reply(&granted(producer_id)),
        None => broker.await_producer_id(cx),
    }
}

pub(crate) fn granted(producer_id: i64) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id,
        producer_epoch: 0,
        ..InitProducerIdResponse::default()
    }
}

pub(crate) fn refused(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: code.0,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
