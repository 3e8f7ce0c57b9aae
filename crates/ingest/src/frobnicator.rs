//! The chain of plugins that change a jobspec.

use proto::config::Queues;
use proto::data::Jobspec;
use proto::{Errno, Refusal};
use serde_json::Value;

use crate::options::Options;
use crate::{About, Broken, constraints, defaults};

/// A plugin that changes a jobspec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plugin {
    Defaults,
    Constraints,
}

/// Plugins in the order in which they change a jobspec, and their data.
#[derive(Debug, Clone, PartialEq)]
pub struct Frobnicator {
    plugins: Vec<Plugin>,
    queues: Queues,
}

impl Frobnicator {
    /// All plugins; without a choice all of them are used.
    pub const ALL: [About; 2] = [
        About {
            name: "defaults",
            about: "Sets the default queue and time limit",
        },
        About {
            name: "constraints",
            about: "Requires the properties of the queue",
        },
    ];

    /// The chain of these plugins.
    pub fn new(
        plugins: Option<&[String]>,
        args: &[String],
        queues: Queues,
    ) -> Result<Frobnicator, Broken> {
        let plugins = match plugins {
            None => vec![Plugin::Defaults, Plugin::Constraints],
            Some(names) => {
                let plugins = names.iter().map(|name| match name.as_str() {
                    "defaults" => Ok(Plugin::Defaults),
                    "constraints" => Ok(Plugin::Constraints),
                    _ => Err(Broken::no_plugin("frobnicator", name)),
                });
                plugins.collect::<Result<_, _>>()?
            }
        };
        Options::read(args, &[])?;
        Ok(Frobnicator { plugins, queues })
    }

    /// Changes a jobspec.
    ///
    /// # Errors
    /// EPERM with the text for the submitter, if the job cannot be in any queue.
    pub fn apply(&self, jobspec: &mut Jobspec) -> Result<(), Refusal> {
        check_form(jobspec)?;
        for plugin in &self.plugins {
            match plugin {
                Plugin::Defaults => defaults::apply(jobspec, &self.queues)?,
                Plugin::Constraints => constraints::apply(jobspec, &self.queues)?,
            }
        }
        Ok(())
    }
}

/// Checks the form that the plugins rely on: a jobspec that is not validated reaches them
/// too.
fn check_form(jobspec: &Jobspec) -> Result<(), Refusal> {
    let attributes = jobspec.get("attributes");
    let is_mapping = |value: Option<&Value>| value.is_some_and(Value::is_object);
    if !is_mapping(attributes) {
        return Err(invalid("attributes must be a mapping"));
    }
    if !is_mapping(jobspec.get("attributes.system")) {
        return Err(invalid("attributes.system must be a mapping"));
    }
    match jobspec.system("queue") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(invalid("attributes.system.queue must be a string")),
    }
}

/// The refusal of a jobspec that cannot be changed.
pub(crate) fn invalid(text: &str) -> Refusal {
    refused(format!("invalid jobspec: {text}"))
}

/// A refusal with the number that plugins have unless they choose another.
pub(crate) fn refused(text: String) -> Refusal {
    Refusal::new(Errno::EPERM, text)
}

#[cfg(test)]
mod tests;
