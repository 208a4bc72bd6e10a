//! Which command lines only look at the cluster.

use super::{Body, Env, Job, Tool};
use ids::Rng;

/// Whether a command line (its words, the tool's name first) only reads the cluster, and ends by itself.
///
/// What a line comes to decides, not how it looks: help, a version, wrong usage and unknown commands send
/// nothing at all. A consumer that joins no group reads only, too, but runs on; it counts as a change, as
/// does what waits for input.
#[must_use]
pub fn only_reads(words: &[&str]) -> bool {
    match Tool::start(words, Env::new(Rng::new(0))).body {
        Body::Said(_) => true,
        Body::Producer(_) | Body::Consumer(_) | Body::Reading(_) => false,
        Body::Admin(tool) => match tool.job {
            Job::Topics(job) => job.only_reads(),
            Job::Groups(job) => job.only_reads(),
            Job::Configs(job) => job.only_reads(),
            Job::Quorum(job) => job.only_reads(),
            Job::Cluster(job) => job.only_reads(),
            Job::Features(job) => job.only_reads(),
            Job::Reassign(job) => job.only_reads(),
            Job::Offsets(_) | Job::AllGroups(_) | Job::LogDirs(_) | Job::ApiVersions(_) => true,
            Job::DeleteRecords(_) | Job::Election(_) => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn reads(line: &str) -> bool {
        let line = format!("{line} --bootstrap-server localhost:9092");
        only_reads(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn lists_descriptions_and_dry_runs_only_read() {
        for line in [
            "kafka-topics --list",
            "kafka-topics.sh --describe --topic t",
            "bin/kafka-topics.sh --list --topic t",
            "kafka-get-offsets --topic t --time earliest",
            "kafka-groups --list",
            "kafka-configs --describe --entity-type topics --entity-name t",
            "kafka-consumer-groups --list",
            "kafka-consumer-groups --describe --all-groups",
            "kafka-consumer-groups --group g --topic t --reset-offsets --to-earliest",
            "kafka-consumer-groups --group g --topic t --reset-offsets --to-earliest --dry-run",
            "kafka-consumer-groups --group g --topic t --reset-offsets --to-earliest --export",
        ] {
            assert!(reads(line), "{line}");
        }
    }

    #[test]
    fn what_sends_nothing_only_reads() {
        for line in [
            "kafka-topics --create --help",
            "kafka-topics --delete --topic t --version",
            "kafka-topics --create",
            "kafka-topics --create --topic t --list",
            "kafka-console-producer",
            "kafka-console-consumer --topic t --colour red",
            "kafka-delete-records --offset-json-file there-is-none.json",
            "kafka-consumer-groups --delete",
            "kafka-acls --add",
            "ls",
        ] {
            assert!(reads(line), "{line}");
        }
        assert!(only_reads(&[]));
    }

    #[test]
    fn what_creates_changes_deletes_or_runs_on_does_not() {
        for line in [
            "kafka-topics --create --topic t",
            "kafka-topics --alter --topic t --partitions 3",
            "kafka-topics --delete --topic t",
            "kafka-configs --alter --entity-type topics --entity-name t --add-config retention.ms=1",
            "kafka-configs --alter --entity-type topics --entity-name t --delete-config retention.ms",
            "kafka-consumer-groups --delete --group g",
            "kafka-consumer-groups --delete-offsets --group g --topic t",
            "kafka-consumer-groups --group g --topic t --reset-offsets --to-earliest --execute",
            "kafka-consumer-groups --group g --topic t --reset-offsets --to-earliest --execute --export",
            "kafka-console-producer --topic t",
            "kafka-delete-records --offset-json-file -",
            "kafka-console-consumer --topic t",
            "kafka-console-consumer --topic t --partition 0 --max-messages 1",
        ] {
            assert!(!reads(line), "{line}");
        }
    }
}
