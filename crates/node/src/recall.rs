//! Requests that a module does only once, although it may die before their answer is out.
//!
//! The broker hands a request whose answer it lacks to the module's next process. Those of
//! a method that is declared `recognised` carry a number, the same each time. The module
//! stores the number and the answer together with the changes of the request; so its
//! successor finds both or neither, and returns the stored answer.
//!
//! Few need to be remembered. Answers go out before the next commit does, on one link: once
//! that commit is stored, the broker has had them. So each commit stores its own requests and
//! those of the commits still under way, in place of those of the previous one.

use std::collections::BTreeMap;

use proto::kvs::Op;
use proto::{Errno, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::{Identity, Message};

use crate::Peer;

/// First character of the route that carries a number. No UUID has it.
const MARK: char = '#';

/// Commits after which a module has been given everything that its predecessor owed. The
/// first ones may be made before it has said that it runs, which is when the broker hands
/// those requests on; the third is made after an answer to the first.
const COMMITS_TO_SETTLE: u32 = 3;

/// The route that carries a request's number, below the broker's own.
pub fn number_route(number: u64) -> Option<Identity> {
    Identity::new(&format!("{MARK}{number:x}"))
}

/// True if a route carries a number.
pub fn is_number_route(route: &Identity) -> bool {
    route.as_str().starts_with(MARK)
}

/// The number of a request that has come from the broker.
pub(crate) fn number_of(request: &Message) -> Option<u64> {
    let below_top = request.n_routes().checked_sub(2)?;
    let route = request.routes_from_sender().nth(below_top)?;
    u64::from_str_radix(route.as_str().strip_prefix(MARK)?, 16).ok()
}

/// The requests that a module would recognise, by number, with their answers.
#[derive(Debug)]
pub struct Recall<A> {
    /// Answers of a predecessor.
    carried: BTreeMap<u64, A>,
    n_answered: u32,
    /// Answers of each commit that is not stored and answered yet.
    noted: BTreeMap<u64, Vec<(u64, A)>>,
}

impl<A> Default for Recall<A> {
    fn default() -> Self {
        Recall::of([])
    }
}

impl<A> Recall<A> {
    /// Begins with the requests stored by a predecessor.
    pub fn of(carried: impl IntoIterator<Item = (u64, A)>) -> Recall<A> {
        Recall {
            carried: carried.into_iter().collect(),
            n_answered: 0,
            noted: BTreeMap::new(),
        }
    }

    /// Result of a predecessor for a request, if it has completed it.
    pub fn done(&self, peer: &Peer) -> Option<&A> {
        self.carried.get(&peer.number?)
    }

    /// Results of a predecessor.
    pub fn carried(&self) -> impl Iterator<Item = &A> {
        self.carried.values()
    }

    /// Notes that `commit` does a request. One without a number will never come again.
    pub fn note(&mut self, commit: u64, number: Option<u64>, answer: A) {
        if let Some(number) = number {
            self.noted.entry(commit).or_default().push((number, answer));
        }
    }

    /// Results to store with this commit.
    pub fn to_store(&self, commit: u64) -> impl Iterator<Item = (u64, &A)> {
        let noted = self.noted.range(..=commit).flat_map(|(_, noted)| noted);
        let carried = self
            .carried
            .iter()
            .map(|(number, answer)| (*number, answer));
        carried.chain(noted.map(|(number, answer)| (*number, answer)))
    }

    /// Forgets the requests of a commit that writes nothing.
    pub fn forget(&mut self, commit: u64) {
        self.noted.remove(&commit);
    }

    /// Forgets the requests of a commit: its end is known, and they are answered.
    pub fn answered(&mut self, commit: u64) {
        self.forget(commit);
        self.n_answered = self.n_answered.saturating_add(1);
        if self.n_answered >= COMMITS_TO_SETTLE {
            self.carried.clear();
        }
    }
}

/// As it is kept in a key of the KVS.
#[derive(Serialize, Deserialize)]
struct Saved<A> {
    version: u32,
    done: Vec<(u64, A)>,
}

const VERSION: u32 = 1;

impl<A: Serialize + Clone> Recall<A> {
    /// The operation by which a commit keeps it in `key`; `None` when there is nothing to
    /// remember.
    pub fn op(&self, key: &str, commit: u64) -> Option<Op> {
        let done: Vec<_> = self.to_store(commit).map(|(n, a)| (n, a.clone())).collect();
        if done.is_empty() {
            return None;
        }
        let version = VERSION;
        let text = serde_json::to_string(&Saved { version, done }).ok()?;
        Some(Op::put(key, text))
    }
}

impl<A: DeserializeOwned> Recall<A> {
    /// Reads the value of the key.
    pub fn decode(text: &[u8]) -> Result<Recall<A>, Refusal> {
        match serde_json::from_slice(text) {
            Ok(Saved {
                version: VERSION,
                done,
            }) => Ok(Recall::of(done)),
            _ => {
                let text = "completed requests are stored in an unknown format";
                Err(Refusal::new(Errno::ENOTRECOVERABLE, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::data::Tree;
    use proto::kvs::Dirent;

    use super::*;

    fn peer(number: Option<u64>) -> Peer {
        let mut request = Message::request("kvs.commit", 1);
        request.push_route(Identity::new("client").unwrap());
        if let Some(number) = number {
            request.push_route(number_route(number).unwrap());
        }
        request.push_route(Identity::new("broker").unwrap());
        Peer::of(&request, 1)
    }

    fn stored(recall: &Recall<char>, commit: u64) -> String {
        recall.to_store(commit).map(|(_, answer)| *answer).collect()
    }

    #[test]
    fn a_number_travels_below_the_route_of_the_broker() {
        for number in [None, Some(0), Some(7), Some(u64::MAX)] {
            assert_eq!(peer(number).number, number);
            assert_eq!(peer(number).sender, Identity::new("client"));
        }
    }

    #[test]
    fn a_number_that_a_client_made_up_is_not_one() {
        let mut request = Message::request("kvs.commit", 1);
        request.push_route(number_route(7).unwrap());
        request.push_route(Identity::new("client").unwrap());
        request.push_route(Identity::new("broker").unwrap());
        assert_eq!(Peer::of(&request, 1).number, None);
        request.clear_routes();
        request.push_route(number_route(7).unwrap());
        assert_eq!(Peer::of(&request, 1).number, None);
    }

    #[test]
    fn a_commit_stores_what_is_under_way_and_nothing_else() {
        let mut recall = Recall::default();
        recall.note(1, Some(10), 'a');
        recall.note(1, None, 'x');
        recall.note(2, Some(11), 'b');
        assert_eq!(stored(&recall, 1), "a");
        assert_eq!(stored(&recall, 2), "ab");
        recall.answered(1);
        recall.note(3, Some(12), 'c');
        recall.note(4, Some(13), 'd');
        assert_eq!(stored(&recall, 3), "bc");
        recall.forget(2);
        recall.forget(3);
        assert_eq!(stored(&recall, 4), "d");
    }

    #[test]
    fn what_a_predecessor_did_is_known_until_all_it_owed_has_come() {
        let mut recall = Recall::of([(10, 'a')]);
        for commit in 1..=3 {
            assert_eq!(recall.done(&peer(Some(10))), Some(&'a'));
            assert_eq!(recall.done(&peer(Some(11))), None);
            assert_eq!(recall.done(&peer(None)), None);
            assert_eq!(stored(&recall, commit), "a");
            recall.answered(commit);
        }
        assert_eq!(recall.done(&peer(Some(10))), None);
        assert_eq!(stored(&recall, 4), "");
    }

    #[test]
    fn what_is_kept_in_a_key_is_read_again() {
        let mut recall = Recall::default();
        assert!(recall.op("key", 1).is_none());
        recall.note(1, Some(u64::MAX), 'a');
        let op = recall.op("key", 1).unwrap();
        let Some(Dirent::Tree(Tree::Val(text))) = op.dirent else {
            panic!("{op:?}");
        };
        assert_eq!(stored(&Recall::decode(&text).unwrap(), 0), "a");
        for text in ["", "[]", r#"{"version":2,"done":[]}"#] {
            assert!(Recall::<char>::decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
