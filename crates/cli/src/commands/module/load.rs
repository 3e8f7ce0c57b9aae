//! `flux module load`, `remove` and `reload`

use std::path::Path;

use client::Handle;
use proto::{Errno, module};

use super::failed;
use command::error::CliError;
use command::flux::Flux;

/// Load a module; returns when it is running
#[derive(clap::Args)]
pub struct Load {
    /// Load it under this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Run it as a separate process, as every module does
    #[arg(long)]
    exec: bool,
    /// Name or path of the module
    path: String,
    /// Arguments of the module
    #[arg(allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Load {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let request = module::Load {
            path: absolute(&self.path),
            args: self.args,
            name: self.name,
            loader: None,
            exec: self.exec.then_some(true),
        };
        handle.rpc(&request).map_err(failed("load", &self.path))?;
        Ok(())
    }
}

/// Remove a module; returns when it has exited
#[derive(clap::Args)]
pub struct Remove {
    /// Succeed if the module is not loaded
    #[arg(short, long)]
    force: bool,
    /// Kill it instead of shutting it down
    #[arg(long)]
    cancel: bool,
    /// Name of the module
    name: String,
}

impl Remove {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let what = module::Remove {
            name: absolute(&self.name),
            cancel: self.cancel.then_some(true),
            returns: None,
        };
        remove(&mut handle, &what, self.force)
    }
}

/// Remove a module and load it again; requests to it wait meanwhile
#[derive(clap::Args)]
pub struct Reload {
    /// Succeed if the module is not loaded
    #[arg(short, long)]
    force: bool,
    /// Kill it instead of shutting it down
    #[arg(long)]
    cancel: bool,
    /// Load it under this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Name or path of the module
    path: String,
    /// Arguments of the module
    #[arg(allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Reload {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let path = absolute(&self.path);
        let loaded_as = self.name.as_ref().unwrap_or(&path);
        let what = module::Remove {
            name: absolute(loaded_as),
            cancel: self.cancel.then_some(true),
            returns: Some(true),
        };
        remove(&mut handle, &what, self.force)?;
        let request = module::Load {
            path: path.clone(),
            args: self.args,
            name: self.name,
            loader: None,
            exec: None,
        };
        handle.rpc(&request).map_err(failed("load", &self.path))?;
        Ok(())
    }
}

fn remove(handle: &mut Handle, what: &module::Remove, force: bool) -> Result<(), CliError> {
    match handle.rpc(what) {
        Err(refusal) if force && refusal.errno == Errno::ENOENT => Ok(()),
        removed => removed.map(|_| ()).map_err(failed("remove", &what.name)),
    }
}

/// The broker may be in another directory than we are.
fn absolute(path: &str) -> String {
    if !path.contains('/') {
        return path.to_owned();
    }
    let absolute = std::path::absolute(Path::new(path));
    absolute.map_or_else(
        |_| path.to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}
