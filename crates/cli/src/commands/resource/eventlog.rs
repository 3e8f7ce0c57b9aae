//! `flux resource eventlog`: the log of events of nodes.

use std::time::{Duration, Instant};

use client::{Arrival, Call};
use proto::data::{Entry, Fsd, IdSet};
use proto::resource::Journal;

use super::refused;
use crate::commands::job::events::{Matcher, Shape};
use command::error::CliError;
use command::flux::Flux;

/// Print the event log of nodes
#[derive(clap::Args)]
pub struct Eventlog {
    #[command(flatten)]
    shape: Shape,
    /// Follow the log as events are added
    #[arg(short = 'F', long)]
    follow: bool,
    /// Wait for this event
    #[arg(short, long, value_name = "EVENT")]
    wait: Option<String>,
    /// With --wait, match only an event with this in its context
    #[arg(short, long, value_name = "KEY=VALUE")]
    match_context: Option<String>,
    /// With --wait, give up after this time, such as 10s or 5m
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
    /// Show only events of these ranks
    #[arg(short, long, value_name = "RANKS")]
    include: Option<IdSet>,
}

impl Eventlog {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let wanted = self.match_context.as_deref();
        let wanted = wanted.map(Matcher::parse).transpose()?;
        let deadline = self.timeout.and_then(|timeout| {
            let timeout = Duration::try_from_secs_f64(timeout.secs()).ok()?;
            Instant::now().checked_add(timeout)
        });
        let mut printer = self.shape.printer(flux);
        let mut handle = flux.connect()?;
        let pending = handle.start_stream(Call::new(&Journal).to(0).repeating());
        // The service may lose its newest events when it dies, so they are not counted.
        let mut newest = f64::NEG_INFINITY;
        loop {
            let answer = match handle.next(&[], deadline)? {
                Arrival::Answer(_, answer) => pending.decode(answer),
                Arrival::Deadline => {
                    let event = self.wait.as_deref().unwrap_or_default();
                    let text = format!("timeout waiting for event '{event}'");
                    return Err(CliError::new(text));
                }
                _ => continue,
            };
            let events = answer.map_err(refused)?.events;
            // An answer without events stands where the past ends.
            if events.is_empty() && !self.follow && self.wait.is_none() {
                return Ok(());
            }
            let is_again = handle.repeats(pending.id()) > 0;
            for entry in &events {
                if is_again && entry.timestamp() <= newest {
                    continue;
                }
                newest = entry.timestamp();
                if !self.is_about(entry) {
                    printer.pass_over(entry);
                    continue;
                }
                printer.print(flux, entry)?;
                if self.wait.as_deref() == Some(entry.name())
                    && wanted.as_ref().is_none_or(|wanted| wanted.accepts(entry))
                {
                    return Ok(());
                }
            }
            flux.out.flush()?;
        }
    }

    /// True if an event is about any of the selected ranks.
    fn is_about(&self, entry: &Entry) -> bool {
        let Some(include) = &self.include else {
            return true;
        };
        let ranks = entry.get_str("idset").or_else(|| entry.get_str("ranks"));
        let ranks = ranks.and_then(|ranks| ranks.parse::<IdSet>().ok());
        ranks.is_none_or(|ranks| !ranks.intersection(include).is_empty())
    }
}
