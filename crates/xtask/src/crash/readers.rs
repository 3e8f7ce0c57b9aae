//! Readers of the journal under kills. `flux job journal --follow` is killed at random moments
//! while jobs run, and the next one goes on after the last whole line of the one before. Together
//! they must have heard every event once, as the journal that is read in one piece has them.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use serde_json::Value;

use super::{CrashArgs, Tally};
use crate::site::{Folder, Rng, Site};

/// Longest life of a reader, in milliseconds: some do not come to read anything.
const LIFE_MS: u64 = 150;

/// Longest pause between two submissions, in milliseconds. The events that the job manager remembers
/// are limited; a reader that falls further behind has to read all jobs, and is killed before it has.
const PAUSE_MS: u64 = 200;

/// Messages to all readers together.
#[derive(Default)]
struct Heard {
    /// Job, time and name of each event.
    events: BTreeSet<String>,
    /// Position at which the next one goes on.
    since: Option<String>,
    twice: Vec<String>,
    /// Number of times that it began with all jobs.
    snapshots: u64,
}

/// Kills N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "readers")?;
    let config = super::jobs::config(folder.path(), super::jobs::CORES)?;
    let site = Site::new(programs, folder.path(), "full")?.with(config);
    let broker = site.start()?;
    let printed = folder.path().join("printed");
    let (mut rng, mut heard) = (Rng::new(args.seed), Heard::default());
    let bar = ProgressBar::new(args.kills);
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let jobs = scope.spawn(|| submit(&site, stop, Rng::new(args.seed)));
        let read = (0..args.kills).try_for_each(|_| {
            bar.inc(1);
            heard.read_and_die(&site, &printed, &mut rng)
        });
        stop.store(true, Ordering::Relaxed);
        let submitted = jobs.join();
        read?;
        submitted.unwrap_or_else(|_| anyhow::bail!("the submitter panicked"))
    })?;
    ensure!(site.flux(&["queue", "drain"]).status()?.success());
    let since = heard.since.clone().context("no reader came to the mark")?;
    heard.take(&journal(&site, &format!("--since={since}"))?)?;
    let mut whole = Heard::default();
    whole.take(&journal(&site, "--full")?)?;
    site.end(broker)?;
    bar.finish_and_clear();
    tally.figure("readers", "kills", args.kills);
    tally.figure("readers", "events", whole.events.len() as u64);
    tally.figure("readers", "began with all jobs", heard.snapshots);
    let differ =
        |one: &Heard, other: &Heard| one.events.difference(&other.events).cloned().collect();
    tally.wrong("readers", "missed", differ(&whole, &heard));
    tally.wrong("readers", "heard what was not", differ(&heard, &whole));
    tally.wrong("readers", "heard twice", heard.twice);
    Ok(())
}

/// Submits jobs until it is stopped.
fn submit(site: &Site, stop: &AtomicBool, mut rng: Rng) -> Result<()> {
    let duration = "--setattr=system.exec.test.run_duration=1ms";
    while !stop.load(Ordering::Relaxed) {
        let mut jobs = site.flux(&["submit", "--quiet", "--cc=1-20", duration, "true"]);
        ensure!(jobs.status()?.success(), "jobs were refused");
        rng.pause(PAUSE_MS);
    }
    Ok(())
}

/// Output of the journal up to its mark.
fn journal(site: &Site, option: &str) -> Result<String> {
    let output = site.flux(&["job", "journal", option]).output()?;
    ensure!(output.status.success(), "flux job journal {option}");
    Ok(String::from_utf8(output.stdout)?)
}

impl Heard {
    /// The life of one reader.
    fn read_and_die(&mut self, site: &Site, printed: &Path, rng: &mut Rng) -> Result<()> {
        let mut reader = site.flux(&["job", "journal", "--full", "--follow"]);
        reader.args(self.since.as_ref().map(|since| format!("--since={since}")));
        let mut reader = reader.stdout(File::create(printed)?).spawn()?;
        rng.pause(LIFE_MS);
        reader.kill()?;
        reader.wait()?;
        self.take(&std::fs::read_to_string(printed)?)
    }

    /// Takes the whole lines of a journal. Jobs with all of their events count when the mark
    /// has come after them.
    fn take(&mut self, printed: &str) -> Result<()> {
        let mut all = BTreeSet::new();
        for line in printed.split_inclusive('\n') {
            let Some(line) = line.strip_suffix('\n') else {
                break;
            };
            let record: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let is_snapshot = record["snapshot"] == true;
            let is_mark = record["id"] == -1;
            for event in record["events"].as_array().into_iter().flatten() {
                let event = format!("{} {} {}", record["id"], event["timestamp"], event["name"]);
                match is_snapshot {
                    true => drop(all.insert(event)),
                    false if self.events.insert(event.clone()) => {}
                    false => self.twice.push(event),
                }
            }
            if is_mark && is_snapshot {
                self.snapshots += 1;
                self.events.append(&mut all);
            }
            if (is_mark || !is_snapshot) && !record["seq"].is_null() {
                self.since = Some(record["seq"].to_string());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_once_when_they_are_whole() {
        let event = |id: u8, name: &str, seq: &str, more: &str| {
            format!(
                r#"{{"id":{id},"events":[{{"timestamp":{seq},"name":"{name}"}}],"seq":{seq}{more}}}"#
            )
        };
        let snapshot = r#","snapshot":true"#;
        let mut heard = Heard::default();
        let cut = event(1, "submit", "1.5", snapshot) + "\n";
        heard.take(&cut).unwrap();
        assert!(heard.events.is_empty() && heard.since.is_none());
        let mark = r#"{"id":-1,"events":[],"seq":1.5,"snapshot":true}"#;
        heard.take(&format!("{cut}{mark}\n")).unwrap();
        assert_eq!(
            (heard.events.len(), heard.since.as_deref()),
            (1, Some("1.5"))
        );
        let more = event(1, "start", "2.5", "");
        heard
            .take(&format!("{more}\n{}", event(1, "finish", "3.5", "")))
            .unwrap();
        assert_eq!(
            (heard.events.len(), heard.since.as_deref()),
            (2, Some("2.5"))
        );
        assert!(heard.twice.is_empty());
        heard.take(&format!("{more}\n")).unwrap();
        assert_eq!(heard.twice.len(), 1);
    }
}
