//! A debugger learns the processes of a job's tasks, when these have been started.

use client::{Call, Delivery, Handle};
use proto::Errno;
use proto::data::JobId;
use proto::data::eventlog::Entry;
use proto::job_manager::Kill;
use proto::job_shell::{Process, Proctable};
use serde_json::Value;

use command::error::CliError;

/// Receives the job, as its user names it, and the processes of its tasks, by rank. Returns
/// true if tasks that wait for a debugger are to go on.
pub type Debugger = fn(&str, Vec<Process>) -> bool;

/// The signal that has stopped tasks go on.
const SIGCONT: i64 = 18;

/// One that waits for the tasks of a job.
pub(crate) struct Debugging {
    debugger: Debugger,
    /// Service and rank of the shell that knows the processes, once known.
    shell: Option<(String, u32)>,
}

impl Debugging {
    pub(crate) fn new(debugger: Debugger) -> Debugging {
        Debugging {
            debugger,
            shell: None,
        }
    }

    /// Receives an event of the job's execution.
    pub(crate) fn receive_event(
        &mut self,
        handle: &mut Handle,
        (id, name): (JobId, &str),
        entry: &Entry,
    ) -> Result<(), CliError> {
        match entry.name() {
            "shell.init" => {
                let rank = entry.get_i64("leader-rank");
                let rank = rank.and_then(|rank| u32::try_from(rank).ok());
                let service = entry.get_str("service").map(str::to_owned);
                self.shell = service.zip(rank);
            }
            "shell.start" => {
                if let Some((service, rank)) = self.shell.take() {
                    let is_waiting = entry.get("sync") == Some(&Value::Bool(true));
                    self.started(handle, (id, name), (&service, rank), is_waiting)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn started(
        &mut self,
        handle: &mut Handle,
        (id, name): (JobId, &str),
        (service, rank): (&str, u32),
        is_waiting: bool,
    ) -> Result<(), CliError> {
        let call = Call::new(&Proctable {})
            .topic(&format!("{service}.proctable"))
            .to(rank)
            .delivery(Delivery::Now);
        let processes = match handle.call(call) {
            Ok(processes) => processes,
            // The job has ended, and has none.
            Err(gone) if matches!(gone.errno, Errno::ENOSYS | Errno::EHOSTUNREACH) => {
                return Ok(());
            }
            Err(refusal) => {
                let text = format!("{id}: cannot get the processes of the tasks: {refusal}");
                return Err(CliError::new(text));
            }
        };
        let mut processes: Vec<Process> = processes.into_iter().collect();
        processes.sort_by_key(|process| process.taskid);
        if (self.debugger)(name, processes) && is_waiting {
            let signum = SIGCONT;
            handle.notify(Call::new(&Kill { id, signum }));
        }
        Ok(())
    }
}
