//! What is told of configs beyond what the recorded answers show.

use tests::direct::Direct;
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResponse};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

fn described(
    direct: &mut Direct,
    resource_type: i8,
    name: &str,
    include_documentation: bool,
) -> Vec<DescribeConfigsResourceResult> {
    let conn = direct.connect();
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: Str::from(name),
            configuration_keys: None,
            ..Default::default()
        }],
        include_synonyms: true,
        include_documentation,
        ..Default::default()
    };
    let mut answer: DescribeConfigsResponse = direct.ask(conn, 4, &request);
    assert_eq!(answer.results[0].error_code, 0);
    answer.results.remove(0).configs
}

/// A node with the topic that groups keep their offsets in.
fn node(properties: &[(&str, &str)]) -> Direct {
    use wire::find_coordinator_request::FindCoordinatorRequest;
    use wire::find_coordinator_response::FindCoordinatorResponse;
    let mut direct = Direct::new(properties);
    let conn = direct.connect();
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![Str::from("g")],
        ..Default::default()
    };
    let _: FindCoordinatorResponse = direct.ask(conn, 4, &request);
    direct
}

#[test]
fn what_a_config_is_for_is_told_when_it_is_asked_for() {
    let mut direct = node(&[]);
    for (kind, name, count) in [
        (TOPIC, "__consumer_offsets", 33),
        (BROKER, "1", 340),
        (GROUP, "any", 17),
        (CLIENT_METRICS, "any", 3),
    ] {
        let told = described(&mut direct, kind, name, true);
        assert_eq!(told.len(), count, "{name}");
        let speechless = |row: &&DescribeConfigsResourceResult| {
            row.documentation.as_deref().is_none_or(str::is_empty)
        };
        let speechless: Vec<&str> = told
            .iter()
            .filter(speechless)
            .map(|row| &*row.name)
            .collect();
        assert!(speechless.is_empty(), "{speechless:?}");
        let told = described(&mut direct, kind, name, false);
        assert!(told.iter().all(|row| row.documentation.is_none()), "{name}");
    }
}

#[test]
fn a_config_that_kafka_does_not_know_may_be_a_secret_and_is_not_told() {
    let mut direct = node(&[("plugin.token", "hunter2"), ("ssl.key.password", "hunter2")]);
    let told = described(&mut direct, BROKER, "1", true);
    for name in ["plugin.token", "ssl.key.password"] {
        let row = told.iter().find(|row| *row.name == *name).expect(name);
        assert!(row.is_sensitive && row.value.is_none(), "{row:?}");
        assert!(
            row.synonyms.iter().all(|one| one.value.is_none()),
            "{row:?}"
        );
    }
}

#[test]
fn an_answer_has_room_for_so_many_configs_and_refuses_the_rest() {
    const GROUPS: usize = 31_000;
    let mut direct = node(&[]);
    let conn = direct.connect();
    let group = |number: usize| DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: Str::from(number.to_string()),
        configuration_keys: None,
        ..Default::default()
    };
    let request = DescribeConfigsRequest {
        resources: (0..GROUPS).map(group).collect(),
        ..Default::default()
    };
    let answer: DescribeConfigsResponse = direct.ask(conn, 1, &request);
    assert_eq!(answer.results.len(), GROUPS);
    let rows: usize = answer
        .results
        .iter()
        .map(|result| result.configs.len())
        .sum();
    assert!(rows <= (1 << 19) + 17, "{rows}");
    let last = answer.results.last().expect("an answer");
    assert_eq!(last.error_code, 42);
    assert!(
        last.error_message
            .as_deref()
            .is_some_and(|why| why.contains("ask again"))
    );
}
