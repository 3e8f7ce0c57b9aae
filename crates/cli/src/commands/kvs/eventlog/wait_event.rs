//! `flux kvs eventlog wait-event`

use client::Arrival;
use proto::Errno;
use proto::data::Tree;
use proto::kvs::{WAITCREATE, WATCH, WATCH_APPEND};
use proto::kvs_watch::Watched;
use proto::{Payload, Refusal};

use super::{Form, Printer, entries};
use crate::commands::kvs::at::{NamespaceArg, Store};
use crate::commands::kvs::follow::Follow;
use crate::waiting::Waiting;
use command::error::CliError;
use command::flux::Flux;

/// Wait for an event in a log
#[derive(clap::Args)]
pub struct WaitEvent {
    #[command(flatten)]
    namespace: NamespaceArg,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    waiting: Waiting,
    /// Key of the log
    key: String,
    /// Name of the event
    event: String,
}

impl WaitEvent {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut store = self.namespace.connect(flux)?;
        let deadline = self.waiting.deadline();
        let flags = WATCH
            | WATCH_APPEND
            | if self.waiting.waitcreate {
                WAITCREATE
            } else {
                0
            };
        let mut follow = Follow::start(&mut store, &self.key, flags);
        let mut printer = self.form.printer(flux);
        loop {
            let answer = match store.handle.next(&[], deadline)? {
                Arrival::Answer(_, answer) => answer,
                Arrival::Deadline => {
                    let text = format!("wait-event timeout on event '{}'", self.event);
                    return Err(CliError::new(text));
                }
                _ => continue,
            };
            let watched = answer
                .and_then(read)
                .map_err(|refusal| self.failed(&refusal))?;
            if self.is_there(flux, &mut store, &mut follow, watched, &mut printer)? {
                return Ok(());
            }
        }
    }

    /// True if the event is among the new entries.
    fn is_there(
        &self,
        flux: &mut Flux,
        store: &mut Store,
        follow: &mut Follow,
        watched: Watched,
        printer: &mut Printer,
    ) -> Result<bool, CliError> {
        let Some(Tree::Val(bytes)) = follow.take(store, watched) else {
            return Ok(false);
        };
        for entry in entries(&bytes)? {
            let is_it = entry.name() == self.event;
            if self.waiting.verbose || (is_it && !self.waiting.quiet) {
                printer.print(flux, &entry)?;
            } else {
                printer.pass_over(&entry);
            }
            if is_it {
                return Ok(true);
            }
        }
        flux.out.flush()?;
        Ok(false)
    }

    fn failed(&self, refusal: &Refusal) -> CliError {
        match refusal.errno {
            Errno::ENOENT => CliError::new(format!("eventlog path {} not found", self.key)),
            Errno::ENODATA => CliError::new(format!("event '{}' never received", self.event)),
            _ => CliError::from(refusal.clone()).about(&self.key),
        }
    }
}

fn read(answer: wire::Message) -> Result<Watched, Refusal> {
    let watched = Watched::decode(answer.payload());
    watched.map_err(|bad| Refusal::new(Errno::EPROTO, bad.to_string()))
}
