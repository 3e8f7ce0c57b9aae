//! Names of modules and programs in the report.

use std::collections::BTreeMap;

use proto::module::Traced;

use crate::limits::LINT_PARTIES_MAX;

/// Words of a command line that are shown.
const WORDS_SHOWN: usize = 3;

/// The names of those who were seen.
pub(super) struct Names {
    has_ranks: bool,
    own_pid: i32,
    /// Programs by rank and identity, with data to be read while they live.
    programs: BTreeMap<(u32, String), String>,
}

impl Names {
    /// In an instance of `size` brokers.
    pub(super) fn new(size: u32) -> Names {
        Names {
            has_ranks: size > 1,
            own_pid: i32::try_from(std::process::id()).unwrap_or_default(),
            programs: BTreeMap::new(),
        }
    }

    /// Of one whose message was seen on `rank`. We have none.
    pub(super) fn of(&mut self, rank: u32, traced: &Traced) -> Option<String> {
        let name = traced.name.as_deref()?;
        let Some(pid) = traced.pid else {
            return Some(with_rank(name, rank, self.has_ranks));
        };
        if pid == self.own_pid {
            return None;
        }
        let id = (rank, name.to_owned());
        if let Some(known) = self.programs.get(&id) {
            return Some(known.clone());
        }
        let short: String = name.chars().take(8).collect();
        let what = format!("client {short} (pid {pid}{})", command_of(pid));
        let what = with_rank(&what, rank, self.has_ranks);
        if self.programs.len() < LINT_PARTIES_MAX {
            self.programs.insert(id, what.clone());
        }
        Some(what)
    }
}

/// A module as it is called on a rank.
pub(super) fn with_rank(name: &str, rank: u32, has_ranks: bool) -> String {
    match has_ranks {
        true => format!("{name} on rank {rank}"),
        false => name.to_owned(),
    }
}

/// Command of a process of this host, if it still exists.
fn command_of(pid: i32) -> String {
    let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else {
        return String::new();
    };
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    let words: Vec<_> = words
        .take(WORDS_SHOWN)
        .map(String::from_utf8_lossy)
        .collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(": {}", words.join(" ")),
    }
}
