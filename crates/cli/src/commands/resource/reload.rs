//! `flux resource reload`

use proto::resource;

use super::ask;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Read the resources again from a file with R, while no scheduler holds them
#[derive(clap::Args)]
pub struct Reload {
    /// The path is a folder of hwloc XML files
    #[arg(short, long)]
    xml: bool,
    /// Accept resources on ranks that the instance does not have
    #[arg(short, long)]
    force: bool,
    /// The file
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
