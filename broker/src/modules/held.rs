//! Requests that wait for a module to come back, in the order in which they came. Guests
//! have a share of the queue, so that one of them cannot take the room of others.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::time::Duration;

use rustc_hash::FxHashMap;
use wire::{Message, Role};

use crate::limits::{HELD_OF_GUEST_MAX, HELD_OF_GUESTS_MAX, HELD_REQUESTS_MAX};
use crate::router::Past;

/// A request that waits for the module to come back.
#[derive(Clone)]
pub(crate) struct Held {
    pub request: Message,
    pub until: Duration,
    pub past: Past,
}

impl Held {
    /// The user who asks, when it is a guest.
    fn guest(&self) -> Option<u32> {
        let is_owner = self.request.rolemask.meets(Role::OWNER);
        (!is_owner).then_some(self.request.userid)
    }
}

/// Requests held for one module.
#[derive(Default)]
pub(crate) struct HeldQueue {
    queue: VecDeque<Held>,
    of_guest: FxHashMap<u32, usize>,
    of_guests: usize,
}

impl HeldQueue {
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn front(&self) -> Option<&Held> {
        self.queue.front()
    }

    /// Adds a request; `false` when there is no room for it.
    #[must_use]
    pub fn push(&mut self, held: &Held) -> bool {
        let has_room = !self.is_full_for(held.guest());
        if has_room {
            self.count(held);
            self.queue.push_back(held.clone());
        }
        has_room
    }

    /// Takes the request that came first.
    pub fn pop(&mut self) -> Option<Held> {
        let held = self.queue.pop_front()?;
        if let Some(guest) = held.guest() {
            self.of_guests -= 1;
            if let Entry::Occupied(mut n) = self.of_guest.entry(guest) {
                *n.get_mut() -= 1;
                if *n.get() == 0 {
                    n.remove();
                }
            }
        }
        Some(held)
    }

    /// Puts requests that the module has had already in front of the others. There is
    /// room for them: the requests of a module are bounded by the table of open requests.
    pub fn put_in_front(&mut self, mut again: VecDeque<Held>) {
        again.iter().for_each(|held| self.count(held));
        again.append(&mut self.queue);
        self.queue = again;
    }

    /// Takes the expired requests.
    pub fn take_expired(&mut self, is_expired: impl Fn(&Message) -> bool) -> Vec<Message> {
        if !self.queue.iter().any(|held| is_expired(&held.request)) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        for held in self.take() {
            match is_expired(&held.request) {
                true => expired.push(held.request),
                false => {
                    self.count(&held);
                    self.queue.push_back(held);
                }
            }
        }
        expired
    }

    /// Time at which the first of them expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        let deadlines = self.queue.iter().map(|held| held.request.deadline_ms);
        let first = deadlines.filter(|deadline| *deadline != 0).min()?;
        Some(Duration::from_millis(first))
    }

    /// Takes all requests.
    pub fn take(&mut self) -> VecDeque<Held> {
        std::mem::take(self).queue
    }

    fn count(&mut self, held: &Held) {
        if let Some(guest) = held.guest() {
            self.of_guests += 1;
            *self.of_guest.entry(guest).or_default() += 1;
        }
    }

    fn is_full_for(&self, guest: Option<u32>) -> bool {
        let of_guest = |guest| self.of_guest.get(&guest).copied().unwrap_or(0);
        self.queue.len() >= HELD_REQUESTS_MAX
            || guest.is_some_and(|guest| {
                self.of_guests >= HELD_OF_GUESTS_MAX || of_guest(guest) >= HELD_OF_GUEST_MAX
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(userid: u32, rolemask: Role) -> Held {
        let mut request = Message::request("kvs.lookup", 1);
        (request.userid, request.rolemask) = (userid, rolemask);
        Held {
            request,
            until: Duration::ZERO,
            past: Past::default(),
        }
    }

    /// Number of `n` requests of a user that find room.
    fn check(queue: &mut HeldQueue, userid: u32, rolemask: Role, n: usize) -> usize {
        (0..n)
            .filter(|_| queue.push(&held(userid, rolemask)))
            .count()
    }

    #[test]
    fn one_guest_and_all_guests_have_a_share_and_the_owner_the_rest() {
        let mut queue = HeldQueue::default();
        let all = HELD_REQUESTS_MAX + 1;
        assert_eq!(check(&mut queue, 7, Role::USER, all), HELD_OF_GUEST_MAX);
        let guests = (8..8 + HELD_OF_GUESTS_MAX as u32).map(|userid| {
            let more = HELD_OF_GUEST_MAX / 2;
            check(&mut queue, userid, Role::USER, more)
        });
        let others = HELD_OF_GUESTS_MAX - HELD_OF_GUEST_MAX;
        assert_eq!(guests.sum::<usize>(), others);
        let rest = HELD_REQUESTS_MAX - HELD_OF_GUESTS_MAX;
        assert_eq!(check(&mut queue, 7, Role::OWNER, all), rest);
    }

    #[test]
    fn room_that_was_left_can_be_taken_again() {
        let mut queue = HeldQueue::default();
        check(&mut queue, 7, Role::USER, HELD_OF_GUEST_MAX);
        queue.put_in_front([held(7, Role::USER)].into());
        assert_eq!(check(&mut queue, 7, Role::USER, 1), 0);
        assert!(queue.pop().is_some() && queue.pop().is_some());
        assert_eq!(check(&mut queue, 7, Role::USER, 2), 1);
        assert_eq!(queue.take().len(), HELD_OF_GUEST_MAX);
        assert_eq!(check(&mut queue, 7, Role::USER, 1), 1);
    }

    #[test]
    fn those_whose_time_is_over_leave_room() {
        let mut queue = HeldQueue::default();
        let n = HELD_OF_GUEST_MAX;
        assert_eq!(check(&mut queue, 7, Role::USER, n - 2), n - 2);
        for deadline_ms in [20, 10] {
            let mut held = held(7, Role::USER);
            held.request.deadline_ms = deadline_ms;
            assert!(queue.push(&held));
        }
        assert_eq!(check(&mut queue, 7, Role::USER, 1), 0);
        assert_eq!(queue.next_expiry(), Some(Duration::from_millis(10)));
        let is_expired = |request: &Message| request.deadline_ms == 10;
        assert_eq!(queue.take_expired(is_expired).len(), 1);
        assert_eq!(queue.take_expired(is_expired).len(), 0);
        assert_eq!(queue.next_expiry(), Some(Duration::from_millis(20)));
        assert_eq!(check(&mut queue, 7, Role::USER, 2), 1);
    }
}
