//! `flux startlog`: when the instance was started and ended, and whether it crashed
//! (protocol/04 section 9).

use jiff::tz::TimeZone;
use proto::Errno;
use proto::data::eventlog::decode_log;
use proto::data::{Entry, Fsd, Tree};
use proto::kvs::{Commit, Lookup, Op, PRIMARY, SYNC};
use serde_json::json;

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use snapshot::source;

/// Key of the log.
const KEY: &str = "admin.eventlog";

/// List starts and ends of the instance
///
/// An instance that keeps its state directory is started many times. A start without an
/// end was a crash, after which data may be missing. Damage and losses found then are
/// listed after it; 'flux fsck --accept' acknowledges them.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux startlog
  flux startlog --check --quiet || flux fsck")]
pub struct Startlog {
    /// Exit with 1 if there was a crash before the last start, or unacknowledged damage
    #[arg(long)]
    check: bool,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
    /// Print the version of each start
    #[arg(short = 'v', long)]
    show_version: bool,
    /// Append the event of a start
    #[arg(long, hide = true, conflicts_with = "post_finish_event")]
    post_start_event: bool,
    /// Append the event of an end
    #[arg(long, hide = true)]
    post_finish_event: bool,
}

impl Run for Startlog {
    const NAME: &'static str = "startlog";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.post_start_event || self.post_finish_event {
            return self.post(flux);
        }
        let found = flux.connect()?.rpc(&Lookup::new(PRIMARY, KEY, 0));
        let log = match found.map(|found| found.val) {
            Ok(Tree::Val(log)) => log,
            Ok(_) => return Ok(()),
            Err(refusal) if refusal.errno == Errno::ENOENT => Default::default(),
            Err(refusal) => return Err(CliError::from(refusal).about(KEY)),
        };
        let entries =
            decode_log(&log).map_err(|error| CliError::new(error.to_string()).about(KEY))?;
        let lives = lives(&entries);
        if !self.quiet {
            let (zone, now) = (clock::zone(&flux.env), clock::now());
            for life in &lives {
                let line = life.line(&zone, now);
                match self.show_version {
                    true => flux.line(format_args!("{line} {}", life.version))?,
                    false => flux.line(&line)?,
                }
            }
        }
        let findings = source::findings(&mut flux.connect()?)?;
        if !self.quiet {
            let zone = clock::zone(&flux.env);
            for finding in &findings {
                let time = clock::minute(&zone, finding.timestamp);
                writeln!(flux.out, "{time} - damage: {}", finding.what)?;
            }
        }
        let is_damaged = findings.iter().any(|finding| !finding.accepted);
        let before_last = lives.iter().rev().nth(1);
        let is_after_crash = before_last.is_some_and(|life| life.end == End::Crash);
        match self.check && (is_after_crash || is_damaged) {
            true => Err(CliError::exit(1)),
            false => Ok(()),
        }
    }
}

impl Startlog {
    fn post(&self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let (name, context) = match self.post_start_event {
            true => {
                let version = handle.attr("version")?;
                ("start", json!({"version": 1, "core_version": version}))
            }
            false => ("finish", json!({"version": 1})),
        };
        let entry = Entry::new(clock::now(), name).and_then(|entry| entry.with(&context));
        let entry = entry.map_err(|error| CliError::new(error.to_string()).about(KEY))?;
        let mut commit = Commit::new(PRIMARY).op(Op::append(KEY, entry.encode()));
        commit.flags |= if self.post_start_event { SYNC } else { 0 };
        let committed = handle.rpc(&commit);
        committed.map_err(|refusal| CliError::from(refusal).about(KEY))?;
        Ok(())
    }
}

/// From a start to an end.
#[derive(Debug, PartialEq)]
struct Life {
    start: f64,
    end: End,
    version: String,
}

#[derive(Debug, PartialEq)]
enum End {
    At(f64),
    Running,
    Crash,
}

/// Runs of the instance recorded in the log. An end without a start is passed over.
fn lives(entries: &[Entry]) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for entry in entries {
        let last = lives.last_mut().filter(|life| life.end == End::Running);
        match (entry.name(), last) {
            ("start", last) => {
                if let Some(last) = last {
                    last.end = End::Crash;
                }
                lives.push(Life {
                    start: entry.timestamp(),
                    end: End::Running,
                    version: entry.get_str("core_version").unwrap_or("-").to_owned(),
                });
            }
            ("finish", Some(last)) => last.end = End::At(entry.timestamp()),
            _ => {}
        }
    }
    lives
}

impl Life {
    fn line(&self, zone: &TimeZone, now: f64) -> String {
        let start = clock::minute(zone, self.start);
        let lasted = |end: f64| {
            let duration = Fsd::from_secs((end - self.start).max(0.0));
            duration.unwrap_or(Fsd::ZERO).to_listing()
        };
        match self.end {
            End::At(end) => {
                let until = clock::minute(zone, end);
                format!("{start} - {until} ({})", lasted(end))
            }
            End::Running => format!("{start} - running ({})", lasted(now)),
            End::Crash => format!("{start} - crashed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(events: &[(&str, f64)], expect: &[&str]) {
        let entries: Vec<Entry> = events
            .iter()
            .map(|(name, time)| Entry::new(*time, (*name).to_owned()).unwrap())
            .collect();
        let lines: Vec<String> = lives(&entries)
            .iter()
            .map(|life| life.line(&TimeZone::UTC, 1000.0))
            .collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn each_start_has_an_end_or_was_a_crash() {
        check(&[], &[]);
        check(&[("start", 940.0)], &["1970-01-01 00:15 - running (1m)"]);
        check(
            &[("start", 60.0), ("finish", 120.0), ("start", 940.0)],
            &[
                "1970-01-01 00:01 - 1970-01-01 00:02 (1m)",
                "1970-01-01 00:15 - running (1m)",
            ],
        );
        check(
            &[("start", 60.0), ("start", 940.0), ("finish", 1000.0)],
            &[
                "1970-01-01 00:01 - crashed",
                "1970-01-01 00:15 - 1970-01-01 00:16 (1m)",
            ],
        );
        check(&[("finish", 60.0), ("other", 61.0)], &[]);
    }
}
