use alloc::string::{String, ToString};
use sorted::SortedMap;

/// Reads a `server.properties` file: `key=value` lines, `#` or `!` comments, a
/// trailing backslash continues a line. Later lines win, as in Java's properties.
///
/// Times in hours or minutes are given in milliseconds as well, where those are not set themselves.
#[must_use]
pub fn parse_properties(text: &str) -> SortedMap<String, String> {
    let mut found = SortedMap::new();
    let mut logical = String::new();
    for line in text.lines() {
        let line = line.trim();
        if logical.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        if let Some(start) = line.strip_suffix('\\') {
            logical.push_str(start);
            continue;
        }
        logical.push_str(line);
        let (key, value) = logical
            .split_once(['=', ':'])
            .unwrap_or((logical.as_str(), ""));
        found.insert(key.trim().to_string(), value.trim().to_string());
        logical.clear();
    }
    for (millis, coarser) in IN_MILLIS {
        let given = coarser.iter().find_map(|(name, unit)| {
            let count: i64 = found.get(*name)?.parse().ok()?;
            // A negative time means "without end" in every unit.
            Some(if count < 0 {
                -1
            } else {
                count.saturating_mul(*unit)
            })
        });
        if let Some(time) = given {
            found
                .entry(millis.to_string())
                .or_insert_with(|| time.to_string());
        }
    }
    found
}

/// Times that may be given in coarser units, the finer ones first.
const IN_MILLIS: &[(&str, &[(&str, i64)])] = &[
    (
        "log.retention.ms",
        &[
            ("log.retention.minutes", 60_000),
            ("log.retention.hours", 3_600_000),
        ],
    ),
    ("log.roll.ms", &[("log.roll.hours", 3_600_000)]),
    (
        "log.roll.jitter.ms",
        &[("log.roll.jitter.hours", 3_600_000)],
    ),
];

#[cfg(test)]
mod tests {
    use super::parse_properties;

    #[test]
    fn the_finest_unit_of_a_time_counts() {
        let found = parse_properties("log.retention.hours=168\nlog.roll.hours=2\nlog.roll.ms=5\n");
        assert_eq!(found["log.retention.ms"], "604800000");
        assert_eq!(found["log.roll.ms"], "5");
        let found = parse_properties("log.retention.minutes=3\nlog.retention.hours=1\n");
        assert_eq!(found["log.retention.ms"], "180000");
        let found = parse_properties("log.retention.hours=-1\n");
        assert_eq!(found["log.retention.ms"], "-1");
    }

    #[test]
    fn a_properties_file_is_read_as_java_reads_it() {
        let found = parse_properties(
            "# comment\nnode.id = 1\nlisteners=A://:1,\\\n  B://:2\nnode.id=2\n\nempty=\n",
        );
        assert_eq!(found["node.id"], "2");
        assert_eq!(found["listeners"], "A://:1,B://:2");
        assert_eq!(found["empty"], "");
        assert_eq!(found.len(), 3);
    }
}
