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
    /// Its path, with dots. A `*` in it stands for any name.
    pub path: &'static str,
    /// The form of its value.
    pub form: Form,
    /// Its value when it is not set; empty for none.
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
    /// Its name.
    pub name: &'static str,
    /// Beginning of error messages about its keys.
    pub prefix: &'static str,
    /// The module that reports errors when the configuration changes; empty for the
    /// broker.
    pub module: &'static str,
}

impl Key {
    /// Its value, if it is set.
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

    /// Its value in the type of its reader.
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
        "Whether brokers connect by IPv6.";

    CONTENT_SQLITE_JOURNAL_MODE = "content-sqlite.journal_mode",
        F::OneOf(&["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"]), "WAL",
        "Journal mode of the SQLite store, from its next start on.";
    CONTENT_SQLITE_SYNCHRONOUS = "content-sqlite.synchronous",
        F::OneOf(&["EXTRA", "FULL", "NORMAL", "OFF"]), "by kvs.durability",
        "Synchronous mode of the SQLite store, from its next start on.";
    #[unsupported] CONTENT_SQLITE_PREALLOCATE = "content-sqlite.preallocate", COUNT, "",
        "Bytes to reserve for the SQLite store.";

    EXEC_KILL_TIMEOUT = "exec.kill-timeout", F::Seconds, "5s",
        "Time between two steps to end a job.";
    EXEC_TERM_SIGNAL = "exec.term-signal", F::Signal, "SIGTERM", "First signal to a job that is to end.";
    EXEC_KILL_SIGNAL = "exec.kill-signal", F::Signal, "SIGKILL", "Signal to a job that does not end.";
    EXEC_MAX_KILL_COUNT = "exec.max-kill-count", F::Integer(1, u32::MAX as i64), "8",
        "Attempts to end a job before its nodes are drained.";
    EXEC_MAX_KILL_TIMEOUT = "exec.max-kill-timeout", F::Seconds, "",
        "Time after which the nodes of a job that does not end are drained.";
    EXEC_BARRIER_TIMEOUT = "exec.barrier-timeout", F::Seconds, "30m",
        "Time that the shells of a job may take to start.";
    EXEC_SHELL_EXIT_TIMEOUT = "exec.shell-exit-timeout", F::Seconds, "30s",
        "Time that shells may outlive the leading one.";
    EXEC_JOB_SHELL = "exec.job-shell", F::Text, "", "Job shell to run in place of ours.";
    EXEC_LEASE = "exec.lease", F::Seconds, "1h",
        "How long a job shell may find no broker before tasks end that are to \
         (`system.on-lost-server`), and before one whose tasks have ended gives up.";
    EXEC_SERVICE = "exec.service", F::OneOf(&["rexec"]), "rexec",
        "Service that runs job shells.";
    EXEC_TESTEXEC_ALLOW_GUESTS = "exec.testexec.allow-guests", F::Boolean, "false",
        "Other users may simulate jobs.";
    #[unsupported] EXEC_MAX_START_DELAY_PERCENT = "exec.max-start-delay-percent", INT, "",
        "Part of its time that a job may wait for its start.";
    #[unsupported] EXEC_IMP = "exec.imp", F::Text, "", "Program that runs jobs as other users.";
    #[unsupported] EXEC_METHOD = "exec.method", F::Text, "", "How job shells are started.";
    #[unsupported] EXEC_SERVICE_OVERRIDE = "exec.service-override", F::Boolean, "",
        "Jobs may choose the service that runs their shells.";
    #[unsupported] EXEC_SDEXEC_PROPERTIES = "exec.sdexec-properties", F::Table, "",
        "Properties of the systemd units of jobs.";
    #[unsupported] EXEC_SDEXEC_STOP_TIMER_SEC = "exec.sdexec-stop-timer-sec", INT, "",
        "Time that systemd units of jobs may take to stop.";
    #[unsupported] EXEC_SDEXEC_STOP_TIMER_SIGNAL = "exec.sdexec-stop-timer-signal", INT, "",
        "Signal to systemd units of jobs that do not stop.";
    #[unsupported] EXEC_SDEXEC_CONSTRAIN_RESOURCES = "exec.sdexec-constrain-resources", F::Boolean,
        "", "Bind the systemd units of jobs to their resources.";

    FAKE_RESOURCES_NNODES = "fake-resources.nnodes", F::Integer(1, 131_072), "",
        "Nodes that the instance invents, for simulated jobs (job attribute system.exec.test).";
    FAKE_RESOURCES_CORES_PER_NODE = "fake-resources.cores-per-node", F::Integer(1, 65_536), "64",
        "Cores of each of them.";
    FAKE_RESOURCES_GPUS_PER_NODE = "fake-resources.gpus-per-node", F::Integer(0, 65_536), "0",
        "GPUs of each of them.";
    FAKE_RESOURCES_HOST_PREFIX = "fake-resources.host-prefix", F::Text, "fake",
        "What their names begin with; a number follows.";
    #[unsupported] FAKE_RESOURCES_HWLOC_XML_PATH = "fake-resources.hwloc-xml-path", F::Text, "",
        "Topology of each of them.";
    #[unsupported] FAKE_RESOURCES_AMEND_R = "fake-resources.amend-r", F::Text, "",
        "Python function that changes what they have.";

    HEARTBEAT_PERIOD = "heartbeat.period", F::Seconds, "2s", "Time between two heartbeats.",
        "heartbeat.period must be a positive FSD value";
    HEARTBEAT_TIMEOUT = "heartbeat.timeout", F::Seconds, "5m",
        "Time without a heartbeat after which a broker leaves its parent; 0 is no limit.",
        "heartbeat.timeout must be >= 2*heartbeat.period, infinity, or 0";
    HEARTBEAT_WARN_THRESH = "heartbeat.warn_thresh", INT, "3",
        "Periods without a heartbeat before a broker warns.",
        "heartbeat.warn_thresh must be positive";

    INGEST_BATCH_COUNT = "ingest.batch-count", COUNT, "0",
        "Jobs of one commit at most; 0 is as many as have arrived.";
    INGEST_BUFFER_SIZE = "ingest.buffer-size", F::Size, "10M",
        "Bytes of jobspecs that are being checked or changed at the same time.";
    INGEST_FROBNICATOR_DISABLE = "ingest.frobnicator.disable", F::Boolean, "false",
        "Jobspecs are not changed: no defaults, and no properties of queues.";
    INGEST_FROBNICATOR_PLUGINS = "ingest.frobnicator.plugins", F::Texts, "defaults, constraints",
        "What changes jobspecs, of flux job-frobnicator --list-plugins.";
    INGEST_FROBNICATOR_ARGS = "ingest.frobnicator.args", F::Texts, "",
        "Arguments of what changes jobspecs.";
    INGEST_VALIDATOR_DISABLE = "ingest.validator.disable", F::Boolean, "false",
        "Jobspecs are not checked.";
    INGEST_VALIDATOR_PLUGINS = "ingest.validator.plugins", F::Texts, "jobspec",
        "What checks jobspecs, of flux job-validator --list-plugins.";
    INGEST_VALIDATOR_ARGS = "ingest.validator.args", F::Texts, "",
        "Arguments of what checks jobspecs.";
    INGEST_REQUIRE_INSTANCE_MINNODES = "ingest.validator.require-instance.minnodes", COUNT, "",
        "Nodes from which on a job must be an instance of its own, where require-instance checks.";
    INGEST_REQUIRE_INSTANCE_MINCORES = "ingest.validator.require-instance.mincores", COUNT,
        "16 * minnodes", "Cores from which on a job must be an instance of its own.";

    JOB_LIST_JOURNAL_END = "job-list.journal-end", F::OneOf(&["wait", "exit"]), "wait",
        "When job-manager is unloaded, job-list waits for the next one, or exits.";
    JOB_LIST_MAX_COMPARISONS = "job-list.max_comparisons", COUNT, "1000000",
        "Comparisons that one query may make; 0 is no limit.",
        "job-list.max_comparisons must be >= 0";

    JOB_MANAGER_INACTIVE_AGE_LIMIT = "job-manager.inactive-age-limit", F::Duration, "",
        "Records of finished jobs are deleted at this age.",
        "job-manager.inactive-age-limit: invalid FSD";
    JOB_MANAGER_INACTIVE_MEMORY = "job-manager.inactive-memory", F::Size, "256M",
        "Bytes of records of finished jobs in memory, about 360 a job; older ones are read from disk.";
    JOB_MANAGER_INACTIVE_NUM_LIMIT = "job-manager.inactive-num-limit", COUNT, "",
        "Records of at most this many finished jobs are kept.",
        "job-manager.inactive-num-limit: must be >= 0";
    JOB_MANAGER_STOP_QUEUES_ON_RESTART = "job-manager.stop-queues-on-restart", F::Boolean,
        "false", "Queues are stopped when the instance starts again.";
    JOB_MANAGER_MAX_ACTIVE = "job-manager.limit-active.max-active", COUNT, "",
        "With plugin limit-active: jobs that a user may have; more are refused.";
    JOB_MANAGER_MAX_RUNNING = "job-manager.limit-active.max-running", COUNT, "",
        "With plugin limit-active: jobs of a user that run or wait for resources; more wait.";
    JOB_MANAGER_PLUGINS = "job-manager.plugins", F::Tables, "",
        "Plugins of the job manager: tables with load, remove and conf, done in order at the start.";
    JOB_MANAGER_FACTORS_USERS = "job-manager.priority-factor.users.*", FACTOR, "",
        "With plugin priority-factor: priority of a user's jobs, by user id, or default for the others.";
    JOB_MANAGER_FACTORS_BANKS = "job-manager.priority-factor.banks.*", FACTOR, "",
        "With plugin priority-factor: priority of a bank's jobs, by name, or default for the others.";
    JOB_MANAGER_PROLOG = "job-manager.prolog", F::Table, "",
        "A command runs before a job starts, where the policy perilog is loaded.";
    JOB_MANAGER_PROLOG_COMMAND = "job-manager.prolog.command", F::Texts, "",
        "The command and its arguments.",
        "[job-manager.prolog]: command must be an array";
    JOB_MANAGER_PROLOG_TIMEOUT = "job-manager.prolog.timeout", F::Duration, "30m",
        "Time that it may take; 0 and infinity are no limit.",
        "[job-manager.prolog]: invalid prolog timeout";
    JOB_MANAGER_PROLOG_KILL_TIMEOUT = "job-manager.prolog.kill-timeout", F::PositiveNumber, "60",
        "Seconds that it may take to end when it is asked to, before its node is drained.";
    JOB_MANAGER_PROLOG_PER_RANK = "job-manager.prolog.per-rank", F::Boolean, "false",
        "It runs on every rank of the job, and not once on rank 0.";
    JOB_MANAGER_PROLOG_CANCEL_ON_EXCEPTION = "job-manager.prolog.cancel-on-exception", F::Boolean, "true",
        "It is asked to end when the job is cancelled.";
    JOB_MANAGER_PROLOG_EXIT_ON_FIRST_ERROR = "job-manager.prolog.exit-on-first-error",
        F::Boolean, "", "For scripts of a site to read; the command runs the same.";
    JOB_MANAGER_EPILOG = "job-manager.epilog", F::Table, "",
        "A command runs when a job has ended, before its nodes are given back, where the policy perilog is loaded.";
    JOB_MANAGER_EPILOG_COMMAND = "job-manager.epilog.command", F::Texts, "",
        "The command and its arguments.",
        "[job-manager.epilog]: command must be an array";
    JOB_MANAGER_EPILOG_TIMEOUT = "job-manager.epilog.timeout", F::Duration, "",
        "Time that it may take; 0 and infinity are no limit.",
        "[job-manager.epilog]: invalid epilog timeout";
    JOB_MANAGER_EPILOG_KILL_TIMEOUT = "job-manager.epilog.kill-timeout", F::PositiveNumber, "60",
        "Seconds that it may take to end when it is asked to, before its node is drained.";
    JOB_MANAGER_EPILOG_PER_RANK = "job-manager.epilog.per-rank", F::Boolean, "false",
        "It runs on every rank of the job, and not once on rank 0.";
    JOB_MANAGER_EPILOG_CANCEL_ON_EXCEPTION = "job-manager.epilog.cancel-on-exception", F::Boolean, "false",
        "It is asked to end when the job is cancelled.";
    JOB_MANAGER_EPILOG_EXIT_ON_FIRST_ERROR = "job-manager.epilog.exit-on-first-error",
        F::Boolean, "", "For scripts of a site to read; the command runs the same.";
    JOB_MANAGER_PERILOG_LOG_IGNORE = "job-manager.perilog.log-ignore", F::Texts, "",
        "Lines that prolog and epilog write and that match one of these regular expressions are not logged.",
        "[job-manager.perilog]: error parsing log-ignore: all entries must be a string value";
    JOB_MANAGER_HOUSEKEEPING = "job-manager.housekeeping", F::Table, "",
        "A command runs on the nodes of a job before they are free again.";
    JOB_MANAGER_HOUSEKEEPING_COMMAND = "job-manager.housekeeping.command", F::Texts, "",
        "The command and its arguments.",
        "error creating housekeeping command";
    JOB_MANAGER_HOUSEKEEPING_RELEASE_AFTER = "job-manager.housekeeping.release-after", F::Duration, "",
        "Nodes that are done become free this long after the first of them; without it, all together when the last is done.",
        "job-manager.housekeeping.release-after FSD parse error";
    JOB_MANAGER_HOUSEKEEPING_EXIT_ON_FIRST_ERROR = "job-manager.housekeeping.exit-on-first-error",
        F::Boolean, "", "For scripts of a site to read; the command runs the same.";
    JOB_MANAGER_HOUSEKEEPING_USE_SYSTEMD_UNIT = "job-manager.housekeeping.use-systemd-unit",
        F::Boolean, "", "Of older versions of Flux: ignored, with a line in the log.";

    KVS_CACHE_SIZE = "kvs.cache-size", F::Size, "64M",
        "Bytes that kvs and content keep in memory of what is stored, together; at least 1M.";
    KVS_CHECKPOINT_PERIOD = "kvs.checkpoint-period", F::Duration, "",
        "Time between two checkpoints; 0 makes none.";
    KVS_DURABILITY = "kvs.durability", F::OneOf(&["process", "power"]), "process",
        "What a commit survives: the end of any process, or a loss of power too.";
    KVS_GC_THRESHOLD = "kvs.gc-threshold", INT, "",
        "Versions of the KVS after which flux shutdown offers to collect garbage.";

    MODULES_ALTERNATIVES = "modules.alternatives.*", F::Text, "",
        "The module that stands for a service: sched-simple, sched-fifo or sched-backfill for sched.";
    MODULES_CHANGES = "modules.*.*", F::Anything, "",
        "What is to be known of a module, by its name: keys of modprobe.toml, see flux modprobe.";
    POLICY_DEFAULT_DURATION = "policy.jobspec.defaults.system.duration", F::Duration, "",
        "Time limit of jobs that do not say; 0 is none.";
    POLICY_DEFAULT_QUEUE = "policy.jobspec.defaults.system.queue", F::Text, "",
        "Queue of jobs that do not name one.";
    POLICY_LIMIT_DURATION = "policy.limits.duration", F::Duration, "",
        "The longest time limit of a job; 0 is no limit.";
    POLICY_LIMIT_MAX_NNODES = "policy.limits.job-size.max.nnodes", SIZE, "",
        "Nodes that a job may ask for; -1 is no limit.";
    POLICY_LIMIT_MAX_NCORES = "policy.limits.job-size.max.ncores", SIZE, "",
        "Cores that a job may ask for; -1 is no limit.";
    POLICY_LIMIT_MAX_NGPUS = "policy.limits.job-size.max.ngpus", SIZE, "",
        "GPUs that a job may ask for; -1 is no limit.";
    POLICY_LIMIT_MIN_NNODES = "policy.limits.job-size.min.nnodes", SIZE, "",
        "Nodes that a job must ask for; -1 is no limit.";
    POLICY_LIMIT_MIN_NCORES = "policy.limits.job-size.min.ncores", SIZE, "",
        "Cores that a job must ask for; -1 is no limit.";
    POLICY_LIMIT_MIN_NGPUS = "policy.limits.job-size.min.ngpus", SIZE, "",
        "GPUs that a job must ask for; -1 is no limit.";
    POLICY_ALLOW_USER = "policy.access.allow-user", F::Texts, "",
        "Names of users who may submit; if no list is set, everybody may.";
    POLICY_ALLOW_GROUP = "policy.access.allow-group", F::Texts, "",
        "Names of groups whose members may submit.";
    POLICY_SCHEDULER = "policy.scheduler", F::Anything, "",
        "Settings of a scheduler other than ours: kept as they are.";

    QUEUES = "queues.*", F::Table, "", "A queue of this name.";
    QUEUES_PARENT = "queues.*.parent", F::Text, "",
        "The queue that this one is a part of: its jobs run on the nodes of that one.";
    QUEUES_REQUIRES = "queues.*.requires", F::Texts, "",
        "Properties of the nodes of the queue.";
    QUEUES_POLICY = "queues.*.policy", F::Table, "",
        "What differs from [policy] in the queue; it has the same keys but for the default queue.";

    RESOURCE_PATH = "resource.path", F::Text, "", "File with the resources as R (RFC 20).";
    RESOURCE_CONFIG = "resource.config", F::Tables, "",
        "The resources by hosts: hosts, cores, gpus and properties of each entry.";
    RESOURCE_EXCLUDE = "resource.exclude", F::Text, "", "Ranks or hosts that are never used.";
    RESOURCE_NORESTRICT = "resource.norestrict", F::Boolean, "false",
        "Take the whole machine, regardless of where the broker is bound.";
    RESOURCE_NOVERIFY = "resource.noverify", F::Boolean, "false",
        "Do not compare what is configured with what is found.";
    RESOURCE_REDISCOVER = "resource.rediscover", F::Boolean, "false",
        "Look for resources even if the enclosing instance has said which there are.";
    RESOURCE_SCHEDULING = "resource.scheduling", F::Text, "",
        "File with what configured resources have under the key scheduling of R, as JSON.";
    #[unsupported] RESOURCE_RESERVE = "resource.reserve", F::Text, "", "Cores for the system.";
    RESOURCE_VERIFY = "resource.verify", F::TableOrBoolean, "",
        "How to compare what is configured with what is found: default, core, gpu and hostname are strict, allow-extra, allow-missing or ignore.";
    RESOURCE_DISCOVERY_TIMEOUT = "resource.discovery-timeout", F::Duration, "30s",
        "How long to wait for all ranks to say what they have found before going on without the others; 0 is no limit.";
    #[unsupported] RESOURCE_NO_UPDATE_WATCH = "resource.no-update-watch", F::Boolean, "",
        "Do not follow the resources that the enclosing instance gives.";
    RESOURCE_JOURNAL_MAX = "resource.journal-max", COUNT, "100000",
        "Events of the journal of resources that are kept; a mark stands for older ones.";
    #[unsupported] RESOURCE_HISTORY = "resource.history", F::Text, "",
        "Age up to which the log of the resources is kept.";

    SCHED_BACKFILL_QUEUE_DEPTH = "sched-backfill.queue-depth", F::Depth, "unlimited",
        "Jobs that the scheduler may look at, from its next start on.";
    SCHED_BACKFILL_LOG_LEVEL = "sched-backfill.log-level", F::OneOf(&LEVELS), "info",
        "The least severe lines that the scheduler logs.";
    SCHED_BACKFILL_POOL_CLASS = "sched-backfill.pool-class", F::Text, "Rv1Pool",
        "How the scheduler sees resources, from its next start on.";
    SCHED_FIFO_QUEUE_DEPTH = "sched-fifo.queue-depth", F::Depth, "8",
        "Jobs that the scheduler may look at, from its next start on.";
    SCHED_FIFO_LOG_LEVEL = "sched-fifo.log-level", F::OneOf(&LEVELS), "info",
        "The least severe lines that the scheduler logs.";
    SCHED_FIFO_POOL_CLASS = "sched-fifo.pool-class", F::Text, "Rv1Pool",
        "How the scheduler sees resources, from its next start on.";
    SCHED_SIMPLE_QUEUE_DEPTH = "sched-simple.queue-depth", F::Depth, "8",
        "Jobs that the scheduler may look at, from its next start on.";
    SCHED_SIMPLE_LOG_LEVEL = "sched-simple.log-level", F::OneOf(&LEVELS), "info",
        "The least severe lines that the scheduler logs.";
    SCHED_SIMPLE_POOL_CLASS = "sched-simple.pool-class", F::Text, "Rv1Pool",
        "How the scheduler sees resources, from its next start on.";

    #[unsupported] SYSTEMD = "systemd", F::Table, "", "Jobs as units of systemd.";

    #[attribute] TBON_TOPO = "tbon.topo", F::Topology, "kary:32", "Shape of the tree of brokers.";
    #[attribute] TBON_TORPID_MIN = "tbon.torpid_min", F::Duration, "5s",
        "How long a connection to the parent may be idle.",
        "Config file error parsing tbon.torpid_min";
    #[attribute] TBON_TORPID_MAX = "tbon.torpid_max", F::Duration, "30s",
        "How long a child may be silent before it counts as torpid; 0 is no limit.",
        "Config file error parsing tbon.torpid_max";
    #[attribute] TBON_TCP_USER_TIMEOUT = "tbon.tcp_user_timeout", F::Duration, "20s",
        "How long sent data may be unacknowledged before a connection is closed.",
        "Config file error parsing tbon.tcp_user_timeout";
    #[attribute] TBON_CONNECT_TIMEOUT = "tbon.connect_timeout", F::Duration, "30s",
        "How long an attempt to connect to the parent may take.",
        "Config file error parsing tbon.connect_timeout";
    #[attribute] TBON_ZMQDEBUG = "tbon.zmqdebug", INT, "0",
        "Log what happens to the connections between brokers.";
    #[attribute] TBON_ZMQ_IO_THREADS = "tbon.zmq_io_threads", F::Integer(1, 1024), "1",
        "Threads of rank 0 that serve the connections between brokers.",
        "tbon.zmq_io_threads must be >= 1";
    #[attribute] TBON_CHILD_RCVHWM = "tbon.child_rcvhwm", F::Integer(0, i32::MAX as i64), "0",
        "Messages of a child that are queued here; 0 is no limit.",
        "tbon.child_rcvhwm must be 0 (unlimited) or >= 2";
    #[attribute] TBON_INTERFACE_HINT = "tbon.interface-hint", F::Text, "default-route",
        "Which address to bind to: default-route, hostname, an interface or a network.";

    WEB_ADDRESS = "web.address", F::Text, "127.0.0.1",
        "IP address that the web page is on; one that other hosts reach needs TLS.";
    WEB_PORT = "web.port", F::Integer(0, 65535), "0", "Its port; 0 is any that is free.";
    WEB_TOKEN_FILE = "web.token-file", F::Text, "web.token in rundir",
        "File with the token that the page asks for, which is made if it is not there; only the owner may have access.";
    WEB_TLS_CERTIFICATE = "web.tls-certificate", F::Text, "",
        "PEM file with the certificate of the page, and those between it and the root; the page is on https then.";
    WEB_TLS_KEY = "web.tls-key", F::Text, "", "PEM file with its private key.";
    WEB_HOSTS = "web.hosts", F::Texts, "",
        "Names by which browsers may call the page, besides localhost, the name of its host and IP addresses.";
}
