//! A program that submits jobs, one after the other, and waits for some of them.

use proto::data::job::SubmitFlags;
use proto::data::{JobId, sign};
use proto::job_ingest::{Submit, Submitted};
use proto::job_manager::{Wait, Waited};
use proto::{Errno, Payload};
use wire::Message;

use super::Shared;
use super::desk::{Answer, Desk, is_given_up};
use super::rules::may_be_taken;
use super::task::JobRequest;
use super::terms::Terms;
use crate::program::Program;
use crate::rng::Rng;
use crate::stage::OWNER;

/// Most jobs that one submits.
const JOBS_MAX: u64 = 8;

/// A submitter.
pub(super) struct Submitter {
    number: usize,
    /// Number of nodes.
    nodes: u32,
    name: String,
    ledger: Shared,
    desk: Desk<Want>,
    n: u64,
    /// A job to be waited for.
    next_wait: Option<(JobId, JobRequest)>,
    /// The jobs have terms, and may be refused.
    has_terms: bool,
}

#[derive(Debug, Clone)]
enum Want {
    /// Of the job of this request, and whether it may be waited for.
    Submit(JobRequest, bool),
    /// The end of a job.
    Wait(JobId, JobRequest),
}

impl Submitter {
    /// A submitter that has submitted nothing.
    pub fn new(number: usize, nodes: u32, ledger: Shared) -> Submitter {
        Submitter {
            number,
            nodes,
            name: format!("submitter {number}"),
            ledger,
            desk: Desk::new(),
            n: 0,
            next_wait: None,
            has_terms: false,
        }
    }

    /// One whose jobs have terms.
    pub fn with_terms(self) -> Submitter {
        Submitter {
            has_terms: true,
            ..self
        }
    }

    fn submit(&mut self, rng: &mut Rng) -> Message {
        self.n += 1;
        let name = format!("job-{}-{}", self.number, self.n);
        let mut request = JobRequest::new(name, self.nodes, rng);
        if self.has_terms {
            let ledger = self.ledger.borrow();
            request.terms = Terms::new(rng, &ledger.jobs, ledger.now);
            request.duration = [0.0, 0.0, 0.3, 0.9, 2.5][rng.below(5)];
        }
        let is_waitable = rng.chance(40);
        let submit = Submit {
            j: sign::wrap_none(OWNER, request.jobspec().as_bytes()),
            urgency: request.urgency,
            flags: match is_waitable {
                true => SubmitFlags::WAITABLE.0.into(),
                false => 0,
            },
        };
        self.ledger.borrow_mut().submit(request.clone());
        self.desk.ask(Want::Submit(request, is_waitable), &submit)
    }

    fn submitted(
        &mut self,
        request: JobRequest,
        is_waitable: bool,
        result: Result<(), Errno>,
        response: &Message,
    ) {
        let mut ledger = self.ledger.borrow_mut();
        match result {
            Ok(()) => {
                let Submitted { id } = Submitted::decode(response.payload()).expect("an id");
                let asked = ledger.acknowledge(&request.name, id);
                let taken = may_be_taken(&request, asked, ledger.now, &ledger.site);
                taken.unwrap_or_else(|told| panic!("{id} is {told}"));
                if is_waitable {
                    self.next_wait = Some((id, request));
                }
            }
            // Nobody knows whether it becomes a job.
            Err(_) if is_given_up(&ledger, response) => ledger.give_up(&request.name),
            Err(_) if self.has_terms => {
                let text = response.error_text().unwrap_or_default();
                ledger.refuse(&request.name, text);
            }
            Err(errno) => panic!("{} is refused: {errno:?} {response:?}", request.name),
        }
    }

    fn waited(
        &self,
        id: JobId,
        request: &JobRequest,
        result: Result<(), Errno>,
        response: &Message,
    ) {
        match result {
            Ok(()) => {
                let waited = Waited::decode(response.payload()).expect("an end");
                let ledger = self.ledger.borrow();
                let is_meddled = ledger.canceled.contains(&id)
                    || self.has_terms
                    || request.duration > 0.0
                    || ledger.n_crashes + ledger.n_forgotten > 0
                    || !ledger.lost.is_empty()
                    || ledger.shells.get(&id).is_some_and(|run| run.is_killed);
                let success = matches!(request.task.status(), Some(0));
                assert!(is_meddled || waited.success == success, "{id}: {waited:?}");
            }
            // It died with the answer. The job was waited for, or has to be again.
            Err(Errno::EHOSTUNREACH) => {}
            Err(_) if is_given_up(&self.ledger.borrow(), response) => {}
            Err(errno) => panic!("wait for {id}: {errno:?}"),
        }
    }
}

impl Program for Submitter {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if self.desk.len() > 1 {
            return None;
        }
        if let Some((id, request)) = self.next_wait.take() {
            return Some(self.desk.ask(Want::Wait(id, request), &Wait { id }));
        }
        (load && self.n < JOBS_MAX && rng.chance(30)).then(|| self.submit(rng))
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let Answer { want, result, .. } = self.desk.take(message);
        match want {
            Want::Submit(request, is_waitable) => {
                self.submitted(request, is_waitable, result, message)
            }
            Want::Wait(id, request) => self.waited(id, &request, result, message),
        }
        Vec::new()
    }

    fn cut(&mut self) {
        let mut ledger = self.ledger.borrow_mut();
        let open = ledger.submissions().filter(|submission| {
            let own = format!("job-{}-", self.number);
            submission.is_open && submission.request.name.starts_with(&own)
        });
        let open: Vec<String> = open.map(|open| open.request.name.clone()).collect();
        open.iter().for_each(|name| ledger.give_up(name));
        drop(ledger);
        self.desk.clear();
        self.next_wait = None;
    }

    fn is_done(&self) -> bool {
        self.desk.is_clear()
    }

    fn answered(&self) -> u64 {
        self.desk.answered
    }

    fn failed(&self) -> u64 {
        self.desk.failed
    }
}
