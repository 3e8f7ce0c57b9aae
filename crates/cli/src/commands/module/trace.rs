//! `flux module trace`: shows the messages that modules send and receive.

use proto::module;

use crate::trace::Options;
use command::error::CliError;
use command::flux::Flux;

/// Show the messages that modules send and receive
#[derive(clap::Args)]
pub struct Trace {
    #[command(flatten)]
    options: Options,
    /// Show only topics that match this glob
    #[arg(short = 'T', long, value_name = "GLOB", default_value = "*")]
    topic: String,
    /// Modules to watch; all if none is given
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Trace {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.options.check()?;
        let request = module::Trace {
            typemask: self.options.typemask()?,
            topic_glob: self.topic,
            names: (!self.names.is_empty()).then_some(self.names),
            nodeid: None,
            full: self.options.full.then_some(true),
            clients: None,
        };
        let mut handle = flux.connect()?;
        let name = |traced: &module::Traced| traced.name.clone().unwrap_or_default();
        self.options.show(flux, &mut handle, &request, name)
    }
}
