//! What a client notices of a server: records, restarts, limits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Running, fresh_dir, in_dir, settings};
use brooklet_server::Storage;
use std::fs;
use std::io::{ErrorKind, Write};

fn values(from: usize, to: usize) -> Vec<Vec<u8>> {
    (from..to)
        .map(|i| format!("value {i}").into_bytes())
        .collect()
}

fn borrowed(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

#[test]
fn what_is_produced_is_fetched_over_tcp() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    let mut client = server.client();
    client.create("orders", &[]);
    assert_eq!(client.produce("orders", &[b"a", b"b"]), (0, 0));
    assert_eq!(client.produce("orders", &[b"c"]), (0, 2));
    let expected = [(0, b"a".to_vec()), (1, b"b".to_vec()), (2, b"c".to_vec())];
    assert_eq!(client.read_all("orders", 0), expected);
}

#[test]
fn a_clean_stop_leaves_kafkas_files_and_a_start_reads_them() {
    let dir = fresh_dir("clean-stop");
    let sent = values(0, 100);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    client.create("orders", &[]);
    for ten in sent.chunks(10) {
        client.produce("orders", &borrowed(ten));
    }
    assert_eq!(
        server.stop(),
        Vec::<String>::new(),
        "nothing to complain about"
    );
    for file in [
        ".kafka_cleanshutdown",
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
        "log-start-offset-checkpoint",
        "__cluster_metadata-0/00000000000000000000.log",
        "orders-0/00000000000000000000.log",
        "orders-0/00000000000000000000.index",
        "orders-0/00000000000000000000.timeindex",
        "orders-0/00000000000000000100.snapshot",
        "orders-0/leader-epoch-checkpoint",
        "orders-0/partition.metadata",
    ] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    let checkpoint = fs::read_to_string(dir.join("recovery-point-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint, "0\n1\norders 0 100\n");

    let server = Running::start(&in_dir(&dir));
    assert!(
        !dir.join(".kafka_cleanshutdown").exists(),
        "it is true only once"
    );
    let mut client = server.client();
    let found = client.read_all("orders", 0);
    assert_eq!(
        found
            .into_iter()
            .map(|(_, value)| value)
            .collect::<Vec<_>>(),
        sent
    );
    assert_eq!(client.produce("orders", &[b"after"]), (0, 100));
    assert_eq!(server.stop(), Vec::<String>::new());
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let dir = fresh_dir("torn-tail");
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    client.create("orders", &[]);
    client.produce("orders", &[b"kept"]);
    client.produce("orders", &[b"torn"]);
    server.stop();
    // As a kill in the middle of a write leaves it.
    fs::remove_file(dir.join(".kafka_cleanshutdown")).unwrap();
    let log = dir.join("orders-0/00000000000000000000.log");
    let length = fs::metadata(&log).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&log)
        .unwrap()
        .set_len(length - 5)
        .unwrap();

    let server = Running::start(&in_dir(&dir));
    let cut = "orders-0/00000000000000000000.log: cut at byte 72";
    assert!(server.lines.any(cut), "{:?}", server.lines.all());
    let mut client = server.client();
    assert_eq!(client.read_all("orders", 0), [(0, b"kept".to_vec())]);
    assert_eq!(client.produce("orders", &[b"again"]), (0, 1));
    assert_eq!(client.read_all("orders", 1), [(1, b"again".to_vec())]);
}

#[test]
fn directories_that_are_no_partitions_are_kept_and_named() {
    let dir = fresh_dir("unknown-dirs");
    Running::start(&in_dir(&dir)).stop();
    fs::create_dir(dir.join("notes")).unwrap();
    fs::create_dir(dir.join("stranger-0")).unwrap();
    fs::create_dir(dir.join("orphan-0")).unwrap();
    let orphan = "version: 0\ntopic_id: 6kYgGZYRRc2RAA25zPsL7w";
    fs::write(dir.join("orphan-0/partition.metadata"), orphan).unwrap();
    let server = Running::start(&in_dir(&dir));
    for part in [
        "notes: not a partition",
        "stranger-0/partition.metadata",
        "orphan-0: the metadata",
    ] {
        assert!(server.lines.any(part), "{part}: {:?}", server.lines.all());
    }
    // A topic of that name begins anew, and what was there is kept beside it.
    let mut client = server.client();
    client.create("orphan", &[]);
    assert_eq!(client.produce("orphan", &[b"new"]), (0, 0));
    server.stop();
    for kept in [
        "notes",
        "stranger-0",
        "orphan-0.ea462019961145cd91000db9ccfb0bef-stray",
    ] {
        assert!(dir.join(kept).is_dir(), "{kept}");
    }
}

#[test]
fn a_second_server_cannot_have_the_same_directory() {
    let dir = fresh_dir("locked");
    let _first = Running::start(&in_dir(&dir));
    let second =
        brooklet_server::Server::start(&in_dir(&dir), brooklet_server::Console::to(|_| {}));
    assert!(second.unwrap_err().0.contains("in use by another process"));
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let dir = fresh_dir("other-node");
    Running::start(&in_dir(&dir)).stop();
    let mut settings = in_dir(&dir);
    settings.node = Some(ids::NodeId(5));
    let refused = brooklet_server::Server::start(&settings, brooklet_server::Console::to(|_| {}));
    assert!(
        refused
            .unwrap_err()
            .0
            .contains("belongs to node 1, and this node's id is 5")
    );
}

#[test]
fn logs_larger_than_the_cache_are_served_from_their_files() {
    let dir = fresh_dir("larger-than-cache");
    let mut settings = in_dir(&dir);
    settings.cache_bytes = 1 << 20;
    let server = Running::start(&settings);
    let mut client = server.client();
    client.create("big", &[("segment.bytes", "4194304")]);
    let value = vec![b'x'; 100_000];
    for _ in 0..200 {
        assert_eq!(client.produce("big", &[&value]).0, 0);
    }
    assert_eq!(client.read_all("big", 0).len(), 200);
    server.stop();
    let server = Running::start(&settings);
    assert_eq!(server.client().read_all("big", 0).len(), 200);
}

#[test]
fn memory_has_a_bound_and_an_answer_when_it_is_full() {
    let mut settings = settings(Storage::Memory, &[]);
    settings.memory_bytes = 1 << 20;
    let server = Running::start(&settings);
    let mut client = server.client();
    client.create("full", &[]);
    let value = vec![b'x'; 200_000];
    let answers: Vec<i16> = (0..8)
        .map(|_| client.produce("full", &[&value]).0)
        .collect();
    assert_eq!(
        answers,
        [0, 0, 0, 0, 0, 56, 56, 56],
        "KAFKA_STORAGE_ERROR from the bound on"
    );
    assert_eq!(
        client.read_all("full", 0).len(),
        5,
        "what was acknowledged is served"
    );
    let said = server.lines.all();
    assert_eq!(said.len(), 1, "said once: {said:?}");
    assert!(said[0].contains("--memory-max-mb"));
}

#[test]
fn an_idle_connection_is_closed() {
    let settings = settings(Storage::Memory, &[("connections.max.idle.ms", "100")]);
    let server = Running::start(&settings);
    assert!(server.client().is_closed());
}

#[test]
fn connections_have_a_bound() {
    let server = Running::start(&settings(Storage::Memory, &[("max.connections", "2")]));
    let mut first = server.client();
    first.create("a", &[]);
    let mut second = server.client();
    second.create("b", &[]);
    assert!(server.client().is_closed());
    assert!(server.lines.any("max.connections"));
    assert_eq!(first.produce("a", &[b"still"]), (0, 0));
}

#[test]
fn a_client_that_never_reads_is_not_read_from_either() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    let mut client = server.client();
    client.create("t", &[]);
    let value = vec![b'x'; 500_000];
    client.produce("t", &[&value]);
    // Answers of half a megabyte each pile up in the sockets' buffers, and then nowhere.
    let mut reader = server.client();
    let fetch = wire::fetch_request::FetchRequest {
        max_bytes: 1 << 20,
        topics: vec![wire::fetch_request::FetchTopic {
            topic: wire::Str::from("t"),
            partitions: vec![wire::fetch_request::FetchPartition {
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    reader
        .stream
        .set_write_timeout(Some(std::time::Duration::from_millis(300)))
        .unwrap();
    let stuck = loop {
        if let Err(error) = reader.send(12, &fetch) {
            break error.kind();
        }
    };
    assert!(matches!(stuck, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(client.produce("t", &[b"others are served"]).0, 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(&settings(Storage::Memory, &[]));
    let mut client = server.client();
    client.create("t", &[]);
    for i in 0..500 {
        let value = format!("{i}");
        client
            .send(
                9,
                &crate::common::produce_request("t", &[value.as_bytes()], -1),
            )
            .unwrap();
    }
    for i in 0..500 {
        assert_eq!(client.produced().unwrap(), (0, i));
    }
    client.stream.flush().unwrap();
}
