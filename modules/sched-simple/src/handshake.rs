//! From nothing to ready, in the order of RFC 27: take the resources in hand, ask the job
//! manager for the allocations in use, send that we are ready. When either of them goes
//! away and comes back, the part that it had to do with is done again.

use node::{Call, CallId, Cx};
use proto::data::{Entry, IdSet, JobId, Rset, eventlog};
use proto::job_manager::{Online, Raise, SchedHello, SchedHelloJob, SchedReady};
use proto::kvs::{Found, Lookup, PRIMARY};
use proto::resource::{Acquire, Acquired};
use proto::{Errno, Refusal};
use wire::Identity;

use crate::answer::key;
use crate::config::{POOL_CLASS, wants_other_pool};
use crate::core::Scheduler;
use crate::limits::{EARLY_FREES_MAX, LOOKUP_RETRY};
use crate::pool::Pool;
use crate::program::Program;

/// Progress of the handshake with the job manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// There are no resources to speak of yet.
    #[default]
    NoResources,
    /// Asked for the allocations in use; the number of jobs that are still being looked
    /// up.
    Hello {
        /// Of the jobs received so far.
        lookups: u32,
        /// All have been received.
        all_told: bool,
    },
    /// Our ready was sent, and not answered yet.
    Readying,
    /// At work.
    Ready,
    /// There is no job manager.
    Alone,
}

/// The link to the job manager.
#[derive(Debug, Default)]
pub struct Link {
    phase: Phase,
    /// The module was ready before: a job manager that is away comes back.
    has_worked: bool,
    /// Counts hellos, so that late answers to an earlier one are known.
    round: u64,
    hello: Option<CallId>,
    /// Resources freed since the hello, at most [`EARLY_FREES_MAX`]. It is taken in when
    /// everybody's R was read.
    early: Vec<(JobId, Rset, bool)>,
    /// Client that sends us requests.
    pub(crate) manager: Option<Identity>,
}

impl Link {
    /// True if requests are accepted.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Returned resources whose release is put off, while the allocation of each job is
    /// being read.
    pub fn early_frees(&mut self) -> Option<&mut Vec<(JobId, Rset, bool)>> {
        matches!(self.phase, Phase::Hello { .. }).then_some(&mut self.early)
    }

    /// True if more is deferred than there is room for: then we start over.
    pub fn is_overrun(&self) -> bool {
        self.early.len() > EARLY_FREES_MAX
    }

    /// True if requests may come: the job manager can be ahead of its own answer.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Readying)
    }
}

/// Takes the resources in hand.
pub fn acquire<P: Program>(cx: &mut Cx<Scheduler<P>>) {
    let call = Call::new(&Acquire);
    cx.stream_with(call, |core: &mut Scheduler<P>, cx, result| match result {
        Ok(news) => core.resources(cx, news),
        // The resource module died. It hands out again the same values.
        Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => acquire(cx),
        Err(refusal) if core.pool.is_some() => {
            tracing::error!("exiting due to resource update failure: {refusal}");
            cx.exit(Ok(()));
        }
        Err(refusal) => {
            let text = format!("initialization failed: resource.acquire: {refusal}");
            let refusal = Refusal::new(refusal.errno, text);
            cx.started(Err(refusal.clone()));
            cx.exit(Err(refusal));
        }
    });
}

/// Looks something up, again while there is no KVS: a job of which nothing is known keeps
/// its resources all the same. Said only as long as this hello counts.
fn read<P: Program>(
    cx: &mut Cx<Scheduler<P>>,
    round: u64,
    lookup: Lookup,
    then: impl FnOnce(&mut Scheduler<P>, &mut Cx<Scheduler<P>>, Result<Found, Refusal>) + 'static,
) {
    cx.call(
        &lookup.clone(),
        move |core: &mut Scheduler<P>, cx, found| {
            let is_away = |error: &Refusal| {
                error.errno == Errno::EHOSTUNREACH || error.is_absence_of_service()
            };
            match found {
                _ if core.link.round != round => {}
                Err(error) if is_away(&error) => {
                    tracing::debug!("retrying the lookup of {}: {error}", lookup.key);
                    cx.timer(LOOKUP_RETRY, move |_: &mut Scheduler<P>, cx| {
                        read(cx, round, lookup, then);
                    });
                }
                found => then(core, cx, found),
            }
        },
    );
}

impl<P: Program> Scheduler<P> {
    /// The resources, or news of them.
    fn resources(&mut self, cx: &mut Cx<Self>, news: Acquired) {
        if let Some(set) = news.resources {
            return self.adopt_resources(cx, set, &news.up.unwrap_or_default());
        }
        let log = self.log();
        let Some(pool) = &mut self.pool else {
            return;
        };
        pool.set_up(&news.up.unwrap_or_default(), true);
        pool.set_up(&news.down.unwrap_or_default(), false);
        for (name, ranks) in news.property_add.unwrap_or_default() {
            pool.set_property(&name, &ranks, true);
        }
        for (name, ranks) in news.property_remove.unwrap_or_default() {
            pool.set_property(&name, &ranks, false);
        }
        if let Some(expiration) = news.expiration {
            pool.set_expiration(expiration);
        }
        if let Some(lost) = news.shrink {
            log.info(format_args!("rank(s) {lost} are lost"));
            pool.shrink(&lost);
            self.deny_hopeless(cx);
        }
        self.changes.all();
    }

    fn adopt_resources(&mut self, cx: &mut Cx<Self>, set: Rset, up: &IdSet) {
        self.log().debug(format_args!("resources: {set}, up: {up}"));
        if wants_other_pool(set.scheduling()) {
            tracing::warn!("R is meant for another pool class: using {POOL_CLASS}");
        }
        let mut pool = Pool::new(set, up);
        for held in self.held.sets() {
            // Ranks that are lost since then are not in it any more.
            pool.take_present(held);
        }
        self.pool = Some(pool);
        self.deny_hopeless(cx);
        self.changes.all();
        if self.link.phase == Phase::NoResources {
            self.hello(cx);
        }
    }

    /// Starts over with the job manager: only its present answer counts.
    pub(crate) fn hello(&mut self, cx: &mut Cx<Self>) {
        let Some(pool) = &self.pool else {
            return;
        };
        let mut fresh = Pool::new(pool.set().clone(), &pool.up());
        fresh.set_expiration(pool.expiration());
        self.pool = Some(fresh);
        self.held.clear();
        self.queue.clear();
        self.reservation = None;
        self.link.manager = None;
        self.link.round += 1;
        self.link.early.clear();
        self.link.phase = Phase::Hello {
            lookups: 0,
            all_told: false,
        };
        if let Some(hello) = self.link.hello.take() {
            cx.forget_call(hello);
        }
        let request = SchedHello {
            partial_ok: self.settings.partial_ok.then_some(true),
        };
        let call = Call::new(&request);
        self.link.hello = Some(cx.stream_with(call, |core: &mut Scheduler<P>, cx, result| {
            core.hello_answer(cx, result);
        }));
    }

    fn hello_answer(&mut self, cx: &mut Cx<Self>, result: Result<SchedHelloJob, Refusal>) {
        match result {
            Ok(job) => self.reclaim(cx, job),
            Err(refusal) if refusal.is_end() => {
                self.link.hello = None;
                if let Phase::Hello { all_told, .. } = &mut self.link.phase {
                    *all_told = true;
                }
                self.ready_if_done(cx);
            }
            // It died in the middle: its successor is asked from the beginning.
            Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => self.hello(cx),
            Err(refusal) => self.alone(cx, "sched-hello", &refusal),
        }
    }

    /// A job that has resources: which, is in the KVS.
    fn reclaim(&mut self, cx: &mut Cx<Self>, job: SchedHelloJob) {
        if let Phase::Hello { lookups, .. } = &mut self.link.phase {
            *lookups += 1;
        }
        self.log().debug(format_args!(
            "hello: id={} priority={} userid={} t_submit={}",
            job.id, job.priority, job.userid, job.t_submit
        ));
        let round = self.link.round;
        let r = Lookup::new(PRIMARY, &key(job.id, "R"), 0);
        read(cx, round, r, move |_: &mut Scheduler<P>, cx, r| {
            let log = Lookup::new(PRIMARY, &key(job.id, "eventlog"), 0);
            read(cx, round, log, move |core: &mut Scheduler<P>, cx, log| {
                let bytes = |found: proto::kvs::Found| found.bytes().map(|b| b.to_vec());
                let r = r.ok().and_then(bytes);
                let log = log.ok().and_then(bytes).unwrap_or_default();
                core.reclaim_found(cx, &job, r, &log);
                if let Phase::Hello { lookups, .. } = &mut core.link.phase {
                    *lookups -= 1;
                }
                core.ready_if_done(cx);
            });
        });
    }

    fn reclaim_found(
        &mut self,
        cx: &mut Cx<Self>,
        job: &SchedHelloJob,
        r: Option<Vec<u8>>,
        log: &[u8],
    ) {
        let held = match held_by(job, r, log) {
            Ok(held) => held,
            Err(text) => return tracing::error!("hello: {}: malformed R: {text}", job.id),
        };
        let no_pool = Err("no resources".to_owned());
        let taken = self.pool.as_mut().map_or(no_pool, |pool| pool.take(&held));
        match taken {
            Ok(()) => {
                self.log().info(format_args!("hello: {}: {held}", job.id));
                self.held.insert(job.id, held);
            }
            Err(text) => {
                tracing::error!("hello: {}: R cannot be allocated again: {text}", job.id);
                raise(cx, job.id);
            }
        }
    }

    fn ready_if_done(&mut self, cx: &mut Cx<Self>) {
        let done = Phase::Hello {
            lookups: 0,
            all_told: true,
        };
        if self.link.phase != done {
            return;
        }
        self.link.phase = Phase::Readying;
        for (id, back, is_final) in std::mem::take(&mut self.link.early) {
            self.free_now(id, &back, is_final);
        }
        let limit = self.settings.limit;
        let request = SchedReady {
            mode: limit.map_or("unlimited", |_| "limited").to_owned(),
            limit: limit.map(i64::from),
        };
        let round = self.link.round;
        cx.call(&request, move |core: &mut Scheduler<P>, cx, result| {
            if core.link.round != round {
                return;
            }
            match result {
                Ok(queue) => {
                    core.report_ready(queue.count);
                    core.link.phase = Phase::Ready;
                    core.link.has_worked = true;
                    core.changes.all();
                    cx.started(Ok(()));
                }
                Err(refusal) if refusal.errno == Errno::EHOSTUNREACH => core.hello(cx),
                Err(refusal) => core.alone(cx, "sched-ready", &refusal),
            }
        });
    }

    fn report_ready(&self, n_waiting: impl std::fmt::Display) {
        let log = self.log();
        let depth = self.settings.limit.map(|limit| limit.to_string());
        let pool = self.pool.as_ref().map(|pool| pool.set().to_string());
        log.info(format_args!(
            "ready: queue-depth={} log-level={} pool-class={POOL_CLASS} Rv1 {}",
            depth.as_deref().unwrap_or("unlimited"),
            log.0.name(),
            pool.unwrap_or_default()
        ));
        log.debug(format_args!("{n_waiting} jobs in the queue"));
    }

    /// There is no job manager, or none that wants us. At the start that is an error;
    /// later we wait until one reports that it is there.
    fn alone(&mut self, cx: &mut Cx<Self>, what: &str, refusal: &Refusal) {
        let text = format!("job-manager.{what}: {refusal}");
        self.link.phase = Phase::Alone;
        if self.link.has_worked && refusal.is_absence_of_service() {
            return self.log().info(format_args!("{text}: waiting for it"));
        }
        tracing::error!("{text}");
        cx.started(Err(Refusal::new(refusal.errno, text)));
    }

    /// A job manager has come up. If it is not the one that we work for, we start over.
    pub(crate) fn manager_online(&mut self, cx: &mut Cx<Self>, online: &Online) {
        let is_ours = self.link.manager.as_ref().map(Identity::as_str) == Some(&online.uuid);
        match self.link.phase {
            Phase::Ready | Phase::Readying if !is_ours => self.hello(cx),
            Phase::Alone => self.hello(cx),
            // A hello that is out waits for the next resource service.
            _ => {}
        }
    }

    /// Handles a disconnect of a client that had sent us requests.
    pub(crate) fn manager_gone(&mut self, cx: &mut Cx<Self>, gone: Option<&Identity>) {
        if self.link.manager.is_some() && self.link.manager.as_ref() == gone {
            self.hello(cx);
        }
    }
}

/// Resources of a job: its R with all updates, without the freed part.
fn held_by(job: &SchedHelloJob, r: Option<Vec<u8>>, log: &[u8]) -> Result<Rset, String> {
    let r = r.ok_or("it is not in the KVS")?;
    let text = String::from_utf8(r).map_err(|e| e.to_string())?;
    let mut set = Rset::decode(&text).map_err(|e| e.to_string())?;
    let updates = eventlog::decode_log(log).unwrap_or_default();
    let updated = |entry: &Entry| match entry.name() {
        "resource-update" => entry.get("expiration")?.as_f64(),
        _ => None,
    };
    if let Some(expiration) = updates.iter().rev().find_map(updated) {
        set.set_expiration(expiration).map_err(|e| e.to_string())?;
    }
    if let Some(free) = &job.free {
        let free: IdSet = free.parse().map_err(|_| "bad idset of freed ranks")?;
        set.remove_ranks(&free);
    }
    Ok(set)
}

fn raise<P: Program>(cx: &mut Cx<Scheduler<P>>, id: JobId) {
    let request = Raise {
        id,
        severity: 0,
        kind: "scheduler-restart".to_owned(),
        note: Some("failed to reallocate R for running job".to_owned()),
        wait_status: None,
    };
    cx.call(&request, move |_, _, result| {
        if let Err(refusal) = result {
            tracing::error!("job-manager.raise {id}: {refusal}");
        }
    });
}
