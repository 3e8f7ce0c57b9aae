//! `flux modprobe`: modules with their dependencies, by their definitions.
//!
//! Definitions are in `definition.rs` (one module) and `known.rs` (all, and the providers of
//! services), their sources in `sources.rs`, the order in `plan.rs`, the state of the instance in
//! `live.rs`, its start in `rc.rs` and its end in `rc3.rs`.

mod definition;
mod known;
mod live;
mod load;
mod plan;
mod rc;
mod rc3;
mod scripts;
mod show;
mod sources;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Load and remove modules with their dependencies
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux modprobe load sched
  flux modprobe remove --dry-run all
  flux modprobe list-dependencies job-manager
  flux modprobe rc1 --dry-run

Module definitions are compiled in. Sites add to them and change them by files *.toml in a directory
modprobe.d, in the directories of FLUX_MODPROBE_PATH and FLUX_MODPROBE_PATH_APPEND, and by the table
[modules] of the configuration.")]
pub struct Modprobe {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Load(load::Load),
    Remove(load::Remove),
    Show(show::Show),
    ListDependencies(show::ListDependencies),
    Run(RunFile),
    Rc1(rc::Rc1),
    Rc3(rc3::Rc3),
}

/// Run a file of tasks (not supported)
#[derive(clap::Args)]
struct RunFile {
    /// File and options
    #[arg(required = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Run for Modprobe {
    const NAME: &'static str = "modprobe";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Load(load) => load.run(flux),
            Verb::Remove(remove) => remove.run(flux),
            Verb::Show(show) => show.run(flux),
            Verb::ListDependencies(list) => list.run(flux),
            Verb::Run(run) => Err(run.refused()),
            Verb::Rc1(rc1) => rc1.run(flux),
            Verb::Rc3(rc3) => rc3.run(flux),
        }
    }
}

impl RunFile {
    /// There is no Python here, hence nothing that such a file could be run by.
    fn refused(&self) -> CliError {
        let text = "files of tasks in Python are not supported in this version";
        let file = self.words.last().map_or("", String::as_str);
        CliError::new(text)
            .about(file)
            .with_hint("put executables into rc1.d and rc3.d instead")
    }
}
