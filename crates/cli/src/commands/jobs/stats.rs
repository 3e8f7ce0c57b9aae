//! `flux jobs --stats`: the number of jobs by state and result.

use proto::job_list::{JobCounts, JobStatsReply};

use command::error::CliError;

/// The counts in a sentence, and the number of active jobs: of all jobs, or of the queues
/// that are named.
pub fn summary(stats: &JobStatsReply, queues: &[&str]) -> Result<(String, u64), CliError> {
    let (mut running, mut completed, mut failed) = (0, 0, 0);
    let (mut pending, mut purged, mut active) = (0, 0, 0);
    for counts in chosen(stats, queues)? {
        let states = &counts.job_states;
        running += states.run + states.cleanup;
        completed += counts.successful;
        failed += counts.failed + counts.canceled + counts.timeout;
        pending += states.depend + states.priority + states.sched;
        purged += counts.inactive_purged;
        active += states.total - states.inactive;
    }
    let text = format!(
        "{running} running, {completed} completed, {failed} failed, {pending} pending, \
        {purged} inactive purged"
    );
    Ok((text, active))
}

fn chosen<'s>(stats: &'s JobStatsReply, queues: &[&str]) -> Result<Vec<&'s JobCounts>, CliError> {
    if queues.is_empty() {
        return Ok(vec![&stats.all]);
    }
    let counts = queues.iter().map(|name| {
        let queue = stats.queues.iter().find(|queue| queue.name == *name);
        let unknown = || CliError::new(format!("no stats available for queue {name}"));
        queue.map(|queue| &queue.counts).ok_or_else(unknown)
    });
    counts.collect()
}
