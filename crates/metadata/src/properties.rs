use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

/// Reads a `server.properties` file: `key=value` lines, `#` or `!` comments, a
/// trailing backslash continues a line. Later lines win, as in Java's properties.
#[must_use]
pub fn parse_properties(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
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
    found
}

#[cfg(test)]
mod tests {
    use super::parse_properties;

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
