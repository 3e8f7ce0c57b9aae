//! Limits of client connections: in total, by class, by user and by process.

use std::collections::BTreeMap;

use crate::shares::{Shares, Whose};

/// Reason for refusing a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// User, all guests or all clients have as many as they may.
    #[error("{} have {limit} connections, the maximum", match .whose {
        Whose::User(_) => "this user's programs",
        Whose::Guests => "all guests",
        Whose::All => "all clients",
    })]
    Share {
        /// Holder.
        whose: Whose,
        /// Maximum number of connections.
        limit: usize,
    },
    /// One process has as many as it may: the same user's other programs need some.
    #[error("this process has {0} connections, the maximum")]
    Process(usize),
}

/// The connections that there are.
#[derive(Debug)]
pub struct Seats {
    shares: Shares,
    owner: u32,
    all: usize,
    guests: usize,
    users: BTreeMap<u32, usize>,
    processes: BTreeMap<i32, usize>,
}

impl Seats {
    /// Room for `max` connections to an instance of user `owner`.
    pub fn new(max: usize, owner: u32) -> Seats {
        Seats {
            shares: Shares::of(max),
            owner,
            all: 0,
            guests: 0,
            users: BTreeMap::new(),
            processes: BTreeMap::new(),
        }
    }

    /// One more connection of a process.
    pub fn take(&mut self, uid: u32, pid: i32) -> Result<(), Full> {
        let is_guest = uid != self.owner;
        let of_user = self.users.get(&uid).copied().unwrap_or(0);
        let of_process = self.processes.get(&pid).copied().unwrap_or(0);
        let has_room = |whose, n| {
            let limit = self.shares.limit(whose);
            (n < limit)
                .then_some(())
                .ok_or(Full::Share { whose, limit })
        };
        if is_guest {
            has_room(Whose::User(uid), of_user)?;
            has_room(Whose::Guests, self.guests)?;
        }
        has_room(Whose::All, self.all)?;
        let limit = self.shares.limit(Whose::All) / 2;
        if of_process >= limit {
            return Err(Full::Process(limit));
        }
        self.all += 1;
        self.guests += usize::from(is_guest);
        self.users.insert(uid, of_user + 1);
        self.processes.insert(pid, of_process + 1);
        Ok(())
    }

    /// Removes a connection.
    pub fn leave(&mut self, uid: u32, pid: i32) {
        self.all -= 1;
        self.guests -= usize::from(uid != self.owner);
        count_down(&mut self.users, uid);
        count_down(&mut self.processes, pid);
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(n) = counts.get_mut(&key) {
        *n -= 1;
        if *n == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u32 = 1;

    /// Programs come in, each a row of user, process and number of connections.
    fn check(rows: &[(u32, i32, usize)], want: Result<(), Full>) {
        let mut seats = Seats::new(40, OWNER);
        let all = rows
            .iter()
            .flat_map(|(uid, pid, n)| std::iter::repeat_n((*uid, *pid), *n));
        let all: Vec<(u32, i32)> = all.collect();
        let (last, before) = all.split_last().unwrap();
        for (uid, pid) in before {
            assert_eq!(seats.take(*uid, *pid), Ok(()), "{rows:?}");
        }
        assert_eq!(seats.take(last.0, last.1), want, "{rows:?}");
    }

    #[test]
    fn guests_processes_and_all_have_their_limits() {
        let full = |whose, limit| Err(Full::Share { whose, limit });
        check(&[(7, 1, 10)], Ok(()));
        check(&[(7, 1, 10), (7, 2, 1)], full(Whose::User(7), 10));
        check(
            &[(7, 1, 10), (8, 2, 10), (9, 3, 1)],
            full(Whose::Guests, 20),
        );
        check(&[(7, 1, 10), (8, 2, 10), (OWNER, 3, 20)], Ok(()));
        check(&[(OWNER, 1, 20)], Ok(()));
        check(&[(OWNER, 1, 21)], Err(Full::Process(20)));
        check(&[(OWNER, 1, 20), (OWNER, 2, 20)], Ok(()));
        check(
            &[(OWNER, 1, 20), (OWNER, 2, 20), (OWNER, 3, 1)],
            full(Whose::All, 40),
        );
    }

    #[test]
    fn who_leaves_makes_room() {
        let mut seats = Seats::new(4, OWNER);
        assert_eq!(seats.take(7, 1), Ok(()));
        assert!(seats.take(7, 1).is_err());
        seats.leave(7, 1);
        assert_eq!(seats.take(7, 1), Ok(()));
    }
}
