//! State of the instance: its rank, its configuration, and its loaded modules.

use std::collections::{BTreeMap, BTreeSet};

use client::Handle;
use command::error::CliError;
use command::flux::Flux;
use proto::config::keys;
use proto::{Errno, broker, config, module};

use super::known::{Known, Surroundings};
use super::sources;

const DISABLE: &str = "FLUX_MODPROBE_DISABLE";
const SCHEDULER: &str = "FLUX_SCHED_MODULE";

/// Changes of the definitions by the command line.
#[derive(clap::Args, Default)]
pub(super) struct Choices {
    /// Let a module provide a service
    #[arg(short = 'S', long, value_name = "NAME=MODULE")]
    set_alternative: Vec<String>,
    /// Leave out a module
    #[arg(short = 'D', long, value_name = "NAME")]
    disable: Vec<String>,
}

/// The instance.
pub(super) struct Live {
    pub handle: Handle,
    pub known: Known,
    pub rank: u32,
    /// The environment of the broker, as far as it was asked for.
    env: BTreeMap<String, String>,
}

impl Live {
    /// Asks for all that is needed.
    pub fn open(flux: &mut Flux, choices: &Choices, is_verbose: bool) -> Result<Live, CliError> {
        let mut known = sources::read(flux, is_verbose)?;
        let mut handle = flux.connect()?;
        let rank = handle.attr("rank")?;
        let conf = handle.rpc(&config::Get)?;
        let changes = |name: &str| !matches!(name, "alternatives");
        // Alternatives come last: what they name may be new.
        let tables = keys::MODULES_CHANGES.table(&conf).into_iter().flatten();
        let (others, alternatives): (Vec<_>, Vec<_>) = tables.partition(|(name, _)| changes(name));
        known
            .add_tables(others.into_iter().chain(alternatives))
            .map_err(CliError::new)?;
        for choice in &choices.set_alternative {
            let invalid = || format!("--set-alternative: invalid value '{choice}'");
            let (service, module) = choice
                .split_once('=')
                .ok_or_else(invalid)
                .map_err(CliError::new)?;
            known
                .set_alternative(service, module)
                .map_err(CliError::new)?;
        }
        let around = Surroundings {
            rank: rank.parse().unwrap_or(0),
            conf,
            ..Surroundings::default()
        };
        let mut live = Live {
            handle,
            known,
            rank: around.rank,
            env: BTreeMap::new(),
        };
        live.look_around(flux, choices, around)?;
        Ok(live)
    }

    fn look_around(
        &mut self,
        flux: &Flux,
        choices: &Choices,
        mut around: Surroundings,
    ) -> Result<(), CliError> {
        let bare = |name: &String| name.trim_start_matches('!').to_owned();
        let names = self.known.all().flat_map(|module| &module.needs_env);
        let names: BTreeSet<String> = names.map(bare).collect();
        let asked = names.iter().map(String::as_str);
        let asked: Vec<String> = asked
            .chain([DISABLE, SCHEDULER, super::scripts::EXTRA])
            .map(str::to_owned)
            .collect();
        self.env = self.handle.rpc(&broker::Getenv { names: asked })?.env;
        let is_set = |name: &String| self.variable(flux, name).is_some();
        around.env = names.iter().filter(|name| is_set(name)).cloned().collect();
        let attrs = self.known.all().flat_map(|module| &module.needs_attrs);
        let attrs: BTreeSet<String> = attrs.map(bare).collect();
        for name in attrs {
            if self.attr(&name)?.is_some() {
                around.attrs.insert(name);
            }
        }
        let disabled = self.variable(flux, DISABLE).unwrap_or_default();
        let disabled = disabled.split(',').filter(|name| !name.is_empty());
        for name in disabled.chain(choices.disable.iter().map(String::as_str)) {
            if !self.known.disable(name) && !super::rc::is_task(name) {
                return Err(CliError::new(format!("no such module or task '{name}'")));
            }
        }
        if self.variable(flux, SCHEDULER).as_deref() == Some("none") {
            self.known.disable("sched");
            self.known.disable("feasibility");
        }
        self.known.look_around(&around);
        Ok(())
    }

    /// A variable of our environment, or else of that of the broker.
    pub fn variable(&self, flux: &Flux, name: &str) -> Option<String> {
        let own = flux.env.get(name).map(str::to_owned);
        own.or_else(|| self.env.get(name).cloned())
    }

    /// True if a task of the start is left out.
    pub fn leaves_out(&self, flux: &Flux, task: &str) -> bool {
        let disabled = self.variable(flux, DISABLE).unwrap_or_default();
        disabled.split(',').any(|name| name == task)
    }

    /// An attribute, if it is set.
    pub fn attr(&mut self, name: &str) -> Result<Option<String>, CliError> {
        match self.handle.attr(name) {
            Ok(value) => Ok(Some(value)),
            Err(refusal) if refusal.errno == Errno::ENOENT => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The modules that are loaded, those that are part of the broker left out.
    pub fn loaded(&mut self) -> Result<BTreeSet<String>, CliError> {
        let list = self.handle.rpc(&module::List)?;
        let mods = list.mods.into_iter();
        let mods = mods.filter(|module| module.path != "builtin");
        Ok(mods.map(|module| module.name).collect())
    }
}
