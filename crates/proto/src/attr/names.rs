//! Every broker attribute, once: its name, access, form, default and purpose. Code reads
//! an attribute through its row, so that an unused row is found (`tests/docs/used.rs`).
//! `doc/attributes.md` is printed from here.

use crate::form::Form;

/// A broker attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attr {
    /// The name of its constant, by which uses are found.
    pub constant: &'static str,
    /// Name. One that ends in `.` stands for all names with this prefix.
    pub name: &'static str,
    /// Access bits: `READONLY` and the others limit who may set it and when.
    pub flags: u8,
    /// The form of its value.
    pub form: Form,
    /// Default value, if it has one by itself.
    pub default: Option<&'static str>,
    /// Purpose, in one line.
    pub about: &'static str,
    /// Specification.
    pub source: &'static str,
}

/// Cannot be set on the command line.
pub const READONLY: u8 = 1;
/// Cannot change once it is set; clients and modules cache its value.
pub const IMMUTABLE: u8 = 2;
/// Can be set at run time.
pub const RUNTIME: u8 = 4;
/// Can be set by the key of the same name in `[tbon]` too.
pub const CONFIG: u8 = 8;
/// Checked, but has an effect only with more than one broker.
pub const MANY: u8 = 16;
/// Not supported in this version: it cannot be set.
pub const UNSUPPORTED: u8 = 32;
/// Stands for names chosen by others: values are stored and never read here.
pub const OPEN: u8 = 64;
/// Sent to modules at their start and after each change.
pub const TOLD: u8 = 128;

impl Attr {
    /// True if one of these bits is set.
    pub const fn is(&self, bits: u8) -> bool {
        self.flags & bits != 0
    }
}

/// The row of an attribute, if its name is known.
pub fn find(name: &str) -> Option<&'static Attr> {
    ALL.iter().find(|attr| match attr.name.strip_suffix('.') {
        Some(prefix) => {
            let rest = name
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| !rest.is_empty())
        }
        None => attr.name == name,
    })
}

macro_rules! attributes {
    ($($source:literal {
        $($constant:ident = $name:literal, $flags:expr, $form:expr, $default:expr, $about:literal;)*
    })*) => {
        $($(
            #[doc = $about]
            pub const $constant: Attr = Attr {
                constant: stringify!($constant),
                name: $name,
                flags: $flags,
                form: $form,
                default: $default,
                about: $about,
                source: $source,
            };
        )*)*

        /// All rows.
        pub const ALL: &[Attr] = &[$($($constant,)*)*];
    };
}

use Form as F;
const R: u8 = READONLY;
const I: u8 = IMMUTABLE;
const T: u8 = RUNTIME;
const C: u8 = CONFIG;
const INT: Form = F::Integer(i64::MIN, i64::MAX);

attributes! {
"flux-broker-attributes(7)" {
    RANK = "rank", R | I, INT, Some("0"), "Rank of this broker.";
    SIZE = "size", R | I, INT, Some("1"), "Number of brokers of the instance.";
    VERSION = "version", R, F::Text, None, "Version of flux-core whose protocol this is.";
    RUNDIR = "rundir", 0, F::Text, None, "Directory of the sockets; created in $TMPDIR by \
        default.";
    RUNDIR_CLEANUP = "rundir-cleanup", I, F::Flag, None,
        "Remove rundir at the end; default: 1 if the broker created it.";
    STATEDIR = "statedir", 0, F::Text, None,
        "Directory of persistent state; created in /var/tmp by default.";
    STATEDIR_CLEANUP = "statedir-cleanup", I, F::Flag, None,
        "Remove statedir at the end; default: 1 if the broker created it.";
    SECURITY_OWNER = "security.owner", R | I, INT, None, "User id of the instance owner.";
    LOCAL_URI = "local-uri", I, F::Text, None, "URI for local programs: local://PATH.";
    PARENT_URI = "parent-uri", R | I, F::Text, None,
        "URI of the enclosing instance, if this one is a job.";
    INSTANCE_LEVEL = "instance-level", R | I, INT, None, "Number of enclosing instances.";
    JOBID = "jobid", R | I, F::Text, None, "Id of this instance as a job of another.";
    JOBID_PATH = "jobid-path", R | I, F::Text, None,
        "Job ids from the outermost instance down to this one.";
    PARENT_KVS_NAMESPACE = "parent-kvs-namespace", R | I, F::Text, None,
        "KVS namespace that the enclosing instance gave to this one.";
    HOSTLIST = "hostlist", I, F::Hosts, None, "Hosts of the brokers, by rank.";
    HOSTNAME = "hostname", I, F::Text, None, "Host name of this broker.";
    CONFIG_PATH = "config.path", I, F::Text, None,
        "File or directory of the configuration, like --config-path and $FLUX_CONF_DIR.";
    BROKER_MAPPING = "broker.mapping", R | I, F::Text, None,
        "Map of brokers to hosts (RFC 34).";
    BROKER_CRITICAL_RANKS = "broker.critical-ranks", I, F::Ranks, None,
        "Ranks that the instance cannot go on without.";
    BROKER_BOOT_METHOD = "broker.boot-method", I, F::Text, None,
        "Method of bootstrap: config, simple, libpmi2, libpmi or single.";
    BROKER_PID = "broker.pid", R | I, INT, None, "Process id of this broker.";
    BROKER_UUID = "broker.uuid", R | I, F::Text, None, "UUID of this broker on route stacks.";
    BROKER_STARTTIME = "broker.starttime", R | I, F::Text, None,
        "Start time of this broker, in seconds since 1970.";
    BROKER_QUORUM = "broker.quorum", I, F::Quorum, None,
        "Number of brokers that must be online before the initial program starts.";
    BROKER_QUORUM_WARN = "broker.quorum-warn", I, F::DurationOrNone, Some("1m"),
        "Interval of warnings about brokers missing for the quorum.";
    BROKER_SHUTDOWN_WARN = "broker.shutdown-warn", I, F::DurationOrNone, Some("1m"),
        "Interval of warnings about brokers that have not left at shutdown.";
    BROKER_SHUTDOWN_TIMEOUT = "broker.shutdown-timeout", I, F::DurationOrNone, Some("none"),
        "Time to wait for other brokers to leave at shutdown.";
    BROKER_CLEANUP_TIMEOUT = "broker.cleanup-timeout", 0, F::DurationOrNone, Some("none"),
        "Time limit of jobs and cleanup commands at shutdown.";
    BROKER_UNLOAD_BUILTINS_TIMEOUT = "broker.unload-builtins-timeout", UNSUPPORTED,
        F::DurationOrNone, None,
        "Time limit of unloading built-in modules; no effect: they are part of the broker.";
    BROKER_RC1_PATH = "broker.rc1_path", 0, F::Text, Some("flux modprobe rc1"),
        "Command that starts the services of the instance, instead of loading the default \
            modules.";
    BROKER_RC3_PATH = "broker.rc3_path", 0, F::Text, Some("flux modprobe rc3"),
        "Command that runs before modules are unloaded, instead of the scripts of rc3.d.";
    BROKER_RC2_NONE = "broker.rc2_none", 0, F::Presence, None, "Run no initial program.";
    BROKER_RC2_PGRP = "broker.rc2_pgrp", 0, F::Presence, None,
        "Run the initial program in a process group of its own.";
    BROKER_EXIT_NORESTART = "broker.exit-norestart", 0, F::Integer(0, 255), None,
        "Exit code that tells systemd not to restart the broker.";
    BROKER_EXIT_RESTART = "broker.exit-restart", T | UNSUPPORTED, F::Integer(0, 255), None,
        "Older name of broker.exit-norestart.";
    BROKER_MODULE_NOPANIC = "broker.module-nopanic", T, F::Flag, Some("1"),
        "1 to keep the instance running when a module is given up; 0 to end it.";
    BROKER_SD_NOTIFY = "broker.sd-notify", 0, F::Flag, None,
        "Report the state of the broker to systemd (sd_notify(3)).";
    BROKER_SD_STOP_TIMEOUT = "broker.sd-stop-timeout", I, F::DurationOrNone, Some("none"),
        "Time by which each step of the shutdown extends the time limit of systemd.";
    BROKER_RECOVERY_MODE = "broker.recovery-mode", 0, F::Presence, None,
        "Start despite errors in rc1, with all resources offline.";
    CONF_SHELL_INITRC = "conf.shell_initrc", T | TOLD, F::Text, None,
        "Lua script that job shells run first; default: /etc/flux/shell/initrc.lua.";
    CONF_SHELL_PLUGINPATH = "conf.shell_pluginpath", T | TOLD, F::Text, None,
        "Directories in which scripts of job shells look for plugins.";
    CRON_DIRECTORY = "cron.directory", 0, F::Text, None,
        "Directory of crontab files, which rank 0 reads at the start.";
}

"flux-broker-attributes(7), protocol/20 sections 1 and 2" {
    TBON_TOPO = "tbon.topo", C, F::Topology, Some("kary:32"), "Shape of the tree of brokers.";
    TBON_FANOUT = "tbon.fanout", 0, F::Integer(0, u32::MAX as i64), None,
        "Deprecated form of tbon.topo: K stands for kary:K.";
    TBON_DESCENDANTS = "tbon.descendants", R, INT, None, "Number of brokers below this one.";
    TBON_LEVEL = "tbon.level", R, INT, None, "Level of this broker in the tree; 0 for the root.";
    TBON_MAXLEVEL = "tbon.maxlevel", R, INT, None, "Highest level of any broker in the tree.";
    TBON_ENDPOINT = "tbon.endpoint", R, F::Text, None,
        "URI to which the brokers below this one connect.";
    TBON_PARENT_ENDPOINT = "tbon.parent-endpoint", R, F::Text, None,
        "URI of this broker's parent.";
    TBON_ZMQDEBUG = "tbon.zmqdebug", C | MANY, INT, Some("0"),
        "Log events of the connections between brokers.";
    TBON_ZMQ_IO_THREADS = "tbon.zmq_io_threads", C, F::Integer(1, 1024), Some("1"),
        "Threads of rank 0 that serve the connections between brokers.";
    TBON_CHILD_RCVHWM = "tbon.child_rcvhwm", C, F::Integer(0, i32::MAX as i64), Some("0"),
        "Length of the queue of messages of each child; 0 for no limit; 1 is refused.";
    TBON_PREFERTCP = "tbon.prefertcp", 0, INT, Some("0"),
        "Use TCP between brokers of one host too.";
    TBON_INTERFACE_HINT = "tbon.interface-hint", T | C | I, F::Text, Some("default-route"),
        "Address to bind to: default-route, hostname, an interface or a network.";
    TBON_TORPID_MIN = "tbon.torpid_min", C, F::Duration, Some("5s"),
        "Time that a connection to the parent may be idle.";
    TBON_TORPID_MAX = "tbon.torpid_max", C, F::Duration, Some("30s"),
        "Time that a child may be silent before it counts as torpid; 0 for no limit.";
    TBON_TCP_USER_TIMEOUT = "tbon.tcp_user_timeout", C, F::Duration, Some("20s"),
        "Time that sent data may be unacknowledged before a connection is closed.";
    TBON_CONNECT_TIMEOUT = "tbon.connect_timeout", C, F::Duration, Some("30s"),
        "Time limit of an attempt to connect to the parent.";
}

"flux-broker-attributes(7), protocol/03 section 7" {
    LOG_RING_SIZE = "log-ring-size", I, F::Integer(0, 1 << 20), Some("1024"),
        "Number of messages kept for flux dmesg.";
    LOG_LEVEL = "log-level", I, F::Level, Some("7"), "Least severe messages to keep.";
    LOG_FORWARD_LEVEL = "log-forward-level", I | MANY, F::Level, Some("3"),
        "Least severe messages of other ranks to forward to rank 0.";
    LOG_CRITICAL_LEVEL = "log-critical-level", I, F::Level, Some("2"),
        "Messages of this severity or worse always go to standard error of their own broker.";
    LOG_STDERR_LEVEL = "log-stderr-level", T, F::Level, Some("3"),
        "Least severe messages to print on standard error.";
    LOG_STDERR_MODE = "log-stderr-mode", 0, F::OneOf(&["leader", "local"]), Some("leader"),
        "leader to print the messages of all ranks on rank 0, local to print them on each.";
    LOG_SYSLOG_ENABLE = "log-syslog-enable", 0, F::Flag, Some("0"), "Send messages to syslog.";
    LOG_SYSLOG_LEVEL = "log-syslog-level", 0, F::Level, Some("3"), "Least severe messages to \
        send to syslog.";
    LOG_FILENAME = "log-filename", 0, F::Text, None, "File to append messages to.";
}

"flux-broker-attributes(7), protocol/04 section 9" {
    CONTENT_BACKING_MODULE = "content.backing-module", I,
        F::OneOf(&["content-sqlite", "content-files"]), Some("content-sqlite"),
        "Backing store of the content.";
    CONTENT_HASH = "content.hash", I, F::OneOf(&["sha1", "sha256"]), Some("sha1"),
        "Hash of blobrefs.";
    CONTENT_DUMP = "content.dump", T, F::Text, None,
        "Archive to dump the KVS to at the end; auto chooses the file.";
    CONTENT_RESTORE = "content.restore", T, F::Text, None,
        "Archive to restore the KVS from at the start; auto uses the last dump.";
}

"doc/architecture.md, doc/bounds.md" {
    FERROFLUX_PERSONALITY = "ferroflux.personality", I,
        F::OneOf(&["minimal", "kvs", "job", "full"]), Some("full"),
        "Selection of default modules to load.";
    FERROFLUX_MESSAGE_BYTES = "ferroflux.message-bytes", I, F::Bytes, None,
        "Memory limit for messages that clients send and do not read.";
}

"protocol/03 section 2" {
    TEST_RO = "test-ro.", R | OPEN, F::Text, None, "For tests: read-only.";
    TEST_NR = "test-nr.", OPEN, F::Text, None, "For tests: set before the start.";
    TEST_IM = "test-im.", I | OPEN, F::Text, None, "For tests: immutable.";
    TEST_RD = "test-rd.", T | OPEN, F::Text, None, "For tests: redirected.";
    TEST = "test.", T | OPEN, F::Text, None, "For tests: set at any time.";
    VENDOR = "vendor.", T | I | OPEN, F::Text, None, "For data that a site keeps with its \
        instances.";
}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_prefix_only_with_something_behind_it() {
        for (name, want) in [
            ("rank", Some("rank")),
            ("vendor.site", Some("vendor.")),
            ("vendor.", None),
            ("vendor", None),
            ("vendors.x", None),
            ("nosuch", None),
        ] {
            assert_eq!(find(name).map(|attr| attr.name), want, "{name}");
        }
    }

    #[test]
    fn each_name_stands_once_and_has_a_default_of_its_form() {
        for (at, attr) in ALL.iter().enumerate() {
            let twice = ALL[..at].iter().any(|other| other.name == attr.name);
            assert!(!twice, "{} is declared twice", attr.name);
            if let Some(default) = attr.default {
                assert_eq!(attr.form.check_text(default), Ok(()), "{}", attr.name);
                assert!(!attr.is(UNSUPPORTED), "{} has a default", attr.name);
            }
        }
    }
}
