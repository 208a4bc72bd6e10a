//! What is not there yet is refused so that clients give up at once rather than ask again.

use tests::direct::Direct;
use wire::Str;
use wire::find_coordinator_request::FindCoordinatorRequest;
use wire::find_coordinator_response::FindCoordinatorResponse;
use wire::init_producer_id_request::InitProducerIdRequest;
use wire::init_producer_id_response::InitProducerIdResponse;

/// `CLUSTER_AUTHORIZATION_FAILED`: what Java's client, librdkafka and kafka-python take as final alike.
const FINAL: i16 = 31;
const TRANSACTION: i8 = 1;

#[test]
fn a_transactional_client_hears_for_good_and_in_words_that_there_are_no_transactions() {
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    for version in 1..=6 {
        let request = FindCoordinatorRequest {
            key_type: TRANSACTION,
            ..match version {
                1..=3 => FindCoordinatorRequest {
                    key: Str::from("t"),
                    ..Default::default()
                },
                _ => FindCoordinatorRequest {
                    coordinator_keys: vec![Str::from("t")],
                    ..Default::default()
                },
            }
        };
        let answer: FindCoordinatorResponse = direct.ask(conn, version, &request);
        let (code, why) = match answer.coordinators.first() {
            Some(row) => (row.error_code, row.error_message.clone()),
            None => (answer.error_code, answer.error_message.clone()),
        };
        assert_eq!(code, FINAL, "version {version}");
        let why = why.unwrap_or_default();
        assert!(why.contains("no transactions"), "version {version}: {why}");
    }
    // Who knows the coordinator already asks no longer for it.
    let request = InitProducerIdRequest {
        transactional_id: Some(Str::from("t")),
        transaction_timeout_ms: 1000,
        ..Default::default()
    };
    let answer: InitProducerIdResponse = direct.ask(conn, 4, &request);
    assert_eq!(answer.error_code, FINAL);
}

#[test]
fn features_that_are_not_built_are_named_and_have_no_level() {
    use wire::api_versions_request::ApiVersionsRequest;
    use wire::api_versions_response::ApiVersionsResponse;
    let mut direct = Direct::new(&[]);
    let conn = direct.connect();
    let request = ApiVersionsRequest {
        client_software_name: Str::from("test"),
        client_software_version: Str::from("1"),
        ..Default::default()
    };
    let answer: ApiVersionsResponse = direct.ask(conn, 4, &request);
    let told = answer.supported_features.iter();
    let told: Vec<(&str, i16)> = told.map(|row| (&*row.name, row.max_version)).collect();
    // Kafka 4.3.1 names the same seven.
    let expected = [
        ("eligible.leader.replicas.version", 0),
        ("group.version", 0),
        ("kraft.version", 1),
        ("metadata.version", 30),
        ("share.version", 0),
        ("streams.version", 0),
        ("transaction.version", 0),
    ];
    assert_eq!(told, expected);
    // A least level of 0 is nothing that clients of before KIP-1022 can read.
    let answer: ApiVersionsResponse = direct.ask(conn, 3, &request);
    let told = answer.supported_features.iter();
    let told: Vec<&str> = told.map(|row| &*row.name).collect();
    assert_eq!(told, ["metadata.version"]);
}
