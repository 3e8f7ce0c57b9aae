//! job-manager.history.get: the jobs of a user, newest first.

use node::{Cx, Peer};
use proto::data::job::State;
use proto::job_manager::{History, HistoryError, HistoryGet};

use crate::JobManager;
use crate::jobs::Slot;

pub(crate) fn history_get(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    peer: &Peer,
    request: HistoryGet,
) -> Result<History, HistoryError> {
    let slice = Slice::parse(&request.slice).ok_or(HistoryError::Slice)?;
    let is_mine = |slot: &Slot| match slot {
        Slot::Active(job) => job.life.userid == peer.userid && job.life.state != State::New,
        slot => slot.userid() == peer.userid,
    };
    let mine = core.jobs.from(proto::data::JobId(0));
    let mut mine: Vec<_> = mine
        .filter(|(_, slot)| is_mine(slot))
        .map(|(id, _)| id)
        .collect();
    mine.reverse();
    Ok(History {
        jobs: slice.of(&mine),
    })
}

/// A Python slice: `[start:stop:step]`, each part optional.
struct Slice {
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
}

impl Slice {
    fn parse(text: &str) -> Option<Slice> {
        let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
        let parts: Vec<&str> = inner.split(':').map(str::trim).collect();
        let number = |at: usize| match parts.get(at) {
            None | Some(&"") => Ok(None),
            Some(text) => text.parse::<i64>().map(Some),
        };
        if !(2..=3).contains(&parts.len()) {
            return None;
        }
        let step = number(2).ok()?.unwrap_or(1);
        (step != 0).then_some(Slice {
            start: number(0).ok()?,
            stop: number(1).ok()?,
            step,
        })
    }

    fn of<T: Copy>(&self, all: &[T]) -> Vec<T> {
        let len = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let is_up = self.step > 0;
        let (low, high) = if is_up { (0, len) } else { (-1, len - 1) };
        let bound = |at: Option<i64>, default: i64| match at {
            None => default,
            Some(at) if at < 0 => at.saturating_add(len).clamp(low, high),
            Some(at) => at.clamp(low, high),
        };
        let mut at = bound(self.start, if is_up { 0 } else { len - 1 });
        let stop = bound(self.stop, if is_up { len } else { -1 });
        let mut some = Vec::new();
        while (is_up && at < stop) || (!is_up && at > stop) {
            some.extend(usize::try_from(at).ok().and_then(|at| all.get(at)));
            at = at.saturating_add(self.step);
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::Slice;

    fn check(slice: &str, expect: Option<&[i32]>) {
        let all = [0, 1, 2, 3, 4];
        let some = Slice::parse(slice).map(|slice| slice.of(&all));
        assert_eq!(some.as_deref(), expect, "{slice}");
    }

    #[test]
    fn slices_are_those_of_python() {
        check("[:]", Some(&[0, 1, 2, 3, 4]));
        check("[0:4]", Some(&[0, 1, 2, 3]));
        check("[-1:]", Some(&[4]));
        check("[::-1]", Some(&[4, 3, 2, 1, 0]));
        check("[4:0:-2]", Some(&[4, 2]));
        check("[:100]", Some(&[0, 1, 2, 3, 4]));
        check("[-100:2]", Some(&[0, 1]));
        check("[3:1]", Some(&[]));
        check("[:-9223372036854775808]", Some(&[]));
    }

    #[test]
    fn what_is_no_slice_is_refused() {
        for slice in ["", "[]", "[1]", "1:2", "[a:b]", "[::0]", "[1:2:3:4]"] {
            check(slice, None);
        }
    }
}
