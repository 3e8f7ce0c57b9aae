//! Updates that others are asked about: the scheduler, or policies that answer later. The job
//! goes on meanwhile, so with an answer the update is looked at again from the beginning.

use std::collections::BTreeMap;
use std::rc::Rc;

use node::{Cx, Peer, Reply, StreamId};
use proto::job_manager::{Update, UpdateError, UpdateRefused};
use proto::{Empty, Errno, Object, Refusal, feasibility, job_policy, sched};
use serde_json::{Map, Value};

use super::{make, plan, refused};
use crate::JobManager;
use crate::policy::or_general;

/// Question to ask before an update.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// Policies that answer later, whether the job may be so.
    Policies(job_policy::Job),
    /// The scheduler, whether the new jobspec is satisfiable.
    Feasibility(Map<String, Value>),
    /// The scheduler, whether the job may end then.
    Expiration(f64),
}

/// One update that is not made yet.
pub(super) struct Waiting {
    pub peer: Peer,
    pub request: Update,
    pub reply: Reply<Update>,
    /// Questions asked; all but perhaps the last were answered with success.
    pub asked: Vec<Question>,
}

/// The updates that others are asked about, by their requests.
#[derive(Default)]
pub struct Updates(BTreeMap<StreamId, Waiting>);

impl Updates {
    /// A request was taken back, or its client left.
    pub fn closed(&mut self, request: StreamId) {
        if let Some(waiting) = self.0.remove(&request) {
            waiting.reply.forget();
        }
    }

    /// None is made any more: we are going down.
    pub fn end(&mut self, cx: &mut Cx<JobManager>) {
        for waiting in std::mem::take(&mut self.0).into_values() {
            waiting.reply.send(cx, Err(UpdateRefused::Stopping.into()));
        }
    }
}

/// Looks at an update, asks those who were not asked yet, and makes it.
pub(super) fn go_on(core: &mut JobManager, cx: &mut Cx<JobManager>, mut waiting: Waiting) {
    let plan = match plan(core, cx, &waiting.peer, &waiting.request) {
        Ok(plan) => plan,
        Err(refusal) => return waiting.reply.send(cx, Err(UpdateError(refusal))),
    };
    let mut open = plan.questions.iter();
    let Some(question) = open.find(|it| !waiting.asked.contains(it)).cloned() else {
        let Waiting {
            peer,
            request,
            reply,
            ..
        } = waiting;
        make(core, cx, &peer, &request, plan);
        return core.answer_stored(peer.number, reply, &Empty);
    };
    let (id, job) = (waiting.reply.id(), waiting.request.id);
    waiting.asked.push(question.clone());
    core.updates.0.insert(id, waiting);
    match question {
        Question::Policies(job) => {
            core.consider(cx, &[Rc::new(job)], move |core, cx, mut texts| {
                let text = texts.pop_first().map(|(_, text)| or_general(text));
                answered(core, cx, id, text.map_or(Ok(()), |text| Err(refused(text))));
            });
        }
        Question::Feasibility(jobspec) => {
            let jobspec = Object(jobspec);
            cx.call(&feasibility::Check { jobspec }, move |core, cx, result| {
                answered(core, cx, id, result.map(drop));
            });
        }
        Question::Expiration(expiration) => {
            let ask = sched::Expiration {
                id: job,
                expiration,
            };
            cx.call(&ask, move |core, cx, result| {
                let refusal = result.err().filter(|it| it.errno != Errno::ENOSYS);
                let text = "scheduler refused expiration update";
                let refusal = refusal.map(|it| Refusal::new(it.errno, text));
                answered(core, cx, id, refusal.map_or(Ok(()), Err));
            });
        }
    }
}

fn answered(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    request: StreamId,
    answer: Result<(), Refusal>,
) {
    let Some(waiting) = core.updates.0.remove(&request) else {
        return;
    };
    match answer {
        Ok(()) => go_on(core, cx, waiting),
        Err(refusal) => waiting.reply.send(cx, Err(UpdateError(refusal))),
    }
}
