//! Reads TAP, the output of a test script, and returns the errors in it.

use super::tally::Tally;

/// Contents of a script's output.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tap {
    /// Tests by outcome.
    pub tally: Tally,
    /// Number of tests announced.
    plan: Option<usize>,
    /// Reason for which the whole script was skipped.
    pub skip_all: Option<String>,
    /// Reason for which it gave up.
    bail_out: Option<String>,
    /// Test lines whose number is not the next one.
    misnumbered: usize,
}

impl Tap {
    /// Reads a whole output. Lines that are not TAP are passed over.
    pub fn parse(output: &str) -> Self {
        let mut tap = Self::default();
        for line in output.lines() {
            if let Some(rest) = line.strip_prefix("not ok ") {
                tap.test(rest, false);
            } else if let Some(rest) = line.strip_prefix("ok ") {
                tap.test(rest, true);
            } else if let Some(rest) = line.strip_prefix("1..") {
                tap.plan(rest);
            } else if let Some(rest) = line.strip_prefix("Bail out!") {
                tap.bail_out = Some(rest.trim().to_owned());
            }
        }
        tap
    }

    /// Reasons for which the script has not passed, its exit code included.
    pub fn problems(&self, exit: Option<i32>) -> Vec<String> {
        let mut problems = Vec::new();
        let ran = self.tally.passed + self.tally.failed + self.tally.skipped;
        if self.tally.failed > 0 {
            problems.push(format!("{} of {ran} tests failed", self.tally.failed));
        }
        if let Some(reason) = &self.bail_out {
            problems.push(format!("bailed out: {reason}"));
        }
        match self.plan {
            None if self.bail_out.is_none() => problems.push("printed no plan".to_owned()),
            Some(plan) if plan != ran => problems.push(format!("planned {plan} tests, ran {ran}")),
            _ => {}
        }
        if self.misnumbered > 0 {
            problems.push(format!("{} tests are misnumbered", self.misnumbered));
        }
        match exit {
            Some(0) => {}
            Some(code) if problems.is_empty() => problems.push(format!("ended with {code}")),
            Some(_) => {}
            None => problems.push("was killed by a signal".to_owned()),
        }
        problems
    }

    fn test(&mut self, rest: &str, ok: bool) {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, rest) = rest.split_at(digits);
        let ran = self.tally.passed + self.tally.failed + self.tally.skipped;
        if number.parse() != Ok(ran + 1) {
            self.misnumbered += 1;
        }
        let directive = rest
            .split_once("# ")
            .map_or("", |(_, text)| text)
            .to_ascii_lowercase();
        if directive.starts_with("skip") || directive.starts_with("todo") {
            self.tally.skipped += 1;
        } else if ok {
            self.tally.passed += 1;
        } else {
            self.tally.failed += 1;
        }
    }

    fn plan(&mut self, rest: &str) {
        let (count, directive) = rest.split_once('#').unwrap_or((rest, ""));
        self.plan = count.trim().parse().ok();
        let directive = directive.trim();
        let skip = directive
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("skip"));
        if skip {
            self.skip_all = Some(directive[4..].trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expect` is the tally and the problems, in one line.
    fn check(output: &str, exit: i32, expect: &str) {
        let tap = Tap::parse(output);
        let problems = tap.problems(Some(exit));
        assert_eq!(format!("{}: {}", tap.tally, problems.join(", ")), expect);
    }

    #[test]
    fn a_good_script_has_no_problems() {
        check(
            "ok 1 - a\n# note\nok 2 - b\n1..2\n",
            0,
            "2 passed, 0 failed, 0 skipped: ",
        );
    }

    #[test]
    fn a_failed_test_is_the_problem_and_not_the_exit_code_it_causes() {
        check(
            "ok 1 - a\nnot ok 2 - b\n1..2\n",
            1,
            "1 passed, 1 failed, 0 skipped: 1 of 2 tests failed",
        );
    }

    #[test]
    fn skips_and_known_breakages_are_neither_passed_nor_failed() {
        check(
            "ok 1 # skip a (missing B)\nnot ok 2 - b # TODO known breakage\n1..2\n",
            0,
            "0 passed, 0 failed, 2 skipped: ",
        );
    }

    #[test]
    fn a_script_that_ends_early_is_a_problem_even_with_code_0() {
        check(
            "ok 1 - a\n",
            0,
            "1 passed, 0 failed, 0 skipped: printed no plan",
        );
        check(
            "ok 1 - a\n1..2\n",
            0,
            "1 passed, 0 failed, 0 skipped: planned 2 tests, ran 1",
        );
        check("", 0, "0 passed, 0 failed, 0 skipped: printed no plan");
    }

    #[test]
    fn an_error_after_the_plan_is_seen_by_the_exit_code() {
        check(
            "ok 1 - a\n1..1\n# error\n",
            1,
            "1 passed, 0 failed, 0 skipped: ended with 1",
        );
    }

    #[test]
    fn bailing_out_says_why() {
        check(
            "ok 1 - a\nBail out! t: no flux\n",
            99,
            "1 passed, 0 failed, 0 skipped: bailed out: t: no flux",
        );
    }

    #[test]
    fn numbers_must_follow_each_other() {
        check(
            "ok 1 - a\nok 3 - b\n1..2\n",
            0,
            "2 passed, 0 failed, 0 skipped: 1 tests are misnumbered",
        );
    }

    #[test]
    fn a_skipped_script_gives_its_reason() {
        let tap = Tap::parse("1..0 # SKIP no root\n");
        assert_eq!(tap.skip_all.as_deref(), Some("no root"));
        assert!(tap.problems(Some(0)).is_empty());
    }
}
