//! Requests that are about a namespace. On other ranks than 0 they wait until its root is
//! known there, which its first use brings about (`follower.rs`). The namespace of a job that
//! has just begun is made when a client wants to use it.

use node::{Cx, Peer, Reply};
use proto::data::JobId;
use proto::job_exec::MakeNamespace;
use proto::kvs::{Commit, GetRoot, Lookup, SetrootPause, SetrootUnpause, WAITCREATE, WaitVersion};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::handlers::{commit, lookup, roots};
use crate::limits::{
    ASKED_NAMESPACES_MAX, NAMESPACE_NAME_BYTES_MAX, UNMADE_REQUESTS_MAX, WAITING_REQUESTS_MAX,
};
use crate::loads::{Answer, LookupJob};

/// The job whose namespace has this name.
fn job_of(namespace: &str) -> Option<JobId> {
    let id = JobId(namespace.strip_prefix("job-")?.parse().ok()?);
    (id.guest_namespace() == namespace).then_some(id)
}

/// A request about a namespace.
#[derive(Debug)]
pub enum Asked {
    /// kvs.getroot
    GetRoot(Peer, Reply<GetRoot>),
    /// kvs.wait-version
    WaitVersion(Peer, WaitVersion, Reply<WaitVersion>),
    /// kvs.setroot-pause
    Pause(Peer, Reply<SetrootPause>),
    /// kvs.setroot-unpause
    Unpause(Peer, Reply<SetrootUnpause>),
    /// kvs.lookup, kvs.lookup-plus
    Lookup(Peer, Lookup, Answer),
    /// A lookup that a link has led here.
    Link(LookupJob),
    /// kvs.commit
    Commit(Peer, Commit, Reply<Commit>),
}

impl Asked {
    /// Answers with the known state.
    pub fn run(self, core: &mut Kvs, cx: &mut Cx<Kvs>, namespace: String) {
        match self {
            Self::GetRoot(peer, reply) => {
                let root = roots::root_of(core, cx, &peer, namespace);
                reply.send(cx, root);
            }
            Self::WaitVersion(peer, request, reply) => {
                roots::wait(core, cx, &peer, request, reply);
            }
            Self::Pause(peer, reply) => {
                let done = roots::set_pause(core, cx, &peer, &namespace, true);
                reply.send(cx, done);
            }
            Self::Unpause(peer, reply) => {
                let done = roots::set_pause(core, cx, &peer, &namespace, false);
                reply.send(cx, done);
            }
            Self::Lookup(peer, request, answer) => lookup::begin(core, cx, &peer, request, answer),
            Self::Link(mut job) => {
                job.unknown.insert(namespace);
                core.run_lookup(cx, job);
            }
            Self::Commit(peer, request, reply) => commit::begin(core, cx, &peer, request, reply),
        }
    }

    /// True if it is about the contents of the namespace. A watcher of a key that does not
    /// exist yet does not need a namespace before something is in it.
    fn wants_namespace(&self) -> bool {
        match self {
            Self::Lookup(_, request, _) => request.flags & WAITCREATE == 0,
            _ => true,
        }
    }

    /// The number by which it is recognised if it comes again.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Commit(peer, ..) => peer.number,
            _ => None,
        }
    }

    /// Answers that the namespace could not be asked for.
    pub fn refuse(self, cx: &mut Cx<Kvs>, refusal: Refusal) {
        match self {
            Self::GetRoot(_, reply) => reply.send_refusal(cx, Err(refusal)),
            Self::WaitVersion(_, _, reply) => reply.send_refusal(cx, Err(refusal)),
            Self::Pause(_, reply) => reply.send_refusal(cx, Err(refusal)),
            Self::Unpause(_, reply) => reply.send_refusal(cx, Err(refusal)),
            Self::Lookup(_, _, answer) => answer.refuse(cx, refusal),
            Self::Link(job) => job.answer.refuse(cx, refusal),
            Self::Commit(_, _, reply) => reply.send_refusal(cx, Err(refusal)),
        }
    }
}

impl Kvs {
    /// Answers a request about a namespace: at once where it is known, and on rank 0.
    pub(crate) fn about(&mut self, cx: &mut Cx<Self>, name: String, asked: Asked) {
        let now = cx.now().mono;
        if let Some(namespace) = self.namespaces.get_mut(&name) {
            (namespace.used, namespace.n_unused) = (now, 0);
            return asked.run(self, cx, name);
        }
        let Some(follower) = &mut self.follower else {
            return match asked.wants_namespace().then(|| job_of(&name)).flatten() {
                Some(id) => self.ask_for_namespace(cx, id, asked),
                None => asked.run(self, cx, name),
            };
        };
        // None has such a name.
        if !(1..=NAMESPACE_NAME_BYTES_MAX).contains(&name.len()) {
            return asked.run(self, cx, name);
        }
        let is_new = !follower.asking.contains_key(&name);
        if follower.n_asked >= WAITING_REQUESTS_MAX
            || is_new && follower.asking.len() >= ASKED_NAMESPACES_MAX
        {
            return asked.refuse(cx, Refusal::bare(Errno::EBUSY));
        }
        follower.n_asked += 1;
        let asking = follower.asking.entry(name.clone()).or_default();
        asking.waiting.push(asked);
        if is_new {
            self.ask_for_root(cx, name);
        }
    }

    /// Has the namespace of a job made, if it runs: job-exec does not do so before a client
    /// wants to use it, or the job has run a little.
    fn ask_for_namespace(&mut self, cx: &mut Cx<Self>, id: JobId, asked: Asked) {
        let is_new = !self.unmade.contains_key(&id);
        let n_waiting: usize = self.unmade.values().map(Vec::len).sum();
        if n_waiting >= UNMADE_REQUESTS_MAX {
            return asked.refuse(cx, Refusal::bare(Errno::EBUSY));
        }
        self.unmade.entry(id).or_default().push(asked);
        if !is_new {
            return;
        }
        // There it is, or there is none: what was asked is answered with what is there then.
        cx.call(&MakeNamespace { id }, move |core: &mut Kvs, cx, _| {
            for asked in core.unmade.remove(&id).unwrap_or_default() {
                asked.run(core, cx, id.guest_namespace());
            }
        });
    }
}
