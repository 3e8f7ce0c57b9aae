//! shell.exception and shell.proctable: requests of clients and other shells besides
//! input.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use node::{Call, Cx, Delivery, Peer, Reply};
use proto::job_manager::Raise;
use proto::job_shell::{Exception, Process, Processes, Proctable, ProctableError, service_name};
use proto::{Empty, Errno, Refusal};

use crate::JobShell;
use crate::job::Job;
use crate::limits::PROCTABLE_WAIT_S;

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

    /// Lists the processes of the tasks: those of the job if we lead its shells, else those
    /// here (protocol/23 section 14).
    pub(crate) fn proctable(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        _: Proctable,
        reply: Reply<Proctable>,
    ) {
        let job = self.job.clone();
        let Some(job) = job.filter(|job| peer.may_act_for(job.userid)) else {
            return reply.send(cx, Err(ProctableError::NotYours));
        };
        let own = self.own_processes(&job);
        if !job.is_leader() || !job.has_others() {
            return reply.send(cx, Ok(own.into_iter().collect()));
        }
        let gathering = Rc::new(RefCell::new(Gathering {
            found: own,
            left: job.nodes.len() - 1,
            reply: Some(reply),
        }));
        let topic = format!("{}.proctable", service_name(job.userid, job.id));
        let deadline = Some(Duration::from_secs(PROCTABLE_WAIT_S));
        for node in job.nodes.iter().skip(1) {
            let gathering = gathering.clone();
            let call = Call::new(&Proctable {})
                .to(node.rank)
                .topic(&topic)
                .delivery(Delivery::Wait { deadline });
            cx.call_with(call, move |_: &mut JobShell, cx, result| {
                gathering.borrow_mut().add(cx, result);
            });
        }
    }

    fn own_processes(&self, job: &Job) -> Vec<Process> {
        let executable = job.command.first().cloned().unwrap_or_default();
        let tasks = self.tasks.iter().map(|task| Process {
            taskid: i64::from(task.rank),
            host: job.node().host.clone(),
            broker_rank: i64::from(job.node().rank),
            pid: i64::from(task.pid),
            executable: executable.clone(),
        });
        tasks.collect()
    }
}

/// The processes of all shells, while they are asked.
struct Gathering {
    found: Vec<Process>,
    left: usize,
    reply: Option<Reply<Proctable>>,
}

impl Gathering {
    /// One shell has answered, or will not.
    fn add(&mut self, cx: &mut Cx<JobShell>, result: Result<Processes, Refusal>) {
        self.left = self.left.saturating_sub(1);
        let answer = match result {
            Ok(processes) => {
                self.found.extend(processes);
                if self.left > 0 {
                    return;
                }
                self.found.sort_by_key(|process| process.taskid);
                Ok(std::mem::take(&mut self.found).into_iter().collect())
            }
            Err(error) => {
                tracing::debug!("proctable: {error}");
                Err(ProctableError::Missing)
            }
        };
        if let Some(reply) = self.reply.take() {
            reply.send(cx, answer);
        }
    }
}
