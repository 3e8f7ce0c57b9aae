//! Asks the services for their figures, one after the other, so that a scrape is never much work at
//! a time. A service that is not there or does not answer leaves its figures out.

use client::{Answered, Call};
use proto::common::{HandlerTimes, MessageCounts, Metrics, MetricsReply};
use proto::job_list::{JobCounts, JobStats, StateCounts};
use proto::job_manager::{AllocQuery, QueueList, QueueStatus};
use proto::module::{List, ModuleInfo, ModuleStatus};
use proto::{
    attr, broker, connector_local, content, content_backing, groups, job_manager, kvs, log,
    overlay, sched,
};

use super::figures as f;
use super::scrape::{Scrape, seconds};
use crate::limits::QUEUES_MAX;
use crate::serve::{ApiError, Instance};

/// The service under which every broker answers for itself.
const BROKER: &str = "broker";

/// Asks the services of one rank, and on rank 0 those of the instance.
pub async fn gather(instance: &Instance, rank: u32) -> Result<Scrape, ApiError> {
    let modules = instance.call(Call::new(&List).to(rank)).await?.mods;
    let mut asking = Asking {
        instance,
        rank,
        scrape: Scrape::default(),
        unanswered: 0,
    };
    asking.broker().await;
    asking.storage(&modules).await;
    if rank == 0 {
        asking.jobs().await;
        asking.queues().await;
        asking.scheduling(&modules).await;
        asking.brokers().await;
    }
    asking.service(BROKER).await;
    for module in &modules {
        asking.module(module).await;
    }
    let Asking {
        mut scrape,
        unanswered,
        ..
    } = asking;
    scrape.count(&f::UNANSWERED, &[], unanswered);
    Ok(scrape)
}

/// A scrape in the making.
struct Asking<'a> {
    instance: &'a Instance,
    rank: u32,
    scrape: Scrape,
    unanswered: u64,
}

impl Asking<'_> {
    async fn ask<M: proto::Method>(&mut self, request: &M) -> Option<M::Response> {
        self.call(Call::new(request)).await
    }

    async fn call<M: Answered + 'static>(&mut self, call: Call<M>) -> Option<M::Answer> {
        let answer = self.instance.call(call.to(self.rank)).await.ok();
        self.unanswered += u64::from(answer.is_none());
        answer
    }

    async fn broker(&mut self) {
        if let Some(stats) = self.ask(&broker::StatsGet).await {
            self.scrape.count(&f::OPEN, &[], stats.open);
            for (cause, n) in stats.orphans {
                let cause = serde_json::to_value(cause).unwrap_or_default();
                let cause = cause.as_str().unwrap_or_default();
                self.scrape.count(&f::ORPHANS, &[cause], n);
            }
        }
        if let Some(stats) = self.ask(&overlay::StatsGet).await {
            let away = stats.child_count.saturating_sub(stats.child_connected);
            let children = [("connected", stats.child_connected), ("away", away)];
            for (state, n) in children {
                self.scrape.count(&f::CHILDREN, &[state], n.into());
            }
            let calls = [("parent", stats.parent_rpc), ("children", stats.child_rpc)];
            for (to, n) in calls {
                self.scrape.count(&f::OVERLAY_CALLS, &[to], n);
            }
        }
        if let Some(stats) = self.ask(&connector_local::StatsGet).await {
            let n = stats.server.clients.len() as u64;
            self.scrape.count(&f::CLIENTS, &[], n);
            self.scrape.count(&f::CONNECTS, &[], stats.server.connects);
        }
        if let Some(stats) = self.ask(&log::StatsGet).await {
            for (from, n) in [("here", stats.local), ("elsewhere", stats.remote)] {
                self.scrape.count(&f::LOG_LINES, &[from], n);
            }
        }
        let name = attr::names::BROKER_STARTTIME.name.to_owned();
        if let Some(start) = self.ask(&attr::Get { name }).await
            && let Ok(start) = start.value.parse()
        {
            self.scrape.add(&f::START, &[], start);
        }
    }

    async fn storage(&mut self, modules: &[ModuleInfo]) {
        if let Some(stats) = self.ask(&kvs::StatsGet).await {
            let namespaces = stats.namespace.values();
            let transactions = namespaces.map(|one| one.transactions).sum();
            if let Some(primary) = stats.namespace.get(kvs::PRIMARY) {
                let version = primary.store_revision as f64;
                self.scrape.add(&f::KVS_VERSION, &[kvs::PRIMARY], version);
            }
            let n = stats.namespace.len() as u64;
            self.scrape.count(&f::KVS_NAMESPACES, &[], n);
            self.scrape.count(&f::KVS_TRANSACTIONS, &[], transactions);
            self.scrape
                .count(&f::KVS_WAITING, &[], stats.pending_requests);
            let bytes = stats.cache.total_mib * 1024.0 * 1024.0;
            self.scrape.add(&f::KVS_CACHE, &[], bytes);
            self.scrape.count(&f::KVS_FAULTS, &[], stats.cache.faults);
        }
        if let Some(stats) = self.ask(&content::StatsGet).await {
            let stored = stats.count.saturating_sub(stats.dirty);
            for (state, n) in [("stored", stored), ("dirty", stats.dirty)] {
                self.scrape.count(&f::CONTENT_BLOBS, &[state], n);
            }
            self.scrape.count(&f::CONTENT_CACHE, &[], stats.size);
        }
        let has_store = modules.iter().any(|module| {
            let mut services = module.services.iter();
            services.any(|service| service == "content-backing")
        });
        if has_store && let Some(stats) = self.ask(&content_backing::StatsGet).await {
            let used = stats.dbfile_size - stats.dbfile_free;
            self.scrape
                .add(&f::STORE_BLOBS, &[], stats.object_count as f64);
            for (used, bytes) in [("used", used), ("free", stats.dbfile_free)] {
                self.scrape.add(&f::STORE_BYTES, &[used], bytes as f64);
            }
        }
    }

    async fn jobs(&mut self) {
        let Some(stats) = self.ask(&JobStats).await else {
            return;
        };
        let JobCounts {
            job_states,
            successful,
            failed,
            canceled,
            timeout,
            inactive_purged,
        } = stats.all;
        for (state, n) in states(&job_states) {
            self.scrape.count(&f::JOBS, &[state], n);
        }
        let results = [
            ("completed", successful),
            ("failed", failed),
            ("canceled", canceled),
            ("timeout", timeout),
        ];
        for (result, n) in results {
            self.scrape.count(&f::JOBS_OVER, &[result], n);
        }
        self.scrape.count(&f::JOBS_PURGED, &[], inactive_purged);
        for queue in stats.queues.iter().take(QUEUES_MAX) {
            for (state, n) in states(&queue.counts.job_states) {
                self.scrape.count(&f::QUEUE_JOBS, &[&queue.name, state], n);
            }
        }
    }

    async fn queues(&mut self) {
        let Some(list) = self.ask(&QueueList).await else {
            return;
        };
        let mut names: Vec<Option<String>> = list.queues.into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for name in names.into_iter().take(QUEUES_MAX) {
            let Some(state) = self.ask(&QueueStatus { name: name.clone() }).await else {
                continue;
            };
            let name = name.unwrap_or_default();
            let is_set = |set: bool| u64::from(set);
            self.scrape
                .count(&f::QUEUE_ENABLED, &[&name], is_set(state.enable));
            self.scrape
                .count(&f::QUEUE_STARTED, &[&name], is_set(state.start));
        }
    }

    async fn scheduling(&mut self, modules: &[ModuleInfo]) {
        if let Some(counts) = self.ask(&AllocQuery).await {
            let at = [
                ("job-manager", counts.queue_length),
                ("scheduler", counts.alloc_pending),
            ];
            for (at, n) in at {
                self.scrape.count(&f::ALLOC_REQUESTS, &[at], n);
            }
        }
        if let Some(stats) = self.ask(&job_manager::StatsGet).await {
            let housekeeping = stats.housekeeping.running.len() as u64;
            self.scrape.count(&f::HOUSEKEEPING, &[], housekeeping);
            self.scrape
                .count(&f::JOURNAL_EVENTS, &[], stats.journal.events);
            self.scrape
                .count(&f::JOURNAL_LISTENERS, &[], stats.journal.listeners);
        }
        let mut services = modules.iter().filter(|module| {
            let mut services = module.services.iter();
            services.any(|service| service == "sched")
        });
        // Each program of the scheduler has its own name, and the same counters.
        if let Some(scheduler) = services.next() {
            let call = Call::new(&sched::SimpleStats);
            let call = call.topic(&format!("{}.stats-get", scheduler.name));
            if let Some(stats) = self.call(call).await {
                self.scrape.count(&f::SCHED_PASSES, &[], stats.sched_passes);
                self.scrape
                    .add(&f::SCHED_PASS, &[], stats.sched_duration_ewma);
            }
        }
    }

    async fn brokers(&mut self) {
        let size = attr::names::SIZE.name.to_owned();
        let group = groups::Get {
            name: groups::ONLINE.to_owned(),
        };
        let (size, online) = (
            self.ask(&attr::Get { name: size }).await,
            self.ask(&group).await,
        );
        if let (Some(size), Some(online)) = (size, online)
            && let Ok(size) = size.value.parse::<u64>()
        {
            let online = online.members.count();
            let brokers = [("online", online), ("offline", size.saturating_sub(online))];
            for (state, n) in brokers {
                self.scrape.count(&f::BROKERS, &[state], n);
            }
        }
    }

    async fn module(&mut self, module: &ModuleInfo) {
        let name = module.name.as_str();
        let runs = module.status == ModuleStatus::Running as i64;
        self.scrape.count(&f::MODULES, &[name], u64::from(runs));
        let queues = [("rx", module.sendqueue), ("tx", module.recvqueue)];
        for (direction, n) in queues {
            self.scrape
                .add(&f::MODULE_QUEUE, &[name, direction], n as f64);
        }
        // Services of the broker have no process and no loop of their own.
        if module.path != "builtin" {
            self.service(name).await;
        }
    }

    async fn service(&mut self, name: &str) {
        let call = Call::new(&Metrics).topic(&format!("{name}.metrics"));
        let Some(reply) = self.call(call).await else {
            return;
        };
        let MetricsReply {
            messages,
            handlers,
            open,
            asked,
            usage,
        } = reply;
        for (direction, counts) in [("rx", &messages.rx), ("tx", &messages.tx)] {
            for (kind, n) in kinds(counts) {
                self.scrape.count(&f::MESSAGES, &[name, direction, kind], n);
            }
        }
        self.handlers(name, &handlers);
        for (direction, n) in [("rx", open), ("tx", asked)] {
            self.scrape.count(&f::REQUESTS, &[name, direction], n);
        }
        for (mode, seconds) in [("user", usage.utime), ("system", usage.stime)] {
            self.scrape.add(&f::CPU, &[name, mode], seconds);
        }
        let bytes = |kib: i64| kib as f64 * 1024.0;
        if let Some(rss) = usage.rss {
            self.scrape.add(&f::MEMORY, &[name], bytes(rss));
        }
        self.scrape
            .add(&f::MEMORY_PEAK, &[name], bytes(usage.maxrss));
    }

    fn handlers(&mut self, name: &str, handlers: &HandlerTimes) {
        self.scrape.times(&f::HANDLERS, &[name], &handlers.all);
        for (cause, times) in &handlers.each {
            self.scrape.count(&f::HANDLED, &[name, cause], times.count);
            self.scrape
                .add(&f::HANDLED_SECONDS, &[name, cause], seconds(times));
        }
    }
}

fn states(counts: &StateCounts) -> [(&'static str, u64); 6] {
    [
        ("depend", counts.depend),
        ("priority", counts.priority),
        ("sched", counts.sched),
        ("run", counts.run),
        ("cleanup", counts.cleanup),
        ("inactive", counts.inactive),
    ]
}

fn kinds(counts: &MessageCounts) -> [(&'static str, u64); 4] {
    [
        ("request", counts.request),
        ("response", counts.response),
        ("event", counts.event),
        ("control", counts.control),
    ]
}
