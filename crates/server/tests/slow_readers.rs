//! Clients that do not read what they have asked for.

mod common;

use common::{Client, Running, fresh_dir, in_dir};
use wire::Str;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};

/// Memory for the logs, and for answers on their way.
const CACHE_BYTES: u64 = 1 << 20;

fn ask_for_everything(client: &mut Client) {
    let partition = FetchPartition {
        partition_max_bytes: 32 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from("large"),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_bytes: 32 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    client.send(12, &request).expect("it is connected");
}

#[test]
fn whoever_does_not_read_is_closed_before_memory_runs_out_and_others_are_served() {
    let mut settings = in_dir(&fresh_dir("slow-readers"));
    settings.cache_bytes = CACHE_BYTES;
    let server = Running::start(&settings);
    let mut honest = server.client();
    honest.create("large", &[]);
    for _ in 0..24 {
        assert_eq!(honest.produce("large", &[&[7; 900_000]]).0, 0);
    }
    // Sockets buffer some megabytes of each answer; of the rest, which is in files, the broker has
    // read a quarter of a mebibyte for each.
    let mut silent: Vec<Client> = (0..24).map(|_| server.client()).collect();
    silent.iter_mut().for_each(ask_for_everything);
    let said = (0..2_000).any(|_| {
        assert_eq!(honest.fetch("large", 23).0, 0);
        server.lines.any("does not read its answers")
    });
    assert!(said, "{:?}", server.lines.all());
    assert_eq!(honest.read_all("large", 0).len(), 24);
}
