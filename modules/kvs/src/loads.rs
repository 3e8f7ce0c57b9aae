//! Loads of missing blobs: a request that needs some is parked, each blob is requested once from
//! content, and when the last one has come the same call is made again.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::{BufMut, Bytes, BytesMut};
use node::{Cx, Peer, Reply};
use proto::content::Load;
use proto::data::BlobRef;
use proto::kvs::{FoundPlus, Lookup, LookupError, LookupPlus, NamespaceError};
use proto::{Errno, Payload, Refusal};

use crate::Kvs;
use crate::asked::Asked;
use crate::core::open;
use crate::engine::dir::Dir;
use crate::engine::lookup::lookup;
use crate::engine::view::{Stop, Supply, View, Want};
use crate::limits::{LOADS_AT_ONCE_MAX, LOADS_MAX, WAITING_REQUESTS_MAX};
use crate::namespace::Version;

/// Request that waits for a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForBlob {
    /// A lookup by its number.
    Lookup(u64),
    /// The transaction at the front of a namespace.
    Namespace(String),
}

/// A lookup under way.
#[derive(Debug)]
pub struct LookupJob {
    /// Key.
    pub key: String,
    /// READDIR, READLINK, TREEOBJ.
    pub flags: u32,
    /// State of the namespace when the request came.
    pub version: Version,
    /// On whose behalf.
    pub peer: Peer,
    /// Answer.
    pub answer: Answer,
    /// Blobs fetched for it.
    pub supply: Supply,
    /// Blobs still to come.
    pub n_missing: usize,
    /// Namespaces that a link leads to and that are not there.
    pub unknown: BTreeSet<String>,
}

/// The answer of a lookup, in either form.
#[derive(Debug)]
pub enum Answer {
    /// kvs.lookup
    Plain(Reply<Lookup>),
    /// kvs.lookup-plus
    Plus(Reply<LookupPlus>),
}

impl Kvs {
    /// Answers a lookup, or parks it until its blobs are there.
    pub(crate) fn run_lookup(&mut self, cx: &mut Cx<Self>, mut job: LookupJob) {
        let mut view = View {
            memory: &mut self.memory,
            supply: &job.supply,
        };
        let (namespaces, peer) = (&self.namespaces, &job.peer);
        let (unknown, is_follower) = (&job.unknown, self.follower.is_some());
        let other = |name: &str| match open(namespaces, cx, peer, name) {
            Ok(namespace) => Ok(namespace.version.root),
            Err(_) if is_follower && !namespaces.contains_key(name) && !unknown.contains(name) => {
                Err(Stop::Namespace(name.to_owned()))
            }
            Err(NamespaceError::NotYours) => Err(LookupError::NotYours.into()),
            Err(NamespaceError::Unknown) => Err(LookupError::UnknownNamespace.into()),
        };
        match lookup(&mut view, job.version.root, &job.key, job.flags, &other) {
            Ok(text) => job.answer.found(cx, &text, job.version),
            Err(Stop::Failed(refusal)) => job.answer.failed(cx, refusal, job.version),
            Err(Stop::Namespace(name)) => self.about(cx, name, Asked::Link(job)),
            Err(Stop::Need(wants)) => {
                if self.lookups.len() >= WAITING_REQUESTS_MAX || self.loads.len() >= LOADS_MAX {
                    let full = Refusal::bare(Errno::EBUSY);
                    return job.answer.failed(cx, full, job.version);
                }
                let number = self.number();
                job.n_missing = self.request_blobs(cx, wants, &ForBlob::Lookup(number));
                self.lookups.insert(number, job);
            }
        }
    }

    /// Asks content for blobs. Returns the number of those that are to come.
    pub(crate) fn request_blobs(
        &mut self,
        cx: &mut Cx<Self>,
        mut wants: Vec<Want>,
        waiting: &ForBlob,
    ) -> usize {
        wants.truncate(LOADS_AT_ONCE_MAX);
        for want in &wants {
            let name = want.name();
            let waiters = self.loads.entry(name).or_default();
            waiters.push((*want, waiting.clone()));
            if waiters.len() == 1 {
                self.tally.faults += 1;
                let digest = Bytes::copy_from_slice(name.digest());
                cx.call(&Load(digest), move |core: &mut Kvs, cx, result| {
                    core.loaded(cx, name, result.map(|blob| blob.0));
                });
            }
        }
        wants.len()
    }

    fn loaded(&mut self, cx: &mut Cx<Self>, name: BlobRef, blob: Result<Bytes, Refusal>) {
        if let Err(refusal) = &blob {
            tracing::error!("content_load_completion: content_load_get: {refusal}: {name}");
        }
        let blob = blob.map_err(|refusal| Refusal::bare(refusal.errno));
        let waiters = self.loads.remove(&name).unwrap_or_default();
        let mut dir = None;
        if waiters.iter().any(|(want, _)| *want == Want::Dir(name)) {
            let parsed = blob.clone().and_then(|text| Ok(Rc::new(Dir::parse(text)?)));
            if let Ok(dir) = &parsed {
                self.memory.dirs.insert(name, dir.clone(), dir.weight());
            }
            dir = Some(parsed);
        }
        if let Ok(blob) = &blob
            && waiters.iter().any(|(want, _)| *want == Want::Blob(name))
        {
            self.memory.keep_blob(name, blob);
        }
        for (want, waiting) in waiters {
            let Some((supply, n_missing)) = self.supply_of(&waiting) else {
                continue;
            };
            match (want, &dir) {
                (Want::Dir(name), Some(dir)) => supply.put_dir(name, dir.clone()),
                (want, _) => supply.put_blob(want.name(), blob.clone()),
            }
            *n_missing = n_missing.saturating_sub(1);
            if *n_missing == 0 {
                self.resume(cx, waiting);
            }
        }
    }

    fn supply_of(&mut self, waiting: &ForBlob) -> Option<(&mut Supply, &mut usize)> {
        match waiting {
            ForBlob::Lookup(number) => self
                .lookups
                .get_mut(number)
                .map(|job| (&mut job.supply, &mut job.n_missing)),
            ForBlob::Namespace(name) => self
                .namespaces
                .get_mut(name)
                .map(|namespace| (&mut namespace.supply, &mut namespace.n_missing)),
        }
    }

    fn resume(&mut self, cx: &mut Cx<Self>, waiting: ForBlob) {
        match waiting {
            ForBlob::Lookup(number) => {
                if let Some(job) = self.lookups.remove(&number) {
                    self.run_lookup(cx, job);
                }
            }
            // The batch is made when everything that has arrived is handled.
            ForBlob::Namespace(name) => self.mark_ready(&name),
        }
    }
}

impl Answer {
    /// Answers that the lookup could not begin.
    pub fn refuse(self, cx: &mut Cx<Kvs>, refusal: Refusal) {
        match self {
            Self::Plain(reply) => reply.send_refusal(cx, Err(refusal)),
            Self::Plus(reply) => reply.send_refusal(cx, Err(refusal)),
        }
    }

    /// Answers with the text of a tree object, which is not taken apart.
    fn found(self, cx: &mut Cx<Kvs>, text: &[u8], version: Version) {
        let mut payload = BytesMut::with_capacity(text.len() + 128);
        payload.put_slice(br#"{"val":"#);
        payload.put_slice(text);
        match self {
            Self::Plain(reply) => {
                payload.put_slice(b"}\0");
                reply.send_bytes(cx, Ok(payload.freeze()));
            }
            Self::Plus(reply) => {
                let Version { root, seq } = version;
                let rest = format!(",\"rootseq\":{seq},\"rootref\":\"{root}\"}}\0");
                payload.put_slice(rest.as_bytes());
                reply.send_bytes(cx, Ok(payload.freeze()));
            }
        }
    }

    /// A missing key is a success of lookup-plus, which returns where it is missing.
    fn failed(self, cx: &mut Cx<Kvs>, refusal: Refusal, version: Version) {
        match self {
            Self::Plain(reply) => reply.send_refusal(cx, Err(refusal)),
            Self::Plus(reply) if refusal.errno == Errno::ENOENT => {
                let missing = FoundPlus {
                    val: None,
                    errno: Some(refusal.errno.0),
                    rootseq: version.seq,
                    rootref: version.root.to_string(),
                };
                reply.send_bytes(cx, Ok(missing.encode()));
            }
            Self::Plus(reply) => reply.send_refusal(cx, Err(refusal)),
        }
    }
}
