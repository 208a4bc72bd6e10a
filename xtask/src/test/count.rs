//! Counting test cases in what test runners print.

use serde_json::Value;

use crate::process::Ended;

/// How many test cases ended how, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Why cases were skipped.
    pub(crate) reasons: Vec<String>,
    /// What to show about failures.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) fn passed(passed: u64) -> Tally {
        Tally {
            passed,
            ..Tally::default()
        }
    }

    pub(crate) fn skipped(reason: String) -> Tally {
        Tally {
            skipped: 1,
            reasons: vec![reason],
            ..Tally::default()
        }
    }

    pub(crate) fn failed(what: String) -> Tally {
        Tally {
            failed: 1,
            failures: vec![what],
            ..Tally::default()
        }
    }

    /// One case: the program ended well.
    pub(crate) fn single(ended: &Ended) -> Tally {
        Tally {
            passed: 1,
            ..Tally::default()
        }
        .judged(ended)
    }

    /// Adds what the exit status knows: a program that failed without a failing case (it did not
    /// compile, it crashed) is a failed case, and so is one that ran no case at all.
    pub(crate) fn judged(mut self, ended: &Ended) -> Tally {
        let silent = self.passed + self.failed + self.skipped == 0;
        if self.failed == 0 && (silent || !ended.status.success()) {
            self.failed = 1;
            self.passed = if self.passed == 1 { 0 } else { self.passed };
        }
        if self.failed > 0 {
            self.failures.push(ended.tail());
        }
        self
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.reasons.extend(other.reasons);
        self.failures.extend(other.failures);
    }
}

/// Sums libtest's `test result:` lines; an ignored test is a skipped one.
pub(crate) fn libtest(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output
        .lines()
        .filter(|line| line.starts_with("test result: "))
    {
        tally.passed += before(line, " passed");
        tally.failed += before(line, " failed");
        tally.skipped += before(line, " ignored");
    }
    if tally.skipped > 0 {
        let ignored = output.lines().filter(|line| {
            line.starts_with("test ")
                && (line.contains(" ... ignored") || line.ends_with("ignored"))
        });
        tally.reasons.extend(ignored.map(str::to_owned));
    }
    tally
}

/// Vitest's JSON report.
pub(crate) fn vitest(report: &Value) -> Tally {
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    let skipped = number("numPendingTests") + number("numTodoTests");
    let reasons = (skipped > 0).then(|| format!("{skipped} cases marked skip or todo in vitest"));
    Tally {
        passed: number("numPassedTests"),
        failed: number("numFailedTests"),
        skipped,
        reasons: reasons.into_iter().collect(),
        failures: Vec::new(),
    }
}

/// Playwright's JSON report.
pub(crate) fn playwright(report: &Value) -> Tally {
    let number = |name: &str| report["stats"][name].as_u64().unwrap_or_default();
    let skipped = number("skipped");
    let reasons = (skipped > 0).then(|| format!("{skipped} cases marked skip in Playwright"));
    Tally {
        passed: number("expected"),
        failed: number("unexpected") + number("flaky"),
        skipped,
        reasons: reasons.into_iter().collect(),
        failures: Vec::new(),
    }
}

/// Pytest's last line, such as `2 failed, 3 passed, 1 skipped in 0.12s`; run it with `-rs`.
pub(crate) fn pytest(output: &str) -> Tally {
    let is_summary =
        |line: &&str| line.contains(" in ") && line.trim_end_matches(' ').contains('s');
    let counted = |line: &&str| {
        [" passed", " failed", " skipped", " error"]
            .iter()
            .any(|word| line.contains(word))
    };
    let summary = output
        .lines()
        .rev()
        .filter(is_summary)
        .find(counted)
        .unwrap_or_default();
    let reasons = output.lines().filter(|line| line.starts_with("SKIPPED "));
    Tally {
        passed: before(summary, " passed") + before(summary, " xfailed"),
        failed: before(summary, " failed")
            + before(summary, " error")
            + before(summary, " xpassed"),
        skipped: before(summary, " skipped"),
        reasons: reasons.map(str::to_owned).collect(),
        failures: Vec::new(),
    }
}

/// The comment lines at the end of Node's TAP report: `# pass 3`.
pub(crate) fn node_tap(output: &str) -> Tally {
    let number = |name: &str| {
        let start = format!("# {name} ");
        let line = output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(start.as_str()));
        line.and_then(|digits| digits.trim().parse().ok())
            .unwrap_or_default()
    };
    let reasons = output
        .lines()
        .filter(|line| line.contains("# SKIP") || line.contains("# TODO"));
    Tally {
        passed: number("pass"),
        failed: number("fail") + number("cancelled"),
        skipped: number("skipped") + number("todo"),
        reasons: reasons.map(|line| line.trim().to_owned()).collect(),
        failures: Vec::new(),
    }
}

/// The number that stands right before `word`, or 0.
fn before(line: &str, word: &str) -> u64 {
    let Some((start, _)) = line.split_once(word) else {
        return 0;
    };
    let digits = start
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counts(tally: &Tally) -> (u64, u64, u64) {
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn libtest_results_are_summed_over_binaries() {
        let output = "\
            test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test slow ... ignored, needs a disk\n\
            test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let tally = libtest(output);
        assert_eq!(counts(&tally), (15, 2, 1));
        assert_eq!(tally.reasons, ["test slow ... ignored, needs a disk"]);
    }

    #[test]
    fn pytest_errors_count_as_failures() {
        let output = "SKIPPED [1] test_kcat.py:9: no kcat\n\
            =========== 1 failed, 20 passed, 1 skipped, 2 errors in 3.21s ===========\n";
        let tally = pytest(output);
        assert_eq!(counts(&tally), (20, 3, 1));
        assert_eq!(tally.reasons, ["SKIPPED [1] test_kcat.py:9: no kcat"]);
        assert_eq!(counts(&pytest("4 passed in 0.10s\n")), (4, 0, 0));
    }

    #[test]
    fn node_reports_are_read_from_their_end() {
        let output = "ok 1 - a # SKIP no server\n# tests 6\n# pass 3\n# fail 1\n# cancelled 1\n\
            # skipped 1\n# todo 0\n";
        let tally = node_tap(output);
        assert_eq!(counts(&tally), (3, 2, 1));
        assert_eq!(tally.reasons, ["ok 1 - a # SKIP no server"]);
    }

    #[test]
    fn json_reports_count_flaky_cases_as_failed() {
        let report = json!({"stats": {"expected": 5, "unexpected": 1, "flaky": 1, "skipped": 2}});
        assert_eq!(counts(&playwright(&report)), (5, 2, 2));
        let report = json!({"numPassedTests": 4, "numFailedTests": 1, "numTodoTests": 1});
        assert_eq!(counts(&vitest(&report)), (4, 1, 1));
    }
}
