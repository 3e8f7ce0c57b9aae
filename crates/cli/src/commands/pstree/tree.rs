//! The tree of jobs: those of an instance, and below each that is an instance its own.

use client::Handle;
use proto::data::JobId;

use super::super::jobs::ask::Listing;
use super::super::jobs::field::{Facts, Field};
use super::super::jobs::instance::Instance;
use super::super::jobs::job::Job;
use super::super::jobs::parallel::in_parallel;
use super::super::jobs::reach::Reach;
use command::error::CliError;
use format::Value;

/// A job, or the instance that is the root of all.
pub struct Node {
    /// The job; of the root only if it is one.
    job: Option<Job>,
    /// Data of the instance that it is.
    instance: Option<Box<Instance>>,
    /// True if it is an instance whose jobs were queried.
    pub is_parent: bool,
    /// The jobs of the instance.
    pub children: Vec<Node>,
}

/// Builder of a tree.
pub struct Grower {
    /// The way to instances.
    pub reach: Reach,
    /// Query of each instance.
    pub listing: Listing,
    /// Instances are asked about themselves too.
    pub asks_instances: bool,
    /// User whose instances can be queried.
    pub userid: u32,
    /// Instances that are asked at once.
    pub threads: usize,
}

impl Grower {
    /// The jobs of the instance of `handle`, and `levels` more levels below them.
    pub fn jobs(&self, handle: &mut Handle, levels: u32) -> Result<Vec<Node>, CliError> {
        let jobs = self.listing.ask::<Job>(handle)?.jobs;
        Ok(self.grow(&jobs, levels, self.threads))
    }

    /// The same for some jobs. Also returns those of them that are not known.
    pub fn ids(
        &self,
        handle: &mut Handle,
        ids: &[JobId],
        levels: u32,
    ) -> Result<(Vec<Node>, Vec<JobId>), CliError> {
        let (mut jobs, mut unknown) = (Vec::new(), Vec::new());
        for (id, job) in ids.iter().zip(self.listing.ask_ids::<Job>(handle, ids)?) {
            match job {
                Some(job) => jobs.push(job),
                None => unknown.push(*id),
            }
        }
        Ok((self.grow(&jobs, levels, self.threads), unknown))
    }

    /// The instance of `handle` itself, with these jobs below it.
    pub fn root(&self, handle: &mut Handle, children: Vec<Node>) -> Node {
        Node {
            job: self.enclosing_job(handle),
            instance: self.instance(handle),
            is_parent: true,
            children,
        }
    }

    fn grow(&self, jobs: &[Job], levels: u32, threads: usize) -> Vec<Node> {
        in_parallel(jobs, threads, |job| self.node(job, levels))
    }

    fn node(&self, job: &Job, levels: u32) -> Node {
        let mut node = Node {
            job: Some(job.clone()),
            instance: None,
            is_parent: false,
            children: Vec::new(),
        };
        let uri = job.running_uri();
        let uri = uri.filter(|_| levels > 0 && job.userid == Some(self.userid));
        // An instance that cannot be asked is a leaf.
        let handle = uri.and_then(|uri| self.reach.open(uri).ok());
        if let Some(mut handle) = handle
            && let Ok(listed) = self.listing.ask::<Job>(&mut handle)
        {
            node.is_parent = true;
            node.instance = self.instance(&mut handle);
            // Only the first level is asked at once: below it there are as many threads already.
            node.children = self.grow(&listed.jobs, levels - 1, 1);
        }
        node
    }

    fn instance(&self, handle: &mut Handle) -> Option<Box<Instance>> {
        let asks = self.asks_instances;
        let instance = asks.then(|| Instance::ask(handle).ok());
        instance.flatten().map(Box::new)
    }

    /// The job that the instance is, if its parent reports it.
    fn enclosing_job(&self, handle: &mut Handle) -> Option<Job> {
        let id: JobId = handle.attr("jobid").ok()?.parse().ok()?;
        let uri = handle.attr("parent-uri").ok()?;
        let mut parent = self.reach.open(&uri).ok()?;
        let jobs = self.listing.ask_ids::<Job>(&mut parent, &[id]).ok()?;
        jobs.into_iter().next()?
    }
}

impl Node {
    /// Value of a field for it. The root that is no job is a dot.
    pub fn get<'n>(&'n self, field: &Field, facts: &'n Facts) -> Value<'n> {
        match (&self.job, field.of_instance()) {
            (_, Some(field)) => {
                let instance = self.instance.as_deref();
                instance.map_or(Value::None, |instance| field.get(instance))
            }
            (Some(job), None) => field.get(job, facts),
            (None, None) if field.is_id_or_name() => Value::Text(".".into()),
            (None, None) => Value::None,
        }
    }
}
