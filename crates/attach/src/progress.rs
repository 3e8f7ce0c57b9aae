//! A line on the terminal that shows the progress of many jobs: `--progress`.
//!
//! It is the last line of the terminal. Everything else scrolls in the region above it, so that
//! code which prints something need not know of it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::signals::Interrupts;
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Between two pictures of the line.
const REDRAW: Duration = Duration::from_millis(250);

/// Progress of many jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs that there are to be.
    pub total: u64,
    /// Jobs that run.
    pub running: u64,
    /// Jobs that did well.
    pub done: u64,
    /// Jobs that did not.
    pub failed: u64,
}

/// Contents of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Number of jobs submitted.
    Submissions,
    /// Number of jobs pending, running, and ended.
    Jobs,
}

/// The line and its contents.
#[derive(Debug)]
pub struct Progress {
    /// Progress of the jobs.
    pub counts: Counts,
    kind: Kind,
    /// Show the number of jobs that ended per second.
    shows_rate: bool,
    /// When time began, in seconds since the epoch.
    began: f64,
    drawn: Option<Instant>,
    interrupts: Option<Interrupts>,
    /// Columns and rows of the terminal for which the region was set up.
    size: (usize, usize),
}

impl Progress {
    /// For N jobs; `None` when there is no terminal to draw on.
    pub fn new(flux: &Flux, kind: Kind, total: u64, shows_rate: bool) -> Option<Progress> {
        flux.terminal_size()?;
        Some(Progress {
            counts: Counts {
                total,
                ..Counts::default()
            },
            kind,
            shows_rate,
            began: clock::now(),
            interrupts: Interrupts::take_over(),
            drawn: None,
            size: (0, 0),
        })
    }

    /// Counts time from then.
    pub fn begin_at(&mut self, began: f64) {
        self.began = began;
    }

    /// Descriptor to wait for before [`Progress::interrupted`] is called.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.interrupts.as_ref().map(AsFd::as_fd)
    }

    /// The exit code of a user who has had enough.
    pub fn interrupted(&mut self) -> Option<u8> {
        let signal = self.interrupts.as_mut()?.next()?;
        u8::try_from(128 + signal).ok()
    }

    /// Time of the next [`Progress::update`].
    pub fn next(&self) -> Instant {
        self.drawn.map_or_else(Instant::now, |drawn| drawn + REDRAW)
    }

    /// Draws it if the last picture is old.
    pub fn update(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        match self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            true => Ok(()),
            false => self.draw(flux),
        }
    }

    /// Draws it for the last time, as a line like any other.
    pub fn finish(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        self.draw(flux)?;
        let (_, rows) = self.size;
        // Without margins the cursor goes home, and from there below the line.
        writeln!(flux.out, "\x1b[r\x1b[{rows};1H")?;
        flux.out.flush()?;
        Ok(())
    }

    fn draw(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        let size = flux.terminal_size().unwrap_or(self.size);
        let (columns, rows) = size;
        if size != self.size {
            let above = rows.saturating_sub(1).max(1);
            // A line is made free below, and the cursor stays above it.
            let begin = if self.drawn.is_none() {
                "\n\x1b[1A"
            } else {
                ""
            };
            write!(flux.out, "{begin}\x1b7\x1b[1;{above}r\x1b8")?;
            self.size = size;
        }
        let seconds = clock::now() - self.began;
        let line = line(&self.counts, self.kind, self.shows_rate, seconds, columns);
        write!(flux.out, "\x1b7\x1b[{rows};1H\x1b[2K{line}\x1b8")?;
        flux.out.flush()?;
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// The line after some seconds, for a terminal of this width.
fn line(counts: &Counts, kind: Kind, shows_rate: bool, seconds: f64, columns: usize) -> String {
    let over = counts.done + counts.failed;
    let pending = counts.total.saturating_sub(over + counts.running);
    let part = match counts.total {
        0 => 1.0,
        total => (over as f64 / total as f64).min(1.0),
    };
    let Counts {
        total,
        running,
        done,
        failed,
    } = counts;
    let left = match kind {
        Kind::Submissions => format!("Submitting {total} jobs: "),
        Kind::Jobs => format!("PD:{pending:<3} R:{running:<3} CD:{done:<3} F:{failed:<3} "),
    };
    let percent = part * 100.0;
    let right = match shows_rate {
        true => {
            let rate = if seconds > 0.0 {
                over as f64 / seconds
            } else {
                0.0
            };
            format!("{percent:5.1}% {rate:.1} job/s")
        }
        false => {
            let whole = seconds.max(0.0) as u64;
            let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
            format!("{percent:5.1}% {hours}:{minutes:02}:{seconds:02}")
        }
    };
    // The two ends of the bar take a column each.
    let width = columns.saturating_sub(left.len() + right.len() + 2);
    format!("{left}│{}│{right}", bar(part, width))
}

/// So much of a bar, in eighths of a column.
fn bar(part: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part * width as f64 * 8.0) as usize;
    let (whole, rest) = (eighths / 8, eighths % 8);
    let blanks = width - whole - usize::from(rest > 0);
    format!(
        "{}{}{}",
        "█".repeat(whole),
        EIGHTHS[rest],
        " ".repeat(blanks)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: Counts, kind: Kind, shows_rate: bool, columns: usize, expect: &str) {
        assert_eq!(line(&counts, kind, shows_rate, 62.0, columns), expect);
    }

    #[test]
    fn the_line_tells_how_far_the_jobs_are() {
        let counts = Counts {
            total: 8,
            running: 1,
            done: 3,
            failed: 1,
        };
        check(
            counts,
            Kind::Jobs,
            false,
            50,
            "PD:3   R:1   CD:3   F:1   │████    │ 50.0% 0:01:02",
        );
        check(
            counts,
            Kind::Jobs,
            true,
            47,
            "PD:3   R:1   CD:3   F:1   │█▌ │ 50.0% 0.1 job/s",
        );
        check(
            Counts::default(),
            Kind::Jobs,
            false,
            10,
            "PD:0   R:0   CD:0   F:0   ││100.0% 0:01:02",
        );
        let counts = Counts {
            total: 3,
            done: 2,
            ..Counts::default()
        };
        check(
            counts,
            Kind::Submissions,
            false,
            44,
            "Submitting 3 jobs: │██████   │ 66.7% 0:01:02",
        );
    }

    #[test]
    fn bars_grow_by_eighths() {
        for (part, expect) in [
            (0.0, "  "),
            (0.0625, "▏ "),
            (0.25, "▌ "),
            (0.5, "█ "),
            (0.95, "█▉"),
            (1.0, "██"),
        ] {
            assert_eq!(bar(part, 2), expect);
        }
    }
}
