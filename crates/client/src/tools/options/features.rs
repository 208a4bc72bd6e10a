//! The command lines of `kafka-features`.

use super::commands::{Grammar, Part};
use super::{Opt, file, integer, switch, text};

const SERVER: Opt = text("bootstrap-server", "", "");
const CONTROLLER: Opt = text("bootstrap-controller", "", "");
const CONFIG: Opt = file("command-config", "", "");
const NODE: Opt = integer("node-id", "", "");
const METADATA: Opt = text("metadata", "", "");
const RELEASE: Opt = text("release-version", "", "");
const FEATURE: Opt = text("feature", "", "");
const UNSAFE: Opt = switch("unsafe", "");
const DRY_RUN: Opt = switch("dry-run", "");

/// The options of all its commands.
pub(in super::super) const OPTIONS: &[Opt] = &[
    SERVER, CONTROLLER, CONFIG, NODE, METADATA, RELEASE, FEATURE, UNSAFE, DRY_RUN,
];

const fn part(name: &'static str, help: &'static str, options: &'static [Opt]) -> Part {
    Part {
        name,
        help,
        options,
        one_of: &[],
    }
}

pub(in super::super) const GRAMMAR: Grammar = Grammar {
    program: "kafka-features",
    help_status: 0,
    terse: true,
    tool: part(
        "",
        include_str!("../help/features.txt"),
        &[SERVER, CONTROLLER, CONFIG],
    ),
    commands: &[
        part(
            "describe",
            include_str!("../help/features-describe.txt"),
            &[NODE],
        ),
        part(
            "upgrade",
            include_str!("../help/features-upgrade.txt"),
            &[METADATA, RELEASE, FEATURE, DRY_RUN],
        ),
        part(
            "downgrade",
            include_str!("../help/features-downgrade.txt"),
            &[METADATA, RELEASE, FEATURE, UNSAFE, DRY_RUN],
        ),
        part(
            "disable",
            include_str!("../help/features-disable.txt"),
            &[FEATURE, UNSAFE, DRY_RUN],
        ),
        part(
            "version-mapping",
            include_str!("../help/features-version-mapping.txt"),
            &[RELEASE],
        ),
        part(
            "feature-dependencies",
            include_str!("../help/features-feature-dependencies.txt"),
            &[FEATURE.required()],
        ),
    ],
    short: &[],
};
