//! `flux cron`: commands that run at intervals, on events and at set times.

mod at;
mod create;
mod dump;
mod list;
mod switch;
mod sync;
mod when;

use clap::CommandFactory;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Run commands at intervals, on events and at set times
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux cron interval 1h 'flux resource list'
  flux cron event -n 10 heartbeat.pulse date
  echo '*/5 * * * * flux jobs' | flux cron tab
  flux cron at 'next monday 8:00' 'flux queue start'
  flux cron list

A time is a number with an optional unit: s, m, h or d. Fields of a crontab line that are not '*'
must all match; months are counted from 0. Entries last until the instance ends.")]
pub struct Cron {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Interval(create::Interval),
    Event(create::Event),
    Tab(at::Tab),
    At(at::At),
    List(list::List),
    Delete(switch::Delete),
    Stop(switch::Stop),
    Start(switch::Start),
    Dump(dump::Dump),
    Sync(sync::Sync),
    Help(Help),
    #[command(external_subcommand)]
    Unknown(Vec<String>),
}

/// Print the help of a command
#[derive(clap::Args)]
struct Help {
    /// Command to explain; all if not given
    command: Option<String>,
}

impl Run for Cron {
    const NAME: &'static str = "cron";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let (name, result) = match self.verb {
            Verb::Interval(interval) => ("interval", interval.run(flux)),
            Verb::Event(event) => ("event", event.run(flux)),
            Verb::Tab(tab) => ("tab", tab.run(flux)),
            Verb::At(at) => ("at", at.run(flux)),
            Verb::List(list) => ("list", list.run(flux)),
            Verb::Delete(delete) => ("delete", delete.run(flux)),
            Verb::Stop(stop) => ("stop", stop.run(flux)),
            Verb::Start(start) => ("start", start.run(flux)),
            Verb::Dump(dump) => ("dump", dump.run(flux)),
            Verb::Sync(sync) => ("sync", sync.run(flux)),
            Verb::Help(help) => return help.run(flux),
            Verb::Unknown(words) => {
                let word = words.first().map_or("", String::as_str);
                return Err(CliError::new(format!("Unknown COMMAND `{word}'")));
            }
        };
        result.map_err(|error| match error.text() {
            "" => error,
            text => CliError::new(format!("flux-cron {name}: {text}")).bare(),
        })
    }
}

impl Help {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut cron = Cron::command().name("cron").bin_name("flux cron");
        cron.build();
        let shown = match &self.command {
            None => Some(&mut cron),
            Some(name) => cron.find_subcommand_mut(name),
        };
        let Some(shown) = shown else {
            let name = self.command.unwrap_or_default();
            return Err(CliError::new(format!("Unknown COMMAND `{name}'")));
        };
        let help = shown.render_help();
        write!(flux.out, "{help}")?;
        Ok(())
    }
}
