//! The chain of plugins that validate a jobspec.

use proto::config::ingest::RequireInstance as RequireInstanceConf;
use proto::data::Jobspec;
use proto::{Errno, Refusal};

use crate::options::Options;
use crate::require_instance::{MINCORES, MINNODES, RequireInstance};
use crate::{About, Broken};

/// A plugin that checks a jobspec.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Plugin {
    Jobspec { any_version: bool },
    Feasibility,
    RequireInstance(RequireInstance),
}

/// Plugins, each of which looks at every job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    plugins: Vec<Plugin>,
}

/// Answer of the scheduler about a job, if it was asked.
pub type Feasibility = Result<(), Refusal>;

/// Errors of the plugins about one job.
#[derive(Debug, Default)]
pub struct Verdict(Vec<Refusal>);

const REQUIRE_VERSION: &str = "--require-version";

impl Validator {
    /// All plugins.
    pub const ALL: [About; 3] = [
        About {
            name: "jobspec",
            about: "Refuses jobspecs that are not version 1",
        },
        About {
            name: "feasibility",
            about: "Asks the scheduler whether the job could ever run",
        },
        About {
            name: "require-instance",
            about: "Refuses large jobs that are not instances of their own",
        },
    ];

    /// The chain of these plugins; `jobspec` alone without a choice.
    pub fn new(
        plugins: Option<&[String]>,
        args: &[String],
        conf: RequireInstanceConf,
    ) -> Result<Validator, Broken> {
        let default = ["jobspec".to_owned()];
        let names = plugins.unwrap_or(&default);
        let find = |name: &String| Self::ALL.iter().find(|known| known.name == name);
        if let Some(unknown) = names.iter().find(|name| find(name).is_none()) {
            return Err(Broken::no_plugin("validator", unknown));
        }
        let mut known = Vec::new();
        for name in names {
            match name.as_str() {
                "jobspec" => known.push(REQUIRE_VERSION),
                "require-instance" => known.extend([MINNODES, MINCORES]),
                _ => {}
            }
        }
        let options = Options::read(args, &known)?;
        let plugins = names.iter().map(|name| match name.as_str() {
            "feasibility" => Ok(Plugin::Feasibility),
            "require-instance" => RequireInstance::new(&options, conf).map(Plugin::RequireInstance),
            _ => jobspec_of(&options),
        });
        let plugins = plugins.collect::<Result<_, _>>()?;
        Ok(Validator { plugins })
    }

    /// True if the scheduler has to be asked.
    pub fn asks_feasibility(&self) -> bool {
        self.plugins.contains(&Plugin::Feasibility)
    }

    /// Checks a job with all plugins, with the answer of the scheduler about it.
    pub fn check(&self, jobspec: &Jobspec, feasibility: Feasibility) -> Verdict {
        let mut feasibility = Some(feasibility);
        let mut verdict = Verdict::default();
        for plugin in &self.plugins {
            let said = match plugin {
                Plugin::Jobspec { any_version } => check_jobspec(jobspec, *any_version),
                Plugin::RequireInstance(plugin) => plugin.check(jobspec),
                Plugin::Feasibility => feasibility.take().map_or(Ok(()), pass_on),
            };
            verdict.0.extend(said.err());
        }
        verdict
    }
}

impl Verdict {
    /// All of it in one: the largest number, and each sentence once.
    ///
    /// # Errors
    /// The refusal of the job.
    pub fn result(self) -> Result<(), Refusal> {
        let errno = self.0.iter().map(|refusal| refusal.errno);
        let Some(errno) = errno.max_by_key(|errno| errno.0) else {
            return Ok(());
        };
        let mut texts: Vec<String> = Vec::new();
        for refusal in self.0 {
            let text = refusal.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        Err(Refusal::new(errno, texts.join(", ")))
    }
}

fn jobspec_of(options: &Options) -> Result<Plugin, Broken> {
    let any_version = match options.get(REQUIRE_VERSION) {
        None | Some("1") => false,
        Some("any") => true,
        Some(_) => {
            let text = format!("Invalid argument to {REQUIRE_VERSION}");
            return Err(Broken::argument(text));
        }
    };
    Ok(Plugin::Jobspec { any_version })
}

fn check_jobspec(jobspec: &Jobspec, any_version: bool) -> Result<(), Refusal> {
    let checked = match any_version {
        true => jobspec.validate_any_version(),
        false => jobspec.validate(),
    };
    checked.map_err(|invalid| Refusal::new(Errno::EPERM, invalid.0))
}

/// Without a scheduler this is unknown, and the job may come in.
fn pass_on(said: Feasibility) -> Result<(), Refusal> {
    match said {
        Err(refusal) if refusal.errno == Errno::ENOSYS => Ok(()),
        said => said,
    }
}

#[cfg(test)]
mod tests;
