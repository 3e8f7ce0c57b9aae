//! Memory for messages: one budget for all that clients send and do not read.
//!
//! Each user has an account. A [`Charge`] on it stands for bytes that are held on the user's
//! behalf: the received part of an unfinished message, messages waiting to be read, and,
//! through [`Charge::keep`], a message for as long as the process has a slice of it. Charges
//! are made first and judged then, so that no path can forget to undo one:
//! [`Budget::excess`] returns when a client must be disconnected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use crate::shares::{Class, Shares, Whose};

/// Bytes held in sum. Atomic, because a message may be dropped by the worker thread.
#[derive(Debug, Default)]
struct Sums {
    own: AtomicUsize,
    owner: AtomicUsize,
    guests: AtomicUsize,
}

/// Memory charged to one user.
#[derive(Debug)]
pub struct Account {
    uid: u32,
    class: Class,
    held: AtomicUsize,
    sums: Arc<Sums>,
}

impl Account {
    /// The user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    fn sum(&self) -> &AtomicUsize {
        match self.class {
            Class::Own => &self.sums.own,
            Class::Owner => &self.sums.owner,
            Class::Guest => &self.sums.guests,
        }
    }
}

/// Bytes on an account, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Charge {
    /// A charge of nothing yet.
    pub fn on(account: Arc<Account>) -> Charge {
        Charge { account, bytes: 0 }
    }

    /// Account that it is charged to.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it `bytes`.
    pub fn set(&mut self, bytes: usize) {
        for sum in [&self.account.held, self.account.sum()] {
            match bytes.checked_sub(self.bytes) {
                Some(more) => sum.fetch_add(more, Relaxed),
                None => sum.fetch_sub(self.bytes - bytes, Relaxed),
            };
        }
        self.bytes = bytes;
    }

    /// The same bytes, charged to this account until the last slice of them is dropped.
    pub fn keep(&self, bytes: Bytes) -> Bytes {
        let mut charge = Charge::on(self.account.clone());
        charge.set(bytes.len());
        Bytes::from_owner(Kept {
            bytes,
            _charge: charge,
        })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

struct Kept {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Somebody holds more than there is for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// Holder.
    pub whose: Whose,
    /// Bytes that they hold.
    pub held: usize,
    /// Limit in bytes.
    pub limit: usize,
}

/// All accounts of a process.
#[derive(Debug)]
pub struct Budget {
    shares: Shares,
    owner: u32,
    sums: Arc<Sums>,
    own: Arc<Account>,
    users: BTreeMap<u32, Arc<Account>>,
}

impl Budget {
    /// A budget of `bytes` for an instance of user `owner`.
    pub fn new(bytes: usize, owner: u32) -> Budget {
        let sums = Arc::<Sums>::default();
        Budget {
            shares: Shares::of(bytes),
            owner,
            own: Arc::new(Account {
                uid: owner,
                class: Class::Own,
                held: AtomicUsize::default(),
                sums: sums.clone(),
            }),
            sums,
            users: BTreeMap::new(),
        }
    }

    /// The account of the broker and its modules.
    pub fn own(&self) -> Arc<Account> {
        self.own.clone()
    }

    /// The account of a user.
    pub fn of(&mut self, uid: u32) -> Arc<Account> {
        self.users
            .retain(|_, account| Arc::strong_count(account) > 1);
        let class = match uid == self.owner {
            true => Class::Owner,
            false => Class::Guest,
        };
        let account = self.users.entry(uid).or_insert_with(|| {
            Arc::new(Account {
                uid,
                class,
                held: AtomicUsize::default(),
                sums: self.sums.clone(),
            })
        });
        account.clone()
    }

    /// Excess of the holder of `account`, or of a group that it belongs to. Modules never
    /// do: their memory is taken from the share of clients, up to a half.
    pub fn excess(&self, account: &Account) -> Option<Excess> {
        let over = |whose, held, taken| {
            let limit = self.shares.limit(whose) - taken;
            (held > limit).then_some(Excess { whose, held, limit })
        };
        let guests = self.sums.guests.load(Relaxed);
        let all = || {
            let own = self.sums.own.load(Relaxed);
            let taken = own.min(self.shares.limit(Whose::All) / 2);
            over(Whose::All, guests + self.sums.owner.load(Relaxed), taken)
        };
        match account.class {
            Class::Own => None,
            Class::Owner => all(),
            Class::Guest => over(Whose::User(account.uid), account.held.load(Relaxed), 0)
                .or_else(|| over(Whose::Guests, guests, 0))
                .or_else(all),
        }
    }

    /// True if the holder of `account` is one of `whose`.
    pub fn is_of(account: &Account, whose: Whose) -> bool {
        match (account.class, whose) {
            (Class::Own, _) => false,
            (_, Whose::User(uid)) => account.uid == uid,
            (class, Whose::Guests) => class == Class::Guest,
            (_, Whose::All) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u32 = 1;

    /// Charges users in turn; checks the excess after the last.
    fn check(charges: &[(Option<u32>, usize)], want: Option<(Whose, usize, usize)>) {
        let mut budget = Budget::new(400, OWNER);
        let mut kept = Vec::new();
        let mut last = None;
        for (uid, bytes) in charges {
            let account = uid.map_or(budget.own(), |uid| budget.of(uid));
            let mut charge = Charge::on(account.clone());
            charge.set(*bytes);
            kept.push(charge);
            last = budget.excess(&account);
        }
        let want = want.map(|(whose, held, limit)| Excess { whose, held, limit });
        assert_eq!(last, want, "{charges:?}");
    }

    #[test]
    fn guests_have_shares_and_the_owner_has_what_they_leave() {
        check(&[(Some(7), 100)], None);
        check(&[(Some(7), 101)], Some((Whose::User(7), 101, 100)));
        check(
            &[(Some(7), 60), (Some(7), 60)],
            Some((Whose::User(7), 120, 100)),
        );
        let guests = [(Some(7), 100), (Some(8), 100)];
        check(&guests, None);
        check(
            &[guests[0], guests[1], (Some(9), 1)],
            Some((Whose::Guests, 201, 200)),
        );
        check(&[guests[0], guests[1], (Some(OWNER), 200)], None);
        check(
            &[guests[0], guests[1], (Some(OWNER), 201)],
            Some((Whose::All, 401, 400)),
        );
        check(&[(Some(OWNER), 400)], None);
    }

    #[test]
    fn what_modules_hold_is_nobodys_fault_and_leaves_clients_a_half() {
        check(&[(None, 1000)], None);
        check(&[(None, 1000), (Some(OWNER), 200)], None);
        check(
            &[(None, 1000), (Some(OWNER), 201)],
            Some((Whose::All, 201, 200)),
        );
        check(
            &[(None, 10), (Some(OWNER), 391)],
            Some((Whose::All, 391, 390)),
        );
    }

    #[test]
    fn a_kept_message_is_charged_until_its_last_slice_is_gone() {
        let mut budget = Budget::new(400, OWNER);
        let charge = Charge::on(budget.of(7));
        let kept = charge.keep(Bytes::from(vec![1; 300]));
        let slice = kept.slice(290..);
        drop(kept);
        assert!(budget.excess(charge.account()).is_some());
        drop(slice);
        assert_eq!(budget.excess(charge.account()), None);
    }
}
