//! The options of submissions as commands have them that ask for slots, which nobody but the
//! instance in them fills with tasks.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::options::Options;
use command::error::CliError;

/// [`Options`], in which `ntasks` and the numbers for each task are those of slots.
#[derive(Debug, Clone, Default)]
pub struct SlotOptions(pub Options);

/// Options of tasks, and their names where there are slots.
const RENAMED: [(&str, &str, &str); 3] = [
    ("ntasks", "nslots", "Number of slots"),
    ("cores_per_task", "cores-per-slot", "Cores of each slot"),
    ("gpus_per_task", "gpus-per-slot", "GPUs of each slot"),
];

/// Options that only tasks have.
const ABSENT: [&str; 4] = ["cores", "tasks_per_node", "tasks_per_core", "gpus_per_node"];

impl SlotOptions {
    /// Checks that there is a number of slots.
    pub fn check(&self) -> Result<(), CliError> {
        let Options {
            ntasks,
            nodes,
            given,
            ..
        } = &self.0;
        let is_given = given.resources_shape.is_some() || given.resources_json.is_some();
        let slots = ntasks.as_deref().filter(|text| *text != "0");
        match is_given || slots.is_some() || nodes.is_some() {
            true => Ok(()),
            false => {
                let text = "Number of slots to allocate must be specified";
                Err(CliError::new(text))
            }
        }
    }
}

impl Args for SlotOptions {
    fn augment_args(command: Command) -> Command {
        let mut command = Options::augment_args(command);
        for (id, long, help) in RENAMED {
            command = command.mut_arg(id, |arg| {
                arg.long(long).help(help).help_heading("Resources by slot")
            });
        }
        for id in ["nodes", "exclusive"] {
            command = command.mut_arg(id, |arg| arg.help_heading("Resources by slot"));
        }
        for id in ABSENT {
            command = command.mut_arg(id, |arg| arg.hide(true));
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SlotOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(id) = ABSENT.into_iter().find(is_given) {
            let mut error = clap::Error::new(ErrorKind::UnknownArgument);
            let option = format!("--{}", id.replace('_', "-"));
            error.insert(ContextKind::InvalidArg, ContextValue::String(option));
            return Err(error);
        }
        Options::from_arg_matches(matches).map(SlotOptions)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
