//! `list-id` requests that wait: for a job that is not known yet, or for a state
//! (protocol/12 section 7).

use std::collections::BTreeMap;

use job_fold::{Job, List};
use node::{Cx, Peer, StreamId};
use proto::data::JobId;
use proto::job_list::ListError;
use proto::kvs::{Lookup, PRIMARY, READDIR};
use proto::{Coded as _, Errno};

use crate::core::{IdReply, JobList};
use crate::limits::WAITS_MAX;

/// One request.
#[derive(Debug)]
pub struct Wait {
    /// Requester.
    pub peer: Peer,
    /// Names of attributes, not checked yet.
    pub attrs: Vec<serde_json::Value>,
    /// Bits of states, one of which is wanted; 0 for any.
    pub states: u32,
    /// The right to answer.
    pub reply: IdReply,
}

/// The requests that wait.
#[derive(Debug, Default)]
pub struct Waits {
    by_id: BTreeMap<u64, Vec<Wait>>,
    by_request: BTreeMap<StreamId, u64>,
    /// Jobs that are being looked for in the KVS.
    n_lookups: u64,
    n_waits: u64,
}

impl Waits {
    /// Lookups on their way, and requests that wait.
    pub fn counts(&self) -> (u64, u64) {
        (self.n_lookups, self.n_waits)
    }

    /// Jobs that are waited for.
    pub fn ids(&self) -> Vec<u64> {
        self.by_id.keys().copied().collect()
    }

    /// The job will not come: all who wait for it are answered.
    pub fn refuse(&mut self, cx: &mut Cx<JobList>, id: u64) {
        for wait in self.take(id) {
            wait.reply.send(cx, Err(ListError::NotFound));
        }
    }

    /// Forgets a request that was taken back, or whose client left.
    pub fn closed(&mut self, request: StreamId) {
        let Some(id) = self.by_request.get(&request).copied() else {
            return;
        };
        for wait in self.take(id) {
            match wait.reply.id() == request {
                true => wait.reply.forget(),
                false => self.add(id, wait),
            }
        }
    }

    fn add(&mut self, id: u64, wait: Wait) {
        self.by_request.insert(wait.reply.id(), id);
        self.by_id.entry(id).or_default().push(wait);
        self.n_waits += 1;
    }

    fn take(&mut self, id: u64) -> Vec<Wait> {
        let waits = self.by_id.remove(&id).unwrap_or_default();
        self.n_waits -= waits.len() as u64;
        for wait in &waits {
            self.by_request.remove(&wait.reply.id());
        }
        waits
    }
}

/// True if a job has reached a requested state.
fn is_reached(job: &Job, states: u32) -> bool {
    match job.list() {
        List::Processing => false,
        List::Inactive => true,
        _ => states == 0 || job.has_reached_any(states),
    }
}

impl JobList {
    /// Answers now, or when the job is where it is wanted.
    pub(crate) fn answer_or_wait(&mut self, cx: &mut Cx<Self>, id: u64, wait: Wait) {
        let is_hidden = |job: &Job| cx.hides(&wait.peer, job.userid);
        match self.table.get(id) {
            Some(job) if !is_hidden(job) && is_reached(job, wait.states) => {
                self.answer(cx, id, wait);
            }
            _ if self.waits.n_waits >= WAITS_MAX as u64 => {
                wait.reply.send(cx, Err(ListError::TooManyWaits));
            }
            Some(job) if !is_hidden(job) => self.waits.add(id, wait),
            // One that is hidden is looked for as one that is not there: neither the
            // answer nor when it comes tells them apart.
            known => {
                let is_sought = known.is_none() && self.waits.by_id.contains_key(&id);
                self.waits.add(id, wait);
                if !is_sought {
                    self.look_for(cx, id);
                }
            }
        }
    }

    /// Answers those who must not learn of a job, as if there were none.
    fn refuse_hidden(&mut self, cx: &mut Cx<Self>, id: u64, userid: u32) {
        for wait in self.waits.take(id) {
            match cx.hides(&wait.peer, userid) {
                true => wait.reply.send(cx, Err(ListError::NotFound)),
                false => self.waits.add(id, wait),
            }
        }
    }

    /// A job has changed: answers those who have waited for that.
    pub(crate) fn look_at_waits(&mut self, cx: &mut Cx<Self>, id: u64) {
        if !self.waits.by_id.contains_key(&id) {
            return;
        }
        for wait in self.waits.take(id) {
            let job = self.table.get(id);
            let is_due =
                |job: &Job| is_reached(job, wait.states) || cx.hides(&wait.peer, job.userid);
            if job.is_some_and(is_due) {
                self.answer(cx, id, wait);
            } else {
                self.waits.add(id, wait);
            }
        }
    }

    /// After a history was read again: jobs that are waited for and not in it.
    pub(crate) fn look_for_unknown(&mut self, cx: &mut Cx<Self>) {
        for id in self.waits.ids() {
            if self.table.get(id).is_none() {
                self.look_for(cx, id);
            }
        }
    }

    /// Looks for an unknown job: its submission may be ahead of the journal.
    fn look_for(&mut self, cx: &mut Cx<Self>, id: u64) {
        self.waits.n_lookups += 1;
        let key = JobId(id).kvs_path();
        let request = Lookup::new(PRIMARY, &key, READDIR);
        cx.call(&request, move |core: &mut JobList, cx, result| {
            core.waits.n_lookups -= 1;
            let is_missing = result.is_err_and(|refusal| {
                if refusal.errno != Errno::ENOENT {
                    tracing::error!("looking for job {id}: {refusal}");
                }
                true
            });
            match core.table.get(id).map(|job| job.userid) {
                Some(userid) => core.refuse_hidden(cx, id, userid),
                None if is_missing && core.feed.is_initialized() => core.waits.refuse(cx, id),
                None => {}
            }
        });
    }

    fn answer(&mut self, cx: &mut Cx<Self>, id: u64, wait: Wait) {
        let job = self.table.get(id);
        let job = job.filter(|job| !cx.hides(&wait.peer, job.userid));
        let Some(job) = job else {
            return wait.reply.send(cx, Err(ListError::NotFound));
        };
        let attrs = match crate::attrs::Attrs::new(&wait.attrs) {
            Ok(attrs) => attrs,
            Err(error) => return wait.reply.send_bytes(cx, Err(error.refusal())),
        };
        let mut payload = b"{\"job\":".to_vec();
        attrs.write(job, &mut payload);
        payload.extend_from_slice(b"}\0");
        wait.reply.send_bytes(cx, Ok(payload.into()));
    }
}
