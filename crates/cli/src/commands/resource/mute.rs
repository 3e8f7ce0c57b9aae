//! `flux resource acquire-mute`

use client::Call;
use proto::resource;

use command::error::CliError;
use command::flux::Flux;

/// Stop sending changes to the scheduler, for tests
#[derive(clap::Args)]
pub struct AcquireMute {}

impl AcquireMute {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        handle.notify(Call::new(&resource::AcquireMute).to(0));
        handle.flush()?;
        Ok(())
    }
}
