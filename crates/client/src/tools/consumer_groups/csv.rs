//! The file of a reset: `topic,partition,offset` for one group, `group,topic,partition,offset` for several.

use super::super::Thrown;
use super::illegal;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sorted::SortedMap;

/// The new offsets of each group.
pub(super) type Plan = SortedMap<String, SortedMap<(String, i32), i64>>;

const EXCEPTIONS: &str = "com.fasterxml.jackson.databind.exc";

/// What a file plans. Kafka takes its first line for one of a single group if it can, and reads fields that are
/// missing at the end of a line as 0.
pub(super) fn plan(text: &str, groups: &[String]) -> Result<Plan, Thrown> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    while lines.len() > 1 && lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let single = lines.first().is_some_and(|line| row(line, 0).is_ok());
    let mut plan = Plan::new();
    for line in lines {
        let (group, topic, partition, offset) = match (groups, single) {
            ([group], true) => {
                let (topic, partition, offset) = row(line, 0)?;
                (group.clone(), topic, partition, offset)
            }
            _ => {
                let group = fields(line).first().cloned().unwrap_or_default();
                let (topic, partition, offset) = row(line, 1)?;
                (group, topic, partition, offset)
            }
        };
        if offset < 0 {
            return Err(illegal("Invalid negative offset"));
        }
        let offsets = plan.entry(group).or_default();
        offsets.insert((topic, partition), offset);
    }
    Ok(plan)
}

/// Topic, partition and offset of a line, behind so many fields.
fn row(line: &str, skip: usize) -> Result<(String, i32, i64), Thrown> {
    if line.trim().is_empty() {
        let class = format!("{EXCEPTIONS}.MismatchedInputException");
        let message = "No content to map due to end-of-input\n at [Source: (StringReader); line: UNKNOWN, column: UNKNOWN]";
        return Err(Thrown::new(&class, message).within("java.lang.RuntimeException"));
    }
    let fields = fields(line);
    let field = |i: usize| fields.get(skip + i).map(String::as_str);
    let record = if skip == 0 { "NoGroup" } else { "WithGroup" };
    let bad = |kind: &str, i: usize, name: &str| {
        let class = format!("{EXCEPTIONS}.InvalidFormatException");
        let before: usize = line
            .split(',')
            .take(skip + i)
            .map(|field| field.len() + 1)
            .sum();
        let message = format!(
            "Cannot deserialize value of type `{kind}` from String \"{}\": not a valid `{kind}` value\n at [Source: (StringReader); line: 1, column: {}] (through reference chain: org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecord{record}[\"{name}\"])",
            field(i).unwrap_or_default(),
            before + 1
        );
        Thrown::new(&class, &message).within("java.lang.RuntimeException")
    };
    let partition = field(1).unwrap_or("0").parse();
    let partition = partition.map_err(|_| bad("int", 1, "partition"))?;
    let offset = field(2).unwrap_or("0").parse();
    let offset = offset.map_err(|_| bad("long", 2, "offset"))?;
    if fields.len() > skip + 3 {
        return Err(bad("long", 3, "offset"));
    }
    Ok((field(0).unwrap_or_default().to_string(), partition, offset))
}

/// The fields of a line; they may be quoted.
fn fields(line: &str) -> Vec<String> {
    let bare = |field: &str| field.trim().trim_matches('"').to_string();
    line.split(',').map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, groups: &[&str]) -> Result<Plan, Thrown> {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        plan(text, &groups)
    }

    #[test]
    fn a_file_is_of_one_group_or_names_the_group_in_each_line() {
        let one = read("\"quickstart-events\",0,1\n", &["g"]).unwrap();
        let at = ("quickstart-events".to_string(), 0);
        assert_eq!(one.get("g").and_then(|plan| plan.get(&at)), Some(&1));
        let two = read("g,t,0,1\nh,t,0,2\n", &["g", "h"]).unwrap();
        assert_eq!(two.len(), 2);
        // Of several groups, a file without names says nothing about any of them.
        let lost = read("t,0,1\n", &["g", "h"]).unwrap();
        assert_eq!(lost.get("g"), None);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        assert!(read("", &["g"]).is_err());
        assert!(read("t,0,1\nt,x,1\n", &["g"]).is_err());
        assert_eq!(
            read("t,0,-1", &["g"]),
            Err(illegal("Invalid negative offset"))
        );
    }
}
