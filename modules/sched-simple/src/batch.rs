//! What was decided and is on its way into the KVS. One transaction at a time, with all
//! that was decided while the one before was stored; a job is answered when its R is
//! there, so that nobody ever hears of resources that a restart would not find.

use node::Cx;
use proto::data::{JobId, JobIdEncoding};
use proto::kvs::{Commit, PRIMARY};
use proto::sched::{ALLOC_SUCCESS, AllocReply};
use proto::{Errno, Object, Payload as _, RawJson, Refusal};
use wire::Message;

use crate::core::Scheduler;
use crate::limits::{BATCH_ALLOCATIONS_MAX, BATCH_BYTES_MAX, STORE_RETRY};
use crate::program::Program;

/// A job that has resources and does not know it yet.
#[derive(Debug)]
pub struct Decided {
    /// Which.
    pub id: JobId,
    /// Its R, as it goes into the KVS and to the job manager.
    pub r: String,
    /// What is shown of it.
    pub annotations: Object,
    /// The message to answer.
    pub message: Message,
}

/// Decided jobs.
#[derive(Debug, Default)]
pub struct Batch {
    decided: Vec<Decided>,
    on_its_way: Option<(Commit, Vec<Decided>)>,
    seq: u64,
    /// The job manager that asked is gone: what is on its way is stored but not answered.
    orphaned: bool,
}

impl Batch {
    /// Adds a job.
    pub fn push(&mut self, decided: Decided) {
        self.decided.push(decided);
    }

    /// Forgets whom to answer.
    pub fn orphan(&mut self) {
        self.decided.clear();
        self.orphaned = self.on_its_way.is_some();
    }

    /// Sends off what was decided, unless something is on its way.
    pub fn flush<P: Program>(&mut self, cx: &mut Cx<Scheduler<P>>) {
        if self.on_its_way.is_some() || self.decided.is_empty() {
            return;
        }
        let fitting = n_fitting(self.decided.iter().map(|decided| decided.r.len()));
        let rest = self.decided.split_off(fitting);
        let batch = std::mem::replace(&mut self.decided, rest);
        self.seq += 1;
        let mut commit = Commit::new(PRIMARY).once(cx.uuid(), self.seq);
        for decided in &batch {
            commit = commit.put(key(decided.id, "R"), decided.r.clone());
        }
        self.on_its_way = Some((commit, batch));
        self.send(cx);
    }

    fn send<P: Program>(&self, cx: &mut Cx<Scheduler<P>>) {
        let Some((commit, _)) = &self.on_its_way else {
            return;
        };
        cx.call(commit, |core: &mut Scheduler<P>, cx, result| {
            core.batch.done(cx, result.map(|_| ()));
        });
    }

    fn done<P: Program>(&mut self, cx: &mut Cx<Scheduler<P>>, result: Result<(), Refusal>) {
        match result {
            // The kvs module died: nobody knows whether this was stored, and its token
            // makes a second time harmless.
            Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => return self.send(cx),
            Err(refusal) if refusal.may_pass() => {
                tracing::warn!("could not store R, will try again: {refusal}");
                cx.timer(STORE_RETRY, |core: &mut Scheduler<P>, cx| {
                    core.batch.send(cx)
                });
                return;
            }
            Err(refusal) => {
                let text = format!("could not store R: {refusal}");
                return cx.exit(Err(Refusal::new(refusal.errno, text)));
            }
            Ok(()) => {}
        }
        let orphaned = std::mem::take(&mut self.orphaned);
        let batch = self.on_its_way.take().map(|(_, batch)| batch);
        for decided in batch.unwrap_or_default() {
            if !orphaned {
                answer(cx, decided);
            }
        }
        self.flush(cx);
    }
}

/// How many of the next allocations, each of `bytes` bytes, go into one transaction.
fn n_fitting(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fitting = sizes.take(BATCH_ALLOCATIONS_MAX).take_while(|size| {
        let fits = bytes < BATCH_BYTES_MAX;
        bytes += size;
        fits
    });
    fitting.count()
}

fn answer<P: Program>(cx: &mut Cx<Scheduler<P>>, decided: Decided) {
    let mut reply = AllocReply::new(decided.id, ALLOC_SUCCESS);
    match RawJson::new(&decided.r) {
        Ok(r) => reply.r = Some(r),
        Err(error) => tracing::error!("R of {}: {error}", decided.id),
    }
    reply.annotations = Some(decided.annotations);
    respond(cx, &decided.message, &reply);
}

/// Answers a request for resources, which may be answered more than once.
pub fn respond<P: Program>(cx: &mut Cx<Scheduler<P>>, message: &Message, reply: &AllocReply) {
    let response = Message::respond_to(message, 0, reply.encode());
    cx.send(response);
}

/// The KVS key `name` of a job.
pub fn key(id: JobId, name: &str) -> String {
    format!("job.{}.{name}", id.encode(JobIdEncoding::DotHex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_has_a_number_of_allocations_and_a_size() {
        let check = |sizes: &[usize], expect: usize| {
            assert_eq!(n_fitting(sizes.iter().copied()), expect, "{sizes:?}");
        };
        check(&[], 0);
        check(&[BATCH_BYTES_MAX * 2], 1);
        check(&[1, BATCH_BYTES_MAX, 1], 2);
        check(&[BATCH_BYTES_MAX, 1], 1);
        check(&[100; BATCH_ALLOCATIONS_MAX + 1], BATCH_ALLOCATIONS_MAX);
    }
}
