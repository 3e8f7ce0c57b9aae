//! The options of commands that wait for an event of a log.

use std::time::{Duration, Instant};

use proto::data::Fsd;

/// Time to wait, and output meanwhile.
#[derive(clap::Args)]
pub struct Waiting {
    /// Give up after this time, such as 10s or 5m
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
    /// Do not print the event
    #[arg(short, long)]
    pub quiet: bool,
    /// Print the earlier events too
    #[arg(short, long)]
    pub verbose: bool,
    /// Wait until the log exists
    #[arg(short = 'W', long)]
    pub waitcreate: bool,
}

impl Waiting {
    /// When to give up; never, if no time was given or it is without end.
    pub fn deadline(&self) -> Option<Instant> {
        let timeout = Duration::try_from_secs_f64(self.timeout?.secs()).ok()?;
        Instant::now().checked_add(timeout)
    }
}
