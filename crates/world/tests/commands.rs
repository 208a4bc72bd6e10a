//! Commands as the page and scenarios write them.

use brooklet_world::Command;

/// One command of each kind, in the order of the enum.
const COMMANDS: &str = include_str!("commands.json");

fn read(text: &str) -> Result<Command, String> {
    serde_json::from_str(text).map_err(|why| why.to_string())
}

#[test]
fn every_command_is_written_as_it_was_read() {
    let texts: Vec<serde_json::Value> = serde_json::from_str(COMMANDS).expect("an array");
    assert_eq!(texts.len(), 18);
    for text in texts {
        let command = read(&text.to_string()).expect("a command");
        assert_eq!(serde_json::to_value(&command).expect("plain data"), text);
    }
}

#[test]
fn a_command_that_is_none_is_refused_with_what_is_wrong() {
    let refused = |text| read(text).expect_err("no command");
    assert_eq!(
        refused(r#"{"do":"explode"}"#),
        "there is no command `explode`"
    );
    assert_eq!(refused(r#"{"name":"a"}"#), "missing field `do`");
    assert_eq!(refused(r#"{"do":"deleteTopic"}"#), "missing field `name`");
    assert_eq!(
        refused(r#"{"do":"deleteTopic","name":"a","force":true}"#),
        "unknown field `force`"
    );
    assert_eq!(
        refused(r#"{"do":"addPartitions","name":"a","partitions":-1}"#),
        "`partitions`: invalid value: integer `-1`, expected u32"
    );
    assert_eq!(
        refused(r#"{"do":"updateProducer","name":"a","change":{"key":{"mode":"cycle"}}}"#),
        "`change`: missing field `keys`"
    );
    assert!(refused("17").contains("invalid type: integer `17`"));
}
