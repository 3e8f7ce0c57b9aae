//! Requests that wait for an answer: the one place that decides which responses pass.
//!
//! A response passes only if it answers a request that the broker has given to the link
//! over which it comes, and that is still open: with the same route stack, matchtag and
//! topic. Links are never used twice, so a process that was started again has nothing
//! of its predecessor's to answer until it is given it.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use wire::{Flags, Identity, Message};

use super::Hop;
use super::paths::{Path, Step, Tombstone, Tombstones};
use crate::limits::{
    JUDGED_PROVIDERS_MAX, PENDING_MAX, PENDING_OF_GUEST_MAX, PENDING_OF_GUESTS_MAX,
    PENDING_OF_ONE_MAX,
};

/// Requester.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester {
    pub link: Hop,
    /// The user, when it is a guest.
    pub guest: Option<u32>,
}

/// History of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past {
    /// The number that it got when it was delivered for the first time.
    pub number: Option<u64>,
    /// Processes that have died with it.
    pub deaths: usize,
}

/// A request that a provider has and has not finished answering.
#[derive(Debug)]
pub(crate) struct Call {
    /// As it was delivered, without the broker's own hop.
    pub request: Message,
    /// Order of first delivery.
    pub number: u64,
    /// True if a response has passed already.
    pub answered: bool,
    /// Processes that have died with it before.
    pub deaths: usize,
    /// Number of requests under this matchtag: each may be answered.
    times: usize,
}

/// Requests of one sender to one provider. The sender is a requester, or a program behind
/// it, told from others by the hops that the requester has put on the request.
type Talk = (Hop, Vec<Identity>);
/// The requests of a talk, by matchtag and topic.
type Calls = FxHashMap<Key, Call>;
/// Matchtag and topic.
type Key = (u32, Bytes);

fn n_of(calls: &Calls) -> usize {
    calls.values().map(|call| call.times).sum()
}

/// Requests of one requester.
#[derive(Debug, Default)]
struct Asked {
    guest: Option<u32>,
    n: usize,
    talks: FxHashMap<Talk, Calls>,
}

/// True if a request may be answered until either side leaves.
fn has_no_end(guest: Option<u32>, matchtag: u32) -> bool {
    matchtag == 0 && guest.is_none()
}

/// Limits of open requests: see `limits.rs`.
#[derive(Debug)]
struct Room {
    all: usize,
    of_one: usize,
    of_guests: usize,
    of_guest: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            all: PENDING_MAX,
            of_one: PENDING_OF_ONE_MAX,
            of_guests: PENDING_OF_GUESTS_MAX,
            of_guest: PENDING_OF_GUEST_MAX,
        }
    }
}

/// No room for another request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// All open requests.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    asked: FxHashMap<Hop, Asked>,
    /// Providers that were given something.
    given: FxHashMap<Hop, usize>,
    /// Of each guest, over all its connections.
    of_guest: FxHashMap<u32, usize>,
    of_guests: usize,
    n: usize,
    /// The number that the last request got.
    last_number: u64,
    room: Room,
    tombstones: Tombstones,
    /// Requests with a deadline: the time, the number, the requester, and the place in the
    /// table.
    expiring: BTreeMap<(u64, u64), (Hop, Talk, Key)>,
}

impl Pending {
    /// A table that gives out numbers from here on.
    pub fn numbered_from(number: u64) -> Pending {
        Pending {
            last_number: number,
            ..Pending::default()
        }
    }

    /// Opens `request`, which is about to be given to `provider`. One that the owner has
    /// sent with matchtag 0 may be answered any number of times until either side
    /// leaves: its protocol tells answers apart by their payload (RFC 27). All others
    /// get a number, and keep it when they are handed to a module's next process.
    pub fn open(
        &mut self,
        requester: Requester,
        provider: Hop,
        request: &Message,
        past: Past,
    ) -> Result<Option<u64>, Full> {
        if self.is_full(requester) {
            return Err(Full);
        }
        let number = past.number.unwrap_or_else(|| {
            self.last_number += 1;
            self.last_number
        });
        let call = Call {
            request: request.clone(),
            number,
            answered: false,
            deaths: past.deaths,
            times: 1,
        };
        let has_no_end = has_no_end(requester.guest, request.matchtag());
        let asked = self.asked.entry(requester.link).or_default();
        asked.guest = requester.guest;
        let talk = (provider, request.hops_below().to_vec());
        let key = (request.matchtag(), request.topic_bytes().clone());
        if request.deadline_ms != 0 {
            let place = (requester.link, talk.clone(), key.clone());
            self.expiring.insert((request.deadline_ms, number), place);
        }
        match asked.talks.entry(talk).or_default().entry(key) {
            Entry::Vacant(free) => drop(free.insert(call)),
            Entry::Occupied(_) if has_no_end => return Ok(None),
            // A sender that uses a matchtag twice may get two answers. It is unknown
            // which of the two requests a dying module has carried out: neither is
            // repeated.
            Entry::Occupied(mut open) => {
                let call = open.get_mut();
                call.times += 1;
                call.answered = true;
                self.expiring.remove(&(request.deadline_ms, number));
            }
        }
        asked.n += 1;
        self.n += 1;
        *self.given.entry(provider).or_default() += 1;
        if let Some(guest) = requester.guest {
            *self.of_guest.entry(guest).or_default() += 1;
            self.of_guests += 1;
        }
        Ok((!has_no_end).then_some(number))
    }

    fn is_full(&self, requester: Requester) -> bool {
        let of_one = self.asked.get(&requester.link).map_or(0, |asked| asked.n);
        let of_guest = |guest| self.of_guest.get(&guest).copied().unwrap_or(0);
        self.n >= self.room.all
            || of_one >= self.room.of_one
            || requester.guest.is_some_and(|guest| {
                self.of_guests >= self.room.of_guests || of_guest(guest) >= self.room.of_guest
            })
    }

    /// True if `response`, from `provider` to `requester`, passes. The last answer closes
    /// the request.
    pub fn answer(&mut self, requester: Hop, provider: Hop, response: &Message) -> bool {
        let Some(asked) = self.asked.get_mut(&requester) else {
            return false;
        };
        let talk = (provider, response.hops_below().to_vec());
        let Some(calls) = asked.talks.get_mut(&talk) else {
            return false;
        };
        let key = (response.matchtag(), response.topic_bytes().clone());
        let Some(call) = calls.get_mut(&key) else {
            return false;
        };
        let has_more = !response.ends_rpc() && call.request.has(Flags::STREAMING);
        if has_more || has_no_end(asked.guest, key.0) {
            call.answered = true;
            return true;
        }
        call.times -= 1;
        if call.times == 0 {
            self.tombstones.bury(response, provider, Step::End);
            if call.request.deadline_ms != 0 {
                let expiry = (call.request.deadline_ms, call.number);
                self.expiring.remove(&expiry);
            }
            calls.remove(&key);
            let is_over = calls.is_empty() && !talk.1.is_empty();
            if is_over {
                asked.talks.remove(&talk);
            }
        }
        asked.n -= 1;
        let guest = asked.guest;
        self.count_closed(guest, provider, 1);
        true
    }

    /// The sender of `disconnect` is done with `provider` and waits for nothing more.
    pub fn sender_left(&mut self, requester: Hop, provider: Hop, disconnect: &Message) {
        let Some(asked) = self.asked.get_mut(&requester) else {
            return;
        };
        let talk = (provider, disconnect.hops_below().to_vec());
        if let Some(calls) = asked.talks.remove(&talk) {
            asked.n -= n_of(&calls);
            let guest = asked.guest;
            self.count_closed(guest, provider, n_of(&calls));
            for call in calls.values() {
                self.close(call, provider, Step::Leave);
            }
        }
    }

    /// Handles the loss of a link: returns its requests in the order of delivery, each
    /// with the provider to notify.
    pub fn requester_left(&mut self, link: Hop) -> Vec<(Hop, Call)> {
        let Some(asked) = self.asked.remove(&link) else {
            return Vec::new();
        };
        let mut left = Vec::new();
        for ((provider, _), calls) in asked.talks {
            self.count_closed(asked.guest, provider, n_of(&calls));
            left.extend(calls.into_values().map(|call| (provider, call)));
        }
        left.sort_unstable_by_key(|(_, call)| call.number);
        for (provider, call) in &left {
            self.close(call, *provider, Step::Leave);
        }
        left
    }

    /// Handles the loss of a link: returns the requests given to it that lack a last
    /// answer, in the order of delivery. Requests without an end are left out: their
    /// senders notice in their own way.
    pub fn provider_left(&mut self, link: Hop) -> Vec<Call> {
        let mut left = Vec::new();
        if !self.given.contains_key(&link) {
            return left;
        }
        let mut closed = Vec::new();
        for asked in self.asked.values_mut() {
            let talks = asked.talks.extract_if(|(provider, _), _| *provider == link);
            let calls: Vec<Call> = talks.flat_map(|(_, calls)| calls.into_values()).collect();
            let n = calls.iter().map(|call| call.times).sum();
            asked.n -= n;
            closed.push((asked.guest, n));
            let has_end = |call: &Call| !has_no_end(asked.guest, call.request.matchtag());
            left.extend(calls.into_iter().filter(has_end));
        }
        for (guest, n) in closed {
            self.count_closed(guest, link, n);
        }
        self.given.remove(&link);
        left.sort_unstable_by_key(|call| call.number);
        for call in &left {
            self.close(call, link, Step::Lose);
        }
        left
    }

    /// Record of the way of an answer to `requester` for which nobody waits.
    pub fn judge(
        &mut self,
        requester: Option<Hop>,
        provider: Hop,
        response: &Message,
    ) -> Option<Tombstone> {
        let found = self.tombstones.find(response, provider);
        let step = match response.ends_rpc() {
            true => Step::End,
            false => Step::Part,
        };
        self.tombstones.is_late(response, step);
        found.or_else(|| self.open_with_other(requester?, provider, response))
    }

    /// True if another provider has been given the request that is answered here.
    fn open_with_other(
        &self,
        requester: Hop,
        provider: Hop,
        response: &Message,
    ) -> Option<Tombstone> {
        let talks = &self.asked.get(&requester)?.talks;
        let key = (response.matchtag(), response.topic_bytes().clone());
        let mut others = self.given.keys().filter(|other| **other != provider);
        let has_it = others.by_ref().take(JUDGED_PROVIDERS_MAX).any(|other| {
            let talk = (*other, response.hops_below().to_vec());
            talks
                .get(&talk)
                .is_some_and(|calls| calls.contains_key(&key))
        });
        has_it.then_some(Tombstone {
            path: Path::Open,
            since: Duration::ZERO,
            of_other: true,
        })
    }

    /// The time goes on.
    pub fn set_now(&mut self, now: Duration) {
        self.tombstones.set_now(now);
    }

    fn close(&mut self, call: &Call, provider: Hop, end: Step) {
        self.tombstones.bury(&call.request, provider, end);
        if call.request.deadline_ms != 0 {
            let expiry = (call.request.deadline_ms, call.number);
            self.expiring.remove(&expiry);
        }
    }

    /// Time at which the first request expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        let (first, _) = self.expiring.first_key_value()?;
        Some(Duration::from_millis(first.0))
    }

    /// Takes an expired request out of the table.
    pub fn take_expired(&mut self, now: Duration) -> Option<Message> {
        while self.next_expiry()? <= now {
            let (_, (requester, talk, key)) = self.expiring.pop_first()?;
            let Some(asked) = self.asked.get_mut(&requester) else {
                continue;
            };
            let calls = asked.talks.get_mut(&talk);
            let Some(call) = calls.and_then(|calls| calls.remove(&key)) else {
                continue;
            };
            asked.n -= call.times;
            if asked.talks.get(&talk).is_some_and(FxHashMap::is_empty) && !talk.1.is_empty() {
                asked.talks.remove(&talk);
            }
            let guest = asked.guest;
            self.count_closed(guest, talk.0, call.times);
            self.tombstones.bury(&call.request, talk.0, Step::Expire);
            return Some(call.request);
        }
        None
    }

    fn count_closed(&mut self, guest: Option<u32>, provider: Hop, n: usize) {
        self.n -= n;
        if let Some(given) = self.given.get_mut(&provider) {
            *given -= n;
        }
        let Some(guest) = guest else { return };
        self.of_guests -= n;
        if let Some(of_guest) = self.of_guest.get_mut(&guest) {
            *of_guest -= n;
            if *of_guest == 0 {
                self.of_guest.remove(&guest);
            }
        }
    }

    /// Number of them given to one provider.
    pub fn n_given(&self, provider: Hop) -> usize {
        self.given.get(&provider).copied().unwrap_or(0)
    }

    /// Number of open requests, for statistics.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Checks that all counts are those of the table.
    pub fn check(&self) {
        let mut given: FxHashMap<Hop, usize> = FxHashMap::default();
        for asked in self.asked.values() {
            for ((provider, _), calls) in &asked.talks {
                *given.entry(*provider).or_default() += n_of(calls);
            }
            assert_eq!(asked.n, asked.talks.values().map(n_of).sum::<usize>());
        }
        for (provider, n) in &self.given {
            assert_eq!(
                *n,
                given.get(provider).copied().unwrap_or(0),
                "{provider:?}"
            );
        }
        assert_eq!(self.n, given.values().sum::<usize>());
        for (requester, talk, key) in self.expiring.values() {
            let asked = self.asked.get(requester);
            let calls = asked.and_then(|asked| asked.talks.get(talk));
            assert!(
                calls.is_some_and(|calls| calls.contains_key(key)),
                "{key:?}"
            );
        }
        assert_eq!(self.of_guests, self.of_guest.values().sum::<usize>());
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
