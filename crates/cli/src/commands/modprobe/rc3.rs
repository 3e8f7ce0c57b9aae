//! `flux modprobe rc3`: the end of an instance.

use command::error::CliError;
use command::flux::Flux;
use proto::attr::names;

use super::live::{Choices, Live};
use super::load::remove_all;
use super::plan::reversed;
use super::rc::RUN_ALL_RC3;
use super::scripts::{EXTRA, run_scripts};

/// Run the shutdown scripts of the instance, and remove its modules
#[derive(clap::Args)]
pub(super) struct Rc3 {
    /// Print each step
    #[arg(short, long)]
    verbose: bool,
    /// Print the steps without carrying them out
    #[arg(long)]
    dry_run: bool,
}

impl Rc3 {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut live = Live::open(flux, &Choices::default(), self.verbose)?;
        let mut loaded = live.loaded()?;
        // The broker dumps when all others have exited.
        let dump = live.attr(names::CONTENT_DUMP.name)?;
        if dump.is_some_and(|path| !path.is_empty()) && loaded.remove("content") {
            flux.note("content is left to the broker, which dumps it")?;
        }
        let line = reversed(&live.known, &loaded).map_err(CliError::new)?;
        let extra = live.variable(flux, EXTRA);
        let runs_scripts = !live.leaves_out(flux, RUN_ALL_RC3);
        let ran = match (runs_scripts, self.dry_run) {
            (true, true) => Ok(flux.line(format_args!("run {RUN_ALL_RC3}"))?),
            (true, false) => run_scripts(flux, extra.as_deref(), "rc3.d"),
            (false, _) => Ok(()),
        };
        remove_all(flux, &mut live, &line, self.dry_run)?;
        ran.map_err(|error| error.about(RUN_ALL_RC3))
    }
}
