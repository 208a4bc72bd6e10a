//! Clients that do not read what they have asked for.

use crate::common::{Client, Running, fetched, fresh_dir, in_dir, settings};
use brooklet_server::{Settings, Storage};
use wire::Str;
use wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::fetch_response::FetchResponse;

/// Memory for the logs that are in files, and for answers on their way.
const BYTES: u64 = 1 << 20;

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

/// A server with 24 records of 900,000 bytes, and as many clients that ask for all of them and read nothing.
fn with_silent_clients(settings: &Settings) -> (Running, Client, Vec<Client>) {
    let server = Running::start(settings);
    let mut honest = server.client();
    honest.create("large", &[]);
    for _ in 0..24 {
        assert_eq!(honest.produce("large", &[&[7; 900_000]]).0, 0);
    }
    let mut silent: Vec<Client> = (0..24).map(|_| server.client()).collect();
    silent.iter_mut().for_each(ask_for_everything);
    (server, honest, silent)
}

#[test]
fn whoever_does_not_read_is_closed_before_memory_runs_out_and_others_are_served() {
    let mut settings = settings(Storage::Memory, &[]);
    settings.unsent_bytes = BYTES;
    let (server, mut honest, _silent) = with_silent_clients(&settings);
    // Sockets buffer some megabytes of each answer; the rest waits in memory.
    let said = (0..2_000).any(|_| {
        assert_eq!(honest.fetch("large", 23).0, 0);
        server.lines.any("does not read its answers")
    });
    assert!(said, "{:?}", server.lines.all());
    assert_eq!(honest.read_all("large", 0).len(), 24);
}

#[test]
fn answers_from_files_wait_without_memory_for_whoever_does_not_read() {
    let mut settings = in_dir(&fresh_dir("slow-readers"));
    (settings.cache_bytes, settings.unsent_bytes) = (BYTES, BYTES);
    let (server, mut honest, silent) = with_silent_clients(&settings);
    assert_eq!(honest.read_all("large", 0).len(), 24);
    for mut late in silent {
        let answer: FetchResponse = late.receive(12).expect("it is connected");
        // What may still grow comes with the next answer.
        assert!(fetched(&answer, 0).2.len() >= 23);
    }
    assert_eq!(server.lines.all(), Vec::<String>::new());
}
