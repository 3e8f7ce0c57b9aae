//! `flux job-validator`: validation of jobspecs, as in job-ingest.

use ingest::{Feasibility, Validator};
use proto::Object;
use proto::config::{self, Ingest};
use proto::data::Jobspec;
use proto::feasibility::Check;

use super::{Common, answer_lines, ended, list};
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Validate jobspecs as the instance does at submission
///
/// Reads one JSON object per line, with the keys jobspec, userid, rolemask, urgency and flags,
/// and prints one per line: an object with an error number (0 for none) and the text of an
/// error.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux submit --dry-run true | flux job-validator --jobspec-only
  flux job-validator --list-plugins")]
pub struct JobValidator {
    #[command(flatten)]
    common: Common,
    /// Accept this jobspec version in plugin 'jobspec': 1, or any
    #[arg(long, value_name = "VERSION")]
    require_version: Option<String>,
    /// Reject jobs of N or more nodes in plugin 'require-instance'
    #[arg(long, value_name = "N")]
    require_instance_minnodes: Option<String>,
    /// Reject jobs of N or more cores in plugin 'require-instance'
    #[arg(long, value_name = "N")]
    require_instance_mincores: Option<String>,
}

/// The plugin that has settings in the configuration.
const CONFIGURED: &str = "require-instance";

impl Run for JobValidator {
    const NAME: &'static str = "job-validator";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.common.list_plugins {
            return list(flux, &Validator::ALL);
        }
        let plugins = self.common.plugins.as_deref();
        let is_configured =
            plugins.is_some_and(|names| names.iter().any(|name| name == CONFIGURED));
        let conf = match is_configured {
            true => Ingest::parse(&flux.connect()?.rpc(&config::Get)?)?,
            false => Ingest::default(),
        };
        let chain = match Validator::new(plugins, &self.args(), conf.require_instance) {
            Ok(chain) => chain,
            Err(broken) => return Err(ended(flux, &broken)?),
        };
        let mut handle = match chain.asks_feasibility() {
            true => Some(flux.connect()?),
            false => None,
        };
        answer_lines(flux, self.common.jobspec_only, |jobspec| {
            let feasible = match &mut handle {
                Some(handle) => feasibility(handle, &jobspec),
                None => Ok(()),
            };
            chain.check(&jobspec, feasible).result().map(|()| None)
        })
    }
}

impl JobValidator {
    /// The arguments of plugins, as the configuration would have them.
    fn args(&self) -> Vec<String> {
        let args = [
            ("--require-version", &self.require_version),
            (
                "--require-instance-minnodes",
                &self.require_instance_minnodes,
            ),
            (
                "--require-instance-mincores",
                &self.require_instance_mincores,
            ),
        ];
        let args = args.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name}={value}"))
        });
        args.collect()
    }
}

fn feasibility(handle: &mut client::Handle, jobspec: &Jobspec) -> Feasibility {
    let mut jobspec = jobspec.clone();
    jobspec.redact();
    let jobspec = Object(jobspec.into_object());
    handle.rpc(&Check { jobspec }).map(drop)
}
