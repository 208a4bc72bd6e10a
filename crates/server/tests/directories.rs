//! What lies in a data directory: links, what was cut short, and what does not belong together. Each
//! case is either served whole, or refused or told in words; never is there silently less.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use crate::common::{Client, Lines, Running, fresh_dir, in_dir};
use brooklet_server::Server;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const RECORDS: i64 = 13;

fn value(number: i64) -> Vec<u8> {
    format!("record {number} of the topic").into_bytes()
}

fn from(first: i64) -> Vec<(i64, Vec<u8>)> {
    (first..RECORDS).map(|at| (at, value(at))).collect()
}

fn fill(client: &mut Client, topic: &str) {
    client.create(topic, &[("internal.segment.bytes", "400")]);
    for number in 0..RECORDS {
        assert_eq!(client.produce(topic, &[&value(number)]), (0, number));
    }
}

/// A directory with the topics `orders` and `other` of several segments each, stopped cleanly.
fn stopped(name: &str) -> PathBuf {
    let dir = fresh_dir(name);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    fill(&mut client, "orders");
    fill(&mut client, "other");
    assert_eq!(server.stop(), Vec::<String>::new());
    dir
}

/// The names below `orders-0` that end like this, in order.
fn names(dir: &Path, end: &str) -> Vec<String> {
    let entries = fs::read_dir(dir.join("orders-0")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

/// What is read of `orders` after a start, and what that start said.
fn served(dir: &Path, first: i64) -> (Vec<(i64, Vec<u8>)>, Vec<String>) {
    let server = Running::start(&in_dir(dir));
    let found = server.client().read_all("orders", first);
    (found, server.stop())
}

/// Why a start is refused.
fn refused(dir: &Path) -> String {
    refused_with(&in_dir(dir))
}

fn refused_with(settings: &brooklet_server::Settings) -> String {
    let outcome = Server::start(settings, Lines::default().console());
    outcome.unwrap_err().to_string()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_partition_behind_a_symbolic_link_is_served_and_deleted() {
    let dir = stopped("dirs-link");
    let elsewhere = fresh_dir("dirs-link-elsewhere");
    fs::rename(dir.join("orders-0"), elsewhere.join("orders-0")).unwrap();
    symlink(elsewhere.join("orders-0"), dir.join("orders-0")).unwrap();
    fs::write(elsewhere.join("orders-0/notes.txt"), "mine").unwrap();
    assert_eq!(served(&dir, 0), (from(0), vec![]));
    let server = Running::start(&in_dir(&dir));
    server.client().delete("orders");
    assert_eq!(server.stop(), Vec::<String>::new());
    assert!(!dir.join("orders-0").exists());
    // The records are gone, and what else is there is not.
    let left: Vec<_> = fs::read_dir(elsewhere.join("orders-0"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn a_segment_behind_a_symbolic_link_is_served() {
    let dir = stopped("dirs-file-link");
    let elsewhere = fresh_dir("dirs-file-link-elsewhere");
    let first = &names(&dir, ".log")[0];
    fs::rename(dir.join("orders-0").join(first), elsewhere.join(first)).unwrap();
    symlink(elsewhere.join(first), dir.join("orders-0").join(first)).unwrap();
    assert_eq!(served(&dir, 0), (from(0), vec![]));
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_not_taken_for_an_empty_partition() {
    let dir = stopped("dirs-dangling");
    let elsewhere = fresh_dir("dirs-dangling-elsewhere");
    fs::rename(dir.join("orders-0"), elsewhere.join("gone")).unwrap();
    symlink(elsewhere.join("orders-0"), dir.join("orders-0")).unwrap();
    assert_says(
        &refused(&dir),
        &["orders-0 is a symbolic link to", "put back"],
    );
    fs::rename(elsewhere.join("gone"), elsewhere.join("orders-0")).unwrap();
    assert_eq!(served(&dir, 0), (from(0), vec![]));
    let first = dir.join("orders-0").join(&names(&dir, ".log")[0]);
    fs::rename(&first, elsewhere.join("segment")).unwrap();
    symlink(elsewhere.join("nothing"), &first).unwrap();
    assert_says(&refused(&dir), &["orders-0", ".log is a symbolic link to"]);
}

#[test]
fn a_file_in_a_partitions_place_is_refused() {
    let dir = stopped("dirs-file");
    fs::rename(dir.join("orders-0"), dir.join("kept")).unwrap();
    fs::write(dir.join("orders-0"), "").unwrap();
    assert_says(&refused(&dir), &["orders-0: is a file", "move it away"]);
}

#[test]
fn a_clean_up_that_was_cut_short_is_completed() {
    for (name, kinds) in [
        ("dirs-swap", &[".log", ".index", ".timeindex"][..]),
        ("dirs-swap-rest", &[".index", ".timeindex"]),
    ] {
        let dir = stopped(name);
        // The second segment, cleaned, has not got its name yet; a snapshot is left of before.
        for kind in kinds {
            let path = dir.join("orders-0").join(&names(&dir, kind)[1]);
            let swap = format!("{}.swap", path.display());
            fs::rename(&path, swap).unwrap();
        }
        let (found, said) = served(&dir, 0);
        assert_eq!(found, from(0), "{name}");
        assert_eq!(said.len(), kinds.len(), "{said:?}");
        assert_says(&said[0], &["orders-0/", ".swap: a clean-up was cut short"]);
        assert_eq!(names(&dir, ".swap"), Vec::<String>::new());
    }
}

#[test]
fn what_a_completed_clean_up_replaces_goes() {
    let dir = stopped("dirs-swap-over");
    let logs = names(&dir, ".log");
    // Made of the first two segments: of those only the first one's records were kept.
    let orders = dir.join("orders-0");
    let both: Vec<u8> = logs[..2]
        .iter()
        .flat_map(|name| fs::read(orders.join(name)).unwrap())
        .collect();
    fs::write(orders.join(format!("{}.swap", logs[0])), both).unwrap();
    let (found, _) = served(&dir, 0);
    assert_eq!(found, from(0));
    assert_eq!(names(&dir, ".log"), [&logs[..1], &logs[2..]].concat());
}

#[test]
fn a_damaged_swap_does_not_replace_what_is_there() {
    let dir = stopped("dirs-swap-damaged");
    let path = dir.join("orders-0").join(&names(&dir, ".log")[1]);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 9;
    bytes[at] ^= 4;
    fs::write(format!("{}.swap", path.display()), bytes).unwrap();
    let (found, said) = served(&dir, 0);
    assert_eq!(found, from(0));
    assert_says(&said[0], &[".swap: is damaged and removed"]);
}

#[test]
fn an_unfinished_clean_up_is_undone_with_the_swaps_behind_it() {
    let dir = stopped("dirs-cleaned");
    let orders = dir.join("orders-0");
    let logs = names(&dir, ".log");
    fs::write(orders.join(format!("{}.cleaned", logs[0])), "").unwrap();
    // Had it been believed, the segment would be empty.
    fs::write(orders.join(format!("{}.swap", logs[1])), "").unwrap();
    assert_eq!(served(&dir, 0), (from(0), vec![]));
    assert_eq!(names(&dir, "ed"), Vec::<String>::new());
    assert_eq!(names(&dir, ".swap"), Vec::<String>::new());
}

#[test]
fn what_was_to_be_deleted_and_what_was_never_whole_goes() {
    let dir = stopped("dirs-deleted");
    let orders = dir.join("orders-0");
    for kind in [".log", ".index", ".timeindex"] {
        let name = &names(&dir, kind)[0];
        fs::rename(orders.join(name), orders.join(format!("{name}.deleted"))).unwrap();
    }
    for name in [
        "00000000000000000005.index.tmp",
        "leader-epoch-checkpoint.tmp",
    ] {
        fs::write(orders.join(name), "half").unwrap();
    }
    let part = "__cluster_metadata-0/00000000000000000007-0000000001.checkpoint.part";
    fs::write(dir.join(part), "half").unwrap();
    fs::write(orders.join("README"), "mine").unwrap();
    let first: i64 = names(&dir, ".log")[0][..20].parse().unwrap();
    let (found, said) = served(&dir, first);
    assert_eq!(found, from(first));
    assert_says(&said[0], &["unless retention was deleting them"]);
    assert_eq!(names(&dir, ".deleted"), Vec::<String>::new());
    assert_eq!(names(&dir, ".tmp"), Vec::<String>::new());
    assert!(!dir.join(part).exists() && orders.join("README").exists());
}

#[test]
fn a_segment_that_is_missing_is_missed() {
    let dir = stopped("dirs-orphan");
    let logs = names(&dir, ".log");
    fs::remove_file(dir.join("orders-0").join(&logs[1])).unwrap();
    let next: i64 = logs[2][..20].parse().unwrap();
    let first: i64 = logs[1][..20].parse().unwrap();
    let expected = [&from(0)[..first as usize], &from(next)[..]].concat();
    let (found, said) = served(&dir, 0);
    assert_eq!(found, expected);
    assert_says(
        &said[0],
        &[&logs[1][..20], "records of that segment are missing"],
    );
}

#[test]
fn segments_that_are_gone_without_a_trace_are_missed() {
    for which in [0, 1] {
        let dir = stopped(&format!("dirs-hole-{which}"));
        let logs = names(&dir, ".log");
        let (gone, next) = (&logs[which][..20], &logs[which + 1][..20]);
        for kind in ["log", "index", "timeindex"] {
            fs::remove_file(dir.join(format!("orders-0/{gone}.{kind}"))).unwrap();
        }
        let (first, next): (i64, i64) = (gone.parse().unwrap(), next.parse().unwrap());
        let (found, said) = served(&dir, if which == 0 { next } else { 0 });
        assert_eq!(
            found,
            [&from(0)[..first as usize], &from(next)[..]].concat()
        );
        let words = format!(
            "orders-0: no segment has the records from offset {first} to {}",
            next - 1
        );
        assert_says(&said[0], &[&words]);
    }
}

#[test]
fn a_log_that_lost_its_end_says_so() {
    let dir = stopped("dirs-short");
    for kind in [".log", ".index", ".timeindex", ".snapshot"] {
        let name = names(&dir, kind).pop().unwrap();
        fs::remove_file(dir.join("orders-0").join(name)).unwrap();
    }
    let (found, said) = served(&dir, 0);
    let end = found.len();
    assert!(end < RECORDS as usize && found == from(0)[..end]);
    let words = format!("orders-0: ends at offset {end}, though it had records up to {RECORDS}");
    assert_says(&said[0], &[&words]);
}

#[test]
fn a_partition_without_its_directory_is_told() {
    let dir = stopped("dirs-missing");
    fs::remove_dir_all(dir.join("orders-0")).unwrap();
    let (found, said) = served(&dir, 0);
    assert_eq!(found, []);
    assert_says(
        &said[0],
        &["orders-0: has no directory, though it had records up to offset 13"],
    );
}

#[test]
fn meta_properties_of_another_node_are_refused_in_words() {
    let dir = stopped("dirs-node");
    let path = dir.join("meta.properties");
    let text = fs::read_to_string(&path).unwrap();
    let shown = path.display().to_string();
    let mut settings = in_dir(&dir);
    settings.node = Some(ids::NodeId(7));
    let told = [&shown[..], "belongs to node 1", "id is 7", "node.id=1"];
    assert_says(&refused_with(&settings), &told);
    // Nobody says what the id is to be, and the file is another's.
    fs::write(&path, text.replace("node.id=1", "node.id=7")).unwrap();
    let told = [
        &shown[..],
        "node.id=7",
        "knows only node 1",
        "write node.id=1",
    ];
    assert_says(&refused(&dir), &told);
    fs::write(&path, "version=0\nbroker.id=1\n").unwrap();
    assert_says(
        &refused(&dir),
        &[&shown, "not of version 1", "cluster.id=…"],
    );
    fs::remove_file(&path).unwrap();
    assert_says(
        &refused(&dir),
        &[&shown, "is missing, though there are partitions"],
    );
    // Nothing was taken from the directory by all these starts.
    fs::write(&path, text).unwrap();
    assert_eq!(served(&dir, 0), (from(0), vec![]));
}

#[test]
fn a_directory_without_its_metadata_log_is_refused() {
    let dir = stopped("dirs-no-metadata");
    fs::remove_dir_all(dir.join("__cluster_metadata-0")).unwrap();
    let told = ["__cluster_metadata-0: is missing", "put it back"];
    assert_says(&refused(&dir), &told);
}

#[test]
fn a_metadata_log_of_another_cluster_is_refused() {
    let (dir, other) = (stopped("dirs-cluster"), stopped("dirs-cluster-other"));
    let metadata = "__cluster_metadata-0";
    fs::remove_dir_all(dir.join(metadata)).unwrap();
    fs::rename(other.join(metadata), dir.join(metadata)).unwrap();
    let told = [
        "orders-0/partition.metadata: is of topic id",
        "another cluster",
    ];
    assert_says(&refused(&dir), &told);
}

#[test]
fn a_damaged_topic_id_is_refused_and_an_empty_one_written_anew() {
    let dir = stopped("dirs-topic-id");
    let path = dir.join("orders-0/partition.metadata");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, "version: 0\ntopic_id: x\n").unwrap();
    assert_says(
        &refused(&dir),
        &["partition.metadata: is damaged", "remove the file"],
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(served(&dir, 0).0, from(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_directory_of_another_topic_is_set_aside_and_told() {
    let dir = stopped("dirs-stray");
    let path = dir.join("orders-0/partition.metadata");
    fs::write(&path, "version: 0\ntopic_id: cdJ4EoGjSpWJY2w5OE6Zgw\n").unwrap();
    let (found, said) = served(&dir, 0);
    assert_eq!(found, []);
    let aside = "orders-0.71d2781281a34a9589636c39384e9983-stray";
    assert!(said.iter().any(|line| line.contains(aside)), "{said:?}");
    assert!(dir.join(aside).join(&names(&dir, ".log")[0]).exists());
}

#[test]
fn what_people_keep_in_a_data_directory_is_left_alone() {
    let dir = stopped("dirs-people");
    for name in ["keep-delete", "orders-00", "lost+found"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("file"), "mine").unwrap();
    }
    let (found, said) = served(&dir, 0);
    assert_eq!((found, said.len()), (from(0), 3));
    for name in ["keep-delete", "orders-00", "lost+found"] {
        assert!(dir.join(name).join("file").exists());
        assert!(said.iter().any(|line| line.starts_with(name)), "{said:?}");
    }
}

#[test]
fn a_topic_made_anew_owes_nothing_to_the_checkpoints_of_the_one_before() {
    let dir = stopped("dirs-stale");
    let names = [
        "log-start-offset-checkpoint",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
    ];
    // As DeleteRecords would have left it, had it been called.
    fs::write(dir.join(names[0]), "0\n1\norders 0 9\n").unwrap();
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    client.delete("orders");
    client.create("orders", &[]);
    assert_eq!(client.produce("orders", &[b"new"]), (0, 0));
    // As a kill leaves it: before the next checkpoint.
    let killed = fresh_dir("dirs-stale-killed");
    for part in ["", "__cluster_metadata-0", "orders-0", "other-0"] {
        let (from, to) = (dir.join(part), killed.join(part));
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    drop(server);
    assert_eq!(served(&killed, 0), (vec![(0, b"new".to_vec())], vec![]));
    for name in names {
        let text = fs::read_to_string(killed.join(name)).unwrap();
        assert!(
            !text.contains("orders 0 9") && !text.contains("orders 0 13"),
            "{text}"
        );
    }
}

#[test]
fn a_topic_of_the_longest_name_can_be_deleted() {
    let dir = fresh_dir("dirs-long");
    let topic = "t".repeat(249);
    let server = Running::start(&in_dir(&dir));
    let mut client = server.client();
    client.create(&topic, &[]);
    assert_eq!(client.produce(&topic, &[b"one"]), (0, 0));
    client.delete(&topic);
    assert_eq!(server.stop(), Vec::<String>::new());
    assert!(!dir.join(format!("{topic}-0")).exists());
}
