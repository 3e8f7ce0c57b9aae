//! `flux job hostpids`

use std::time::{Duration, Instant};

use client::{Arrival, Call, Delivery, Handle};
use proto::Errno;
use proto::data::{Fsd, IdSet, JobId};
use proto::job_info::{EventlogWatch, WAITCREATE};
use proto::job_shell::{Process, Proctable};

use super::events::decode;
use command::error::CliError;
use command::flux::Flux;

/// Print the hosts and process ids of the tasks of a running job
#[derive(clap::Args)]
pub struct Hostpids {
    /// Separate tasks by this text
    #[arg(short, long, value_name = "TEXT", default_value = ",")]
    delimiter: String,
    /// Show only these tasks
    #[arg(short, long, value_name = "RANKS")]
    ranks: Option<IdSet>,
    /// Wait at most this time for the job to start, such as 10s
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
    /// Job id
    id: String,
}

/// Address of the shell that knows the tasks.
struct Shell {
    service: String,
    rank: u32,
}

impl Hostpids {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = super::parse_id(&self.id)?;
        let deadline = self.timeout.and_then(|timeout| {
            let timeout = Duration::try_from_secs_f64(timeout.secs()).ok()?;
            Instant::now().checked_add(timeout)
        });
        let mut handle = flux.connect()?;
        let shell = shell_of(&mut handle, id, deadline)?;
        let call = Call::new(&Proctable {})
            .topic(&format!("{}.proctable", shell.service))
            .to(shell.rank)
            .delivery(Delivery::Now);
        let processes = handle.call(call).map_err(|refusal| match refusal.errno {
            Errno::ENOSYS | Errno::EHOSTUNREACH => not_running(id),
            _ => CliError::from(refusal).about(id),
        })?;
        let mut tasks: Vec<Process> = processes.into_iter().collect();
        tasks.sort_by_key(|task| task.taskid);
        let is_wanted = |rank: i64| {
            let is_in = |ranks: &IdSet| u32::try_from(rank).is_ok_and(|rank| ranks.contains(rank));
            self.ranks.as_ref().is_none_or(is_in)
        };
        let pids = tasks.iter().filter(|task| is_wanted(task.taskid));
        let pids: Vec<String> = pids
            .map(|task| format!("{}:{}", flux.plain().line(&task.host), task.pid))
            .collect();
        writeln!(flux.out, "{}", pids.join(&self.delimiter))?;
        Ok(())
    }
}

/// Waits until the job's tasks have been started, and returns the shell or launcher that
/// started them.
fn shell_of(handle: &mut Handle, id: JobId, deadline: Option<Instant>) -> Result<Shell, CliError> {
    let request = EventlogWatch {
        id,
        path: "guest.exec.eventlog".to_owned(),
        flags: WAITCREATE,
    };
    // Entries repeated after a restart of the service are the same.
    let pending = handle.start_stream(Call::new(&request).repeating());
    let mut shell = None;
    loop {
        let answer = match handle.next(&[], deadline)? {
            Arrival::Answer(_, answer) => pending.decode(answer),
            Arrival::Deadline => {
                let text = format!("{id}: timeout: the job has not started");
                return Err(CliError::new(text));
            }
            _ => continue,
        };
        let line = match answer {
            Ok(watched) => watched.event,
            Err(refusal) if refusal.is_end() => return Err(not_running(id)),
            Err(refusal) if refusal.errno == Errno::ENOENT => return Err(not_running(id)),
            Err(refusal) => return Err(CliError::from(refusal).about(id)),
        };
        let Some(entry) = line.map(|line| decode(&line)).transpose()? else {
            continue;
        };
        match (entry.name(), shell.take()) {
            ("shell.init", _) => {
                let rank = entry.get_i64("leader-rank");
                let rank = rank.and_then(|rank| u32::try_from(rank).ok());
                shell = entry
                    .get_str("service")
                    .zip(rank)
                    .map(|(service, rank)| Shell {
                        service: service.to_owned(),
                        rank,
                    });
            }
            ("shell.start", Some(shell)) => {
                handle.forget(pending.id());
                return Ok(shell);
            }
            (_, before) => shell = before,
        }
    }
}

fn not_running(id: JobId) -> CliError {
    CliError::new(format!("{id}: job is not running"))
}
