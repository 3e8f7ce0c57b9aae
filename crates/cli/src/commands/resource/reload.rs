//! `flux resource reload`

use proto::resource;

use super::ask;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Load resources from an R file, while no scheduler is loaded
#[derive(clap::Args)]
pub struct Reload {
    /// Treat the path as a directory of hwloc XML files
    #[arg(short, long)]
    xml: bool,
    /// Accept resources on ranks that the instance does not have
    #[arg(short, long)]
    force: bool,
    /// Path of the file
    path: String,
}

impl Reload {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        // The broker has another working directory.
        let path = std::path::absolute(&self.path)
            .map_err(|error| CliError::new(format!("{}: {}", self.path, io_text(&error))))?;
        let request = resource::Reload {
            path: path.to_string_lossy().into_owned(),
            xml: self.xml,
            force: self.force,
        };
        let mut handle = flux.connect()?;
        ask(&mut handle, &request)?;
        Ok(())
    }
}
