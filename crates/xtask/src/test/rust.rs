//! Runs the Rust tests, with nextest where it is installed, and counts them.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;

use anyhow::{Context, Result};

use super::tally::Tally;
use crate::run::{cargo, has_nextest, line_of};

/// Runs every unit, integration and doc test. A run that fails without a failed
/// test (it did not build) counts as one failure.
pub fn run_tests() -> Result<Tally> {
    if !has_nextest() {
        return counted(&["test", "--workspace", "--no-fail-fast"]);
    }
    let mut tally = counted(&["nextest", "run", "--workspace", "--no-fail-fast"])?;
    // Doc tests are the one kind that nextest leaves to cargo.
    tally += counted(&["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"])?;
    Ok(tally)
}

fn counted(args: &[&str]) -> Result<Tally> {
    let mut command = cargo(args);
    eprintln!("$ {}", line_of(&command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    // Results come on standard output from cargo test, on standard error from nextest.
    let stderr = child.stderr.take();
    let other = thread::spawn(move || stderr.map(echo_and_count).unwrap_or_default());
    let mut tally = child.stdout.take().map(echo_and_count).unwrap_or_default();
    tally += other.join().unwrap_or_default();
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads to the end, text or not: a reader that stops early breaks the
/// pipe, and with it the run.
fn echo_and_count(output: impl Read) -> Tally {
    let mut tally = Tally::default();
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&line);
        eprint!("{text}");
        tally += summary_of(&text);
        line.clear();
    }
    tally
}

/// The counts of a summary line of either runner; zeros for any other line.
fn summary_of(line: &str) -> Tally {
    let line = line.trim_start();
    let counts = if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ").map(|(_, counts)| counts)
    } else if line.starts_with("Summary [") {
        line.split_once("run: ").map(|(_, counts)| counts)
    } else {
        None
    };
    let mut tally = Tally::default();
    for count in counts.unwrap_or_default().split([',', ';']) {
        let mut words = count.split_whitespace();
        let Some(Ok(number)) = words.next().map(str::parse::<usize>) else {
            continue;
        };
        match words.next() {
            Some("passed") => tally.passed += number,
            Some("failed" | "timed" | "exec") => tally.failed += number,
            Some("ignored" | "skipped") => tally.skipped += number,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        assert_eq!(summary_of(line).to_string(), expect, "{line}");
    }

    #[test]
    fn both_runners_summaries_are_understood() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "12 passed, 0 failed, 1 skipped",
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "3 passed, 2 failed, 0 skipped",
        );
        check(
            "     Summary [   0.012s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 4 skipped",
            "3 passed, 2 failed, 4 skipped",
        );
    }

    #[test]
    fn output_that_is_no_text_is_read_to_its_end() {
        let output = b"\xff\ntest result: ok. 2 passed; 0 failed; 0 ignored";
        assert_eq!(echo_and_count(&output[..]).passed, 2);
    }

    #[test]
    fn other_lines_count_nothing() {
        check("test foo ... ok", "0 passed, 0 failed, 0 skipped");
        check(
            "        PASS [   0.005s] wire topic::tests",
            "0 passed, 0 failed, 0 skipped",
        );
    }
}
