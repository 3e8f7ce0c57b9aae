//! The ways back of answers: each is open from the moment when a request is given to a
//! provider, until its last answer has passed; closing, when nobody waits any more for an
//! answer that may still come; and closed.
//!
//! Of those that are not open, the last ones are remembered, with why and since when: so of
//! an answer that is too late it can be said why. A table of a fixed size holds them. A
//! record is two numbers, written in place; old ones are overwritten.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use proto::orphans::Cause;
use rustc_hash::FxHasher;
use wire::Message;

use super::Hop;
use crate::limits::{TOMBSTONE_WAYS, TOMBSTONES_MAX};

/// State of a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Answers pass.
    Open,
    /// The requester has disconnected, and the provider may not know.
    Left,
    /// The request has expired.
    Expired,
    /// The last answer has passed.
    Answered,
    /// The provider is lost; the requester has been answered, or another provider was
    /// asked.
    Lost,
    /// The late answer has arrived.
    Closed,
}

/// Something that happens to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An answer after which others come.
    Part,
    /// The last answer.
    End,
    /// The requester leaves.
    Leave,
    /// The request expires.
    Expire,
    /// The provider is lost.
    Lose,
}

/// State after a step; `None` for a step that does not fit. An answer to one that is not open
/// is an orphan.
pub(crate) fn next(path: Path, step: Step) -> Option<Path> {
    match (path, step) {
        (Path::Open, Step::Part) => Some(Path::Open),
        (Path::Open, Step::End) => Some(Path::Answered),
        (Path::Open, Step::Leave) => Some(Path::Left),
        (Path::Open, Step::Expire) => Some(Path::Expired),
        (Path::Open, Step::Lose) => Some(Path::Lost),
        (Path::Left | Path::Expired, Step::End | Step::Lose) => Some(Path::Closed),
        (Path::Left | Path::Expired, Step::Part) => Some(path),
        _ => None,
    }
}

/// Record of a way back that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// State of the way.
    pub path: Path,
    /// Time for which it has been so.
    pub since: Duration,
    /// True if another provider than the one that answers was asked.
    pub of_other: bool,
}

impl Tombstone {
    /// True if the provider could not know better.
    pub fn is_no_fault(self) -> bool {
        !self.of_other && matches!(self.path, Path::Left | Path::Expired)
    }

    /// Cause for which an answer to it is an orphan, with a note.
    pub fn verdict(self) -> (Cause, &'static str) {
        match self.path {
            _ if self.of_other => (Cause::TakenOver, "another provider was asked instead"),
            Path::Expired => (Cause::Expired, "the deadline of the request has passed"),
            Path::Left => (Cause::AfterClose, "the requester has disconnected"),
            Path::Answered => (Cause::AfterClose, "the request was answered already"),
            Path::Lost => (
                Cause::AfterClose,
                "another provider has answered the request",
            ),
            Path::Open | Path::Closed => (Cause::AfterClose, "it is not the first too late"),
        }
    }
}

/// One entry: the key, and below it how far the way is, who was asked, and when it became so.
type Slot = [u64; 2];

/// The last ways back that are not open any more.
#[derive(Debug)]
pub(super) struct Tombstones {
    sets: Vec<[Slot; TOMBSTONE_WAYS]>,
    /// In hundredths of a second.
    now: u32,
}

impl Default for Tombstones {
    fn default() -> Tombstones {
        Tombstones {
            sets: vec![[[0; 2]; TOMBSTONE_WAYS]; TOMBSTONES_MAX / TOMBSTONE_WAYS],
            now: 0,
        }
    }
}

const MS_OF_TICK: u32 = 10;

impl Tombstones {
    /// The time goes on.
    pub fn set_now(&mut self, now: Duration) {
        self.now = (now.as_millis() / u128::from(MS_OF_TICK)) as u32;
    }

    /// This ends that an open way back is open, which is known by its request or an answer.
    pub fn bury(&mut self, message: &Message, provider: Hop, end: Step) {
        let Some(path) = next(Path::Open, end) else {
            return;
        };
        let key = key_of(message);
        let packed = pack(path, provider, self.now);
        let set = self.set(key);
        // The oldest goes.
        set.rotate_right(1);
        set[0] = [key, packed];
    }

    /// Record of the way that an answer from `provider` would take.
    pub fn find(&self, answer: &Message, provider: Hop) -> Option<Tombstone> {
        let key = key_of(answer);
        let place = self.place(key);
        let set = self.sets.get(place)?;
        let [_, packed] = set.iter().find(|slot| slot[0] == key && slot[1] != 0)?;
        let (path, of, at) = unpack(*packed)?;
        Some(Tombstone {
            path,
            since: Duration::from_millis(u64::from(self.now.wrapping_sub(at) * MS_OF_TICK)),
            of_other: of != tag_of(provider),
        })
    }

    /// An answer has come to a way that is not open.
    pub fn is_late(&mut self, answer: &Message, step: Step) {
        let key = key_of(answer);
        for slot in self.set(key).iter_mut().filter(|slot| slot[0] == key) {
            if let Some((path, ..)) = unpack(slot[1])
                && let Some(path) = next(path, step)
            {
                slot[1] = slot[1] & !PATH_MASK | path as u64;
            }
        }
    }

    fn place(&self, key: u64) -> usize {
        key as usize % self.sets.len()
    }

    fn set(&mut self, key: u64) -> &mut [Slot; TOMBSTONE_WAYS] {
        let place = self.place(key);
        &mut self.sets[place]
    }
}

/// The same for a request, as it is without the broker's own hop, and for each of its answers.
fn key_of(message: &Message) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(message.matchtag());
    hasher.write(message.topic_bytes());
    for hop in message.routes_from_sender() {
        hasher.write(hop.as_bytes());
    }
    hasher.finish()
}

/// Tag that distinguishes providers, well enough.
fn tag_of(provider: Hop) -> u32 {
    let mut hasher = FxHasher::default();
    provider.hash(&mut hasher);
    hasher.finish() as u32 & TAG_MASK
}

const TAG_MASK: u32 = 0x00ff_ffff;
const PATH_MASK: u64 = 0xff;

fn pack(path: Path, provider: Hop, now: u32) -> u64 {
    path as u64 | u64::from(tag_of(provider)) << 8 | u64::from(now) << 32
}

fn unpack(packed: u64) -> Option<(Path, u32, u32)> {
    let not_open = [
        Path::Left,
        Path::Expired,
        Path::Answered,
        Path::Lost,
        Path::Closed,
    ];
    let path = not_open
        .into_iter()
        .find(|path| *path as u64 == packed & PATH_MASK)?;
    Some((path, (packed >> 8) as u32 & TAG_MASK, (packed >> 32) as u32))
}

#[cfg(test)]
mod tests {
    use node::PeerId;
    use wire::Identity;

    use super::*;

    const PATHS: [Path; 6] = [
        Path::Open,
        Path::Left,
        Path::Expired,
        Path::Answered,
        Path::Lost,
        Path::Closed,
    ];

    const STEPS: [Step; 5] = [Step::Part, Step::End, Step::Leave, Step::Expire, Step::Lose];

    const SERVER: Hop = Hop::Client(PeerId(1));
    const OTHER: Hop = Hop::Client(PeerId(2));

    #[test]
    fn the_printed_table_is_that_in_doc_states() {
        let head = "# States of a way back\n\nPrinted from `broker/src/router/paths.rs` by its \
             test (`UPDATE=1 cargo test -p broker`).\nAn answer passes over one that is `Open` \
             and over no other. `Left` and `Expired` are closing: a link that was asked may still \
             answer. The others are closed.\nRows are what happens; a dash is a step that does \
             not fit and changes nothing.";
        let table = node::written::table_of_moves(head, &PATHS, &STEPS, next);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../doc/states/way-back.md");
        node::written::check(path, &table);
    }

    fn request(matchtag: u32) -> Message {
        let mut request = Message::request("kvs.lookup", matchtag);
        request.push_route(Identity::new("client").unwrap());
        request
    }

    #[test]
    fn of_the_last_ways_each_is_known_with_its_end() {
        let mut tombstones = Tombstones::default();
        let ends = STEPS.into_iter().skip(1).cycle().take(1000);
        for (tag, end) in (0..).zip(ends.clone()) {
            tombstones.bury(&request(tag), SERVER, end);
        }
        tombstones.set_now(Duration::from_millis(250));
        for (tag, end) in (0..).zip(ends) {
            let path = next(Path::Open, end).unwrap();
            let answer = request(tag).into_response(0, bytes::Bytes::new());
            let found = tombstones.find(&answer, SERVER).unwrap();
            let since = Duration::from_millis(250);
            let of_other = false;
            assert_eq!(
                found,
                Tombstone {
                    path,
                    since,
                    of_other
                }
            );
            assert!(tombstones.find(&answer, OTHER).unwrap().of_other);
        }
        assert_eq!(tombstones.find(&request(1000), SERVER), None);
    }

    #[test]
    fn any_number_of_them_takes_the_same_room() {
        let mut tombstones = Tombstones::default();
        for tag in 0..4 * TOMBSTONES_MAX as u32 {
            tombstones.bury(&request(tag), SERVER, Step::End);
        }
        let n = tombstones.sets.iter().flatten();
        assert!(n.filter(|slot| slot[1] != 0).count() <= TOMBSTONES_MAX);
    }

    #[test]
    fn one_answer_may_be_late_and_the_next_is_the_second() {
        let mut tombstones = Tombstones::default();
        tombstones.bury(&request(1), SERVER, Step::Leave);
        let verdict = |tombstones: &Tombstones| {
            let found = tombstones.find(&request(1), SERVER).unwrap();
            found.verdict().1
        };
        assert_eq!(verdict(&tombstones), "the requester has disconnected");
        tombstones.is_late(&request(1), Step::Part);
        assert_eq!(verdict(&tombstones), "the requester has disconnected");
        tombstones.is_late(&request(1), Step::End);
        assert_eq!(verdict(&tombstones), "it is not the first too late");
    }
}
