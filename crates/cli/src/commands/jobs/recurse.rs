//! `flux jobs --recursive`: the jobs of instances that are themselves jobs.

use proto::job_list::{JobStats, JobStatsReply};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ask::{Listed, Listing};
use super::field::Facts;
use super::job::Job;
use super::parallel::in_parallel;
use super::reach::Reach;
use super::{Jobs, Plan, json, stats};
use crate::limits::{INSTANCES_ASKED_AT_ONCE, INSTANCES_ASKED_AT_ONCE_MAX};
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// Options of the descent.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Recursion {
    /// List the jobs of your instances that run as jobs too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// List the jobs of other users' instances too
    #[arg(long)]
    recurse_all: bool,
    /// With --recursive, descend at most N levels
    #[arg(short = 'L', long, value_name = "N")]
    level: Option<u32>,
    /// Query at most N instances at once
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=INSTANCES_ASKED_AT_ONCE_MAX))]
    threads: Option<u16>,
}

impl Recursion {
    /// True if instances are descended into.
    pub fn is_wanted(&self) -> bool {
        self.recursive || self.recurse_all
    }

    /// Number of instances queried at once.
    pub fn threads(&self) -> usize {
        self.threads.map_or(INSTANCES_ASKED_AT_ONCE, usize::from)
    }
}

/// Attributes of each job needed to find the instances among them.
pub const ATTRS: [&str; 3] = ["annotations", "state", "userid"];

/// Jobs of an instance.
struct Inner<J> {
    stats: Option<JobStatsReply>,
    listed: Listed<J>,
}

/// The answer of an instance, and which of the jobs it is.
type Answer<J> = (usize, Result<Inner<J>, CliError>);

impl Jobs {
    /// Lists the instances among `jobs`, which are `depth` levels down below `above`. One
    /// that cannot be asked is reported, and passed over.
    pub(super) fn descend(
        &self,
        flux: &mut Flux,
        plan: &Plan,
        reach: &Reach,
        jobs: &[Job],
        above: &str,
        depth: u32,
    ) -> Result<(), CliError> {
        for (at, answer) in self.inner::<Job>(reach, &plan.listing, jobs, depth) {
            let name = format!("{above}{}", jobs[at].id);
            let Some(inner) = self.or_told(flux, &name, answer)? else {
                continue;
            };
            writeln!(flux.out)?;
            flux.line(format_args!("{name}:"))?;
            if let Some(stats) = &inner.stats {
                let (text, _) = stats::summary(stats, &self.queues())?;
                flux.line(text)?;
            }
            let mut jobs = self.all_of(flux, inner.listed)?;
            plan.fill(reach, self.recursion.threads(), &mut jobs);
            self.print(flux, plan, &jobs)?;
            self.descend(flux, plan, reach, &jobs, &format!("{name}/"), depth + 1)?;
        }
        Ok(())
    }

    /// The objects of `jobs`, which are `depth` levels down, with the jobs of those that are
    /// instances in them if that is wanted.
    pub(super) fn objects(
        &self,
        flux: &mut Flux,
        listing: &Listing,
        reach: &Reach,
        raw: Vec<Map<String, Value>>,
        depth: u32,
    ) -> Result<Vec<Value>, CliError> {
        let facts = Facts::new(clock::now());
        let jobs: Vec<Job> = raw.iter().map(Job::of_object).collect();
        let objects = raw.into_iter().map(|raw| json::object(raw, &facts));
        let mut objects: Vec<Value> = objects.collect();
        if !self.recursion.is_wanted() {
            return Ok(objects);
        }
        for (at, answer) in self.inner(reach, listing, &jobs, depth) {
            let name = jobs[at].id.to_string();
            if let Some(inner) = self.or_told(flux, &name, answer)? {
                let inner = self.all_of(flux, inner.listed)?;
                let inner = self.objects(flux, listing, reach, inner, depth + 1)?;
                objects[at]["jobs"] = Value::Array(inner);
            }
        }
        Ok(objects)
    }

    /// Asks the instances among jobs that are `depth` levels down.
    fn inner<J: DeserializeOwned + Send>(
        &self,
        reach: &Reach,
        listing: &Listing,
        jobs: &[Job],
        depth: u32,
    ) -> Vec<Answer<J>> {
        if self.recursion.level.is_some_and(|level| depth >= level) {
            return Vec::new();
        }
        let found = jobs.iter().zip(0..);
        let found: Vec<(&str, usize)> = found
            .filter_map(|(job, at)| Some((self.instance(job)?, at)))
            .collect();
        let ask = |uri: &str| {
            let mut handle = reach.open(uri)?;
            let stats = self.stats.then(|| handle.rpc(&JobStats)).transpose()?;
            let listed = listing.ask(&mut handle)?;
            Ok(Inner { stats, listed })
        };
        let answers = in_parallel(&found, self.recursion.threads(), |(uri, _)| ask(uri));
        let at = found.iter().map(|(_, at)| *at);
        at.zip(answers).collect()
    }

    /// Where the instance is, if the job is one that we may go down into.
    fn instance<'j>(&self, job: &'j Job) -> Option<&'j str> {
        let ours = rustix::process::getuid().as_raw();
        let is_ours = self.recursion.recurse_all || job.userid == Some(ours);
        job.running_uri().filter(|_| is_ours)
    }

    /// The answer; an error is printed.
    fn or_told<J>(
        &self,
        flux: &mut Flux,
        name: &str,
        answer: Result<Inner<J>, CliError>,
    ) -> Result<Option<Inner<J>>, CliError> {
        match answer {
            Ok(inner) => Ok(Some(inner)),
            Err(error) => {
                flux.out.flush()?;
                flux.complain(&error.about(name))?;
                Ok(None)
            }
        }
    }
}
