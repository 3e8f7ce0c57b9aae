//! Every figure there is: its name, its labels, what it says, and where it comes from. The table in
//! `doc/metrics.md` is printed from here.

use prometheus_client::metrics::MetricType;
use proto::{
    Method, attr, broker, common, connector_local, content, content_backing, groups, job_list,
    job_manager, kvs, log, module, overlay, sched,
};

/// One figure, of as many values as there are combinations of its labels.
#[derive(Debug)]
pub struct Figure {
    /// Its name. One that only grows gets `_total` added.
    pub name: &'static str,
    /// Kind: counter, gauge or histogram of durations.
    pub kind: MetricType,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// The meaning.
    pub help: &'static str,
    /// The method whose answer has it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test prints the table of all figures")
    )]
    pub source: &'static str,
}

/// Declares the figures, and the list of all.
macro_rules! figures {
    ($($figure:ident = $kind:ident $name:literal [$($label:literal),*] from $source:ty : $help:literal;)*) => {
        $(#[doc = $help] pub static $figure: Figure = Figure {
            name: $name,
            kind: MetricType::$kind,
            labels: &[$($label),*],
            help: $help,
            source: <$source as Method>::TOPIC,
        };)*

        /// All of them, in the order in which they are written.
        pub static ALL: &[&Figure] = &[$(&$figure),*];
    };
}

figures! {
    BROKERS = Gauge "flux_brokers" ["state"] from groups::Get : "Brokers of the instance, by whether they are online.";
    START = Gauge "flux_start_time_seconds" [] from attr::Get : "When the broker was started, in seconds since the epoch.";
    JOBS = Gauge "flux_jobs" ["state"] from job_list::JobStats : "Jobs by state.";
    JOBS_OVER = Gauge "flux_jobs_over" ["result"] from job_list::JobStats : "Finished jobs that are kept, by result.";
    JOBS_PURGED = Counter "flux_jobs_purged" [] from job_list::JobStats : "Jobs that were forgotten.";
    QUEUE_JOBS = Gauge "flux_queue_jobs" ["queue", "state"] from job_list::JobStats : "Jobs of each named queue by state.";
    QUEUE_ENABLED = Gauge "flux_queue_enabled" ["queue"] from job_manager::QueueStatus : "1 if the queue takes jobs.";
    QUEUE_STARTED = Gauge "flux_queue_started" ["queue"] from job_manager::QueueStatus : "1 if the queue lets jobs run.";
    ALLOC_REQUESTS = Gauge "flux_alloc_requests" ["at"] from job_manager::AllocQuery : "Jobs that want resources, by who has them: job-manager or the scheduler.";
    HOUSEKEEPING = Gauge "flux_housekeeping_jobs" [] from job_manager::StatsGet : "Finished jobs on whose nodes housekeeping runs.";
    JOURNAL_EVENTS = Counter "flux_journal_events" [] from job_manager::StatsGet : "Events of jobs that were told to followers of the journal.";
    JOURNAL_LISTENERS = Gauge "flux_journal_listeners" [] from job_manager::StatsGet : "Followers of the journal.";
    SCHED_PASSES = Counter "flux_sched_passes" [] from sched::SimpleStats : "Times that the scheduler has looked at its queue.";
    SCHED_PASS = Gauge "flux_sched_pass_seconds" [] from sched::SimpleStats : "How long a look at the queue takes, on average.";
    KVS_VERSION = Counter "flux_kvs_commits" ["namespace"] from kvs::StatsGet : "Versions of the namespace so far; of the primary one alone.";
    KVS_NAMESPACES = Gauge "flux_kvs_namespaces" [] from kvs::StatsGet : "Namespaces.";
    KVS_TRANSACTIONS = Gauge "flux_kvs_transactions" [] from kvs::StatsGet : "Transactions that are not stored yet, of all namespaces.";
    KVS_WAITING = Gauge "flux_kvs_waiting_requests" [] from kvs::StatsGet : "Requests that wait for content or for a version.";
    KVS_CACHE = Gauge "flux_kvs_cache_bytes" [] from kvs::StatsGet : "Directories and values in memory.";
    KVS_FAULTS = Counter "flux_kvs_faults" [] from kvs::StatsGet : "Objects that were not in memory and had to be loaded.";
    CONTENT_BLOBS = Gauge "flux_content_blobs" ["state"] from content::StatsGet : "Blobs in memory, by whether the backing store has them.";
    CONTENT_CACHE = Gauge "flux_content_cache_bytes" [] from content::StatsGet : "Blobs in memory.";
    STORE_BLOBS = Gauge "flux_content_store_blobs" [] from content_backing::StatsGet : "Blobs in the backing store.";
    STORE_BYTES = Gauge "flux_content_store_bytes" ["use"] from content_backing::StatsGet : "The backing store on disk, by whether the space is in use.";
    OPEN = Gauge "flux_broker_open_requests" [] from broker::StatsGet : "Requests through the broker that are not answered.";
    ORPHANS = Counter "flux_orphans" ["cause"] from broker::StatsGet : "Messages that found nobody, by cause.";
    CHILDREN = Gauge "flux_overlay_children" ["state"] from overlay::StatsGet : "Brokers next below in the tree, by whether they are connected.";
    OVERLAY_CALLS = Gauge "flux_overlay_calls" ["to"] from overlay::StatsGet : "Requests that wait for the broker above or for those below.";
    CLIENTS = Gauge "flux_clients" [] from connector_local::StatsGet : "Programs that are connected to the local socket.";
    CONNECTS = Counter "flux_client_connects" [] from connector_local::StatsGet : "Connections to the local socket so far.";
    LOG_LINES = Counter "flux_log_lines" ["from"] from log::StatsGet : "Lines of the log, by whether they come from this rank.";
    MODULES = Gauge "flux_module_running" ["service"] from module::List : "1 if the module runs, 0 while it starts or ends.";
    MODULE_QUEUE = Gauge "flux_module_queued_messages" ["service", "direction"] from module::List : "Messages between the broker and a module that are on their way.";
    MESSAGES = Counter "flux_messages" ["service", "direction", "type"] from common::Metrics : "Messages of a service by type.";
    HANDLED = Counter "flux_handled" ["service", "cause"] from common::Metrics : "What a service has handled, by cause: requests by method, answers, events, timers.";
    HANDLED_SECONDS = Counter "flux_handled_seconds" ["service", "cause"] from common::Metrics : "How long that took together: up to a fifth too long.";
    HANDLERS = Histogram "flux_handler_seconds" ["service"] from common::Metrics : "How long the handlers of a service hold its loop.";
    REQUESTS = Gauge "flux_requests" ["service", "direction"] from common::Metrics : "Requests that are not answered: rx by the service, tx those of its own.";
    CPU = Counter "flux_cpu_seconds" ["service", "mode"] from common::Metrics : "Processor time of the process of a service.";
    MEMORY = Gauge "flux_memory_bytes" ["service"] from common::Metrics : "Memory of the process of a service that is resident.";
    MEMORY_PEAK = Gauge "flux_memory_peak_bytes" ["service"] from common::Metrics : "The most that it ever was.";
    UNANSWERED = Gauge "flux_scrape_unanswered" [] from module::List : "Questions of this scrape that were refused: figures of other versions and of services that are not loaded are left out.";
}

impl Figure {
    /// The name as Prometheus has it.
    #[cfg(test)]
    pub fn full_name(&self) -> String {
        match self.kind {
            MetricType::Counter => format!("{}_total", self.name),
            _ => self.name.to_owned(),
        }
    }
}
