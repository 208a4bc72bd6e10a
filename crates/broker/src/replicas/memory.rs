//! What the logs of all replicas keep in memory together.

use super::{Replica, Replicas};
use alloc::vec::Vec;

/// About how many bytes a log remembers of a producer.
const PRODUCER_BYTES: u64 = 256;

impl Replicas {
    pub(crate) fn evict(&mut self, max_bytes: u64) {
        let mut sizes: Vec<u64> = self.iter().map(|(_, it)| it.log.hot_bytes()).collect();
        if sizes.iter().sum::<u64>() <= max_bytes {
            return;
        }
        let share = fair_share(&mut sizes, max_bytes);
        for replica in self.iter_mut() {
            replica.log.evict(share);
        }
    }

    pub(crate) fn limit_producers(&mut self, max_bytes: u64) {
        let most = max_bytes / PRODUCER_BYTES;
        let states = |replica: &Replica| replica.log.producer_states() as u64;
        let sum = |replicas: &Replicas, of: fn(&Replica) -> u64| -> u64 {
            replicas.iter().map(|(_, replica)| of(replica)).sum()
        };
        if sum(self, states) <= most {
            return;
        }
        for replica in self.iter_mut() {
            replica.log.drop_producer_states();
        }
        let all = sum(self, states);
        if all <= most {
            return;
        }
        for replica in self.iter_mut() {
            // Each of what it knows and of the state that is left.
            let part = states(replica).saturating_mul(most) / all / 2;
            (replica.log).limit_producers(usize::try_from(part).unwrap_or(usize::MAX));
        }
    }
}

/// The most that each may keep, so that all keep at most `max` together: who has less than an even
/// share leaves the rest to the others.
fn fair_share(sizes: &mut [u64], max: u64) -> u64 {
    sizes.sort_unstable();
    let (mut left, mut count) = (max, sizes.len() as u64);
    for size in sizes {
        let share = left / count.max(1);
        if *size > share {
            return share;
        }
        left -= *size;
        count -= 1;
    }
    max
}

#[cfg(test)]
mod tests {
    use super::fair_share;

    #[test]
    fn what_small_logs_leave_of_their_share_is_the_large_ones() {
        assert_eq!(fair_share(&mut [1000, 0, 0, 0], 600), 600);
        assert_eq!(fair_share(&mut [1000, 100, 1000], 600), 250);
        assert_eq!(fair_share(&mut [200, 200, 200], 600), 600);
        assert_eq!(fair_share(&mut [201, 200, 200], 600), 200);
        assert_eq!(fair_share(&mut [], 600), 600);
    }
}
