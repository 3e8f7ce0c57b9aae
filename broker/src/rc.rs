//! Which modules an instance has, and what each needs: data, in one place.

/// One module of the default set.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Modules that must run before it starts on rank 0, and stay until it has stopped.
    pub needs: &'static [&'static str],
    /// The smallest personality that has it.
    pub from: Personality,
    /// Whether it runs on every rank, and not on rank 0 alone.
    pub everywhere: bool,
    /// With which arguments it is loaded.
    pub args: &'static [&'static str],
}

impl Entry {
    /// Modules of this rank that must run before it starts.
    pub fn needs_on(&self, rank: u32) -> impl Iterator<Item = &'static str> + use<> {
        let is_here = move |need: &&str| {
            rank == 0
                || MODULES
                    .iter()
                    .any(|entry| entry.name == *need && entry.everywhere)
        };
        self.needs.iter().copied().filter(is_here)
    }
}

/// How much of an instance is started (attribute `ferroflux.personality`).
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

/// The default set. Modules start as soon as what they need runs, and stop in the
/// opposite order.
pub const MODULES: &[Entry] = &[
    Entry {
        name: "content",
        needs: &[],
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "kvs",
        needs: &["content"],
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "kvs-watch",
        needs: &["kvs"],
        from: Personality::Kvs,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "heartbeat",
        needs: &[],
        from: Personality::Full,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "cron",
        needs: &[],
        from: Personality::Full,
        everywhere: false,
        // Tasks wait for the pulse, so that they run at the same time on all ranks.
        args: &["sync=heartbeat.pulse"],
    },
    Entry {
        name: "resource",
        needs: &["kvs"],
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-manager",
        needs: &["kvs", "kvs-watch"],
        from: Personality::Job,
        everywhere: false,
        args: &[],
    },
    Entry {
        name: "job-info",
        needs: &["kvs", "kvs-watch"],
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-list",
        needs: &["job-manager"],
        from: Personality::Job,
        everywhere: false,
        args: &[],
    },
    Entry {
        name: "job-ingest",
        needs: &["job-manager"],
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    Entry {
        name: "job-exec",
        needs: &["job-manager"],
        from: Personality::Job,
        everywhere: true,
        args: &[],
    },
    scheduler("sched-simple"),
    scheduler("sched-fifo"),
    scheduler("sched-backfill"),
];

/// The scheduler of an instance that is not configured otherwise.
pub const SCHEDULER: &str = "sched-simple";

const fn scheduler(name: &'static str) -> Entry {
    Entry {
        name,
        needs: &["resource", "job-manager"],
        from: Personality::Job,
        everywhere: false,
        args: &[],
    }
}

/// Whether a module is one of those of which an instance has one.
pub fn is_scheduler(name: &str) -> bool {
    name.starts_with("sched-")
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
    fn every_need_comes_earlier_in_the_table_and_in_the_same_personality() {
        for (at, entry) in MODULES.iter().enumerate() {
            for need in entry.needs {
                let found = MODULES[..at].iter().find(|earlier| earlier.name == *need);
                let found = found.unwrap_or_else(|| panic!("{} needs {need}", entry.name));
                assert!(found.from <= entry.from, "{} needs {need}", entry.name);
            }
        }
    }
}
