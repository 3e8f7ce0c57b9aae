//! Scenario: the modules, and the programs that use them.

use crate::clients::Client;
use crate::jobs;
use crate::program::Program;
use crate::store;

/// Scenario of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// A module that answers in every way, and programs that ask it: whether requests and
    /// answers get through.
    Echo,
    /// The key-value store with its content store and its watches: whether anything that
    /// it has acknowledged is ever lost, torn or told twice.
    Kvs,
    /// The same with a content store that keeps each blob in a file of its own.
    KvsFiles,
    /// An instance with every module, and programs that submit and follow jobs: whether each
    /// runs once, ends once, and is told as it was.
    Jobs,
    /// The same where jobs wait for each other, and queues, limits and jobspecs change: whether
    /// each job runs when it may, and no sooner.
    JobsPolicy,
    /// Jobs on four nodes, with a broker and modules on each.
    JobsTree,
    /// An instance with every module and no programs, to be moved by hand.
    Instance,
    /// A module that answers in every way, on the first of four ranks, and no programs: to be
    /// moved by hand.
    EchoTree,
}

/// A module and its arguments.
pub(crate) type Cast = (&'static str, &'static [&'static str]);

/// Processes crash in the simulation, not the machine: files need no syncing.
const CONTENT_ARGS: &[&str] = &["journal_mode=MEMORY", "synchronous=OFF"];

impl Play {
    /// All that run by themselves.
    pub const ALL: [Play; 6] = [
        Play::Echo,
        Play::Kvs,
        Play::KvsFiles,
        Play::Jobs,
        Play::JobsPolicy,
        Play::JobsTree,
    ];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Play::Echo => "echo",
            Play::Kvs => "kvs",
            Play::KvsFiles => "kvs-files",
            Play::Jobs => "jobs",
            Play::JobsPolicy => "jobs-policy",
            Play::JobsTree => "jobs-tree",
            Play::Instance => "instance",
            Play::EchoTree => "echo-tree",
        }
    }

    /// The play of a name.
    pub fn of_name(name: &str) -> Option<Play> {
        Play::ALL.into_iter().find(|play| play.name() == name)
    }

    /// Attributes that it needs.
    pub(crate) fn attrs(self) -> &'static [&'static str] {
        match self {
            Play::KvsFiles => &["content.backing-module=content-files"],
            _ => &[],
        }
    }

    /// The modules in the order in which they are loaded.
    pub(crate) fn modules(self) -> &'static [Cast] {
        match self {
            Play::Echo | Play::EchoTree => &[("echo", &[]), ("heartbeat", &[])],
            Play::Kvs => &[
                ("content", CONTENT_ARGS),
                ("kvs", &[]),
                ("kvs-watch", &[]),
                ("heartbeat", &[]),
            ],
            Play::Instance => Play::WITH_CRON,
            Play::Jobs | Play::JobsTree => Play::INSTANCE,
            Play::JobsPolicy => Play::WITH_BACKFILL,
            Play::KvsFiles => &[
                ("content", &[]),
                ("kvs", &[]),
                ("kvs-watch", &[]),
                ("heartbeat", &[]),
            ],
        }
    }

    /// Modules of a rank: some are on rank 0 alone.
    pub(crate) fn modules_of(self, rank: usize) -> impl Iterator<Item = Cast> {
        let everywhere = |name: &str| {
            let mut entries = proto::rc::MODULES.iter();
            entries.any(|entry| entry.name == name && entry.everywhere)
        };
        let modules = self.modules().iter().copied();
        modules.filter(move |(name, _)| rank == 0 || everywhere(name))
    }

    /// The modules of an instance.
    const INSTANCE: &[Cast] = &[
        ("content", CONTENT_ARGS),
        ("kvs", &[]),
        ("kvs-watch", &[]),
        ("resource", &[]),
        ("job-manager", &[]),
        ("job-info", &[]),
        ("job-list", &[]),
        ("job-ingest", &[]),
        ("job-exec", &[]),
        ("sched-simple", &[]),
        ("heartbeat", &[]),
    ];

    /// The same with the user that runs commands at set times.
    const WITH_CRON: &[Cast] = &[
        ("content", CONTENT_ARGS),
        ("kvs", &[]),
        ("kvs-watch", &[]),
        ("resource", &[]),
        ("job-manager", &[]),
        ("job-info", &[]),
        ("job-list", &[]),
        ("job-ingest", &[]),
        ("job-exec", &[]),
        ("sched-simple", &[]),
        ("heartbeat", &[]),
        ("cron", &["sync=heartbeat.pulse"]),
    ];

    /// The same with a scheduler that lets jobs pass the first one.
    const WITH_BACKFILL: &[Cast] = &[
        ("content", CONTENT_ARGS),
        ("kvs", &[]),
        ("kvs-watch", &[]),
        ("resource", &[]),
        ("job-manager", &[]),
        ("job-info", &[]),
        ("job-list", &[]),
        ("job-ingest", &[]),
        ("job-exec", &[]),
        ("sched-backfill", &[]),
        ("heartbeat", &[]),
    ];

    /// Number of brokers.
    pub(crate) fn size(self) -> u32 {
        match self {
            Play::JobsTree => jobs::NODES,
            Play::EchoTree => 4,
            _ => 1,
        }
    }

    /// True if something outlives the processes.
    pub(crate) fn has_files(self) -> bool {
        !matches!(self, Play::Echo | Play::EchoTree)
    }

    /// True if job shells run in it.
    pub(crate) fn has_shells(self) -> bool {
        matches!(self, Play::Jobs | Play::JobsPolicy | Play::JobsTree)
    }

    /// Steps with load and faults.
    pub(crate) fn load_steps(self) -> u64 {
        match self {
            Play::Jobs | Play::JobsPolicy | Play::JobsTree => 4000,
            _ => 1500,
        }
    }

    /// The configuration of the instance.
    pub(crate) fn config(self) -> proto::Object {
        match self {
            Play::Jobs | Play::JobsTree => jobs::config(self.size()),
            _ => proto::Object::default(),
        }
    }

    pub(crate) fn programs(self, ledger: &jobs::Shared) -> Vec<Box<dyn Program>> {
        match self {
            Play::Jobs | Play::JobsTree => jobs::programs(ledger, self.size()),
            Play::JobsPolicy => jobs::programs_with_policies(ledger),
            Play::Instance | Play::EchoTree => Vec::new(),
            Play::Echo => (0..3)
                .map(|_| Box::new(Client::default()) as Box<dyn Program>)
                .collect(),
            Play::Kvs | Play::KvsFiles => store::programs(),
        }
    }
}
