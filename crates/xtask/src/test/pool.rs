//! Runs scripts a few at a time and reports each as it ends.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::script::{self, Report, Surroundings};
use super::tally::Tally;

/// Scripts to run, and how.
pub struct Pool {
    /// In the order in which they start.
    pub scripts: Vec<PathBuf>,
    /// Number of scripts that run at once, at least 1.
    pub jobs: usize,
    /// Common environment.
    pub surroundings: Surroundings,
}

impl Pool {
    /// Runs them all; prints one line a script, and the whole output of failed ones.
    pub fn run(self) -> Result<Tally> {
        let results = &self.surroundings.results;
        std::fs::create_dir_all(results)
            .with_context(|| format!("cannot make {}", results.display()))?;
        let bar = progress(self.scripts.len());
        let mut tally = Tally::default();
        let mut failed = Vec::new();
        for report in self.reports() {
            let report = report?;
            bar.suspend(|| print_report(&report));
            bar.inc(1);
            tally += report.tally;
            if !report.problems.is_empty() {
                failed.push(report.name);
            }
        }
        bar.finish_and_clear();
        if !failed.is_empty() {
            println!("failed scripts: {}", failed.join(" "));
        }
        Ok(tally)
    }

    /// Reports arrive as scripts end.
    fn reports(self) -> impl Iterator<Item = Result<Report>> {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let queue = Mutex::new(VecDeque::from(self.scripts));
            thread::scope(|scope| {
                for _ in 0..self.jobs {
                    scope.spawn(|| {
                        while let Some(script) = next(&queue) {
                            // Nobody listens any more: the run was given up.
                            if sender
                                .send(script::run(&script, &self.surroundings))
                                .is_err()
                            {
                                return;
                            }
                        }
                    });
                }
            });
        });
        receiver.into_iter()
    }
}

fn next(queue: &Mutex<VecDeque<PathBuf>>) -> Option<PathBuf> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

fn progress(scripts: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} scripts {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(scripts as u64).with_style(style)
}

fn print_report(report: &Report) {
    let took = report.took.as_secs_f64();
    if !report.problems.is_empty() {
        println!(
            "FAILED  {}  {took:.1}s: {}",
            report.name,
            report.problems.join(", ")
        );
        for line in report.output.lines() {
            println!("    {line}");
        }
    } else if let Some(reason) = &report.skip_all {
        println!("skipped {}: {reason}", report.name);
    } else {
        println!("passed  {}  {took:.1}s ({})", report.name, report.tally);
    }
}
