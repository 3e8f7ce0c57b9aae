//! `flux content checkpoint`: the roots from which the kvs can start.

use proto::content;

use command::clock;
use command::error::CliError;
use command::flux::Flux;
use snapshot::source;

/// List and make checkpoints of the key-value store
#[derive(clap::Args)]
pub struct Checkpoint {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    List(List),
    Update(Update),
}

impl Checkpoint {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::List(list) => list.run(flux),
            Verb::Update(update) => update.run(flux),
        }
    }
}

/// List the checkpoints that are kept, newest first
#[derive(clap::Args)]
struct List {
    /// Print each checkpoint as a JSON object
    #[arg(short, long)]
    json: bool,
}

impl List {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let checkpoints = source::checkpoints(&mut handle, false)?;
        if self.json {
            for checkpoint in checkpoints {
                let json = serde_json::to_string(&checkpoint);
                let json = json.map_err(|error| CliError::new(error.to_string()))?;
                flux.line(&json)?;
            }
            return Ok(());
        }
        let zone = clock::zone(&flux.env);
        flux.line("SEQUENCE TIMESTAMP           ROOTREF")?;
        for checkpoint in checkpoints {
            let time = clock::iso(&zone, checkpoint.timestamp);
            let (sequence, rootref) = (checkpoint.sequence, checkpoint.rootref);
            flux.line(format_args!("{sequence:>8} {time} {rootref}"))?;
        }
        Ok(())
    }
}

/// Make a checkpoint, from which the kvs module starts when it is next loaded
///
/// All later writes of the kvs module are discarded, so it must not be loaded now.
#[derive(clap::Args)]
struct Update {
    /// Give the root this version; by default, one more than that of the newest
    /// checkpoint
    #[arg(short, long, value_name = "N")]
    sequence: Option<i64>,
    /// Blobref of the root directory
    #[arg(value_name = "BLOBREF")]
    rootref: String,
}

impl Update {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let rootref = source::blobref(&self.rootref)?;
        let mut handle = flux.connect()?;
        source::check_kvs_is_not_loaded(&mut handle, "checkpoint update")?;
        let newest = source::checkpoints(&mut handle, false)?.into_iter().next();
        let next = newest.map_or(0, |checkpoint| checkpoint.sequence.saturating_add(1));
        let checkpoint = content::Checkpoint {
            version: 1,
            rootref: rootref.to_string(),
            sequence: self.sequence.unwrap_or(next),
            timestamp: clock::now(),
        };
        source::write_checkpoint(&mut handle, checkpoint, false)
    }
}
