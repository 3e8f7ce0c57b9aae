//! `flux queue`: whether jobs are taken and run, and waiting for them to end.

mod list;
pub mod nodes;
mod state;
mod wait;

use client::Handle;
use proto::job_manager::QueueList;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Show queues, and change whether they accept and start jobs
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux queue status -v
  flux queue disable --message='back at noon'
  flux queue drain --timeout=10m")]
pub struct Queue {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Status(state::Status),
    List(list::List),
    Enable(state::Enable),
    Disable(state::Disable),
    Start(state::Start),
    Stop(state::Stop),
    Drain(wait::Drain),
    Idle(wait::Idle),
}

impl Run for Queue {
    const NAME: &'static str = "queue";
    const GROUP: Group = Group::Resources;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Status(status) => status.run(flux),
            Verb::List(list) => list.run(flux),
            Verb::Enable(enable) => enable.run(flux),
            Verb::Disable(disable) => disable.run(flux),
            Verb::Start(start) => start.run(flux),
            Verb::Stop(stop) => stop.run(flux),
            Verb::Drain(drain) => drain.run(flux),
            Verb::Idle(idle) => idle.run(flux),
        }
    }
}

/// The queues by name; `None` alone stands for the anonymous one.
fn queues(handle: &mut Handle) -> Result<Vec<Option<String>>, CliError> {
    let names = handle.rpc(&QueueList)?.queues;
    Ok(match names.is_empty() {
        true => vec![None],
        false => names.into_iter().map(Some).collect(),
    })
}
