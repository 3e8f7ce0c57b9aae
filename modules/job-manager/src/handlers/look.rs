//! Methods that only look: list, getinfo, getattr, history.get, stats-get.

use node::{Cx, Peer, Reply};
use proto::common::HiddenError;
use proto::data::job::State;
use proto::job_manager::{
    Attrs, GetAttr, GetAttrError, GetInfo, History, HistoryError, HistoryGet, Info, JournalStats,
    List, Listed, ListedJob, Stats, StatsGet,
};
use proto::{Never, Object, RawJson};
use serde_json::{Map, Value};

use crate::JobManager;
use crate::batch::Deferred;
use crate::job::{Job, Parts};
use crate::jobs::Slot;
use crate::limits::ROW_REQUESTS_MAX;
use crate::state::AllocAsk;

type Cxt<'a> = &'a mut Cx<JobManager>;

pub(crate) fn list(
    core: &mut JobManager,
    _: Cxt,
    _: &Peer,
    request: List,
) -> Result<Listed, Never> {
    let limit = match request.max_entries {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let queued = core.alloc.queued(&core.queues);
    let queued = queued.filter_map(|id| core.jobs.active(id));
    let others = core
        .jobs
        .all_active()
        .filter(|job| job.alloc != AllocAsk::Queued || !core.queues.runs(job.queue));
    let active = queued.chain(others).map(listed);
    let zombies = core.waits.zombies().cloned();
    Ok(Listed {
        jobs: active.chain(zombies).take(limit).collect(),
    })
}

/// A job as it is listed.
pub(crate) fn listed(job: &Job) -> ListedJob {
    let life = &job.life;
    ListedJob {
        id: job.id,
        userid: life.userid,
        urgency: life.urgency.get().into(),
        priority: life.priority.map_or(-1, |priority| priority.0.into()),
        t_submit: life.t_submit,
        state: life.state,
        annotations: job.notes().map(Object),
        dependencies: life.ever_waited.then(|| life.dependencies.clone()),
    }
}

pub(crate) fn getinfo(
    core: &mut JobManager,
    cx: Cxt,
    peer: &Peer,
    _: GetInfo,
) -> Result<Info, HiddenError> {
    cx.check_may_count(peer)?;
    Ok(Info {
        max_jobid: core.jobs.max_id(),
    })
}

pub(crate) fn getattr(
    core: &mut JobManager,
    cx: Cxt,
    peer: &Peer,
    request: GetAttr,
    reply: Reply<GetAttr>,
) {
    let slot = core.known_to(cx, peer, request.id);
    if let Some(slot) = slot
        && peer.may_act_for(slot.userid())
        && core.jobs.here(request.id, slot).is_none()
    {
        if core.rows.n_waiting() >= ROW_REQUESTS_MAX {
            return reply.send(cx, Err(GetAttrError::Busy));
        }
        let (id, peer) = (request.id, peer.clone());
        let again: Deferred = Box::new(move |core: &mut JobManager, cx: Cxt| {
            getattr(core, cx, &peer, request, reply);
        });
        return core.want_row(cx, id, Some(again));
    }
    let attrs = attrs_of(core, cx, peer, &request);
    reply.send(cx, attrs);
}

fn attrs_of(
    core: &JobManager,
    cx: &Cx<JobManager>,
    peer: &Peer,
    request: &GetAttr,
) -> Result<Attrs, GetAttrError> {
    let slot = core.known_to(cx, peer, request.id);
    let slot = slot.ok_or(GetAttrError::UnknownJob)?;
    if !peer.may_act_for(slot.userid()) {
        return Err(GetAttrError::NotYours);
    }
    let slot = core.jobs.here(request.id, slot).unwrap_or(slot);
    let mut attrs = Map::new();
    let parts = match slot {
        Slot::Active(job) => Parts {
            events: job
                .log()
                .lines()
                .filter_map(|line| RawJson::new(line).ok())
                .collect(),
            jobspec: Some(RawJson::clone(&job.jobspec())),
            r: job.r.as_deref().cloned(),
        },
        Slot::Inactive(packed) => packed
            .parts(request.id)
            .ok_or(GetAttrError::Null("eventlog"))?,
        Slot::Away(_) => return Err(GetAttrError::Null("eventlog")),
    };
    for name in &request.attrs {
        let name = name.as_str().ok_or(GetAttrError::NonString)?;
        if attrs.contains_key(name) {
            continue;
        }
        attrs.insert(name.to_owned(), attr(&parts, name)?);
    }
    Ok(Attrs(attrs))
}

fn attr(parts: &Parts, name: &str) -> Result<Value, GetAttrError> {
    let parsed = |text: &Option<RawJson>, name: &'static str| {
        let value = text.as_ref().and_then(|text| text.parse().ok());
        value.ok_or(GetAttrError::Null(name))
    };
    match name {
        "jobspec" => parsed(&parts.jobspec, "jobspec"),
        "R" => parsed(&parts.r, "R"),
        "eventlog" => {
            let events = parts.events.iter().filter_map(|event| event.parse().ok());
            Ok(Value::Array(events.collect()))
        }
        _ => Err(GetAttrError::UnknownAttr(name.to_owned())),
    }
}

pub(crate) fn stats_get(
    core: &mut JobManager,
    cx: Cxt,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, HiddenError> {
    cx.check_may_count(peer)?;
    Ok(Stats {
        journal: JournalStats {
            listeners: core.journal.n_listeners() as u64,
            events: core.journal.n_events(),
        },
        active_jobs: core.jobs.n_active() as u64,
        inactive_jobs: core.jobs.n_inactive() as u64,
        max_jobid: core.jobs.max_id(),
        housekeeping: core.housekeeping.stats(),
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

pub(crate) fn history_get(
    core: &mut JobManager,
    _: Cxt,
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
