//! Every key of the configuration, once: its path, form, default and purpose. Code reads
//! a key through its row, so that an unused row is found (`tests/docs/used.rs`).
//! `doc/config.md` is printed from here.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::form::Form;
use crate::{Errno, Object, Refusal};

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name of its constant, by which uses are found.
    pub constant: &'static str,
    /// Path, with dots. A `*` in it stands for any name.
    pub path: &'static str,
    /// The form of its value.
    pub form: Form,
    /// The value when it is not set; empty for none.
    pub default: &'static str,
    /// Purpose, in one line.
    pub about: &'static str,
    /// Support for the key.
    pub status: Status,
    /// Error text for a value of another form, where Flux has its own.
    pub complaint: Option<&'static str>,
}

/// Support for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Used.
    Used,
    /// Used through the attribute of the same name, which is set from it.
    Attribute,
    /// Refused: this version does not support it.
    Unsupported,
}

/// A table of Flux: tables of other programs are not checked.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Name.
    pub name: &'static str,
    /// Beginning of error messages about its keys.
    pub prefix: &'static str,
    /// The module that reports errors when the configuration changes; empty for the
    /// broker.
    pub module: &'static str,
}

impl Key {
    /// Value, if it is set.
    pub fn value<'a>(&self, conf: &'a Object) -> Option<&'a Value> {
        let mut words = self.path.split('.');
        let first = conf.0.get(words.next()?)?;
        words.try_fold(first, |value, word| value.get(word))
    }

    /// The table that it is in.
    pub fn table<'a>(&self, conf: &'a Object) -> Option<&'a serde_json::Map<String, Value>> {
        let first = self.path.split('.').next()?;
        conf.0.get(first)?.as_object()
    }

    /// Name of the key in its table.
    pub const fn last_word(&self) -> &'static str {
        let bytes = self.path.as_bytes();
        let mut at = bytes.len();
        while at > 0 && bytes[at - 1] != b'.' {
            at -= 1;
        }
        self.path.split_at(at).1
    }

    /// Value in the type of its reader.
    ///
    /// # Errors
    /// EINVAL with the text for this key, if the value has another form.
    pub fn read<T: DeserializeOwned>(&self, conf: &Object) -> Result<Option<T>, Refusal> {
        let Some(value) = self.value(conf) else {
            return Ok(None);
        };
        let value = match self.form.fits(value) {
            true => serde_json::from_value(value.clone()).ok(),
            false => None,
        };
        value.map(Some).ok_or_else(|| self.refusal(self.path))
    }

    /// The names matched by the `*` at the end of the path, or before its last word, each
    /// with its value if there is one.
    pub fn each<'a>(&self, conf: &'a Object) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let (table, rest) = self.path.split_once(".*").unwrap_or((self.path, ""));
        let rest = rest.trim_start_matches('.');
        let mut words = table.split('.');
        let first = words.next().and_then(|word| conf.0.get(word));
        let table = words.try_fold(first, |table, word| Some(table?.get(word)));
        let table = table.flatten().and_then(Value::as_object);
        table
            .into_iter()
            .flatten()
            .filter_map(move |(name, value)| {
                let value = if rest.is_empty() {
                    Some(value)
                } else {
                    value.get(rest)
                };
                value.map(|value| (name.as_str(), value))
            })
    }

    /// Error for a value of the wrong form, found under `path`.
    pub fn refusal(&self, path: &str) -> Refusal {
        let text = match self.complaint {
            Some(text) => text.to_owned(),
            None => {
                format!("{}: must be {}", named(path), self.form.words())
            }
        };
        Refusal::new(Errno::EINVAL, text)
    }
}

/// The table that a path is in, if it is Flux's.
pub fn table(path: &str) -> Option<&'static Table> {
    let first = path.split('.').next().unwrap_or_default();
    TABLES.iter().find(|table| table.name == first)
}

/// A path in error messages: behind the prefix of the table, which may have its name.
pub(super) fn named(path: &str) -> String {
    let Some(table) = table(path) else {
        return path.to_owned();
    };
    let below = path.strip_prefix(table.name);
    let below = below.and_then(|below| below.strip_prefix('.'));
    match below.filter(|_| table.prefix.ends_with(": ")) {
        Some(below) => format!("{}{below}", table.prefix),
        None => format!("{}{path}", table.prefix),
    }
}

macro_rules! keys {
    ($($(#[$status:ident])? $constant:ident = $path:literal, $form:expr, $default:literal,
        $about:literal $(, $complaint:literal)?;)*) => {
        $(
            #[doc = $about]
            pub const $constant: Key = Key {
                constant: stringify!($constant),
                path: $path,
                form: $form,
                default: $default,
                about: $about,
                status: keys!(@status $($status)?),
                complaint: keys!(@complaint $($complaint)?),
            };
        )*

        /// All rows.
        pub const ALL: &[Key] = &[$($constant,)*];
    };
    (@status) => { Status::Used };
    (@status attribute) => { Status::Attribute };
    (@status unsupported) => { Status::Unsupported };
    (@complaint) => { None };
    (@complaint $text:literal) => { Some($text) };
}

macro_rules! tables {
    ($($name:literal, $prefix:literal, $module:literal;)*) => {
        /// The tables that are Flux's.
        pub const TABLES: &[Table] = &[$(Table { name: $name, prefix: $prefix, module: $module },)*];
    };
}

tables! {
    "access", "error parsing [access] configuration: ", "";
    "archive", "", "";
    "bootstrap", "Config file error [bootstrap]: ", "";
    "content-sqlite", "", "content-sqlite";
    "exec", "error reading config value ", "job-exec";
    "fake-resources", "", "resource";
    "heartbeat", "error reading [heartbeat] config table: ", "heartbeat";
    "ingest", "error reading [ingest] config table: ", "job-ingest";
    "job-list", "", "job-list";
    "job-manager", "", "job-manager";
    "kvs", "", "kvs";
    "modules", "", "";
    "policy", "error parsing [policy] config table: ", "job-ingest";
    "queues", "error parsing [queues] config table: ", "job-ingest";
    "resource", "error parsing [resource] configuration: ", "resource";
    "sched-backfill", "", "sched-backfill";
    "sched-fifo", "", "sched-fifo";
    "sched-simple", "", "sched-simple";
    "systemd", "", "";
    "tbon", "Config file error [tbon]: ", "overlay";
    "web", "", "web";
}

use Form as F;

/// Severities, the most severe first.
pub const LEVELS: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

const COUNT: Form = F::Integer(0, i64::MAX);
const FACTOR: Form = F::Integer(0, 1_000_000);
const INT: Form = F::Integer(i64::MIN, i64::MAX);
const SIZE: Form = F::Integer(-1, i64::MAX);

keys! {
    ACCESS_ALLOW_GUEST_USER = "access.allow-guest-user", F::Boolean, "false",
        "Other users may connect.";
    ACCESS_ALLOW_ROOT_OWNER = "access.allow-root-owner", F::Boolean, "false",
        "User root has the rights of the owner.";
    ACCESS_PRIVATE_MODE = "access.private-mode", F::Boolean, "false",
        "Other users see their own jobs only.";
    ACCESS_ROLES_ADMIN_USERS = "access.roles.admin-users", F::Integers, "",
        "User ids with the role of an administrator.";
    ACCESS_ROLES_ADMIN_GROUPS = "access.roles.admin-groups", F::Integers, "",
        "Group ids whose members have the role of an administrator.";

    #[unsupported] ARCHIVE = "archive", F::Table, "", "Archive of finished jobs.";

    BOOTSTRAP_HOSTS = "bootstrap.hosts", F::Tables, "",
        "Hosts by rank: tables with host (a hostlist), bind, connect and parent.",
        "Config file error [bootstrap]: must be array type";
    BOOTSTRAP_CURVE_CERT = "bootstrap.curve_cert", F::Text, "",
        "Certificate of `flux keygen` that all brokers share.";
    BOOTSTRAP_DEFAULT_PORT = "bootstrap.default_port", F::Integer(0, 65535), "",
        "Port that %p stands for in URIs.",
        "Config file error [bootstrap]: default_port must be in the range of 0-65535";
    BOOTSTRAP_DEFAULT_BIND = "bootstrap.default_bind", F::Text, "",
        "URI for hosts without bind; %h is the host.";
    BOOTSTRAP_DEFAULT_CONNECT = "bootstrap.default_connect", F::Text, "",
        "URI for hosts without connect; %h is the host.";
    BOOTSTRAP_ENABLE_IPV6 = "bootstrap.enable_ipv6", F::Boolean, "false",
        "Connect brokers by IPv6.";

    CONTENT_SQLITE_JOURNAL_MODE = "content-sqlite.journal_mode",
        F::OneOf(&["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"]), "WAL",
        "Journal mode of the SQLite store, from its next start on.";
    CONTENT_SQLITE_SYNCHRONOUS = "content-sqlite.synchronous",
        F::OneOf(&["EXTRA", "FULL", "NORMAL", "OFF"]), "by kvs.durability",
        "Synchronous mode of the SQLite store, from its next start on.";
    #[unsupported] CONTENT_SQLITE_PREALLOCATE = "content-sqlite.preallocate", COUNT, "",
        "Bytes to reserve for the SQLite store.";

    EXEC_KILL_TIMEOUT = "exec.kill-timeout", F::Seconds, "5s",
        "Time between two attempts to kill a job.";
    EXEC_TERM_SIGNAL = "exec.term-signal", F::Signal, "SIGTERM", "First signal to a job that is to end.";
    EXEC_KILL_SIGNAL = "exec.kill-signal", F::Signal, "SIGKILL", "Signal to a job that does not end.";
    EXEC_MAX_KILL_COUNT = "exec.max-kill-count", F::Integer(1, u32::MAX as i64), "8",
        "Number of attempts to kill a job before its nodes are drained.";
    EXEC_MAX_KILL_TIMEOUT = "exec.max-kill-timeout", F::Seconds, "",
        "Time after which the nodes of a job that does not end are drained.";
    EXEC_BARRIER_TIMEOUT = "exec.barrier-timeout", F::Seconds, "30m",
        "Time limit for starting the shells of a job.";
    EXEC_SHELL_EXIT_TIMEOUT = "exec.shell-exit-timeout", F::Seconds, "30s",
        "Time that shells may run after the leading one has exited.";
    EXEC_JOB_SHELL = "exec.job-shell", F::Text, "", "Job shell to run instead of the default.";
    EXEC_LEASE = "exec.lease", F::Seconds, "1h",
        "Time that a job shell may be without a broker before it kills tasks with \
            `system.on-lost-server` set to stop, or gives up if its tasks have ended.";
    EXEC_SERVICE = "exec.service", F::OneOf(&["rexec"]), "rexec",
        "Service that runs job shells.";
    EXEC_TESTEXEC_ALLOW_GUESTS = "exec.testexec.allow-guests", F::Boolean, "false",
        "Other users may simulate jobs.";
    #[unsupported] EXEC_MAX_START_DELAY_PERCENT = "exec.max-start-delay-percent", INT, "",
        "Part of its time that a job may wait for its start.";
    #[unsupported] EXEC_IMP = "exec.imp", F::Text, "", "Program that runs jobs as other users.";
    #[unsupported] EXEC_METHOD = "exec.method", F::Text, "", "Start method of job shells.";
    #[unsupported] EXEC_SERVICE_OVERRIDE = "exec.service-override", F::Boolean, "",
        "Jobs may choose the service that runs their shells.";
    #[unsupported] EXEC_SDEXEC_PROPERTIES = "exec.sdexec-properties", F::Table, "",
        "Properties of the systemd units of jobs.";
    #[unsupported] EXEC_SDEXEC_STOP_TIMER_SEC = "exec.sdexec-stop-timer-sec", INT, "",
        "Time limit for stopping systemd units of jobs.";
    #[unsupported] EXEC_SDEXEC_STOP_TIMER_SIGNAL = "exec.sdexec-stop-timer-signal", INT, "",
        "Signal to systemd units of jobs that do not stop.";
    #[unsupported] EXEC_SDEXEC_CONSTRAIN_RESOURCES = "exec.sdexec-constrain-resources", F::Boolean,
        "", "Bind the systemd units of jobs to their resources.";

    FAKE_RESOURCES_NNODES = "fake-resources.nnodes", F::Integer(1, 131_072), "",
        "Nodes to invent for simulated jobs (job attribute system.exec.test).";
    FAKE_RESOURCES_CORES_PER_NODE = "fake-resources.cores-per-node", F::Integer(1, 65_536), "64",
        "Cores of each invented node.";
    FAKE_RESOURCES_GPUS_PER_NODE = "fake-resources.gpus-per-node", F::Integer(0, 65_536), "0",
        "GPUs of each invented node.";
    FAKE_RESOURCES_HOST_PREFIX = "fake-resources.host-prefix", F::Text, "fake",
        "Prefix of their names; a number follows.";
    #[unsupported] FAKE_RESOURCES_HWLOC_XML_PATH = "fake-resources.hwloc-xml-path", F::Text, "",
        "Topology of each invented node.";
    #[unsupported] FAKE_RESOURCES_AMEND_R = "fake-resources.amend-r", F::Text, "",
        "Python function that changes their resources.";

    HEARTBEAT_PERIOD = "heartbeat.period", F::Seconds, "2s", "Time between two heartbeats.",
        "heartbeat.period must be a positive FSD value";
    HEARTBEAT_TIMEOUT = "heartbeat.timeout", F::Seconds, "5m",
        "Time without a heartbeat after which a broker leaves its parent; 0 for no limit.",
        "heartbeat.timeout must be >= 2*heartbeat.period, infinity, or 0";
    HEARTBEAT_WARN_THRESH = "heartbeat.warn_thresh", INT, "3",
        "Periods without a heartbeat before a broker warns.",
        "heartbeat.warn_thresh must be positive";

    INGEST_BATCH_COUNT = "ingest.batch-count", COUNT, "0",
        "Maximum number of jobs in one commit; 0 for no limit.";
    INGEST_BUFFER_SIZE = "ingest.buffer-size", F::Size, "10M",
        "Bytes of jobspecs that may be in the pipeline at the same time.";
    INGEST_FROBNICATOR_DISABLE = "ingest.frobnicator.disable", F::Boolean, "false",
        "Do not change jobspecs: no defaults, and no properties of queues.";
    INGEST_FROBNICATOR_PLUGINS = "ingest.frobnicator.plugins", F::Texts, "defaults, constraints",
        "Plugins that change jobspecs, of flux job-frobnicator --list-plugins.";
    INGEST_FROBNICATOR_ARGS = "ingest.frobnicator.args", F::Texts, "",
        "Arguments of the plugins that change jobspecs.";
    INGEST_VALIDATOR_DISABLE = "ingest.validator.disable", F::Boolean, "false",
        "Do not validate jobspecs.";
    INGEST_VALIDATOR_PLUGINS = "ingest.validator.plugins", F::Texts, "jobspec",
        "Plugins that validate jobspecs, of flux job-validator --list-plugins.";
    INGEST_VALIDATOR_ARGS = "ingest.validator.args", F::Texts, "",
        "Arguments of the plugins that validate jobspecs.";
    INGEST_REQUIRE_INSTANCE_MINNODES = "ingest.validator.require-instance.minnodes", COUNT, "",
        "Number of nodes from which on a job must be an instance of its own, with plugin \
            require-instance.";
    INGEST_REQUIRE_INSTANCE_MINCORES = "ingest.validator.require-instance.mincores", COUNT,
        "16 * minnodes", "Number of cores from which on a job must be an instance of its own.";

    JOB_LIST_JOURNAL_END = "job-list.journal-end", F::OneOf(&["wait", "exit"]), "wait",
        "Let job-list wait for the next job-manager when it is unloaded, instead of exiting.";
    JOB_LIST_MAX_COMPARISONS = "job-list.max_comparisons", COUNT, "1000000",
        "Maximum number of comparisons of one query; 0 for no limit.",
        "job-list.max_comparisons must be >= 0";

    JOB_MANAGER_INACTIVE_AGE_LIMIT = "job-manager.inactive-age-limit", F::Duration, "",
        "Age at which records of finished jobs are deleted.",
        "job-manager.inactive-age-limit: invalid FSD";
    JOB_MANAGER_INACTIVE_MEMORY = "job-manager.inactive-memory", F::Size, "256M",
        "Bytes of records of finished jobs to keep in memory, about 360 per job; older ones are \
            read from disk.";
    JOB_MANAGER_INACTIVE_NUM_LIMIT = "job-manager.inactive-num-limit", COUNT, "",
        "Maximum number of records of finished jobs to keep.",
        "job-manager.inactive-num-limit: must be >= 0";
    JOB_MANAGER_STOP_QUEUES_ON_RESTART = "job-manager.stop-queues-on-restart", F::Boolean,
        "false", "Stop the queues when the instance starts again.";
    JOB_MANAGER_MAX_ACTIVE = "job-manager.limit-active.max-active", COUNT, "",
        "With plugin limit-active: maximum number of active jobs of a user; more are rejected.";
    JOB_MANAGER_MAX_RUNNING = "job-manager.limit-active.max-running", COUNT, "",
        "With plugin limit-active: maximum number of jobs of a user that run or wait for \
            resources; more wait.";
    JOB_MANAGER_PLUGINS = "job-manager.plugins", F::Tables, "",
        "Plugins of the job manager: tables with load, remove and conf, carried out in order at \
            the start.";
    JOB_MANAGER_FACTORS_USERS = "job-manager.priority-factor.users.*", FACTOR, "",
        "With plugin priority-factor: priority of a user's jobs, by user id, or default for \
            other users.";
    JOB_MANAGER_FACTORS_BANKS = "job-manager.priority-factor.banks.*", FACTOR, "",
        "With plugin priority-factor: priority of a bank's jobs, by name, or default for other \
            banks.";
    JOB_MANAGER_PROLOG = "job-manager.prolog", F::Table, "",
        "Run a command before a job starts, with the policy perilog.";
    JOB_MANAGER_PROLOG_COMMAND = "job-manager.prolog.command", F::Texts, "",
        "The command and its arguments.",
        "[job-manager.prolog]: command must be an array";
    JOB_MANAGER_PROLOG_TIMEOUT = "job-manager.prolog.timeout", F::Duration, "30m",
        "Time limit of the command; 0 and infinity for no limit.",
        "[job-manager.prolog]: invalid prolog timeout";
    JOB_MANAGER_PROLOG_KILL_TIMEOUT = "job-manager.prolog.kill-timeout", F::PositiveNumber, "60",
        "Seconds that the command has to end when it is cancelled, before its node is drained.";
    JOB_MANAGER_PROLOG_PER_RANK = "job-manager.prolog.per-rank", F::Boolean, "false",
        "Run it on every rank of the job instead of once on rank 0.";
    JOB_MANAGER_PROLOG_CANCEL_ON_EXCEPTION = "job-manager.prolog.cancel-on-exception", F::Boolean, "true",
        "Cancel the command when the job is cancelled.";
    JOB_MANAGER_PROLOG_EXIT_ON_FIRST_ERROR = "job-manager.prolog.exit-on-first-error",
        F::Boolean, "", "For scripts of a site; no effect on the command.";
    JOB_MANAGER_EPILOG = "job-manager.epilog", F::Table, "",
        "Run a command when a job has ended, before its nodes are freed, with the policy \
            perilog.";
    JOB_MANAGER_EPILOG_COMMAND = "job-manager.epilog.command", F::Texts, "",
        "The command and its arguments.",
        "[job-manager.epilog]: command must be an array";
    JOB_MANAGER_EPILOG_TIMEOUT = "job-manager.epilog.timeout", F::Duration, "",
        "Time limit of the command; 0 and infinity for no limit.",
        "[job-manager.epilog]: invalid epilog timeout";
    JOB_MANAGER_EPILOG_KILL_TIMEOUT = "job-manager.epilog.kill-timeout", F::PositiveNumber, "60",
        "Seconds that the command has to end when it is cancelled, before its node is drained.";
    JOB_MANAGER_EPILOG_PER_RANK = "job-manager.epilog.per-rank", F::Boolean, "false",
        "Run it on every rank of the job instead of once on rank 0.";
    JOB_MANAGER_EPILOG_CANCEL_ON_EXCEPTION = "job-manager.epilog.cancel-on-exception", F::Boolean, "false",
        "Cancel the command when the job is cancelled.";
    JOB_MANAGER_EPILOG_EXIT_ON_FIRST_ERROR = "job-manager.epilog.exit-on-first-error",
        F::Boolean, "", "For scripts of a site; no effect on the command.";
    JOB_MANAGER_PERILOG_LOG_IGNORE = "job-manager.perilog.log-ignore", F::Texts, "",
        "Regular expressions for lines of prolog and epilog that are not logged.",
        "[job-manager.perilog]: error parsing log-ignore: all entries must be a string value";
    JOB_MANAGER_HOUSEKEEPING = "job-manager.housekeeping", F::Table, "",
        "Run a command on the nodes of a job before they are freed.";
    JOB_MANAGER_HOUSEKEEPING_COMMAND = "job-manager.housekeeping.command", F::Texts, "",
        "The command and its arguments.",
        "error creating housekeeping command";
    JOB_MANAGER_HOUSEKEEPING_RELEASE_AFTER = "job-manager.housekeeping.release-after", F::Duration, "",
        "Free finished nodes this long after the first of them has finished; by default, all \
            together when the last has finished.",
        "job-manager.housekeeping.release-after FSD parse error";
    JOB_MANAGER_HOUSEKEEPING_EXIT_ON_FIRST_ERROR = "job-manager.housekeeping.exit-on-first-error",
        F::Boolean, "", "For scripts of a site; no effect on the command.";
    JOB_MANAGER_HOUSEKEEPING_USE_SYSTEMD_UNIT = "job-manager.housekeeping.use-systemd-unit",
        F::Boolean, "", "Of older versions of Flux: ignored, with a log message.";

    KVS_CACHE_SIZE = "kvs.cache-size", F::Size, "64M",
        "Bytes that kvs and content together use to cache stored data; at least 1M.";
    KVS_CHECKPOINT_PERIOD = "kvs.checkpoint-period", F::Duration, "",
        "Interval of checkpoints; 0 for none.";
    KVS_DURABILITY = "kvs.durability", F::OneOf(&["process", "power"]), "process",
        "Failure that a commit survives: the end of any process, or a power failure too.";
    KVS_GC_THRESHOLD = "kvs.gc-threshold", INT, "",
        "Number of KVS versions after which flux shutdown offers to collect garbage.";

    MODULES_ALTERNATIVES = "modules.alternatives.*", F::Text, "",
        "The module that provides a service: sched-simple, sched-fifo or sched-backfill for \
            sched.";
    MODULES_CHANGES = "modules.*.*", F::Anything, "",
        "Definition of a module, by its name: keys of modprobe.toml, see flux modprobe.";
    POLICY_DEFAULT_DURATION = "policy.jobspec.defaults.system.duration", F::Duration, "",
        "Default time limit of jobs; 0 for none.";
    POLICY_DEFAULT_QUEUE = "policy.jobspec.defaults.system.queue", F::Text, "",
        "Default queue of jobs.";
    POLICY_LIMIT_DURATION = "policy.limits.duration", F::Duration, "",
        "Maximum time limit of a job; 0 for no limit.";
    POLICY_LIMIT_MAX_NNODES = "policy.limits.job-size.max.nnodes", SIZE, "",
        "Maximum number of nodes of a job; -1 for no limit.";
    POLICY_LIMIT_MAX_NCORES = "policy.limits.job-size.max.ncores", SIZE, "",
        "Maximum number of cores of a job; -1 for no limit.";
    POLICY_LIMIT_MAX_NGPUS = "policy.limits.job-size.max.ngpus", SIZE, "",
        "Maximum number of GPUs of a job; -1 for no limit.";
    POLICY_LIMIT_MIN_NNODES = "policy.limits.job-size.min.nnodes", SIZE, "",
        "Minimum number of nodes of a job; -1 for no limit.";
    POLICY_LIMIT_MIN_NCORES = "policy.limits.job-size.min.ncores", SIZE, "",
        "Minimum number of cores of a job; -1 for no limit.";
    POLICY_LIMIT_MIN_NGPUS = "policy.limits.job-size.min.ngpus", SIZE, "",
        "Minimum number of GPUs of a job; -1 for no limit.";
    POLICY_ALLOW_USER = "policy.access.allow-user", F::Texts, "",
        "Names of users who may submit; without any list, everybody may.";
    POLICY_ALLOW_GROUP = "policy.access.allow-group", F::Texts, "",
        "Names of groups whose members may submit.";
    POLICY_SCHEDULER = "policy.scheduler", F::Anything, "",
        "Settings of a scheduler other than ours: kept unchanged.";

    QUEUES = "queues.*", F::Table, "", "A queue of this name.";
    QUEUES_PARENT = "queues.*.parent", F::Text, "",
        "Parent queue, on whose nodes the jobs of this one run.";
    QUEUES_REQUIRES = "queues.*.requires", F::Texts, "",
        "Properties of the nodes of the queue.";
    QUEUES_POLICY = "queues.*.policy", F::Table, "",
        "Differences from [policy] in the queue; it has the same keys except the default queue.";

    RESOURCE_PATH = "resource.path", F::Text, "", "File with the resources as R (RFC 20).";
    RESOURCE_CONFIG = "resource.config", F::Tables, "",
        "The resources by hosts: hosts, cores, gpus and properties of each entry.";
    RESOURCE_EXCLUDE = "resource.exclude", F::Text, "", "Ranks or hosts to exclude from use.";
    RESOURCE_NORESTRICT = "resource.norestrict", F::Boolean, "false",
        "Use the whole host, regardless of the CPUs that the broker is bound to.";
    RESOURCE_NOVERIFY = "resource.noverify", F::Boolean, "false",
        "Do not compare configured resources with those found.";
    RESOURCE_REDISCOVER = "resource.rediscover", F::Boolean, "false",
        "Discover resources even if the enclosing instance has provided them.";
    RESOURCE_SCHEDULING = "resource.scheduling", F::Text, "",
        "File with the value of the key scheduling in R of configured resources, as JSON.";
    #[unsupported] RESOURCE_RESERVE = "resource.reserve", F::Text, "", "Cores reserved for the \
        system.";
    RESOURCE_VERIFY = "resource.verify", F::TableOrBoolean, "",
        "Comparison of configured resources with those found: default, core, gpu and hostname \
            are strict, allow-extra, allow-missing or ignore.";
    RESOURCE_DISCOVERY_TIMEOUT = "resource.discovery-timeout", F::Duration, "30s",
        "Time to wait for the reports of all ranks before going on without the missing ones; 0 \
            for no limit.";
    #[unsupported] RESOURCE_NO_UPDATE_WATCH = "resource.no-update-watch", F::Boolean, "",
        "Do not follow changes of the resources by the enclosing instance.";
    RESOURCE_JOURNAL_MAX = "resource.journal-max", COUNT, "100000",
        "Number of events to keep in the journal of resources; a mark stands for older ones.";
    #[unsupported] RESOURCE_HISTORY = "resource.history", F::Text, "",
        "Age at which events of the log of resources are deleted.";

    SCHED_BACKFILL_QUEUE_DEPTH = "sched-backfill.queue-depth", F::Depth, "unlimited",
        "Number of jobs that the scheduler considers, from its next start on.";
    SCHED_BACKFILL_LOG_LEVEL = "sched-backfill.log-level", F::OneOf(&LEVELS), "info",
        "Least severe messages that the scheduler logs.";
    SCHED_BACKFILL_POOL_CLASS = "sched-backfill.pool-class", F::Text, "Rv1Pool",
        "Representation of resources in the scheduler, from its next start on.";
    SCHED_FIFO_QUEUE_DEPTH = "sched-fifo.queue-depth", F::Depth, "8",
        "Number of jobs that the scheduler considers, from its next start on.";
    SCHED_FIFO_LOG_LEVEL = "sched-fifo.log-level", F::OneOf(&LEVELS), "info",
        "Least severe messages that the scheduler logs.";
    SCHED_FIFO_POOL_CLASS = "sched-fifo.pool-class", F::Text, "Rv1Pool",
        "Representation of resources in the scheduler, from its next start on.";
    SCHED_SIMPLE_QUEUE_DEPTH = "sched-simple.queue-depth", F::Depth, "8",
        "Number of jobs that the scheduler considers, from its next start on.";
    SCHED_SIMPLE_LOG_LEVEL = "sched-simple.log-level", F::OneOf(&LEVELS), "info",
        "Least severe messages that the scheduler logs.";
    SCHED_SIMPLE_POOL_CLASS = "sched-simple.pool-class", F::Text, "Rv1Pool",
        "Representation of resources in the scheduler, from its next start on.";

    #[unsupported] SYSTEMD = "systemd", F::Table, "", "Run jobs as systemd units.";

    #[attribute] TBON_TOPO = "tbon.topo", F::Topology, "kary:32", "Shape of the tree of brokers.";
    #[attribute] TBON_TORPID_MIN = "tbon.torpid_min", F::Duration, "5s",
        "Time that a connection to the parent may be idle.",
        "Config file error parsing tbon.torpid_min";
    #[attribute] TBON_TORPID_MAX = "tbon.torpid_max", F::Duration, "30s",
        "Time that a child may be silent before it counts as torpid; 0 for no limit.",
        "Config file error parsing tbon.torpid_max";
    #[attribute] TBON_TCP_USER_TIMEOUT = "tbon.tcp_user_timeout", F::Duration, "20s",
        "Time that sent data may be unacknowledged before a connection is closed.",
        "Config file error parsing tbon.tcp_user_timeout";
    #[attribute] TBON_CONNECT_TIMEOUT = "tbon.connect_timeout", F::Duration, "30s",
        "Time limit of an attempt to connect to the parent.",
        "Config file error parsing tbon.connect_timeout";
    #[attribute] TBON_ZMQDEBUG = "tbon.zmqdebug", INT, "0",
        "Log events of the connections between brokers.";
    #[attribute] TBON_ZMQ_IO_THREADS = "tbon.zmq_io_threads", F::Integer(1, 1024), "1",
        "Threads of rank 0 that serve the connections between brokers.",
        "tbon.zmq_io_threads must be >= 1";
    #[attribute] TBON_CHILD_RCVHWM = "tbon.child_rcvhwm", F::Integer(0, i32::MAX as i64), "0",
        "Length of the queue of messages of each child; 0 for no limit.",
        "tbon.child_rcvhwm must be 0 (unlimited) or >= 2";
    #[attribute] TBON_INTERFACE_HINT = "tbon.interface-hint", F::Text, "default-route",
        "Address to bind to: default-route, hostname, an interface or a network.";

    WEB_ADDRESS = "web.address", F::Text, "127.0.0.1",
        "IP address to listen on; an address that other hosts reach needs TLS.";
    WEB_PORT = "web.port", F::Integer(0, 65535), "0", "Port of the web page; 0 for any free port.";
    WEB_TOKEN_FILE = "web.token-file", F::Text, "web.token in rundir",
        "File with the token that the page asks for, written if missing; only the owner may have access.";
    WEB_TLS_CERTIFICATE = "web.tls-certificate", F::Text, "",
        "PEM file with the certificate of the page and the intermediate certificates; turns https on.";
    WEB_TLS_KEY = "web.tls-key", F::Text, "", "PEM file with the private key of the certificate.";
    WEB_HOSTS = "web.hosts", F::Texts, "",
        "Host names that browsers may use, besides localhost, the name of the host and IP addresses.";
}
