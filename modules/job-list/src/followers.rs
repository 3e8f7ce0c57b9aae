//! Followers of jobs: each receives all jobs, and then of each change at once. Changes are kept in
//! one ring for all, so that a follower that does not take costs a place. One that is further
//! behind than the ring goes back receives all jobs again.

use std::collections::{BTreeMap, VecDeque};

use job_fold::{Job, List};
use node::{Cx, Peer, Stream, StreamId};
use proto::Coded as _;
use proto::data::job::{JobResult, State};
use proto::job_list::{Follow, FollowTaken, ListError};

use crate::JobList;
use crate::attrs::Attrs;
use crate::handlers::list::Page;
use crate::limits::{CHANGES_MAX, FOLLOW_SLICE_CHANGES, NEXT_TURN};
use crate::query::{Query, Walk};
use crate::scan::{Cursor, Scan, Turn, Wanted};
use crate::table::Table;

/// All followers.
#[derive(Debug, Default)]
pub struct Followers {
    streams: BTreeMap<StreamId, Follower>,
    changes: Changes,
    /// There is more to send, in another turn.
    is_slicing: bool,
}

/// One follower.
#[derive(Debug)]
pub struct Follower {
    pub stream: Stream<Follow>,
    pub peer: Peer,
    pub query: Query,
    pub since: f64,
    pub attrs: Attrs,
    /// Jobs in one response.
    pub chunk: usize,
    pub credit: Option<Credit>,
    place: Place,
}

/// Credit of a follower with a window.
#[derive(Debug, Clone, Copy)]
pub struct Credit {
    window: u64,
    sent: u64,
    taken: u64,
}

/// Progress of a follower.
#[derive(Debug)]
enum Place {
    /// The follower receives all jobs from the beginning, perhaps again.
    Begin { is_again: bool },
    /// Among all jobs; changes from this one on come then.
    Listing {
        scan: Box<Scan>,
        next: u64,
        is_again: bool,
    },
    /// At this change.
    Following { next: u64 },
}

/// The last changes. A place is the number of entries before it, and does not change.
#[derive(Debug, Default)]
struct Changes {
    ring: VecDeque<Change>,
    first: u64,
}

/// A job has changed.
#[derive(Debug, Clone, Copy)]
struct Change {
    id: u64,
    /// Previous state and result.
    before: (State, Option<JobResult>),
}

impl Changes {
    fn end(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    fn at(&self, place: u64) -> Option<&Change> {
        let at = place.checked_sub(self.first)?;
        self.ring.get(usize::try_from(at).ok()?)
    }

    fn push(&mut self, change: Change) {
        self.ring.push_back(change);
        if self.ring.len() > CHANGES_MAX {
            self.ring.pop_front();
            self.first += 1;
        }
    }

    /// Everything may have changed: nobody can go on where it was.
    fn forget(&mut self) {
        self.first = self.end() + 1;
        self.ring.clear();
    }
}

impl Credit {
    /// A window that nothing was sent of.
    pub fn new(window: u32) -> Credit {
        Credit {
            window: window.into(),
            sent: 0,
            taken: 0,
        }
    }
}

impl Followers {
    /// Open streams.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// True if nobody follows.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Open streams of a user.
    pub fn of_user(&self, userid: u32) -> usize {
        let its = self.streams.values();
        its.filter(|it| it.peer.userid == userid).count()
    }

    /// Takes one in.
    pub fn add(&mut self, follower: Follower) {
        self.streams.insert(follower.stream.id(), follower);
    }

    /// Drops a stream that has ended.
    pub fn closed(&mut self, stream: StreamId) {
        if let Some(follower) = self.streams.remove(&stream) {
            follower.stream.forget();
        }
        if self.streams.is_empty() {
            self.changes.forget();
        }
    }

    /// A job has changed, of which this was known before.
    pub fn note(&mut self, id: u64, before: (State, Option<JobResult>)) {
        if !self.streams.is_empty() {
            self.changes.push(Change { id, before });
        }
    }

    /// Any job may have changed.
    pub fn forget(&mut self) {
        self.changes.forget();
    }

    /// A follower has taken responses.
    pub fn taken(&mut self, peer: &Peer, request: &FollowTaken) {
        let mut its = self.streams.values_mut().filter(|it| {
            let is_its = it.peer.sender.is_some() && it.peer.sender == peer.sender;
            is_its && it.peer.matchtag == request.matchtag && peer.may_act_for(it.peer.userid)
        });
        if let Some(follower) = its.next()
            && let Some(credit) = &mut follower.credit
        {
            // Nobody takes what was not sent, or gives back what he took.
            credit.taken = request.taken.clamp(credit.taken, credit.sent);
        }
    }
}

impl Follower {
    /// One that has received nothing.
    pub fn new(
        stream: Stream<Follow>,
        peer: Peer,
        query: Query,
        attrs: Attrs,
        request: &Follow,
        chunk: usize,
    ) -> Follower {
        Follower {
            stream,
            peer,
            query,
            since: request.since.unwrap_or_default(),
            attrs,
            chunk,
            credit: request.window.map(Credit::new),
            place: Place::Begin { is_again: false },
        }
    }

    fn has_credit(&self) -> bool {
        self.credit.is_none_or(|it| it.sent - it.taken < it.window)
    }

    fn send(&mut self, cx: &mut Cx<JobList>, page: &mut Page, tail: &str) {
        if page.jobs == 0 && tail.is_empty() {
            return;
        }
        if let Some(credit) = &mut self.credit {
            credit.sent += 1;
        }
        self.stream.send_bytes(cx, page.take(tail));
    }

    /// Sends one slice, as far as allowed now; returns whether there is more, for another
    /// turn.
    fn serve(
        &mut self,
        cx: &mut Cx<JobList>,
        table: &Table,
        changes: &Changes,
        budget: Option<u64>,
    ) -> Result<bool, ListError> {
        if !self.has_credit() {
            return Ok(false);
        }
        match std::mem::replace(&mut self.place, Place::Begin { is_again: true }) {
            Place::Begin { is_again } => {
                let only_of = cx.is_private_to(&self.peer).then(|| self.peer.clone());
                let wanted = Wanted {
                    max_entries: usize::MAX,
                    since: self.since,
                    query: self.query.clone(),
                    only_of,
                };
                let scan = Box::new(Scan::new(wanted, budget, Some(Cursor::FIRST)));
                self.notify_all(cx, table, scan, changes.end(), is_again)
            }
            Place::Listing {
                scan,
                next,
                is_again,
            } => self.notify_all(cx, table, scan, next, is_again),
            Place::Following { next } if next < changes.first => Ok(true),
            Place::Following { next } => Ok(self.send_changes(cx, table, changes, next)),
        }
    }

    fn notify_all(
        &mut self,
        cx: &mut Cx<JobList>,
        table: &Table,
        mut scan: Box<Scan>,
        next: u64,
        is_again: bool,
    ) -> Result<bool, ListError> {
        let mut page = Page::new(false);
        let turn = scan.slice(table, self.chunk, &mut |job: &Job| {
            page.push(job, &self.attrs);
            Ok(())
        })?;
        let is_done = turn != Turn::More;
        let is_sent = page.jobs > 0 || is_done;
        let tail = match (is_again && is_sent, is_done) {
            (true, true) => r#","again":true,"listed":true"#,
            (true, false) => r#","again":true"#,
            (false, true) => r#","listed":true"#,
            (false, false) => "",
        };
        self.send(cx, &mut page, tail);
        self.place = match is_done {
            true => Place::Following { next },
            false => Place::Listing {
                scan,
                next,
                is_again: is_again && !is_sent,
            },
        };
        Ok(true)
    }

    fn send_changes(
        &mut self,
        cx: &mut Cx<JobList>,
        table: &Table,
        changes: &Changes,
        mut next: u64,
    ) -> bool {
        let mut page = Page::new(false);
        let mut walk = Walk::new(None);
        let end = changes.end().min(next + FOLLOW_SLICE_CHANGES);
        while next < end && page.jobs < self.chunk {
            let change = changes.at(next);
            next += 1;
            let told = change.and_then(|change| self.told(cx, table, &mut walk, change));
            if let Some(job) = told {
                page.push(job, &self.attrs);
            }
        }
        self.send(cx, &mut page, "");
        self.place = Place::Following { next };
        next < changes.end()
    }

    /// The job of a change, if it is or was among the followed jobs.
    fn told<'a>(
        &self,
        cx: &Cx<JobList>,
        table: &'a Table,
        walk: &mut Walk,
        change: &Change,
    ) -> Option<&'a Job> {
        let job = table.get(change.id)?;
        if job.list() == List::Processing || cx.hides(&self.peer, job.userid) {
            return None;
        }
        let mut is_meant = |job: &Job| walk.matches(&self.query, job).unwrap_or(true);
        let was_meant = |mut was: Job, is_meant: &mut dyn FnMut(&Job) -> bool| {
            (was.state, was.result) = change.before;
            is_meant(&was)
        };
        (is_meant(job) || was_meant(job.clone(), &mut is_meant)).then_some(job)
    }
}

impl JobList {
    /// Sends followers the allowed data, each a slice in a turn.
    pub(crate) fn serve_followers(&mut self, cx: &mut Cx<Self>) {
        let followers = &mut self.followers;
        if followers.is_empty() || followers.is_slicing || !self.feed.is_initialized() {
            return;
        }
        let budget = self.settings.comparisons;
        let (mut is_more, mut refused) = (false, Vec::new());
        for (id, follower) in &mut followers.streams {
            match follower.serve(cx, &self.table, &followers.changes, budget) {
                Ok(more) => is_more |= more,
                Err(error) => refused.push((*id, error)),
            }
        }
        for (id, error) in refused {
            if let Some(follower) = followers.streams.remove(&id) {
                follower.stream.end(cx, Err(error.refusal()));
            }
        }
        if is_more {
            followers.is_slicing = true;
            cx.timer(NEXT_TURN, |core: &mut JobList, cx| {
                core.followers.is_slicing = false;
                core.serve_followers(cx);
            });
        }
    }
}
