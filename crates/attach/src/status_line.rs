//! Status of a pending job, shown on the last line of the terminal until its tasks run.
//!
//! Code that prints something else hides it first. Without a terminal, each change is
//! printed in a line of its own, if requested.

use std::time::{Duration, Instant};

use proto::data::{Entry, JobId};

use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Between two pictures; jobs that start sooner show none.
const TICK: Duration = Duration::from_secs(1);
/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Destination of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// One line that is drawn again and again.
    Terminal,
    /// Lines among the errors.
    Lines,
}

/// The line of one job.
#[derive(Debug)]
pub struct StatusLine {
    id: JobId,
    place: Place,
    /// Event that the job waits for; `None` when unknown.
    wait: Option<&'static str>,
    /// Seconds since the epoch.
    submitted: f64,
    next: Instant,
    is_visible: bool,
}

impl StatusLine {
    /// For a job, if there is a terminal or the user has asked for it.
    pub fn new(flux: &Flux, id: JobId, is_asked_for: bool) -> Option<StatusLine> {
        let is_silenced = flux.env.get_os("FLUX_ATTACH_NONINTERACTIVE").is_some();
        let place = match (is_silenced, flux.out_is_tty(), is_asked_for) {
            (true, _, _) | (_, false, false) => return None,
            (_, true, _) => Place::Terminal,
            (_, false, true) => Place::Lines,
        };
        Some(StatusLine {
            id,
            place,
            wait: None,
            submitted: 0.0,
            next: Instant::now() + TICK,
            is_visible: false,
        })
    }

    /// Updates the status from an event.
    pub fn take(&mut self, flux: &mut Flux, entry: &Entry) -> Result<(), CliError> {
        if entry.name() == "submit" {
            self.submitted = entry.timestamp();
        }
        let before = self.wait;
        self.wait = wait_after(entry, before);
        match self.wait {
            Some(wait) if self.place == Place::Lines && self.wait != before => {
                flux.note(format_args!("flux-job: {} {wait}", self.id))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Time of the next [`StatusLine::tick`].
    pub fn next(&self) -> Option<Instant> {
        let is_due = self.wait.is_some() && self.place == Place::Terminal;
        is_due.then_some(self.next)
    }

    /// From now on there is something to draw.
    pub fn tick(&mut self) {
        self.next = Instant::now() + TICK;
        self.is_visible = true;
    }

    /// Makes room for something else.
    pub fn hide(&self, flux: &mut Flux) -> Result<(), CliError> {
        if self.is_visible {
            write!(flux.out, "{CLEAR}")?;
            flux.out.flush()?;
        }
        Ok(())
    }

    /// Draws it before a wait, if there is something to show.
    pub fn show(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        self.is_visible &= self.wait.is_some();
        match self.is_visible {
            true => self.draw(flux),
            false => Ok(()),
        }
    }

    fn draw(&self, flux: &mut Flux) -> Result<(), CliError> {
        if let Some(wait) = self.wait {
            let line = line(self.id, wait, clock::now() - self.submitted);
            write!(flux.out, "{CLEAR}{}", flux.plain().line(&line))?;
            flux.out.flush()?;
        }
        Ok(())
    }
}

/// Event that the job waits for after an entry, if it waited for `before` until then.
fn wait_after(entry: &Entry, before: Option<&'static str>) -> Option<&'static str> {
    match entry.name() {
        "submit" => Some("waiting for validation"),
        "validate" => Some("resolving dependencies"),
        "depend" => Some("waiting for priority assignment"),
        "priority" if entry.get_i64("priority") == Some(0) => Some("held"),
        "priority" => Some("waiting for resources"),
        "alloc" => Some("starting"),
        "exception" if entry.get_i64("severity") == Some(0) => None,
        "start" | "finish" | "release" | "free" | "clean" => None,
        _ => before,
    }
}

fn line(id: JobId, wait: &str, seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    format!("flux-job: {id} {wait}   {hours:02}:{minutes:02}:{seconds:02}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_tells_what_is_waited_for_next() {
        let mut wait = None;
        let mut check = |name: &'static str, context: serde_json::Value, expect: Option<&str>| {
            let entry = Entry::new(10.0, name).unwrap().with(&context).unwrap();
            wait = wait_after(&entry, wait);
            assert_eq!(wait, expect, "{name}");
        };
        check("submit", json!({}), Some("waiting for validation"));
        check("validate", json!({}), Some("resolving dependencies"));
        check("depend", json!({}), Some("waiting for priority assignment"));
        check("priority", json!({"priority": 0}), Some("held"));
        check("urgency", json!({"urgency": 16}), Some("held"));
        check(
            "priority",
            json!({"priority": 16}),
            Some("waiting for resources"),
        );
        check(
            "exception",
            json!({"severity": 1}),
            Some("waiting for resources"),
        );
        check("alloc", json!({}), Some("starting"));
        check("start", json!({}), None);
    }

    #[test]
    fn the_line_has_the_time_since_the_submission() {
        let expect = "flux-job: ƒ2 waiting for resources   01:01:02";
        assert_eq!(line(JobId(1), "waiting for resources", 3662.7), expect);
    }
}
