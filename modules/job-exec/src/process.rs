//! Identity of a job shell's process, so that a later job-exec can tell whether it still
//! runs: the pid alone may belong to another process by then.
//!
//! The one file that looks at processes. It does so on the worker thread; tests put a
//! table of their own in its place.

use std::fs;

use proto::data::Entry;
use serde::{Deserialize, Serialize};

/// A process, distinguished from every other one of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Number.
    pub pid: i32,
    /// When it was started, in clock ticks since the host was.
    pub start: u64,
    /// The host's number of that start of its own.
    pub boot: String,
}

/// Facts about a pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A process that runs.
    Runs(Process),
    /// No process, or one that has ended and was not collected.
    Gone,
    /// A process of which no more can be known.
    Hidden,
}

/// Source of facts about processes.
pub trait Processes: Send {
    /// Looks at the process of this number.
    fn look(&mut self, pid: i32) -> Seen;
}

/// The processes of this host.
#[derive(Debug, Default)]
pub struct ThisHost {
    boot: Option<String>,
}

impl Process {
    /// Reads the context of an event that [`Process`] was written as.
    pub fn of(entry: &Entry) -> Option<Process> {
        Some(Process {
            pid: i32::try_from(entry.get_i64("pid")?).ok()?,
            start: u64::try_from(entry.get_i64("start")?).ok()?,
            boot: entry.get_str("boot")?.to_owned(),
        })
    }

    /// True if this process certainly does not run any more.
    pub fn is_gone(&self, seen: &Seen) -> bool {
        match seen {
            Seen::Runs(other) => other != self,
            Seen::Gone => true,
            Seen::Hidden => false,
        }
    }
}

impl ThisHost {
    fn boot(&mut self) -> Option<&str> {
        if self.boot.is_none() {
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            self.boot = Some(boot.trim().to_owned());
        }
        self.boot.as_deref()
    }
}

impl Processes for ThisHost {
    fn look(&mut self, pid: i32) -> Seen {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            // A process of another user may be hidden from us; it has a number all the same.
            return match exists(pid) {
                true => Seen::Hidden,
                false => Seen::Gone,
            };
        };
        match (start_of(&stat), self.boot()) {
            (Some(None), _) => Seen::Gone,
            (Some(Some(start)), Some(boot)) => Seen::Runs(Process {
                pid,
                start,
                boot: boot.to_owned(),
            }),
            _ => Seen::Hidden,
        }
    }
}

/// True if there is a process with this pid, of any user.
fn exists(pid: i32) -> bool {
    // Zero and less name groups.
    let pid = Some(pid).filter(|pid| *pid > 0);
    let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// The start time in a line of `/proc/PID/stat`; `Some(None)` for a process that has
/// ended. Its name may hold anything but is the last thing in brackets.
fn start_of(stat: &str) -> Option<Option<u64>> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    if matches!(words.next()?, "Z" | "X" | "x") {
        return Some(None);
    }
    words.nth(18)?.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, start: u64, boot: &str) -> Process {
        Process {
            pid,
            start,
            boot: boot.to_owned(),
        }
    }

    #[test]
    fn a_line_of_stat_tells_the_start_or_the_end() {
        let line = |name: &str, state: &str| {
            format!(
                "42 ({name}) {state} 1 2 3 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 1 0 777 999 1\n"
            )
        };
        for (stat, expect) in [
            (line("flux-shell", "S"), Some(Some(777))),
            (line("a ) Z 1 2", "R"), Some(Some(777))),
            (line("flux-shell", "Z"), Some(None)),
            (line("flux-shell", "X"), Some(None)),
            ("42 (cut) S 1 2".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(start_of(&stat), expect, "{stat}");
        }
    }

    #[test]
    fn only_the_same_process_counts_as_living() {
        let shell = process(7, 100, "a");
        for (seen, is_gone) in [
            (Seen::Runs(process(7, 100, "a")), false),
            (Seen::Runs(process(7, 101, "a")), true),
            (Seen::Runs(process(7, 100, "b")), true),
            (Seen::Gone, true),
            (Seen::Hidden, false),
        ] {
            assert_eq!(shell.is_gone(&seen), is_gone, "{seen:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let shell = process(7, 100, "a");
        let entry = Entry::new(1.0, "recoverable").and_then(|entry| entry.with(&shell));
        assert_eq!(Process::of(&entry.unwrap()), Some(shell));
        assert_eq!(Process::of(&Entry::new(1.0, "recoverable").unwrap()), None);
    }

    #[test]
    fn this_host_knows_its_own() {
        let own = i32::try_from(std::process::id()).unwrap();
        let Seen::Runs(process) = ThisHost::default().look(own) else {
            panic!("a process does not see itself");
        };
        assert!(process.start > 0 && process.boot.len() == 36, "{process:?}");
        assert_eq!(ThisHost::default().look(i32::MAX), Seen::Gone);
        assert_eq!(ThisHost::default().look(0), Seen::Gone);
        assert_eq!(ThisHost::default().look(-1), Seen::Gone);
    }
}
