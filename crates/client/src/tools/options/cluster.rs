//! The command lines of `kafka-cluster`.

use super::commands::{Grammar, Part};
use super::{Opt, file, integer, switch, text};

const SERVER: Opt = text("bootstrap-server", "", "");
const CONTROLLER: Opt = text("bootstrap-controller", "", "");
const OLD_CONFIG: Opt = file("config", "", "");
const CONFIG: Opt = file("command-config", "", "");
const ID: Opt = integer("id", "", "").required();
const FENCED: Opt = switch("include-fenced-brokers", "");
const ONE_OF: &[&str] = &["bootstrap-server", "bootstrap-controller"];

/// The options of all its commands.
pub(in super::super) const OPTIONS: &[Opt] = &[SERVER, CONTROLLER, OLD_CONFIG, CONFIG, ID, FENCED];

pub(in super::super) const GRAMMAR: Grammar = Grammar {
    program: "kafka-cluster",
    help_status: 1,
    terse: false,
    tool: Part {
        name: "",
        help: include_str!("../help/cluster.txt"),
        options: &[],
        one_of: &[],
    },
    commands: &[
        Part {
            name: "cluster-id",
            help: include_str!("../help/cluster-cluster-id.txt"),
            options: &[SERVER, CONTROLLER, OLD_CONFIG, CONFIG],
            one_of: ONE_OF,
        },
        Part {
            name: "unregister",
            help: include_str!("../help/cluster-unregister.txt"),
            options: &[SERVER, CONTROLLER, OLD_CONFIG, CONFIG, ID],
            one_of: ONE_OF,
        },
        Part {
            name: "list-endpoints",
            help: include_str!("../help/cluster-list-endpoints.txt"),
            options: &[SERVER, CONTROLLER, OLD_CONFIG, CONFIG, FENCED],
            one_of: ONE_OF,
        },
    ],
    short: &[
        ("-b", "bootstrap-server"),
        ("-C", "bootstrap-controller"),
        ("-c", "command-config"),
        ("-i", "id"),
    ],
};
