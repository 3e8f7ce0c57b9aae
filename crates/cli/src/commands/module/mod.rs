//! `flux module`: loads modules and looks after them.

mod debug;
mod list;
mod load;
mod stats;
mod trace;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Load, remove and inspect modules
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux module list
  flux module reload job-list
  flux module stats kvs")]
pub struct Module {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    List(list::List),
    Load(load::Load),
    #[command(visible_alias = "unload")]
    Remove(load::Remove),
    Reload(load::Reload),
    Stats(stats::Stats),
    Debug(debug::Debug),
    Trace(trace::Trace),
}

impl Run for Module {
    const NAME: &'static str = "module";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::List(list) => list.run(flux),
            Verb::Load(load) => load.run(flux),
            Verb::Remove(remove) => remove.run(flux),
            Verb::Reload(reload) => reload.run(flux),
            Verb::Stats(stats) => stats.run(flux),
            Verb::Debug(debug) => debug.run(flux),
            Verb::Trace(trace) => trace.run(flux),
        }
    }
}

/// The topic of a method that every module has.
pub(super) fn topic_of<M: proto::Method>(module: &str) -> String {
    M::TOPIC.replacen("NAME", module, 1)
}

/// A refusal, with the action that was tried.
fn failed(what: &str, module: &str) -> impl Fn(proto::Refusal) -> CliError {
    let what = format!("{what} {module}");
    move |refusal| CliError::from(refusal).about(&what)
}
