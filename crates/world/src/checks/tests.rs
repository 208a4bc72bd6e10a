//! Each rule is broken by one fact that no cluster should give, and by none before it.

use super::{Batch, Bounds, Checks, Fact};
use cluster::LogId;
use ids::{LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, Time, TopicIdPartition, Uuid};
use std::vec::Vec;

const NODE: NodeId = NodeId(1);
const LOG: LogId = LogId(3);

fn name() -> TopicIdPartition {
    TopicIdPartition {
        topic: "orders".into(),
        topic_id: Uuid([7; 16]),
        partition: ids::PartitionIndex(0),
    }
}

/// The batch of two records that is number `at` in its log, 100 bytes long, by a producer of its own.
fn batch(at: i64) -> Batch {
    let sequence = i32::try_from(at * 2).expect("a few");
    Batch {
        segment: Offset(0),
        position: u32::try_from(at * 100).expect("a few"),
        length: 100,
        base: Offset(at * 2),
        last: Offset(at * 2 + 1),
        epoch: LeaderEpoch(4),
        crc: 9,
        is_whole: true,
        producer: ProducerId(1),
        producer_epoch: ProducerEpoch(0),
        first_sequence: sequence,
        last_sequence: sequence + 1,
        is_control: false,
        is_led: false,
    }
}

fn bounds(high_watermark: i64) -> Bounds {
    Bounds {
        is_led: true,
        start: Offset(0),
        stable: Offset(high_watermark),
        high_watermark: Offset(high_watermark),
        stored: Offset(6),
        end: Offset(6),
    }
}

/// A log of three batches, two of which are committed.
fn told() -> Checks {
    let mut checks = Checks::default();
    checks.opened(NODE, LOG, &name());
    let segment = Offset(0);
    checks.tell(Time(0), NODE, LOG, &Fact::Rolled { segment });
    for at in 0..3 {
        checks.tell(Time(0), NODE, LOG, &Fact::Appended(&batch(at)));
    }
    checks.tell(Time(0), NODE, LOG, &Fact::Bounds(bounds(4)));
    assert_eq!(checks.broken().count(), 0);
    checks
}

/// What was broken by then.
fn rules(checks: &Checks) -> Vec<&'static str> {
    checks.broken().map(|broken| broken.rule).collect()
}

fn breaks(fact: &Fact<'_>, rule: &str) {
    let mut checks = told();
    checks.tell(Time(1), NODE, LOG, fact);
    assert!(rules(&checks).contains(&rule), "{:?}", rules(&checks));
}

/// The node ends and begins again with these batches.
fn begins(checks: &mut Checks, batches: &[Batch], bounds: Bounds) {
    checks.ended(Time(1), NODE, |_, bounds| (bounds.stored, Offset(0)));
    let fact = Fact::Began {
        bounds,
        segments: &[(Offset(0), 300)],
        batches,
        is_vague: false,
    };
    checks.tell_resting(Time(2), NODE, &name(), &fact);
    checks.opened(NODE, LOG, &name());
}

#[test]
fn what_an_honest_log_does_breaks_nothing() {
    let mut checks = told();
    let delivered = Fact::Delivered { end: Offset(4) };
    checks.tell(Time(1), NODE, LOG, &delivered);
    checks.tell(Time(1), NODE, LOG, &Fact::Bounds(bounds(6)));
    begins(&mut checks, &[batch(0), batch(1), batch(2)], bounds(6));
    let next = Batch {
        epoch: LeaderEpoch(5),
        ..batch(3)
    };
    checks.tell(Time(3), NODE, LOG, &Fact::Appended(&next));
    assert_eq!(rules(&checks), [""; 0]);
}

#[test]
fn each_rule_finds_the_batch_that_breaks_it() {
    let torn = Batch {
        is_whole: false,
        ..batch(3)
    };
    breaks(&Fact::Appended(&torn), "StrictOffsets");
    breaks(&Fact::Appended(&batch(4)), "StrictOffsets");
    let segment = Offset(7);
    breaks(&Fact::Rolled { segment }, "StrictOffsets");
    breaks(&Fact::Appended(&batch(1)), "CommittedImmutable");
    let older = Batch {
        epoch: LeaderEpoch(3),
        ..batch(3)
    };
    breaks(&Fact::Appended(&older), "EpochMonotone");
    let again = Batch {
        first_sequence: 4,
        ..batch(3)
    };
    breaks(&Fact::Appended(&again), "SequenceContiguous");
}

#[test]
fn each_rule_finds_the_offsets_that_break_it() {
    breaks(&Fact::Bounds(bounds(7)), "OffsetOrder");
    breaks(&Fact::Bounds(bounds(3)), "HighWatermarkMonotone");
    breaks(&Fact::Delivered { end: Offset(6) }, "BelowBound");
    let (segment, position) = (Offset(0), 100);
    breaks(
        &Fact::Truncated { segment, position },
        "NoTruncationOfCommitted",
    );
}

#[test]
fn what_is_not_committed_may_be_cut_off_and_sent_again() {
    let mut checks = told();
    let (segment, position) = (Offset(0), 200);
    let cut = Fact::Truncated { segment, position };
    checks.tell(Time(1), NODE, LOG, &cut);
    checks.tell(Time(1), NODE, LOG, &Fact::Appended(&batch(2)));
    assert_eq!(rules(&checks), [""; 0]);
}

#[test]
fn deleting_what_is_not_committed_is_found() {
    let mut checks = told();
    let segment = Offset(6);
    checks.tell(Time(1), NODE, LOG, &Fact::Rolled { segment });
    let segment = Offset(0);
    checks.tell(Time(1), NODE, LOG, &Fact::Deleted { segment });
    assert_eq!(rules(&checks), ["RetentionSafe"]);
}

#[test]
fn a_start_that_loses_or_invents_something_is_found() {
    let mut checks = told();
    begins(
        &mut checks,
        &[batch(0), batch(1)],
        Bounds {
            stored: Offset(4),
            end: Offset(4),
            ..bounds(4)
        },
    );
    assert_eq!(rules(&checks), ["CrashPrefix"]);
    let mut checks = told();
    let other = Batch { crc: 8, ..batch(1) };
    begins(&mut checks, &[batch(0), other, batch(2)], bounds(4));
    assert_eq!(rules(&checks), ["CrashPrefix"]);
}

#[test]
fn a_leader_that_goes_on_in_the_epoch_of_its_life_before_is_found() {
    let mut checks = told();
    begins(&mut checks, &[batch(0), batch(1), batch(2)], bounds(4));
    let mut copied = checks.clone();
    copied.tell(Time(3), NODE, LOG, &Fact::Appended(&batch(3)));
    assert_eq!(rules(&copied), [""; 0]);
    let own = Batch {
        is_led: true,
        ..batch(3)
    };
    checks.tell(Time(3), NODE, LOG, &Fact::Appended(&own));
    assert_eq!(rules(&checks), ["LeaderEpochNew"]);
}

#[test]
fn a_disk_that_was_damaged_may_have_lost_what_was_on_it() {
    let mut checks = told();
    checks.damaged(Time(1), NODE);
    begins(
        &mut checks,
        &[batch(0)],
        Bounds {
            stored: Offset(2),
            end: Offset(2),
            ..bounds(2)
        },
    );
    assert_eq!(rules(&checks), [""; 0]);
}
