//! The receiver of a transaction's result: a client of ours, or a rank below, which has
//! sent many transactions in one request and gets one answer when the last of them is done.

use std::collections::BTreeMap;
use std::rc::Rc;

use node::{Cx, Reply};
use proto::data::BlobRef;
use proto::kvs::{Commit, Relay, RelayResult, Relayed};
use proto::{Errno, Refusal};

use crate::Kvs;
use crate::namespace::Version;

/// By which a transaction of another rank is recognised: rank, UUID of its broker, number.
pub type Mark = (u32, Rc<str>, u64);

/// A place in the answer to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    relay: u64,
    at: usize,
}

/// Receiver of the result of a transaction.
#[derive(Debug)]
pub enum Owed {
    /// A client.
    Client(Reply<Commit>),
    /// All who have sent the transaction of this mark.
    Marked(Mark),
    /// A relay, for a transaction that is not recognised.
    Relay(Place),
    /// Nobody: the events announce it.
    Nobody,
}

/// Relays that are not answered, because not all of their transactions are done.
#[derive(Debug, Default)]
pub struct Relays {
    open: BTreeMap<u64, Open>,
    numbered: u64,
}

#[derive(Debug)]
struct Open {
    reply: Reply<Relay>,
    results: Vec<RelayResult>,
    n_missing: usize,
}

impl Relays {
    /// Opens a relay of `n` transactions, at least one, and returns the places of their
    /// results.
    pub fn open(&mut self, reply: Reply<Relay>, n: usize) -> impl Iterator<Item = Place> + use<> {
        self.numbered += 1;
        let relay = self.numbered;
        let open = Open {
            reply,
            results: vec![RelayResult::default(); n],
            n_missing: n,
        };
        self.open.insert(relay, open);
        (0..n).map(move |at| Place { relay, at })
    }

    /// Notes a result, and answers if it was the last one missing.
    pub fn fill(&mut self, cx: &mut Cx<Kvs>, place: Place, result: RelayResult) {
        let Some(open) = self.open.get_mut(&place.relay) else {
            return;
        };
        if let Some(free) = open.results.get_mut(place.at) {
            *free = result;
        }
        open.n_missing -= 1;
        if open.n_missing == 0
            && let Some(open) = self.open.remove(&place.relay)
        {
            let results = open.results;
            open.reply.send(cx, Ok(Relayed { results }));
        }
    }
}

/// Result of a transaction in the form of a relay.
pub fn result_of(result: &Result<Version, Refusal>) -> RelayResult {
    match result {
        Ok(version) => RelayResult {
            rootref: Some(version.root.to_string()),
            rootseq: Some(version.seq),
            ..RelayResult::default()
        },
        Err(refusal) => RelayResult {
            errnum: Some(refusal.errno.0),
            text: refusal.text.as_deref().map(str::to_owned),
            ..RelayResult::default()
        },
    }
}

/// The same, read. An answer that is neither a version nor an error is a fault of the
/// sender.
pub fn read_result(result: RelayResult) -> Result<Version, Refusal> {
    let root = result.rootref.and_then(|root| root.parse::<BlobRef>().ok());
    match (result.errnum, root, result.rootseq) {
        (None, Some(root), Some(seq)) => Ok(Version { root, seq }),
        (errnum, _, _) => Err(Refusal {
            errno: Errno(
                errnum
                    .filter(|errnum| *errnum != 0)
                    .unwrap_or(Errno::EPROTO.0),
            ),
            text: result.text.map(Into::into),
            stopped: None,
        }),
    }
}
