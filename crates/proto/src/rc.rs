//! Modules of an instance and their dependencies: data, in one place. The broker starts and
//! stops them by it, and `flux modprobe` shows it.

/// The command that starts the services of an instance, and the one that stops them, in
/// the words of other implementations. The broker does the same itself.
pub const RC1: &str = "flux modprobe rc1";
/// See [`RC1`].
pub const RC3: &str = "flux modprobe rc3";

/// One module of the default set.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Name.
    pub name: &'static str,
    /// Modules that must run before it starts on rank 0, and stay until it has stopped.
    pub after: &'static [&'static str],
    /// Modules that it depends on, including some that may start after it.
    pub requires: &'static [&'static str],
    /// Services that it provides besides its name. Of several modules that provide one, an
    /// instance has that of the highest priority.
    pub provides: &'static [&'static str],
    /// See `provides`.
    pub priority: i64,
    /// The smallest personality that has it.
    pub from: Personality,
    /// True if it runs on every rank, not on rank 0 alone.
    pub everywhere: bool,
    /// Arguments with which it is loaded.
    pub args: &'static [&'static str],
}

impl Entry {
    /// Modules of this rank that must run before it starts.
    pub fn after_on(&self, rank: u32) -> impl Iterator<Item = &'static str> + use<> {
        let is_here = move |name: &&str| {
            rank == 0
                || MODULES
                    .iter()
                    .any(|entry| entry.name == *name && entry.everywhere)
        };
        self.after.iter().copied().filter(is_here)
    }
}

/// Selection of modules to start (attribute `ferroflux.personality`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personality {
    /// The broker alone.
    Minimal,
    /// With the key-value store.
    Kvs,
    /// With everything that runs jobs.
    Job,
    /// Everything.
    Full,
}

impl Personality {
    /// The personality of this name.
    pub fn named(name: &str) -> Option<Personality> {
        match name {
            "minimal" => Some(Personality::Minimal),
            "kvs" => Some(Personality::Kvs),
            "job" => Some(Personality::Job),
            "full" => Some(Personality::Full),
            _ => None,
        }
    }
}

/// The default set. Modules start as soon as their dependencies are running, and stop in
/// the opposite order.
pub const MODULES: &[Entry] = &[
    Entry {
        name: "content",
        after: &[],
        requires: &["heartbeat"],
        provides: &["content-backing"],
        priority: PRIORITY,
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "kvs",
        after: &["content"],
        requires: &["content"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "kvs-watch",
        after: &["kvs"],
        requires: &["kvs"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "heartbeat",
        after: &[],
        requires: &[],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Full,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "cron",
        after: &[],
        requires: &["heartbeat"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Full,
        everywhere: false,
        // Tasks wait for the pulse, so that they run at the same time on all ranks.
        args: &["sync=heartbeat.pulse"],
    },
    Entry {
        name: "resource",
        after: &["kvs"],
        requires: &["kvs-watch"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-manager",
        after: &["kvs", "kvs-watch"],
        requires: &["resource", "kvs"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: false,
        args: &[],
    },
    Entry {
        name: "job-info",
        after: &["kvs", "kvs-watch"],
        requires: &["kvs", "kvs-watch"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-list",
        after: &["job-manager"],
        requires: &["job-manager"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: false,
        args: &[],
    },
    Entry {
        name: "job-ingest",
        after: &["job-manager"],
        requires: &["job-manager", "kvs"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-exec",
        after: &["job-manager"],
        requires: &["job-manager", "kvs"],
        provides: &[],
        priority: PRIORITY,
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    scheduler(SCHEDULER, 50),
    scheduler("sched-fifo", 40),
    scheduler("sched-backfill", 40),
];

/// The scheduler of an instance that is not configured otherwise.
pub const SCHEDULER: &str = "sched-simple";

const fn scheduler(name: &'static str, priority: i64) -> Entry {
    Entry {
        name,
        after: &["resource", "job-manager"],
        requires: &["resource", "job-manager"],
        provides: &["sched", "feasibility"],
        priority,
        from: Personality::Job,
        everywhere: false,
        args: &[],
    }
}

/// Default priority of a module.
pub const PRIORITY: i64 = 100;

/// True if a module is a scheduler, of which an instance has one.
pub fn is_scheduler(name: &str) -> bool {
    let mut entries = MODULES.iter();
    entries.any(|entry| entry.name == name && entry.provides.contains(&"sched"))
}

/// The modules of a personality on a rank, in the order of the table.
pub fn modules(personality: Personality, rank: u32) -> impl Iterator<Item = &'static Entry> {
    MODULES
        .iter()
        .filter(move |entry| entry.from <= personality && (rank == 0 || entry.everywhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_is_earlier_in_the_table_and_in_the_same_personality() {
        for (at, entry) in MODULES.iter().enumerate() {
            for name in entry.after {
                let found = MODULES[..at].iter().find(|earlier| earlier.name == *name);
                let found = found.unwrap_or_else(|| panic!("{} is after {name}", entry.name));
                assert!(found.from <= entry.from, "{} is after {name}", entry.name);
            }
        }
    }
}
