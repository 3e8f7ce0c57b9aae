//! `flux uri`: where an instance can be reached.

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

use crate::uri::{self, Request, SCHEMES};

/// Print the URI of an instance, such as that of a job
#[derive(clap::Parser)]
#[command(after_help = help())]
pub struct Uri {
    /// Print it for other hosts: ssh://HOST/PATH
    #[arg(long)]
    remote: bool,
    /// Print it for its own host: local:///PATH
    #[arg(long, conflicts_with = "remote")]
    local: bool,
    /// Wait until the job has started its instance
    #[arg(long)]
    wait: bool,
    /// Job id, path of job ids, or SCHEME:ARGUMENT[?local|remote|wait]
    target: String,
}

fn help() -> String {
    let rows = SCHEMES
        .iter()
        .map(|(name, help)| format!("  {name:<10}{help}\n"));
    let schemes: String = rows.collect();
    format!(
        "Supported resolver schemes:\n{schemes}\nExamples:
  flux uri ƒ8kjCGJm
  flux uri --local ƒ8kjCGJm/ƒFSoYd
  flux uri pid:4711"
    )
}

impl Run for Uri {
    const NAME: &'static str = "uri";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = Request {
            local: self.local,
            remote: self.remote,
            wait: self.wait,
            is_compute: false,
        };
        let uri = uri::resolve(flux, &self.target, request)?;
        writeln!(flux.out, "{uri}")?;
        Ok(())
    }
}
