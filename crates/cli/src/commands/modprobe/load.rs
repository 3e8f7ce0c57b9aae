//! `flux modprobe load` and `flux modprobe remove`, and how modules are loaded and removed.

use std::collections::BTreeSet;

use client::Call;
use command::error::CliError;
use command::flux::Flux;
use proto::module;

use super::definition::Definition;
use super::live::{Choices, Live};
use super::plan::{Order, removal, reversed, with_requirements};

/// Load modules and all that they require
#[derive(clap::Args)]
pub(super) struct Load {
    /// Print the steps without carrying them out
    #[arg(long)]
    dry_run: bool,
    /// Names of modules or services
    #[arg(required = true, value_name = "MODULE")]
    modules: Vec<String>,
}

/// Remove modules, and their dependencies that no other module requires
#[derive(clap::Args)]
pub(super) struct Remove {
    /// Print the steps without carrying them out
    #[arg(long)]
    dry_run: bool,
    /// Names of modules; 'all' for all
    #[arg(required = true, value_name = "MODULE")]
    modules: Vec<String>,
}

impl Load {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut live = Live::open(flux, &Choices::default(), false)?;
        let known = live.known.clone();
        let wanted = with_requirements(&known, &self.modules).map_err(CliError::new)?;
        let loaded = live.loaded()?;
        let missing = wanted
            .into_iter()
            .filter(|module| !loaded.contains(&module.name));
        let missing: Vec<&Definition> = missing.collect();
        if missing.is_empty() {
            let text = "INFO: All modules and dependencies are already loaded";
            let program = flux.program().to_owned();
            return Ok(flux.note(format_args!("{program}: {text}"))?);
        }
        let steps = Order::of(&missing).steps();
        for step in steps.map_err(CliError::new)? {
            let step: Vec<&Definition> = step.iter().filter_map(|name| known.named(name)).collect();
            match self.dry_run {
                true => print_loads(flux, &step)?,
                false => load_all(flux, &mut live, &step)?,
            }
        }
        Ok(())
    }
}

impl Remove {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut live = Live::open(flux, &Choices::default(), false)?;
        let loaded = live.loaded()?;
        let line = match self.modules.iter().any(|name| name == "all") {
            true => reversed(&live.known, &loaded),
            false => removal(&live.known, &loaded, &self.modules),
        };
        remove_all(flux, &mut live, &line.map_err(CliError::new)?, self.dry_run)
    }
}

/// Prints the modules that would be loaded.
pub(super) fn print_loads(flux: &mut Flux, modules: &[&Definition]) -> Result<(), CliError> {
    for module in modules {
        let words: Vec<&str> = [module.name.as_str()]
            .into_iter()
            .chain(module.args.iter().map(String::as_str))
            .collect();
        flux.line(format_args!("load {}", words.join(" ")))?;
    }
    Ok(())
}

/// The request that loads a module.
pub(super) fn request(module: &Definition, more: &[String]) -> module::Load {
    module::Load {
        path: module.module.clone(),
        args: module.args.iter().chain(more).cloned().collect(),
        name: (module.module != module.name).then(|| module.name.clone()),
        loader: None,
        exec: module.exec.then_some(true),
    }
}

/// Loads modules, all at the same time.
fn load_all(flux: &mut Flux, live: &mut Live, modules: &[&Definition]) -> Result<(), CliError> {
    let pending = modules.iter().map(|module| {
        let call = Call::new(&request(module, &[]));
        (module.name.as_str(), live.handle.start(call))
    });
    let mut has_failed = false;
    for (name, pending) in pending.collect::<Vec<_>>() {
        if let Err(refusal) = live.handle.wait(pending) {
            flux.note(format_args!("{name}: {refusal}"))?;
            has_failed = true;
        }
    }
    match has_failed {
        true => Err(CliError::exit(1)),
        false => Ok(()),
    }
}

/// Removes modules one after the other.
pub(super) fn remove_all(
    flux: &mut Flux,
    live: &mut Live,
    names: &[String],
    is_dry: bool,
) -> Result<(), CliError> {
    let mut gone = BTreeSet::new();
    for name in names.iter().filter(|name| gone.insert((*name).clone())) {
        if is_dry {
            flux.line(format_args!("remove {name}"))?;
            continue;
        }
        let remove = module::Remove {
            name: name.clone(),
            cancel: None,
            returns: None,
        };
        if let Err(refusal) = live.handle.rpc(&remove) {
            flux.note(format_args!("{name}: {refusal}"))?;
            return Err(CliError::exit(1));
        }
    }
    Ok(())
}
