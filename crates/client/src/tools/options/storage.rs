//! The command lines of `kafka-storage`.

use super::commands::{Grammar, Part};
use super::{Opt, file, switch, text};

const CONFIG: Opt = file("config", "", "").required();
const CLUSTER: Opt = text("cluster-id", "", "").required();
const SCRAM: Opt = text("add-scram", "", "");
const IGNORE: Opt = switch("ignore-formatted", "");
const RELEASE: Opt = text("release-version", "", "");
const FEATURE: Opt = text("feature", "", "");
const STANDALONE: Opt = switch("standalone", "");
const NOBODY: Opt = switch("no-initial-controllers", "");
const INITIAL: Opt = text("initial-controllers", "", "");

const fn part(name: &'static str, help: &'static str, options: &'static [Opt]) -> Part {
    Part {
        name,
        help,
        options,
        one_of: &[],
    }
}

pub(in super::super) const GRAMMAR: Grammar = Grammar {
    program: "kafka-storage",
    help_status: 0,
    terse: false,
    tool: part("", include_str!("../help/storage.txt"), &[]),
    commands: &[
        part("info", include_str!("../help/storage-info.txt"), &[CONFIG]),
        part(
            "format",
            include_str!("../help/storage-format.txt"),
            &[
                CLUSTER, CONFIG, SCRAM, IGNORE, RELEASE, FEATURE, STANDALONE, NOBODY, INITIAL,
            ],
        ),
        part(
            "version-mapping",
            include_str!("../help/storage-version-mapping.txt"),
            &[RELEASE],
        ),
        part(
            "feature-dependencies",
            include_str!("../help/storage-feature-dependencies.txt"),
            &[FEATURE.required()],
        ),
        part(
            "random-uuid",
            include_str!("../help/storage-random-uuid.txt"),
            &[],
        ),
    ],
    short: &[
        ("-c", "config"),
        ("-t", "cluster-id"),
        ("-S", "add-scram"),
        ("-g", "ignore-formatted"),
        ("-r", "release-version"),
        ("-f", "feature"),
        ("-s", "standalone"),
        ("-N", "no-initial-controllers"),
        ("-I", "initial-controllers"),
    ],
};

/// Options of which only one goes.
pub(in super::super) const ONLY_ONE: [&str; 3] = [
    "standalone",
    "no-initial-controllers",
    "initial-controllers",
];
