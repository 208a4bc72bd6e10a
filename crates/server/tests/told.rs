//! What a server tells of itself: the room for logs, and what it was started with.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Client, Running, fresh_dir, in_dir, settings};
use brooklet_server::{Settings, Storage};
use std::path::Path;
use wire::Str;
use wire::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::describe_configs_response::DescribeConfigsResponse;
use wire::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::describe_log_dirs_response::{DescribeLogDirsResponse, DescribeLogDirsResult};

/// Resource type of a broker.
const BROKER: i8 = 4;

fn log_dir(client: &mut Client) -> DescribeLogDirsResult {
    let request = DescribeLogDirsRequest {
        topics: None,
        ..Default::default()
    };
    let mut answer: DescribeLogDirsResponse = client.ask(4, &request);
    assert_eq!(answer.results.len(), 1);
    answer.results.remove(0)
}

#[test]
fn a_log_directory_is_told_by_its_path_with_the_room_on_its_volume() {
    let dir = fresh_dir("told-volume");
    let server = Running::start(&in_dir(&dir));
    let told = log_dir(&mut server.client());
    assert_eq!(Path::new(&*told.log_dir), dir);
    assert!(told.total_bytes > 0, "{told:?}");
    assert!(
        (0..=told.total_bytes).contains(&told.usable_bytes),
        "{told:?}"
    );
}

#[test]
fn logs_in_memory_have_the_room_they_were_given() {
    const ROOM: u64 = 1 << 20;
    let small = Settings {
        memory_bytes: ROOM,
        ..settings(Storage::Memory, &[])
    };
    let server = Running::start(&small);
    let mut client = server.client();
    client.create("orders", &[]);
    client.produce("orders", &[&[7; 1000]]);
    let told = log_dir(&mut client);
    let (all, left) = (ROOM as i64, told.usable_bytes);
    assert_eq!(told.total_bytes, all);
    assert!(left < all - 1000 && left > all / 2, "{left}");
}

#[test]
fn what_flags_say_is_told_like_what_the_file_says() {
    let dir = fresh_dir("told-configs");
    let server = Running::start(&in_dir(&dir));
    let names = [
        "advertised.listeners",
        "broker.id",
        "listeners",
        "log.dirs",
        "node.id",
    ];
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: BROKER,
            resource_name: Str::from("1"),
            configuration_keys: Some(names.map(Str::from).to_vec()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer: DescribeConfigsResponse = server.client().ask(4, &request);
    let rows = answer.results[0].configs.iter();
    let told: Vec<(&str, &str)> = rows
        .map(|row| (&*row.name, row.value.as_deref().unwrap()))
        .collect();
    let listener = format!("PLAINTEXT://{}", server.address);
    let values = [&*listener, "1", &listener, dir.to_str().unwrap(), "1"];
    assert_eq!(told, Vec::from_iter(names.into_iter().zip(values)));
}
