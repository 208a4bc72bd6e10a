//! Snapshots are written, take the log's place, and are fetched by who lacks what was before.

use crate::quorum::create;
use crate::support::Bench;
use brooklet_cluster::Snapshots;
use metadata::MetadataRecord;

/// A few hundred bytes of records are many here, and the log keeps nothing that a snapshot holds.
const OFTEN: Snapshots = Snapshots {
    bytes_between: 4_000,
    interval_ms: 0,
    retention_bytes: 0,
};

fn ready(bench: &Bench) -> bool {
    bench.controller().is_some() && bench.all_serve()
}

/// What a node knows, but for where in the log it was said.
fn known(bench: &Bench, id: i32) -> Vec<bytes::Bytes> {
    let records = bench.image(id).records();
    records.iter().map(MetadataRecord::encode).collect()
}

fn busy(bench: &mut Bench) {
    for number in 0..12 {
        assert_eq!(create(bench, 1, &format!("topic-{number}")), 0);
    }
    bench.run(2_000);
}

fn assert_all_know(bench: &Bench) {
    let running = bench.running();
    let first = known(bench, running[0]);
    assert!(first.len() > 40, "{}", first.len());
    for id in running {
        assert_eq!(known(bench, id), first, "node {id}");
        let end = bench.node(id).quorum().log().log_end();
        assert_eq!(bench.image(id).end(), end, "node {id}");
    }
}

#[test]
fn who_comes_late_fetches_the_snapshot_and_then_the_log() {
    let mut bench = Bench::split(3, 4);
    bench.snapshots(OFTEN);
    for id in [101, 102, 103, 1, 2, 3] {
        bench.start(id);
    }
    bench.run_until(10_000, ready);
    busy(&mut bench);
    let leader = bench.controller().unwrap();
    let start = bench.node(leader).quorum().log().log_start();
    assert!(start.0 > 0, "the log has let nothing go");
    assert!(!bench.sent.contains_key(&59), "nobody lacked anything yet");
    bench.start(4);
    bench.run_until(10_000, Bench::all_serve);
    assert!(bench.sent[&59] > 0, "no snapshot was fetched");
    bench.run(2_000);
    assert_all_know(&bench);
}

#[test]
fn a_node_that_was_away_takes_a_snapshot_in_place_of_what_it_knew() {
    let mut bench = Bench::split(3, 4);
    bench.snapshots(OFTEN);
    bench.start_all();
    bench.run_until(10_000, ready);
    assert_eq!(create(&mut bench, 1, "old"), 0);
    bench.run(1_000);
    let away = (101..=103)
        .find(|id| Some(*id) != bench.controller())
        .unwrap();
    bench.kill(away);
    bench.kill(4);
    busy(&mut bench);
    bench.start(away);
    bench.start(4);
    bench.run_until(20_000, ready);
    bench.run(2_000);
    assert!(bench.sent[&59] > 0, "no snapshot was fetched");
    assert_all_know(&bench);
}

#[test]
fn everyone_starts_again_from_a_snapshot_and_the_log_behind_it() {
    for combined in [true, false] {
        let mut bench = match combined {
            true => Bench::combined(3),
            false => Bench::split(1, 3),
        };
        bench.snapshots(OFTEN);
        bench.start_all();
        bench.run_until(10_000, ready);
        busy(&mut bench);
        let topics = bench.image(1).topics().cloned().collect::<Vec<_>>();
        for id in bench.running() {
            let files = bench.hosts[&id].disk.metadata_files();
            let kept = files.iter().filter(|name| name.ends_with(".checkpoint"));
            assert_eq!(kept.count(), 1, "{files:?}");
            bench.kill(id);
        }
        bench.start_all();
        bench.run_until(30_000, ready);
        bench.run(2_000);
        let ids = |topics: &[std::sync::Arc<metadata::Topic>]| {
            topics.iter().map(|topic| topic.id).collect::<Vec<_>>()
        };
        let after = bench.image(1).topics().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&topics), ids(&after));
        assert_all_know(&bench);
    }
}
