//! `flux resource info` and `flux resource R`: resources in one line, and as R.

use proto::data::Rset;

use super::list::{part, states};
use super::sched_status;
use super::which::Which;
use command::error::CliError;
use command::flux::Flux;

/// Print the number of nodes, cores and GPUs
#[derive(clap::Args)]
pub struct Info {
    #[command(flatten)]
    chosen: Chosen,
}

/// Print resources as an R object
#[derive(clap::Args)]
pub struct R {
    #[command(flatten)]
    chosen: Chosen,
}

/// Selection of resources.
#[derive(clap::Args)]
struct Chosen {
    /// Select only these states, separated by commas: all, up, down, allocated, free
    #[arg(short, long, value_name = "STATES")]
    states: Vec<String>,
    #[command(flatten)]
    which: Which,
}

impl Info {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let set = self.chosen.get(flux)?;
        let (nodes, cores, gpus) = (set.nnodes(), set.ncores(), set.ngpus());
        // The words stay as they are when it is one: scripts match them.
        flux.line(format_args!("{nodes} Nodes, {cores} Cores, {gpus} GPUs"))?;
        Ok(())
    }
}

impl R {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let set = self.chosen.get(flux)?;
        writeln!(flux.out, "{}", set.encode())?;
        Ok(())
    }
}

impl Chosen {
    /// The resources in any of the states.
    fn get(&self, flux: &mut Flux) -> Result<Rset, CliError> {
        let states = states(flux, &self.states, &["all"])?;
        let all = sched_status(&mut flux.connect()?, &self.which)?;
        let mut chosen = Rset::new();
        for state in &states {
            // Nodes in two states are counted once.
            let mut more = part(&all, state)?;
            more.subtract(&chosen);
            chosen
                .add(&more)
                .map_err(|error| CliError::new(error.to_string()))?;
        }
        chosen.set_scheduling(all.all.scheduling().cloned());
        Ok(chosen)
    }
}
