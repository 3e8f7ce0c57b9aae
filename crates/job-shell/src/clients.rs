//! shell.exception and shell.proctable: what clients and other shells ask besides input.

use node::{Cx, Peer, Reply};
use proto::job_manager::Raise;
use proto::job_shell::{Exception, NotYours, Process, Processes, Proctable};
use proto::{Empty, Errno, Refusal};

use crate::JobShell;

impl JobShell {
    /// Passes an exception on to the job manager.
    pub(crate) fn exception(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: Exception,
        reply: Reply<Exception>,
    ) {
        let is_theirs = self
            .job
            .as_ref()
            .is_some_and(|job| peer.may_act_for(job.userid));
        if !is_theirs {
            return reply.send_refusal(cx, Err(Refusal::bare(Errno::EPERM)));
        }
        let raise = Raise {
            id: self.launch.id,
            severity: i64::from(request.severity),
            kind: request.kind,
            note: Some(request.message.unwrap_or_default()),
            wait_status: None,
        };
        cx.call(&raise, move |_, cx, result| {
            reply.send_refusal(cx, result.map(|_| Empty))
        });
    }

    /// Tells which processes the tasks are.
    pub(crate) fn proctable(
        &mut self,
        _: &mut Cx<Self>,
        peer: &Peer,
        _: Proctable,
    ) -> Result<Processes, NotYours> {
        let Some(job) = self.job.as_ref().filter(|job| peer.may_act_for(job.userid)) else {
            return Err(NotYours::NotYours);
        };
        let executable = job.command.first().cloned().unwrap_or_default();
        let tasks = self.tasks.iter().map(|task| Process {
            taskid: i64::from(task.rank),
            host: job.host.clone(),
            broker_rank: i64::from(job.rank),
            pid: i64::from(task.pid),
            executable: executable.clone(),
        });
        Ok(tasks.collect())
    }
}
