//! A policy of a site's own as a module: jobs name a bank that the site knows, and have the
//! priority of their bank. Its arguments are the banks, as in `physics=2000`.

use std::collections::BTreeMap;

use node::{Cx, Host, Module, Peer, Routes};
use proto::data::Jobspec;
use proto::data::job::Priority as JobPriority;
use proto::job_policy::{Job, Priorities, Priority, Validate, Validated};
use proto::{Errno, Refusal};

struct SitePolicy {
    banks: BTreeMap<String, u32>,
}

impl Host for SitePolicy {
    // Declaration of its methods; they are called under the name that it is loaded under.
    const NAME: &'static str = "job-policy";
    type Worker = ();
}

impl Module for SitePolicy {
    fn routes() -> Routes<Self> {
        Routes::new()
            .on::<Validate>(validate)
            .on::<Priority>(priority)
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let mut banks = BTreeMap::new();
        for arg in cx.welcome().args.iter().flatten() {
            let parts = arg.split_once('=');
            let bank = parts.and_then(|(bank, priority)| Some((bank, priority.parse().ok()?)));
            let unknown = || Refusal::new(Errno::EINVAL, format!("{arg}: unknown option"));
            let (bank, priority) = bank.ok_or_else(unknown)?;
            banks.insert(bank.to_owned(), priority);
        }
        Ok(SitePolicy { banks })
    }
}

impl SitePolicy {
    /// The priority of a job's bank, or why there is none.
    fn of_bank(&self, job: &Job) -> Result<u32, String> {
        let jobspec = Jobspec::decode(job.jobspec.as_str()).map_err(|error| error.to_string())?;
        let bank = jobspec.system("bank").and_then(|bank| bank.as_str());
        let bank = bank.ok_or("jobs name a bank: --setattr=bank=NAME")?;
        let known = self.banks.get(bank).copied();
        known.ok_or_else(|| format!("no bank has the name {bank}"))
    }
}

/// The jobs that are refused. The others may be submitted.
fn validate(
    core: &mut SitePolicy,
    _: &mut Cx<SitePolicy>,
    _: &Peer,
    request: Validate,
) -> Result<Validated, Refusal> {
    let jobs = request.jobs.iter();
    let errors = jobs.filter_map(|job| Some((job.id, core.of_bank(job).err()?)));
    Ok(Validated {
        errors: errors.collect(),
    })
}

/// The priorities that are known. The other jobs wait.
fn priority(
    core: &mut SitePolicy,
    _: &mut Cx<SitePolicy>,
    _: &Peer,
    request: Priority,
) -> Result<Priorities, Refusal> {
    let jobs = request.jobs.iter();
    let known = jobs.filter_map(|job| Some((job.id, JobPriority(core.of_bank(job).ok()?))));
    Ok(Priorities {
        priorities: known.collect(),
    })
}

fn main() -> std::process::ExitCode {
    runtime::module_main::<SitePolicy>(|| ())
}
