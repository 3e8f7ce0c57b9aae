//! Data of an instance, and the user's selection. Pure: the time is a parameter.

use proto::data::{Fsd, Rset};
use proto::job_list::{JobCounts, JobStatsReply};
use proto::resource::SchedStatusReply;

use super::super::jobs::field::Facts;
use super::super::jobs::job::Job;
use super::super::queue::nodes::QueueNodes;
use command::plain::Plain;

/// Significant digits of times.
const DIGITS: usize = 2;

/// Time for which a heart is shown, in seconds.
pub const HEART_S: f64 = 0.5;

/// Time for which a message is shown, in seconds.
pub const MESSAGE_S: f64 = 4.0;

/// Data that does not change while an instance is shown.
#[derive(Debug, Clone, Default)]
pub struct Fixed {
    /// The jobs that lead to it.
    pub title: String,
    /// When it must end, in seconds since the epoch; 0 for never.
    pub expiration: f64,
    /// Brokers.
    pub size: u32,
    /// Number of instances that it is in.
    pub depth: u32,
    /// When it began, in seconds since the epoch.
    pub start: f64,
    /// Of flux.
    pub version: String,
    /// The queues by name; none where none are configured.
    pub queues: Vec<String>,
    /// Nodes of the queues.
    pub nodes: QueueNodes,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Model {
    pub fixed: Fixed,
    /// Queue shown; all if none.
    pub queue: Option<usize>,
    /// Number of jobs.
    pub stats: Option<JobStatsReply>,
    /// Resources of the scheduler.
    pub resources: Option<SchedStatusReply>,
    /// Jobs that run, the newest first.
    pub jobs: Vec<Job>,
    /// Index of the selected job.
    pub selected: usize,
    /// Results are not told apart.
    pub hides_results: bool,
    /// Until when a heart is shown.
    pub heart_until: f64,
    /// A message in front of all, and until when.
    pub message: Option<(String, f64)>,
}

/// Amounts of a resource in use and down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub used: u64,
    pub down: u64,
    pub total: u64,
}

/// Numbers of jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub pending: u64,
    pub running: u64,
    pub complete: u64,
    pub failed: u64,
    pub inactive: u64,
}

impl Model {
    /// The name of the queue that is shown.
    pub fn queue_name(&self) -> Option<&str> {
        let queue = self.fixed.queues.get(self.queue?)?;
        Some(queue)
    }

    /// Goes to the next or previous queue, of which all together are the first.
    pub fn turn_queue(&mut self, is_forward: bool) {
        let choices = self.fixed.queues.len() + 1;
        let now = self.queue.map_or(0, |queue| queue + 1);
        let step = if is_forward { 1 } else { choices - 1 };
        self.queue = ((now + step) % choices).checked_sub(1);
        self.selected = 0;
    }

    /// Selects the next or previous job.
    pub fn select(&mut self, is_forward: bool) {
        let last = self.jobs.len().saturating_sub(1);
        self.selected = if is_forward {
            (self.selected + 1).min(last)
        } else {
            self.selected.saturating_sub(1)
        };
    }

    /// Takes a new list. The same job stays selected if it is still there.
    pub fn set_jobs(&mut self, jobs: Vec<Job>) {
        let selected = self.selected_job().map(|job| job.id);
        let at = jobs.iter().position(|job| Some(job.id) == selected);
        self.selected = at.unwrap_or(self.selected);
        self.selected = self.selected.min(jobs.len().saturating_sub(1));
        self.jobs = jobs;
    }

    /// The job that is selected.
    pub fn selected_job(&self) -> Option<&Job> {
        self.jobs.get(self.selected)
    }

    /// Number of jobs of the queue that is shown.
    pub fn counts(&self) -> Counts {
        let Some(stats) = &self.stats else {
            return Counts::default();
        };
        let counts: &JobCounts = match self.queue_name() {
            None => &stats.all,
            Some(name) => match stats.queues.iter().find(|queue| queue.name == name) {
                Some(queue) => &queue.counts,
                None => return Counts::default(),
            },
        };
        let states = &counts.job_states;
        Counts {
            pending: states.depend + states.priority + states.sched,
            running: states.run + states.cleanup,
            complete: counts.successful,
            failed: counts.failed + counts.timeout + counts.canceled,
            inactive: states.inactive,
        }
    }

    /// Nodes, cores and GPUs of the queue that is shown, with their names.
    pub fn amounts(&self) -> [(&'static str, Amount); 3] {
        let none = Amount::default();
        let mut amounts = [("nodes", none), ("cores", none), ("gpus", none)];
        let Some(resources) = &self.resources else {
            return amounts;
        };
        let mut sets = [&resources.all, &resources.allocated, &resources.down].map(Rset::clone);
        if let Some(ranks) = self
            .queue_name()
            .and_then(|name| self.fixed.nodes.ranks(Some(name), &resources.all).ok())
        {
            sets.iter_mut().for_each(|set| set.keep_ranks(&ranks));
        }
        let counts: [fn(&Rset) -> u64; 3] = [|set| set.nnodes() as u64, Rset::ncores, Rset::ngpus];
        let [all, used, down] = &sets;
        for ((_, amount), count) in amounts.iter_mut().zip(counts) {
            *amount = Amount {
                used: count(used),
                down: count(down),
                total: count(all),
            };
        }
        amounts
    }

    /// The columns of a job.
    pub fn row<'m>(&self, job: &'m Job, facts: &'m Facts) -> Row<'m> {
        let is_queued = !self.fixed.queues.is_empty();
        let queue = job.queue.as_deref().unwrap_or_default();
        Row {
            id: job.id.to_string(),
            queue: is_queued.then_some(queue),
            user: job.userid.map_or("", |userid| facts.user_name(userid)),
            state: job.state().map_or("", |state| state.short_name()),
            ntasks: job.ntasks.unwrap_or(0),
            nnodes: job.nnodes.unwrap_or(0),
            runtime: duration(job.runtime(facts.now)),
            name: job.name.as_deref().unwrap_or_default(),
        }
    }

    /// All that is shown, for programs.
    pub fn dump(&self, facts: &Facts, plain: Plain) -> String {
        let counts = self.counts();
        let mut lines = vec![
            format!("{} pending", counts.pending),
            format!("{} running", counts.running),
            format!("{} complete", counts.complete),
            format!("{} failed", counts.failed),
        ];
        let amounts = self.amounts().into_iter();
        lines.extend(amounts.map(|(name, of)| format!("{name} {}/{}", of.used, of.total)));
        for job in &self.jobs {
            let row = self.row(job, facts);
            let queue = row.queue.map_or(String::new(), |queue| format!("{queue} "));
            let line = format!(
                "{} {queue}{} {} {} {} {} {}",
                row.id, row.user, row.state, row.ntasks, row.nnodes, row.runtime, row.name
            );
            lines.push(plain.line(&line).into_owned());
        }
        lines.join("\n") + "\n"
    }
}

/// Row of a job.
pub struct Row<'m> {
    pub id: String,
    /// Queue of the job, if queues are configured.
    pub queue: Option<&'m str>,
    pub user: &'m str,
    pub state: &'m str,
    pub ntasks: i64,
    pub nnodes: i64,
    pub runtime: String,
    pub name: &'m str,
}

/// A time in seconds, in short.
pub fn duration(seconds: f64) -> String {
    let duration = Fsd::from_secs(seconds.max(0.0));
    duration.unwrap_or(Fsd::ZERO).to_text(DIGITS)
}
