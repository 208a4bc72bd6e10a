//! What the page's terminals complete is what the tools take.

use client::tools::options::{Arg, Kind};
use client::tools::{TOOLS, Values, values};
use serde_json::{Map, Value, json};

/// Where the page finds it; with `BROOKLET_RENEW=1` this test writes it.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/state/tools.json");

/// `null` is a switch, an empty text any value, another text a kind of name that the page knows, a list
/// the values there are.
fn value(tool: &str, option: &str, arg: Arg) -> Value {
    let kind = match arg {
        Arg::None => return Value::Null,
        Arg::Value(kind, _) | Arg::Optional(kind, _) => kind,
    };
    match values(tool, option) {
        Values::Words(words) => json!(words),
        Values::Topic => json!("topic"),
        Values::Group => json!("group"),
        Values::Server => json!("server"),
        Values::Entity => json!("entity"),
        Values::Broker => json!("broker"),
        Values::Config(false) => json!("config"),
        Values::Config(true) => json!("configs"),
        Values::ConfigName => json!("config-names"),
        Values::File => json!("file"),
        Values::Free if kind == Kind::File => json!("file"),
        Values::Free => json!(""),
    }
}

fn tools() -> String {
    let built = TOOLS.iter().filter(|tool| !tool.options.is_empty());
    let tools: Map<String, Value> = built
        .map(|tool| {
            let option = |option: &client::tools::options::Opt| {
                let value = value(tool.name, option.name, option.arg);
                (option.name.to_string(), value)
            };
            let mut options: Map<String, Value> = tool.options.iter().map(option).collect();
            // Every tool takes it; some have it in no table.
            options.entry("help").or_insert(Value::Null);
            (tool.name.to_string(), Value::Object(options))
        })
        .collect();
    let topic: Vec<&str> = metadata::TOPIC_CONFIGS.iter().map(|key| key.name).collect();
    let broker: Vec<&str> = metadata::broker_config_names()
        .into_iter()
        .filter(|name| metadata::is_dynamic(name))
        .collect();
    let all = json!({ "tools": tools, "topicConfigs": topic, "brokerConfigs": broker });
    format!("{all:#}\n")
}

#[test]
fn the_page_completes_from_the_tools_own_tables() {
    let fresh = tools();
    if std::env::var_os("BROOKLET_RENEW").is_some() {
        std::fs::write(PATH, &fresh).unwrap();
    }
    let found = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        found == fresh,
        "web/state/tools.json is not what the tools take; renew it with\n\
         BROOKLET_RENEW=1 cargo test -p brooklet-tests completions"
    );
}
