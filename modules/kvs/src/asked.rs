//! Requests that are about a namespace. On other ranks than 0 they wait until its root is
//! known there, which its first use brings about (`follower.rs`).

use node::{Cx, Peer, Reply};
use proto::kvs::{Commit, GetRoot, Lookup, SetrootPause, SetrootUnpause, WaitVersion};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::handlers::{commit, lookup, roots};
use crate::limits::{ASKED_NAMESPACES_MAX, NAMESPACE_NAME_BYTES_MAX, WAITING_REQUESTS_MAX};
use crate::loads::{Answer, LookupJob};

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
    /// Answers with what is known now.
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
            return asked.run(self, cx, name);
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
}
