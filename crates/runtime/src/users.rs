//! User database lookups, on a thread of their own: a directory server may take its time,
//! and only the users being looked up wait for it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use nix::unistd::{Uid, User, getgrouplist};
use node::{PeerId, WorkId};

use crate::limits::{LOOKUPS_MAX, USER_EXPIRY_S, USERS_KNOWN_MAX};
use crate::poller::Poller;
use crate::worker::WorkerThread;

/// Asks for the groups of a user.
pub type Lookup = Box<dyn Fn(u32) -> Vec<u32> + Send>;

/// The groups of a user, main one first; empty when the system does not know it.
fn groups_of(uid: u32) -> Vec<u32> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return Vec::new();
    };
    let Ok(name) = CString::new(user.name) else {
        return Vec::new();
    };
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().map(|gid| gid.as_raw()).collect()
}

/// Groups of a user, as far as known.
#[derive(Debug, PartialEq, Eq)]
pub enum Groups {
    /// These, main one first.
    Known(Vec<u32>),
    /// The groups are being looked up: [`Directory::take`] gives them.
    Asked,
    /// Too many look-ups wait.
    Busy,
}

/// The look-ups under way and the results of earlier ones.
pub struct Directory {
    lookup: Option<Lookup>,
    thread: Option<WorkerThread<Lookup>>,
    known: BTreeMap<u32, (Vec<u32>, Duration)>,
    waiting: BTreeMap<u32, Vec<PeerId>>,
}

impl Default for Directory {
    fn default() -> Directory {
        Directory::new(Box::new(groups_of))
    }
}

impl Directory {
    /// A directory that asks `lookup`.
    pub fn new(lookup: Lookup) -> Directory {
        Directory {
            lookup: Some(lookup),
            thread: None,
            known: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// The groups of a user for a client. Our own user needs none: the owner is let in by
    /// its id. Once a thread looks something up, the poller reports `token` when it is done.
    pub fn ask(
        &mut self,
        uid: u32,
        peer: PeerId,
        now: Duration,
        (poller, token): (&Poller, u64),
    ) -> Groups {
        if uid == Uid::effective().as_raw() {
            return Groups::Known(Vec::new());
        }
        match self.known.get(&uid) {
            Some((groups, until)) if *until > now => return Groups::Known(groups.clone()),
            _ => {}
        }
        if let Some(peers) = self.waiting.get_mut(&uid) {
            peers.push(peer);
            return Groups::Asked;
        }
        if self.waiting.len() >= LOOKUPS_MAX {
            return Groups::Busy;
        }
        if let Some(lookup) = self.lookup.take() {
            let started = WorkerThread::start(move || lookup);
            match started.and_then(|thread| poller.add(thread.fd(), token).map(|()| thread)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => tracing::error!("cannot look up users: {error}"),
            }
        }
        let Some(thread) = &self.thread else {
            return Groups::Busy;
        };
        let job = move |lookup: &mut Lookup| Box::new(lookup(uid)) as node::WorkResult;
        thread.give(WorkId(uid.into()), Box::new(job));
        self.waiting.insert(uid, vec![peer]);
        Groups::Asked
    }

    /// Takes finished lookups, with the peers that they are for.
    pub fn take(&mut self, now: Duration) -> Vec<(PeerId, Vec<u32>)> {
        let results = self.thread.as_ref().map_or(Vec::new(), WorkerThread::take);
        let mut done = Vec::new();
        for (WorkId(uid), result) in results {
            let (Ok(uid), Ok(groups)) = (u32::try_from(uid), result.downcast::<Vec<u32>>()) else {
                continue;
            };
            if self.known.len() >= USERS_KNOWN_MAX {
                self.known.clear();
            }
            let until = now + Duration::from_secs(USER_EXPIRY_S);
            for peer in self.waiting.remove(&uid).unwrap_or_default() {
                done.push((peer, (*groups).clone()));
            }
            self.known.insert(uid, (*groups, until));
        }
        done
    }
}

impl Drop for Directory {
    /// The end of the process does not wait for a directory server.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const TOKEN: u64 = 1;
    const START: Duration = Duration::from_secs(100);

    /// Waits until something was looked up.
    fn next(
        directory: &mut Directory,
        poller: &mut Poller,
        now: Duration,
    ) -> Vec<(PeerId, Vec<u32>)> {
        loop {
            poller.wait(None).unwrap();
            let done = directory.take(now);
            if !done.is_empty() {
                return done;
            }
        }
    }

    #[test]
    fn a_slow_server_holds_up_only_those_it_is_asked_about() {
        let uid = |n| Uid::effective().as_raw() + n;
        let (let_go, gate) = channel();
        let slow = move |uid| {
            gate.recv().unwrap_or(());
            vec![uid, 5]
        };
        let mut directory = Directory::new(Box::new(slow));
        let mut poller = Poller::new().unwrap();
        let ask = |directory: &mut Directory, uid, peer, now| {
            directory.ask(uid, PeerId(peer), now, (&Poller::new().unwrap(), TOKEN))
        };
        assert_eq!(
            directory.ask(uid(1), PeerId(1), START, (&poller, TOKEN)),
            Groups::Asked
        );
        assert_eq!(ask(&mut directory, uid(1), 2, START), Groups::Asked);
        // We ourselves need no answer.
        assert_eq!(
            ask(&mut directory, uid(0), 3, START),
            Groups::Known(Vec::new())
        );
        assert!(directory.take(START).is_empty());

        let_go.send(()).unwrap();
        let groups = vec![uid(1), 5];
        let done = next(&mut directory, &mut poller, START);
        assert_eq!(
            done,
            [(PeerId(1), groups.clone()), (PeerId(2), groups.clone())]
        );
        // Known for a while.
        assert_eq!(ask(&mut directory, uid(1), 4, START), Groups::Known(groups));
        let later = START + Duration::from_secs(USER_EXPIRY_S);
        assert_eq!(ask(&mut directory, uid(1), 5, later), Groups::Asked);

        for n in 2..=u32::try_from(LOOKUPS_MAX).unwrap() {
            assert_eq!(ask(&mut directory, uid(n), 6, later), Groups::Asked);
        }
        assert_eq!(ask(&mut directory, uid(9999), 7, later), Groups::Busy);
        // And dropping it does not wait for the server, which never answers.
    }
}
