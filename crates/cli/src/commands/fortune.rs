//! `flux fortune`: a sentence to think about, or not.

use std::time::{SystemTime, UNIX_EPOCH};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// The sentences.
const SENTENCES: &[&str] = &[
    "A job that waits has not failed yet.",
    "Ask for an hour and you will be early; ask for a day and you will be last.",
    "Every queue is empty for the one who is asleep.",
    "The scheduler is fair. It disappoints everybody in turn.",
    "A node that is drained has the quietest life of all.",
    "There is no idle core, only a core whose user is writing a paper.",
    "The last rank to answer is the one that you forgot to plug in.",
    "Who cancels in haste submits at leisure.",
    "An eventlog never forgets. Its readers do.",
    "The nested instance is always someone's root.",
];

/// Print a fortune
#[derive(clap::Parser)]
#[command(after_help = "Examples:\n  flux fortune")]
pub struct Fortune {}

impl Run for Fortune {
    const NAME: &'static str = "fortune";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let ticks = now.map_or(0, |now| now.subsec_micros() as usize);
        flux.line(SENTENCES[ticks % SENTENCES.len()])?;
        Ok(())
    }
}
