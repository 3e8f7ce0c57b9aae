//! A walk over the jobs that a request is after, some in a turn, so that a search among a million
//! does not keep others waiting. The position is a place in an order and not in memory: it goes
//! on there regardless of changes to jobs meanwhile.

use job_fold::{Job, List};
use node::Peer;
use proto::job_list::ListError;

use crate::groups::Ended;
use crate::limits::LIST_SLICE_LOOKED;
use crate::query::{self, Query, TooMany, Walk};
use crate::table::Table;

/// Parameters of the search.
#[derive(Debug)]
pub struct Wanted {
    /// Maximum number of jobs.
    pub max_entries: usize,
    /// Only inactive jobs that ended later.
    pub since: f64,
    /// Selection of jobs.
    pub query: Query,
    /// Only jobs that this peer may act for.
    pub only_of: Option<Peer>,
}

/// A walk.
#[derive(Debug)]
pub struct Scan {
    wanted: Wanted,
    lists: u8,
    walk: Walk,
    place: Place,
    found: usize,
}

/// Position at which a walk goes on.
#[derive(Debug, Clone)]
enum Place {
    /// The scan has not begun; the order is that of the lists.
    Begin,
    /// Among jobs that were active at its beginning, then those that had ended by then.
    Listed(std::vec::IntoIter<u64>, Ended),
    /// A place that can be named.
    Named(Cursor),
    /// The scan has ended.
    Done,
}

/// A place in the order of pages: active jobs by id, then inactive ones, the last first. A job
/// is in it once, but that it may be shown again when it has ended between two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Active jobs from this id on, then the others.
    Active(u64),
    /// Jobs that ended before.
    Ended(Ended),
}

/// Result of a slice.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is more, for another turn.
    More,
    /// There is no more.
    Done,
    /// There may be more than was wanted, after this.
    Full(Cursor),
}

/// One slice's work.
struct Slice<'a, E> {
    looked: usize,
    /// Jobs that may still be given out in this turn.
    room: usize,
    emit: &'a mut E,
}

impl Cursor {
    /// The first place.
    pub const FIRST: Cursor = Cursor::Active(0);

    /// As a text.
    pub fn encode(self) -> String {
        match self {
            Cursor::Active(id) => format!("a{id:x}"),
            Cursor::Ended(Ended(bits, id)) => format!("e{bits:x}.{id:x}"),
        }
    }

    /// Reads a text; an empty one is the first place.
    pub fn decode(text: &str) -> Option<Cursor> {
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        if text.is_empty() {
            return Some(Cursor::FIRST);
        }
        if let Some(id) = text.strip_prefix('a') {
            return Some(Cursor::Active(number(id)?));
        }
        let (bits, id) = text.strip_prefix('e')?.split_once('.')?;
        Some(Cursor::Ended(Ended(number(bits)?, number(id)?)))
    }
}

impl Scan {
    /// A walk in the order of the lists, or from a place on.
    pub fn new(wanted: Wanted, budget: Option<u64>, from: Option<Cursor>) -> Scan {
        Scan {
            lists: query::lists(&wanted.query),
            walk: Walk::new(budget),
            place: from.map_or(Place::Begin, Place::Named),
            found: 0,
            wanted,
        }
    }

    /// Gives out jobs until `room` is used or enough were looked at.
    pub fn slice<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        table: &Table,
        room: usize,
        emit: &mut E,
    ) -> Result<Turn, ListError> {
        let mut slice = Slice {
            looked: 0,
            room,
            emit,
        };
        loop {
            let turn = match std::mem::replace(&mut self.place, Place::Done) {
                Place::Begin => self.begin(table, &mut slice)?,
                Place::Listed(ids, end) => self.go_on_listed(table, ids, end, &mut slice)?,
                Place::Named(Cursor::Active(id)) => self.active_from(table, id, &mut slice)?,
                Place::Named(Cursor::Ended(end)) => self.ended_before(table, end, &mut slice)?,
                Place::Done => Some(Turn::Done),
            };
            if let Some(turn) = turn {
                return Ok(turn);
            }
        }
    }

    fn has(&self, list: List) -> bool {
        self.lists & query::list_bit(list) != 0
    }

    /// Walks the lists as they are; jobs that do not fit in this turn are remembered by
    /// id.
    fn begin<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        table: &Table,
        slice: &mut Slice<'_, E>,
    ) -> Result<Option<Turn>, ListError> {
        let last = table.newest(|_| true, Ended::LAST).next();
        let end = last.map_or(Ended(0, 0), |job| Ended::of(job).next());
        let lists = [List::Pending, List::Running];
        let lists = lists.into_iter().filter(|list| self.has(*list));
        let mut jobs = lists
            .collect::<Vec<_>>()
            .into_iter()
            .flat_map(|list| table.list(list));
        while let Some(job) = jobs.next() {
            let at = Cursor::Active(job.id.saturating_add(1));
            if let Some(turn) = self.look(job, at, slice)? {
                let rest: Vec<u64> = jobs.map(|job| job.id).collect();
                self.place = Place::Listed(rest.into_iter(), end);
                return Ok(Some(turn));
            }
        }
        self.place = Place::Named(Cursor::Ended(end));
        Ok(None)
    }

    fn go_on_listed<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        table: &Table,
        mut ids: std::vec::IntoIter<u64>,
        end: Ended,
        slice: &mut Slice<'_, E>,
    ) -> Result<Option<Turn>, ListError> {
        while let Some(id) = ids.next() {
            let Some(job) = table.get(id) else { continue };
            let at = Cursor::Active(id.saturating_add(1));
            if let Some(turn) = self.look(job, at, slice)? {
                self.place = Place::Listed(ids, end);
                return Ok(Some(turn));
            }
        }
        self.place = Place::Named(Cursor::Ended(end));
        Ok(None)
    }

    fn active_from<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        table: &Table,
        id: u64,
        slice: &mut Slice<'_, E>,
    ) -> Result<Option<Turn>, ListError> {
        if self.has(List::Pending) || self.has(List::Running) {
            for job in table
                .active_from(id)
                .filter(|job| job.list() != List::Processing)
            {
                let at = Cursor::Active(job.id.saturating_add(1));
                if let Some(turn) = self.look(job, at, slice)? {
                    self.place = Place::Named(at);
                    return Ok(Some(turn));
                }
            }
        }
        self.place = Place::Named(Cursor::Ended(Ended::LAST));
        Ok(None)
    }

    fn ended_before<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        table: &Table,
        end: Ended,
        slice: &mut Slice<'_, E>,
    ) -> Result<Option<Turn>, ListError> {
        if !self.has(List::Inactive) {
            return Ok(None);
        }
        let (times, since) = (
            query::between(&self.wanted.query, table.lead()),
            self.wanted.since,
        );
        let end = end.min(Ended::after(*times.end()));
        let is_wanted = |facts: &query::Facts<'_>| {
            let only_of = self.wanted.only_of.as_ref();
            only_of.is_none_or(|peer| peer.may_act_for(facts.userid))
                && query::possible(&self.wanted.query, facts)
        };
        let mut stop = None;
        for job in table.newest(is_wanted, end) {
            if job.times.inactive < *times.start() || job.times.inactive <= since {
                break;
            }
            let at = Cursor::Ended(Ended::of(job));
            let turn = look(
                &self.wanted,
                &mut self.walk,
                &mut self.found,
                job,
                at,
                slice,
            )?;
            if let Some(turn) = turn {
                stop = Some((turn, at));
                break;
            }
        }
        let Some((turn, at)) = stop else {
            return Ok(None);
        };
        self.place = Place::Named(at);
        Ok(Some(turn))
    }

    fn look<E: FnMut(&Job) -> Result<(), ListError>>(
        &mut self,
        job: &Job,
        at: Cursor,
        slice: &mut Slice<'_, E>,
    ) -> Result<Option<Turn>, ListError> {
        look(
            &self.wanted,
            &mut self.walk,
            &mut self.found,
            job,
            at,
            slice,
        )
    }
}

/// Returns a job if it matches; an error when the turn has ended. Jobs that are not shown
/// do not count for the budget of comparisons: it would reveal them.
fn look<E: FnMut(&Job) -> Result<(), ListError>>(
    wanted: &Wanted,
    walk: &mut Walk,
    found: &mut usize,
    job: &Job,
    at: Cursor,
    slice: &mut Slice<'_, E>,
) -> Result<Option<Turn>, ListError> {
    slice.looked += 1;
    let is_shown = wanted
        .only_of
        .as_ref()
        .is_none_or(|peer| peer.may_act_for(job.userid));
    if is_shown {
        match walk.matches(&wanted.query, job) {
            Ok(true) => {
                (slice.emit)(job)?;
                slice.room -= 1;
                *found += 1;
                if *found >= wanted.max_entries {
                    return Ok(Some(Turn::Full(at)));
                }
            }
            Ok(false) => {}
            Err(TooMany) => return Err(ListError::TooManyComparisons),
        }
    }
    let is_over = slice.room == 0 || slice.looked >= LIST_SLICE_LOOKED;
    Ok(is_over.then_some(Turn::More))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for cursor in [
            Cursor::FIRST,
            Cursor::Active(u64::MAX),
            Cursor::Ended(Ended(17.5_f64.to_bits(), 31_591_498_218)),
            Cursor::Ended(Ended::LAST),
        ] {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        assert_eq!(Cursor::decode(""), Some(Cursor::FIRST));
        for bad in ["x", "a", "e", "e1", "e1.x", "a-1", "a11111111111111111"] {
            assert_eq!(Cursor::decode(bad), None, "{bad}");
        }
    }
}
