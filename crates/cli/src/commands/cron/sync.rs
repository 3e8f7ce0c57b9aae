//! `flux cron sync`: the event for which tasks wait.

use client::Call;
use command::error::CliError;
use command::flux::Flux;
use proto::cron::{self, Synced};

use super::when::seconds;

/// Print or set the event that due tasks wait for
#[derive(clap::Args)]
pub(super) struct Sync {
    /// Let tasks run without waiting for an event
    #[arg(short, long)]
    disable: bool,
    /// Run a task at once if it is due within this time after an event
    #[arg(short, long, value_name = "TIME")]
    epsilon: Option<String>,
    /// Topic of the event
    topic: Option<String>,
}

impl Sync {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = cron::Sync {
            topic: self.topic,
            disable: self.disable.then_some(true),
            sync_epsilon: self.epsilon.as_deref().map(seconds).transpose()?,
        };
        let text = match flux.connect()?.call(Call::new(&request).to(0))? {
            Synced::Off { .. } => "sync: sync disabled.".to_owned(),
            Synced::On {
                sync_event,
                sync_epsilon,
            } => format!("sync: sync to event \"{sync_event}\" epsilon={sync_epsilon}s."),
        };
        Ok(flux.note(text)?)
    }
}
