//! `flux config builtin`: values that follow from where the project is installed.

use crate::layout::Layout;
use command::error::CliError;
use command::flux::Flux;

/// Print a value that depends on where Ferroflux is installed
#[derive(clap::Args)]
pub struct Builtin {
    /// Name: bindir, exec_path, module_path, connector_path, manpath or rundir
    name: String,
}

impl Builtin {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let layout = Layout::find()?;
        let exec = || layout.exec.display().to_string();
        let value = match self.name.as_str() {
            "bindir" => layout.bin.display().to_string(),
            "exec_path" | "module_path" | "connector_path" => exec(),
            "manpath" => layout.man().display().to_string(),
            "rundir" => "/run/flux".to_owned(),
            name => return Err(CliError::new(format!("{name} is invalid"))),
        };
        writeln!(flux.out, "{value}")?;
        Ok(())
    }
}
