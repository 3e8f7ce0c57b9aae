//! `flux jobs --recursive`: the jobs of instances that are themselves jobs.

use super::job::Job;
use super::{Jobs, Plan};
use command::error::CliError;
use command::flux::Flux;

/// Options of the descent.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Recursion {
    /// List the jobs of your instances that run as jobs too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// With --recursive, those of other users too
    #[arg(long)]
    recurse_all: bool,
    /// With --recursive, go down at most N levels
    #[arg(short = 'L', long, value_name = "N")]
    level: Option<u32>,
    /// Instances that are asked at once; here it is always one
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
}

/// What is needed of each job to find the instances among them.
pub const ATTRS: [&str; 3] = ["annotations", "state", "userid"];

impl Jobs {
    /// Lists the instances among `jobs`, which are `depth` levels down below `above`. One
    /// that cannot be asked is told, and passed over.
    pub(super) fn descend(
        &self,
        flux: &mut Flux,
        plan: &Plan,
        jobs: &[Job],
        above: &str,
        depth: u32,
    ) -> Result<(), CliError> {
        let options = &self.recursion;
        if options.level.is_some_and(|level| depth >= level) {
            return Ok(());
        }
        for job in jobs {
            let Some(uri) = self.instance(job) else {
                continue;
            };
            let name = format!("{above}{}", job.id);
            let mut inner = match self.ask(flux, plan, uri) {
                Ok(inner) => inner,
                Err(error) => {
                    flux.out.flush()?;
                    flux.complain(&error.about(&name))?;
                    continue;
                }
            };
            plan.fill(flux, &mut inner);
            writeln!(flux.out)?;
            flux.line(format_args!("{name}:"))?;
            self.print(flux, plan, &inner)?;
            self.descend(flux, plan, &inner, &format!("{name}/"), depth + 1)?;
        }
        Ok(())
    }

    /// Where the instance is, if the job is one that we may go down into.
    fn instance<'j>(&self, job: &'j Job) -> Option<&'j str> {
        let ours = rustix::process::getuid().as_raw();
        let is_ours = self.recursion.recurse_all || job.userid == Some(ours);
        job.running_uri().filter(|_| is_ours)
    }

    fn ask(&self, flux: &mut Flux, plan: &Plan, uri: &str) -> Result<Vec<Job>, CliError> {
        let mut handle = flux.connect_to(Some(&near(flux, uri)))?;
        self.list(flux, &mut handle, &plan.listing)
    }
}

/// A URI of this host without the detour over the network.
pub fn near(flux: &Flux, uri: &str) -> String {
    let is_local = flux.env.get_os("FLUX_URI_RESOLVE_LOCAL").is_some();
    let here = nix::unistd::gethostname().ok();
    let here = here.as_deref().and_then(std::ffi::OsStr::to_str);
    match host_of(uri) {
        Some(host) if is_local || Some(host) == here => {
            local_uri(uri).unwrap_or_else(|| uri.to_owned())
        }
        _ => uri.to_owned(),
    }
}

fn host_of(uri: &str) -> Option<&str> {
    let (host, _) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(host)
}

/// `local://PATH` for `ssh://HOST/PATH`.
pub fn local_uri(uri: &str) -> Option<String> {
    if uri.starts_with("local://") {
        return Some(uri.to_owned());
    }
    let (_, path) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(format!("local:///{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_uri_is_a_local_one_on_its_host() {
        let check = |uri: &str, expect: Option<&str>| {
            assert_eq!(local_uri(uri).as_deref(), expect);
        };
        check(
            "ssh://vm/tmp/flux/local-0",
            Some("local:///tmp/flux/local-0"),
        );
        check("local:///tmp/x", Some("local:///tmp/x"));
        check("tcp://vm", None);
    }
}
