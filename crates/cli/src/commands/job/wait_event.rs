//! `flux job wait-event`

use client::{Arrival, Call, Cursor};
use proto::job_info::{EventlogWatch, WAITCREATE};

use super::events::{Form, Matcher, decode};
use super::parse_id;
use crate::waiting::Waiting;
use command::error::CliError;
use command::flux::Flux;

/// Wait for an event in a log of a job
#[derive(clap::Args)]
pub struct WaitEvent {
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    waiting: Waiting,
    /// Match only an event with this in its context
    #[arg(short, long, value_name = "KEY=VALUE")]
    match_context: Option<String>,
    /// Wait for the Nth matching event
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// Job id
    id: String,
    /// Name of the event
    event: String,
}

impl WaitEvent {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        if self.count == 0 {
            return Err(CliError::usage("event count must be > 0"));
        }
        let wanted = self.match_context.as_deref();
        let wanted = wanted.map(Matcher::parse).transpose()?;
        let deadline = self.waiting.deadline();
        let request = EventlogWatch {
            id,
            path: self.form.path().to_owned(),
            flags: if self.waiting.waitcreate {
                WAITCREATE
            } else {
                0
            },
        };
        let mut printer = self.form.printer(flux);
        let mut handle = flux.connect()?;
        let pending = handle.start_stream(Call::new(&request).repeating());
        let mut cursor = Cursor::default();
        let mut left = self.count;
        loop {
            let answer = match handle.next(&[], deadline)? {
                Arrival::Answer(_, answer) => pending.decode(answer),
                Arrival::Deadline => {
                    let text = format!("wait-event timeout on event '{}'", self.event);
                    return Err(CliError::new(text));
                }
                _ => continue,
            };
            let line = match answer {
                Ok(watched) => watched.event,
                Err(refusal) if refusal.is_end() => {
                    return Err(CliError::new(format!(
                        "event '{}' never received",
                        self.event
                    )));
                }
                Err(refusal) => return Err(self.form.failed(&self.id, refusal)),
            };
            let Some(entry) = line.map(|line| decode(&line)).transpose()? else {
                continue;
            };
            if !cursor.is_new(handle.repeats(pending.id())) {
                continue;
            }
            let is_meant = entry.name() == self.event
                && wanted.as_ref().is_none_or(|wanted| wanted.accepts(&entry));
            left -= u64::from(is_meant);
            match self.waiting.verbose || (left == 0 && !self.waiting.quiet) {
                true => printer.print(flux, &entry)?,
                false => printer.pass_over(&entry),
            }
            if left == 0 {
                return Ok(());
            }
            flux.out.flush()?;
        }
    }
}
