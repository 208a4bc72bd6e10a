//! Where a plan puts replicas: as a controller would put those of a new topic.
//!
//! Brokers are grouped by rack. The first replica's rack goes round from partition to partition, the others
//! take the racks that follow, and each rack hands out its brokers in turn. After as many partitions as there
//! are brokers all of them are shuffled, so that not always the same follow the same.

use super::super::begin::Thrown;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ids::Rng;
use sorted::SortedMap;

/// Places `partitions` with `factor` replicas each on these brokers.
pub(super) fn place(
    brokers: &SortedMap<i32, Option<String>>,
    partitions: usize,
    factor: usize,
    rng: &mut Rng,
) -> Result<Vec<Vec<i32>>, Thrown> {
    if factor > brokers.len() {
        let class = "org.apache.kafka.common.errors.InvalidReplicationFactorException";
        let message = format!(
            "The target replication factor of {factor} cannot be reached because only {} broker(s) are registered or some brokers have all their log directories cordoned.",
            brokers.len()
        );
        return Err(Thrown::new(class, &message));
    }
    let mut by_rack: SortedMap<Option<&str>, Vec<i32>> = SortedMap::new();
    for (id, rack) in brokers {
        by_rack.entry(rack.as_deref()).or_default().push(*id);
    }
    let mut racks: Vec<Vec<i32>> = by_rack.into_values().collect();
    let mut start = below(rng, racks.len());
    for rack in &mut racks {
        let turn = below(rng, rack.len());
        rack.rotate_left(turn);
    }
    let mut placed = Vec::new();
    for partition in 0..partitions {
        if partition > 0 && partition % brokers.len() == 0 {
            racks.iter_mut().for_each(|rack| shuffle(rack, rng));
            shuffle(&mut racks, rng);
        }
        placed.push(one(&racks, start, factor));
        let first = start % racks.len();
        // A rack alone goes on with every partition; of several each does when it has led.
        if let Some(rack) = racks.get_mut(first) {
            rack.rotate_left(1);
        }
        start += 1;
    }
    Ok(placed)
}

/// The replicas of one partition: from each rack in turn the next broker.
fn one(racks: &[Vec<i32>], start: usize, factor: usize) -> Vec<i32> {
    let mut replicas = Vec::new();
    let longest = racks.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..longest {
        for step in 0..racks.len() {
            let rack = racks.get((start + step) % racks.len());
            if let Some(id) = rack.and_then(|rack| rack.get(round))
                && replicas.len() < factor
            {
                replicas.push(*id);
            }
        }
    }
    replicas
}

fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
    for at in (1..list.len()).rev() {
        list.swap(at, below(rng, at + 1));
    }
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    let chosen = rng.below(u64::try_from(bound).unwrap_or(1).max(1));
    usize::try_from(chosen).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use sorted::SortedSet;

    fn brokers(racks: &[(i32, &str)]) -> SortedMap<i32, Option<String>> {
        let rack = |name: &str| (!name.is_empty()).then(|| name.to_string());
        racks.iter().map(|(id, name)| (*id, rack(name))).collect()
    }

    #[test]
    fn every_block_of_partitions_has_a_leader_on_each_broker_and_no_replica_twice() {
        let brokers = brokers(&[(1, ""), (2, ""), (3, ""), (4, "")]);
        for seed in 0..50 {
            let placed = place(&brokers, 12, 3, &mut Rng::new(seed)).unwrap();
            for block in placed.chunks(4) {
                let leaders: SortedSet<i32> = block.iter().map(|replicas| replicas[0]).collect();
                assert_eq!(leaders.len(), 4, "{placed:?}");
            }
            for replicas in &placed {
                let distinct: SortedSet<i32> = replicas.iter().copied().collect();
                assert_eq!((replicas.len(), distinct.len()), (3, 3), "{placed:?}");
            }
        }
    }

    #[test]
    fn as_many_racks_are_used_as_there_can_be() {
        let brokers = brokers(&[(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "c")]);
        let rack = |id: &i32| brokers[id].clone();
        for seed in 0..50 {
            for factor in 1..=5 {
                for replicas in place(&brokers, 7, factor, &mut Rng::new(seed)).unwrap() {
                    let used: SortedSet<_> = replicas.iter().map(rack).collect();
                    assert_eq!(used.len(), factor.min(3), "{replicas:?}");
                    let distinct: SortedSet<i32> = replicas.iter().copied().collect();
                    assert_eq!(distinct.len(), factor);
                }
            }
        }
        assert!(place(&brokers, 1, 6, &mut Rng::new(1)).is_err());
    }
}
