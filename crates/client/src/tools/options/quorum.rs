//! The command lines of `kafka-metadata-quorum`.

use super::commands::{Grammar, Part};
use super::{Opt, file, integer, switch, text};

const SERVER: Opt = text("bootstrap-server", "", "");
const CONTROLLER: Opt = text("bootstrap-controller", "", "");
const CONFIG: Opt = file("command-config", "", "");
const STATUS: Opt = switch("status", "");
const REPLICATION: Opt = switch("replication", "");
const HUMAN: Opt = switch("human-readable", "");
const DRY_RUN: Opt = switch("dry-run", "");
const DIRECTORY: Opt = text("controller-directory-id", "", "").required();
const ID: Opt = integer("controller-id", "", "").required();

/// The options of all its commands.
pub(in super::super) const OPTIONS: &[Opt] = &[
    SERVER,
    CONTROLLER,
    CONFIG,
    STATUS,
    REPLICATION,
    HUMAN,
    DRY_RUN,
    DIRECTORY,
    ID,
];

pub(in super::super) const GRAMMAR: Grammar = Grammar {
    program: "kafka-metadata-quorum",
    help_status: 0,
    terse: false,
    tool: Part {
        name: "",
        help: include_str!("../help/metadata-quorum.txt"),
        options: &[SERVER, CONTROLLER, CONFIG],
        one_of: &["bootstrap-server", "bootstrap-controller"],
    },
    commands: &[
        Part {
            name: "describe",
            help: include_str!("../help/metadata-quorum-describe.txt"),
            options: &[STATUS, REPLICATION, HUMAN],
            one_of: &[],
        },
        Part {
            name: "add-controller",
            help: include_str!("../help/metadata-quorum-add-controller.txt"),
            options: &[DRY_RUN],
            one_of: &[],
        },
        Part {
            name: "remove-controller",
            help: include_str!("../help/metadata-quorum-remove-controller.txt"),
            options: &[DIRECTORY, ID, DRY_RUN],
            one_of: &[],
        },
    ],
    short: &[("-i", "controller-id"), ("-d", "controller-directory-id")],
};
