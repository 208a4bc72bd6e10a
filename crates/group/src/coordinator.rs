/// The partition of `__consumer_offsets` whose leader coordinates `group_id`.
///
/// It is Java's string hash (over UTF-16 units) modulo `partitions`; the one hash
/// that has no absolute value, `i32::MIN`, counts as 0. A `partitions` below 1
/// gives 0.
#[must_use]
pub fn coordinator_partition(group_id: &str, partitions: i32) -> i32 {
    let hash = group_id.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    hash.checked_abs()
        .unwrap_or(0)
        .checked_rem(partitions.max(1))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::coordinator_partition;

    #[test]
    fn a_group_is_placed_by_the_hash_that_java_gives_its_id() {
        // "g1".hashCode() is 3242, "console-consumer".hashCode() is negative.
        assert_eq!(coordinator_partition("g1", 50), 42);
        assert_eq!(coordinator_partition("", 50), 0);
        assert_eq!(coordinator_partition("hello", 1_000_000_000), 99_162_322);
    }

    #[test]
    fn the_hash_without_an_absolute_value_counts_as_zero() {
        // A well-known string whose Java hash is i32::MIN.
        assert_eq!(coordinator_partition("polygenelubricants", 50), 0);
    }

    #[test]
    fn letters_beyond_the_basic_plane_count_as_two_units() {
        // U+1F600 is D83D DE00: 0xD83D * 31 + 0xDE00 = 1_772_899.
        assert_eq!(coordinator_partition("😀", 1_000_000_000), 1_772_899);
    }
}
