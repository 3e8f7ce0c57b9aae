//! Progress bar of a command, shown on terminals when it takes longer than a second.

use std::time::{Duration, Instant};

use command::flux::Flux;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Before that nobody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that counts bytes.
pub struct Bar {
    is_wanted: bool,
    begun: Instant,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// For `total` bytes. Lines in between would break it, so it is not shown with `has_lines`.
    pub fn new(flux: &Flux, total: u64, has_lines: bool) -> Bar {
        Bar {
            is_wanted: flux.err_is_tty() && !has_lines,
            begun: Instant::now(),
            total,
            done: 0,
            bar: None,
        }
    }

    /// Some more bytes are done.
    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.bar.is_none() && self.is_wanted && self.begun.elapsed() >= PATIENCE {
            self.bar = Some(draw(self.total));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let form = "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
