//! A program that makes a namespace, works in it, removes it and makes it again: each has
//! its own contents and nothing of the one before, tokens included.

use proto::data::{HashKind, Tree};
use proto::kvs::{Commit, Committed, Found, Lookup, NamespaceCreate, NamespaceRemove};
use proto::{Errno, Method, Payload};
use wire::Message;

use super::{ask, is_absence, outcome_of};
use crate::program::Program;
use crate::rng::Rng;

/// The namespace.
const NAMESPACE: &str = "tenant";
/// The one key in it.
const KEY: &str = "dir.key";
/// Writer of tokens.
const WRITER: &str = "tenant";

/// A tenant.
pub struct Tenant {
    tag: u32,
    waits: Option<(u32, Step)>,
    next: Step,
    /// Commits acknowledged in the namespace that is.
    n: u64,
    answered: u64,
    failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Remove,
    Create,
    /// Puts the next number.
    Commit,
    Lookup,
}

impl Tenant {
    /// A tenant that does not know the contents.
    pub fn new() -> Tenant {
        Tenant {
            tag: 0,
            waits: None,
            next: Step::Remove,
            n: 0,
            answered: 0,
            failed: 0,
        }
    }

    fn send(&mut self, request: &impl Method) -> Option<Message> {
        self.tag += 1;
        self.waits = Some((self.tag, self.next));
        Some(ask(self.tag, request, 0))
    }

    fn receive_success(&mut self, step: Step, response: &Message) {
        let payload = response.payload();
        self.next = match step {
            Step::Remove => Step::Create,
            Step::Create => {
                self.n = 0;
                Step::Lookup
            }
            Step::Commit => {
                self.n += 1;
                let committed = Committed::decode(payload).expect("a version");
                assert_eq!(
                    committed.rootseq, self.n as i64,
                    "a version of another namespace"
                );
                Step::Lookup
            }
            Step::Lookup => {
                let found = Found::decode(payload).expect("a value").bytes();
                assert_eq!(found.as_deref(), Some(self.n.to_string().as_bytes()));
                Step::Commit
            }
        };
    }

    fn receive_failure(&mut self, step: Step, errno: Errno) {
        self.next = match (step, errno) {
            (Step::Lookup, Errno::ENOENT) => {
                assert_eq!(self.n, 0, "what was put there is gone");
                Step::Commit
            }
            (step, errno) => {
                assert!(is_absence(errno), "{step:?}: {errno:?}");
                match step {
                    // It may be there or not.
                    Step::Create => Step::Remove,
                    // A repeated step has no further effect.
                    step => step,
                }
            }
        };
    }
}

impl Program for Tenant {
    fn name(&self) -> &str {
        "tenant"
    }

    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message> {
        if self.waits.is_some() || !load {
            return None;
        }
        if self.next == Step::Commit && rng.chance(20) {
            self.next = Step::Remove;
        }
        let namespace = NAMESPACE.to_owned();
        match self.next {
            Step::Remove => self.send(&NamespaceRemove { namespace }),
            Step::Create => {
                let create = NamespaceCreate {
                    namespace,
                    rootref: Tree::empty_dir().blobref(HashKind::Sha1).to_string(),
                    owner: -1,
                    flags: 0,
                };
                self.send(&create)
            }
            Step::Commit => {
                let n = self.n + 1;
                let commit = Commit::new(NAMESPACE)
                    .put(KEY, n.to_string())
                    .once(WRITER, n);
                self.send(&commit)
            }
            Step::Lookup => self.send(&Lookup::new(NAMESPACE, KEY, 0)),
        }
    }

    fn take(&mut self, message: &Message) -> Vec<Message> {
        let (tag, result) = outcome_of(message).expect("a response");
        let (expected, step) = self.waits.take().expect("something was asked");
        assert_eq!(tag, expected, "an answer to something else");
        self.answered += 1;
        self.failed += u64::from(result.is_err());
        match result {
            Ok(()) => self.receive_success(step, message),
            Err(errno) => self.receive_failure(step, errno),
        }
        Vec::new()
    }

    fn cut(&mut self) {
        if let Some((_, step)) = self.waits.take() {
            self.receive_failure(step, Errno::EHOSTUNREACH);
        }
    }

    fn is_done(&self) -> bool {
        self.waits.is_none()
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn failed(&self) -> u64 {
        self.failed
    }
}
