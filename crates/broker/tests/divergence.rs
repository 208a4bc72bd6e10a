//! Stories of real Kafka brokers that led in turn, each alone: their logs part, and what the last leader does
//! not have goes, by leader epochs. The records are those that Kafka's brokers stored, and so are the logs in
//! the end, byte for byte.

use crate::support::{Cluster, PRODUCE, produce_batch, produced};
use ids::{ErrorCode, LeaderEpoch};
use log::{LogFile, StoreOp};
use records::Batches;
use wire::partition_change_record::PartitionChangeRecord;
use wire::produce_response::ProduceResponse;

/// A story in which brokers 1 and 2 lead in turn.
struct Story {
    folder: &'static str,
    cluster: Cluster,
    epoch: i32,
}

impl Story {
    fn begin(folder: &'static str) -> Story {
        // The test's clock is far behind the records'.
        let lenient = ("log.message.timestamp.after.max.ms", "9223372036854775807");
        let mut cluster = Cluster::new(2, &[lenient]);
        cluster.create(&[1, 2], &[1, 2]);
        let mut story = Story {
            folder,
            cluster,
            epoch: 0,
        };
        // What both have, of which 2 has no more in this epoch.
        story.write_as(("divergent", 2), 1, 0, 0);
        story.cluster.cut_off(&[1, 2]);
        story
    }

    fn file(&self, moment: &str, id: i32, file: &str) -> Vec<u8> {
        let topic = match self.folder {
            "07-double-election" => "twice-0",
            _ => "braid-0",
        };
        let folder = self.folder;
        vectors::bytes(&format!(
            "cluster/{folder}/dirs/{moment}/broker-{id}/{topic}/{file}"
        ))
    }

    fn log_file(&self, moment: &str, id: i32) -> Vec<u8> {
        self.file(moment, id, "00000000000000000000.log")
    }

    /// Has a broker lead in an epoch, alone; between that and the one before nobody leads, if it is not the next.
    fn lead(&mut self, id: i32, epoch: i32) {
        for _ in self.epoch + 1..epoch {
            self.cluster.change(PartitionChangeRecord {
                leader: -1,
                isr: Some(vec![]),
                ..PartitionChangeRecord::default()
            });
        }
        self.cluster.change(PartitionChangeRecord {
            leader: id,
            isr: Some(vec![id]),
            ..PartitionChangeRecord::default()
        });
        self.epoch = epoch;
        let led = self.cluster.log(id).latest_epoch();
        assert_eq!(
            led,
            Some(LeaderEpoch(epoch)),
            "noted before its first record"
        );
    }

    /// Sends a broker the batches that the real one has of an epoch, from an offset on.
    fn write(&mut self, moment: &str, id: i32, epoch: i32, from: i64) {
        self.write_as((moment, id), id, epoch, from);
    }

    fn write_as(&mut self, (moment, source): (&str, i32), id: i32, epoch: i32, from: i64) {
        let bytes = self.log_file(moment, source);
        let batches = Batches::new(&bytes).map(|(_, batch)| batch);
        let of_it = batches.filter(|batch| {
            batch.partition_leader_epoch == LeaderEpoch(epoch) && batch.base_offset.0 >= from
        });
        let sent: Vec<_> = of_it.collect();
        assert!(!sent.is_empty(), "{id} wrote nothing in epoch {epoch}");
        for batch in sent {
            let mut bytes = batch.bytes().to_vec();
            // As a client sends it: offsets and epochs are the leader's.
            bytes[..8].fill(0);
            bytes[12..16].fill(0xff);
            let conn = (self.cluster).send(id, PRODUCE, &produce_batch(1, bytes.into()));
            let answer: Option<ProduceResponse> = self.cluster.answer(id, conn, PRODUCE);
            let answer = answer.expect("acks=1 is answered at once");
            let expected = (ErrorCode::NONE, batch.base_offset.0);
            assert_eq!(produced(&answer), expected);
        }
    }

    /// The log and the checkpoint of epochs of a broker are those of the real one.
    fn assert_is(&self, moment: &str, id: i32) {
        assert_eq!(
            self.cluster.bytes(id),
            self.log_file(moment, id),
            "the log of {id}, {moment}"
        );
        let epochs = self.file(moment, id, "leader-epoch-checkpoint");
        let stored = (self.cluster.stored(id).iter().rev()).find_map(|op| match op {
            StoreOp::Put {
                file: LogFile::LeaderEpochs,
                bytes,
            } => Some(bytes),
            _ => None,
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let stored = text(stored.expect("a checkpoint"));
        assert_eq!(stored, text(&epochs), "the epochs of {id}, {moment}");
    }
}

#[test]
fn two_elections_leave_logs_that_part_and_the_returning_one_cuts_to_where_they_do() {
    let mut story = Story::begin("07-double-election");
    story.write("divergent", 1, 0, 10);
    story.lead(2, 1);
    story.write("divergent", 2, 1, 0);
    story.assert_is("divergent", 1);
    story.assert_is("divergent", 2);
    story.lead(1, 2);
    story.write("before-return", 1, 2, 0);
    story.assert_is("before-return", 1);
    story.cluster.cut_off(&[]);
    story.cluster.advance(2_000);
    for id in [1, 2] {
        story.assert_is("after", id);
    }
}

#[test]
fn logs_that_part_over_several_epochs_are_alike_after_as_many_rounds_as_it_takes() {
    let mut story = Story::begin("26-divergence-over-several-epochs");
    story.write("divergent", 1, 0, 5);
    story.lead(2, 1);
    story.write("divergent", 2, 1, 0);
    story.lead(1, 3);
    story.write("divergent", 1, 3, 0);
    story.lead(2, 5);
    story.write("divergent", 2, 5, 0);
    story.lead(1, 7);
    story.write("divergent", 1, 7, 0);
    for id in [1, 2] {
        story.assert_is("divergent", id);
    }
    story.cluster.cut_off(&[]);
    story.cluster.advance(2_000);
    for id in [1, 2] {
        story.assert_is("after", id);
    }
}
