//! What the raft writes, byte by byte as Apache Kafka wrote it.

use crate::support::{Bench, bytes, kept};
use bytes::Bytes;
use ids::{LeaderEpoch, NodeId, Offset, Rng, Time, Uuid};
use log::{Log, LogConfig};
use raft::{Damaged, Effect, Election, Endpoint, Event, FromDisk, KeptSnapshot, Order, Raft};
use raft::{RaftConfig, ReplicaKey, Tuning, Voter, Voters, bootstrap_checkpoint};
use records::{BatchView, Batches};
use wire::Str;

const DIRECTORY: &str = "b2jJ9eURSHeqWN4IJiMwsw";

fn lone_voter() -> Voters {
    Voters::new(vec![Voter {
        key: ReplicaKey {
            id: NodeId(1),
            directory: Uuid::parse(DIRECTORY).expect("an id"),
        },
        endpoints: vec![Endpoint {
            listener: Str::from("CONTROLLER"),
            host: Str::from("127.0.0.1"),
            port: 19193,
        }],
        kraft_versions: (0, 1),
    }])
}

fn config(static_voters: Voters) -> RaftConfig {
    RaftConfig {
        node: NodeId(1),
        directory: Uuid::parse(DIRECTORY).expect("an id"),
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(),
        controller: true,
        static_voters,
        bootstrap_servers: 1,
        endpoints: Vec::new(),
        tuning: Tuning::default(),
        seed: 1,
    }
}

fn disk(snapshot: Option<KeptSnapshot>) -> FromDisk {
    FromDisk {
        quorum_state: None,
        log: Log::new(LogConfig::default(), Offset(0), Time(0)),
        snapshot,
    }
}

#[test]
fn the_bootstrap_checkpoint_is_kafkas() {
    let name = "segments/cluster-metadata/00000000000000000000-0000000000.checkpoint";
    let kafkas = vectors::bytes(name);
    let head = BatchView::parse(&kafkas).expect("a batch");
    let header = head.records().and_then(|mut records| records.next());
    let value = header
        .and_then(|record| record.ok()?.value)
        .expect("a value");
    let formatted = i64::from_be_bytes(value[2..10].try_into().expect("eight bytes"));
    let foot = Batches::new(&kafkas).last().expect("a footer").1;
    let ours = bootstrap_checkpoint(
        &lone_voter(),
        formatted,
        (head.base_timestamp, foot.base_timestamp),
    );
    assert_eq!(ours, kafkas);
}

#[test]
fn the_first_batch_of_a_new_quorum_is_kafkas() {
    let log = vectors::bytes("segments/cluster-metadata/00000000000000000000.log");
    let kafkas = BatchView::parse(&log).expect("a batch");
    let name = "00000000000000000000-0000000000.checkpoint";
    let snapshot = KeptSnapshot {
        id: ids::SnapshotId::parse(name).expect("a name"),
        bytes: Bytes::from(vectors::bytes(&format!("segments/cluster-metadata/{name}"))),
    };
    let mut raft = Raft::new(config(Voters::default()), disk(Some(snapshot))).expect("no file");
    let mut out = Vec::new();
    raft.step(
        Time::from_millis(kafkas.base_timestamp),
        Event::Start,
        &mut out,
    );
    let slice = log::LogSlice {
        segment: Offset(0),
        position: 0,
        length: kafkas.total_size(),
    };
    let ours: Vec<u8> = (raft.log().slice_bytes(&slice).expect("it is there"))
        .flatten()
        .copied()
        .collect();
    assert_eq!(ours, kafkas.bytes());
    // And the election is saved in the words of the file that Kafka wrote, before the batch.
    let [Effect::Store { orders, .. }, ..] = out.as_slice() else {
        panic!("nothing is stored first: {out:?}");
    };
    let saved = br#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    assert_eq!(orders.first(), Some(&Order::QuorumState(saved.to_vec())));
}

/// Node `id` of three, in the words of the files of `quorum`.
fn of_three(first: i32, port: u16) -> Voters {
    let voter = |at: i32| Voter {
        key: ReplicaKey {
            id: NodeId(first + at),
            directory: Uuid::parse(DIRECTORY).expect("an id"),
        },
        endpoints: vec![Endpoint {
            listener: Str::from("CONTROLLER"),
            host: Str::from("127.0.0.1"),
            port: port + at as u16,
        }],
        kraft_versions: (0, 1),
    };
    Voters::new((0..3).map(voter).collect())
}

/// Has the node elected by one other, and gives the first batch it writes.
fn first_batch(config: RaftConfig, disk: FromDisk, by: i32, at: i64) -> Vec<u8> {
    let mut bench = Bench::new(config, disk);
    // So that the votes come in the millisecond that Kafka's came in.
    bench.now = Time::from_millis(at - 100_000);
    bench.step(Event::Start);
    while bench.raft.state_name() != "Prospective" {
        bench.wait(1);
    }
    bench.raft.set_wall_ahead((at - bench.now.millis()) * 1000);
    bench.elect(&[by]);
    bytes(bench.raft.log(), 0).to_vec()
}

#[test]
fn the_first_batch_of_three_static_voters_is_kafkas() {
    let kafkas = vectors::bytes("quorum/static-first-batch.bin");
    let header = BatchView::peek(&kafkas).expect("a batch");
    let voters = of_three(101, 29101);
    let before = Election {
        epoch: LeaderEpoch(1),
        ..Election::default()
    };
    let disk = FromDisk {
        quorum_state: Some(before.encode(0, &voters).into()),
        ..disk(None)
    };
    let config = RaftConfig {
        node: NodeId(102),
        ..config(voters)
    };
    assert_eq!(
        first_batch(config, disk, 103, header.base_timestamp),
        kafkas
    );
}

#[test]
fn the_first_batch_of_three_voters_that_were_formatted_together_is_kafkas() {
    let name = "00000000000000000000-0000000000.checkpoint";
    let checkpoint = vectors::bytes(&format!("quorum/{name}"));
    let kafkas = vectors::bytes("quorum/dynamic-first-batch.bin");
    let header = BatchView::peek(&kafkas).expect("a batch");
    let config = RaftConfig {
        node: NodeId(203),
        ..config(Voters::default())
    };
    let disk = disk(Some(kept(name, checkpoint)));
    assert_eq!(
        first_batch(config, disk, 201, header.base_timestamp),
        kafkas
    );
}

#[test]
fn a_vote_is_saved_as_kafka_saves_it() {
    let election = |name: &str| {
        let kafkas = vectors::bytes(name);
        (Election::decode(&kafkas).expect("it can be read"), kafkas)
    };
    let (voted, kafkas) = election("quorum/static-quorum-state");
    assert_eq!(
        (voted.leader, voted.voted.map(|key| key.id)),
        (Some(NodeId(102)), Some(NodeId(102)))
    );
    assert_eq!(voted.encode(0, &of_three(101, 29101)), kafkas);
    let (voted, kafkas) = election("quorum/dynamic-quorum-state");
    let directory = voted.voted.map(|key| key.directory);
    assert_eq!(directory, Uuid::parse(DIRECTORY));
    assert_eq!(voted.encode(1, &of_three(201, 29201)), kafkas);
}

#[test]
fn quorum_state_is_kafkas_both_ways() {
    for name in [
        "segments/cluster-metadata/quorum-state",
        "segments/cluster-metadata-snapshot/quorum-state",
        "trimmed-metadata/__cluster_metadata-0/quorum-state",
        "damaged/__cluster_metadata-0/quorum-state",
    ] {
        let kafkas = vectors::bytes(name);
        let election = Election::decode(&kafkas).expect("it is a quorum-state");
        assert_eq!(election.leader, Some(NodeId(1)), "{name}");
        assert_eq!(election.voted, None, "{name}");
        assert_eq!(election.encode(1, &lone_voter()), kafkas, "{name}");
    }
}

#[test]
fn quorum_state_of_a_vote_is_read_in_both_versions() {
    let voted = Election {
        epoch: LeaderEpoch(7),
        leader: None,
        voted: Some(ReplicaKey {
            id: NodeId(1),
            directory: Uuid::parse(DIRECTORY).expect("an id"),
        }),
    };
    let one = voted.encode(1, &lone_voter());
    assert_eq!(Election::decode(&one), Some(voted));
    let zero = voted.encode(0, &lone_voter());
    let text = r#"{"clusterId":"","leaderId":-1,"leaderEpoch":7,"votedId":1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
    assert_eq!(String::from_utf8_lossy(&zero), text);
    let read = Election::decode(&zero).expect("version 0");
    let unknown = ReplicaKey {
        id: NodeId(1),
        directory: Uuid::ZERO,
    };
    assert_eq!(read.voted, Some(unknown));
    let spaced =
        b"{ \"data_version\" : 0,\n \"votedId\" : -1, \"leaderEpoch\":2, \"leaderId\" : 3 }\n";
    let read = Election::decode(spaced).expect("JSON may have spaces");
    assert_eq!(
        (read.epoch, read.leader, read.voted),
        (LeaderEpoch(2), Some(NodeId(3)), None)
    );
}

#[test]
fn a_damaged_quorum_state_is_refused_and_never_read_as_a_fresh_one() {
    let whole = vectors::bytes("segments/cluster-metadata/quorum-state");
    for end in 0..whole.len() {
        assert_eq!(Election::decode(&whole[..end]), None, "cut at {end}");
    }
    let mut rng = Rng::new(1);
    for _ in 0..10_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        // Any bytes: no panic.
        let _ = Election::decode(&bytes);
    }
    let found = FromDisk {
        quorum_state: Some(Bytes::from_static(b"{\"leaderEpoch\":3")),
        ..disk(None)
    };
    assert_eq!(Raft::new(config(lone_voter()), found).err(), Some(Damaged));
}
