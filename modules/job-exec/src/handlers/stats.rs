//! job-exec.stats-get: the configuration in effect and the jobs in hand.

use node::{Cx, Peer};
use proto::Refusal;
use proto::job_exec::{Stats, StatsGet};
use serde_json::json;

use crate::JobExec;
use crate::signals;

/// Everything that `flux module stats job-exec` shows.
pub(crate) fn stats_get(
    core: &mut JobExec,
    _: &mut Cx<JobExec>,
    _: &Peer,
    _: StatsGet,
) -> Result<Stats, Refusal> {
    let config = &core.config;
    let jobs = core.jobs.values().map(|job| {
        let part = core.hand.parts.get(&job.id);
        let active = part.map(|part| part.active()).unwrap_or_default();
        (job.id.to_string(), job.stats(&active))
    });
    let job_shell = config.job_shell.as_ref().unwrap_or(&core.job_shell);
    Ok(Stats {
        method: "bulk-exec".to_owned(),
        kill_timeout: config.kill_timeout.as_secs_f64(),
        term_signal: signals::name(config.term_signal),
        kill_signal: signals::name(config.kill_signal),
        max_kill_count: i64::from(config.max_kill_count),
        max_kill_timeout: config
            .max_kill_timeout
            .map_or(-1.0, |time| time.as_secs_f64()),
        effective_max_kill_timeout: config.pace().effective_max().as_secs_f64(),
        jobs: jobs.collect(),
        config: json!({
            "default_cwd": "/tmp",
            "default_job_shell": job_shell,
            "flux_imp_path": null,
            "exec_service": config.service,
            "exec_service_override": 0,
            "default_barrier_timeout": config.barrier_timeout.map_or(-1.0, |time| time.as_secs_f64()),
            "shell_exit_timeout": config.shell_exit_timeout.as_secs_f64(),
        }),
    })
}
