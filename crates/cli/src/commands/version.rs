//! `flux version`, also `flux -V`.

use proto::attr::CORE_VERSION;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Print the compatible Flux version of the command and its broker, and the Ferroflux version
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux version
  flux -V")]
pub struct Version {}

impl Run for Version {
    const NAME: &'static str = "version";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        writeln!(flux.out, "commands:    \t\t{CORE_VERSION}")?;
        writeln!(flux.out, "libflux-core:\t\t{CORE_VERSION}")?;
        let Some(uri) = flux.env.get("FLUX_URI").map(str::to_owned) else {
            return build_options(flux);
        };
        let mut handle = flux.connect()?;
        let version = handle.attr("version")?;
        writeln!(flux.out, "broker:  \t\t{version}")?;
        writeln!(flux.out, "FLUX_URI:\t\t{uri}")?;
        build_options(flux)
    }
}

/// Prints which implementation this is, where scripts look for build options.
fn build_options(flux: &mut Flux) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(flux.out, "build-options:\t\t+ferroflux=={version}")?;
    Ok(())
}
