//! A line on the terminal that tells how far many jobs are: `--progress`.
//!
//! It is the last line of the terminal: code that prints something else hides it first.

use std::time::{Duration, Instant};

use command::error::CliError;
use command::flux::Flux;

/// Between two pictures of the line.
const REDRAW: Duration = Duration::from_millis(100);
/// From the bar's left end to its right end.
const BAR_COLUMNS_MAX: usize = 40;
/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// How far many jobs are.
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

/// The line and what it shows.
#[derive(Debug)]
pub struct Progress {
    /// How far the jobs are.
    pub counts: Counts,
    /// Show how many jobs a second were over.
    shows_rate: bool,
    columns: usize,
    started: Instant,
    drawn: Option<Instant>,
    is_visible: bool,
}

impl Progress {
    /// For N jobs; `None` when there is no terminal to draw on.
    pub fn new(flux: &Flux, total: u64, shows_rate: bool) -> Option<Progress> {
        Some(Progress {
            counts: Counts {
                total,
                ..Counts::default()
            },
            shows_rate,
            columns: flux.terminal_columns()?,
            started: Instant::now(),
            drawn: None,
            is_visible: false,
        })
    }

    /// Makes room for something else.
    pub fn hide(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.is_visible {
            self.is_visible = false;
            flux.out.write_all(CLEAR.as_bytes())?;
        }
        Ok(())
    }

    /// Draws it if the last picture is old: for those who have more to do.
    pub fn update(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        match self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            true => Ok(()),
            false => self.draw(flux, ""),
        }
    }

    /// Draws it: for those who are about to wait.
    pub fn show(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        self.draw(flux, "")
    }

    /// Draws it for the last time.
    pub fn finish(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        self.draw(flux, "\n")
    }

    fn draw(&mut self, flux: &mut Flux, end: &str) -> Result<(), CliError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let line = line(&self.counts, self.shows_rate, seconds, self.columns);
        write!(flux.out, "{CLEAR}{line}{end}")?;
        flux.out.flush()?;
        self.drawn = Some(Instant::now());
        self.is_visible = end.is_empty();
        Ok(())
    }
}

/// The line after some seconds, for a terminal of `width` columns.
fn line(counts: &Counts, shows_rate: bool, seconds: f64, columns: usize) -> String {
    let over = counts.done + counts.failed;
    let pending = counts.total.saturating_sub(over + counts.running);
    let part = match counts.total {
        0 => 1.0,
        total => over as f64 / total as f64,
    };
    let Counts {
        running,
        done,
        failed,
        ..
    } = counts;
    let left = format!("PD:{pending:<4} R:{running:<4} CD:{done:<4} F:{failed:<4} ");
    let percent = part * 100.0;
    let mut right = format!("{percent:5.1}% ");
    if shows_rate {
        let rate = match seconds > 0.0 {
            true => over as f64 / seconds,
            false => 0.0,
        };
        right.push_str(&format!("{rate:.1} job/s"));
    } else {
        let whole = seconds as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        right.push_str(&format!("{hours}:{minutes:02}:{seconds:02}"));
    }
    // The two ends of the bar take a column each, and the last column stays free.
    let room = columns.saturating_sub(left.len() + right.len() + 3);
    let width = room.min(BAR_COLUMNS_MAX);
    let filled = (part * width as f64) as usize;
    let bar = "█".repeat(filled) + &" ".repeat(width - filled);
    format!("{left}│{bar}│{right}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: Counts, shows_rate: bool, columns: usize, expect: &str) {
        assert_eq!(line(&counts, shows_rate, 62.0, columns), expect);
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
            false,
            60,
            "PD:3    R:1    CD:3    F:1    │██████       │ 50.0% 0:01:02",
        );
        check(
            counts,
            true,
            52,
            "PD:3    R:1    CD:3    F:1    │█  │ 50.0% 0.1 job/s",
        );
        check(
            Counts::default(),
            false,
            10,
            "PD:0    R:0    CD:0    F:0    ││100.0% 0:01:02",
        );
    }
}
