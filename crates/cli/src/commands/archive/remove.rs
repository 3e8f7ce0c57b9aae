//! `flux archive remove`

use command::error::CliError;
use command::flux::Flux;

use super::Name;

/// Remove an archive and its mapped files
#[derive(clap::Args)]
pub struct Remove {
    #[command(flatten)]
    name: Name,
    /// Succeed if the archive does not exist
    #[arg(short, long)]
    force: bool,
}

impl Remove {
    /// The request of `flux filemap unmap`.
    pub fn mapped(name: &str) -> Remove {
        Remove {
            name: Name::primary(name),
            force: false,
        }
    }

    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut stored = self.name.open(flux)?;
        match (stored.exists()?, self.force) {
            (true, _) => stored.remove(),
            // Files may have been mapped, and the archive not have been stored.
            (false, true) => stored.unmap(),
            (false, false) => Err(CliError::new(format!("{} does not exist", stored.key))),
        }
    }
}
