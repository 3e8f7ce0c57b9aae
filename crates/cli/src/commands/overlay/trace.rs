//! `flux overlay trace`: shows the messages between a broker and those next to it.

use proto::module::Traced;
use proto::overlay;

use crate::trace::Options;
use command::error::CliError;
use command::flux::Flux;

/// Show the messages between this broker and its neighbours in the tree
#[derive(clap::Args)]
pub(super) struct Trace {
    #[command(flatten)]
    options: Options,
    /// Show only messages to or from this rank
    #[arg(short, long, value_name = "RANK")]
    rank: Option<u32>,
    /// Show only topics that match
    #[arg(value_name = "GLOB", default_value = "*")]
    topic: String,
}

impl Trace {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        self.options.check()?;
        let request = overlay::Trace {
            typemask: self.options.typemask()?,
            topic_glob: self.topic,
            nodeid: self.rank.map_or(-1, i64::from),
            full: self.options.full.then_some(true),
        };
        let mut handle = flux.connect()?;
        self.options.show(flux, &mut handle, &request, peer)
    }
}

fn peer(traced: &Traced) -> String {
    match traced.rank {
        ..0 => "*".to_owned(),
        rank => rank.to_string(),
    }
}
