//! Drained ranks, with time and reason: a fold over `drain` and `undrain` events, so that
//! a restart gives the same state. Pure.

use std::collections::BTreeMap;

use proto::data::{Entry, Hostlist, IdSet};
use proto::resource::{DrainError, DrainInfo};
use serde::{Deserialize, Serialize};

use crate::hosts::Hosts;

/// Handling of ranks that are drained already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuse.
    Strict,
    /// Leave them, but for a reason where none was given.
    Update,
    /// Change the reason.
    Overwrite,
    /// Change the reason and the time.
    ForceOverwrite,
}

impl Mode {
    /// The mode of a request; `None` if there is no such mode.
    pub fn of(text: Option<&str>) -> Option<Mode> {
        Some(match text {
            None => Mode::Strict,
            Some("update") => Mode::Update,
            Some("overwrite") => Mode::Overwrite,
            Some("force-overwrite") => Mode::ForceOverwrite,
            Some(_) => return None,
        })
    }

    fn overwrite(self) -> i64 {
        match self {
            Mode::Strict | Mode::Update => 0,
            Mode::Overwrite => 1,
            Mode::ForceOverwrite => 2,
        }
    }
}

/// Context of `drain` and `undrain` events (RFC 44).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrainEvent {
    /// Ranks.
    pub idset: IdSet,
    /// Hosts, in order of rank.
    #[serde(default)]
    pub nodelist: Hostlist,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 0 to 2, see [`Mode`].
    #[serde(default)]
    pub overwrite: i64,
}

#[derive(Debug, Clone, PartialEq)]
struct Drained {
    timestamp: f64,
    reason: Option<String>,
}

/// The drained ranks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drains {
    by_rank: BTreeMap<u32, Drained>,
    /// The same ranks.
    ranks: IdSet,
}

impl Drains {
    /// The drained ranks.
    pub fn ranks(&self) -> &IdSet {
        &self.ranks
    }

    /// Event that drains `ranks`; `None` when nothing is left to do.
    pub fn drain(
        &self,
        mut ranks: IdSet,
        excluded: &IdSet,
        reason: Option<String>,
        mode: Mode,
        names: &Hosts,
    ) -> Result<Option<DrainEvent>, DrainError> {
        match mode {
            Mode::Strict => {
                let taken = self.ranks.union(excluded).intersection(&ranks);
                let or_excluded = match taken.intersects(excluded) {
                    true => " or excluded",
                    false => "",
                };
                match taken.count() {
                    0 => {}
                    1 => return Err(DrainError::RankDrained(taken, or_excluded)),
                    _ => return Err(DrainError::RanksDrained(taken, or_excluded)),
                }
            }
            Mode::Update => {
                let settled = self.by_rank.iter().filter(|(_, d)| d.reason.is_some());
                ranks.subtract(&settled.map(|(rank, _)| *rank).collect());
            }
            Mode::Overwrite | Mode::ForceOverwrite => {}
        }
        Ok((!ranks.is_empty()).then(|| DrainEvent {
            nodelist: names.hosts(&ranks),
            idset: ranks,
            reason,
            overwrite: mode.overwrite(),
        }))
    }

    /// Event that undrains `ranks`; `None` when nothing is left to do.
    pub fn undrain(
        &self,
        ranks: IdSet,
        reason: Option<String>,
        mode: Mode,
        names: &Hosts,
    ) -> Result<Option<DrainEvent>, DrainError> {
        let not_drained = ranks.difference(&self.ranks);
        match (mode, not_drained.count()) {
            (Mode::Strict, 1) => return Err(DrainError::RankNotDrained(not_drained)),
            (Mode::Strict, 2..) => return Err(DrainError::RanksNotDrained(not_drained)),
            _ => {}
        }
        let ranks = ranks.difference(&not_drained);
        Ok((!ranks.is_empty()).then(|| DrainEvent {
            nodelist: names.hosts(&ranks),
            idset: ranks,
            reason,
            overwrite: mode.overwrite(),
        }))
    }

    /// Folds one event in; others than these two are ignored. Ranks are taken for
    /// those that the named hosts have today.
    pub fn apply(&mut self, entry: &Entry, names: &Hosts) {
        if !matches!(entry.name(), "drain" | "undrain") {
            return;
        }
        let Ok(event) = entry.context_as::<DrainEvent>() else {
            tracing::error!("{}: malformed event ignored", entry.name());
            return;
        };
        for (n, rank) in event.idset.iter().enumerate().take(names.len_max()) {
            let Some(rank) = names.today(rank, event.nodelist.get(n)) else {
                continue;
            };
            if entry.name() == "undrain" {
                self.forget(rank);
            } else {
                self.apply_drain(rank, entry.timestamp(), &event);
            }
        }
    }

    fn forget(&mut self, rank: u32) {
        self.by_rank.remove(&rank);
        self.ranks.remove(rank);
    }

    fn apply_drain(&mut self, rank: u32, timestamp: f64, event: &DrainEvent) {
        let reason = event.reason.clone();
        let Some(drained) = self.by_rank.get_mut(&rank) else {
            self.by_rank.insert(rank, Drained { timestamp, reason });
            self.ranks.insert(rank);
            return;
        };
        if event.overwrite >= 1 || drained.reason.is_none() {
            drained.reason = reason;
        }
        if event.overwrite >= 2 {
            drained.timestamp = timestamp;
        }
    }

    /// The drained ranks as `resource.status` shows them, like ones together.
    pub fn info(&self) -> BTreeMap<String, DrainInfo> {
        let mut groups: BTreeMap<(u64, &str), IdSet> = BTreeMap::new();
        for (rank, drained) in &self.by_rank {
            let reason = drained.reason.as_deref().unwrap_or_default();
            let group = (drained.timestamp as u64, reason);
            groups.entry(group).or_default().insert(*rank);
        }
        groups
            .into_iter()
            .map(|((timestamp, reason), ranks)| {
                let info = DrainInfo {
                    timestamp: timestamp as f64,
                    reason: reason.to_owned(),
                };
                (ranks.to_string(), info)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Hosts {
        Hosts::new(["a0", "a1", "a2", "a3"])
    }

    struct Story {
        drains: Drains,
        now: f64,
    }

    impl Story {
        fn apply(
            &mut self,
            name: &'static str,
            event: Result<Option<DrainEvent>, DrainError>,
        ) -> String {
            match event {
                Err(error) => error.to_string(),
                Ok(None) => "nothing to do".to_owned(),
                Ok(Some(event)) => {
                    let entry = Entry::new(self.now, name).unwrap().with(&event).unwrap();
                    self.drains.apply(&entry, &names());
                    self.shown()
                }
            }
        }

        fn shown(&self) -> String {
            let info = self.drains.info();
            let lines = info
                .iter()
                .map(|(ranks, info)| format!("{ranks}: {} {}", info.timestamp, info.reason));
            lines.collect::<Vec<_>>().join("; ")
        }

        /// Plays one command some time later; prints its answer, or the drained ranks
        /// after it.
        fn check(&mut self, command: &str, ranks: &str, mode: &str, reason: &str, expect: &str) {
            self.now += 1.5;
            let ranks: IdSet = ranks.parse().unwrap();
            let mode = Mode::of((!mode.is_empty()).then_some(mode)).unwrap();
            let reason = (!reason.is_empty()).then(|| reason.to_owned());
            let excluded: IdSet = "3".parse().unwrap();
            let said = match command {
                "drain" => {
                    let event = self.drains.drain(ranks, &excluded, reason, mode, &names());
                    self.apply("drain", event)
                }
                _ => {
                    let event = self.drains.undrain(ranks, reason, mode, &names());
                    self.apply("undrain", event)
                }
            };
            assert_eq!(said, expect);
        }
    }

    fn story() -> Story {
        Story {
            drains: Drains::default(),
            now: 99.0,
        }
    }

    #[test]
    fn ranks_are_drained_once_and_put_back_once() {
        let mut story = story();
        story.check("drain", "0-1", "", "hot", "0-1: 100 hot");
        story.check("drain", "1", "", "x", "rank 1 already drained");
        story.check("drain", "0-2", "", "x", "ranks 0-1 already drained");
        story.check(
            "drain",
            "1,3",
            "",
            "x",
            "ranks 1,3 already drained or excluded",
        );
        story.check("undrain", "1", "", "", "0: 100 hot");
        story.check("undrain", "1", "", "", "rank 1 not drained");
        story.check("undrain", "0-2", "", "", "ranks 1-2 not drained");
        story.check("undrain", "0-2", "update", "", "");
        story.check("undrain", "0-2", "update", "", "nothing to do");
    }

    #[test]
    fn modes_say_what_changes_on_drained_ranks() {
        let mut story = story();
        story.check("drain", "0", "", "", "0: 100 ");
        story.check("drain", "0-1", "update", "hot", "0: 100 hot; 1: 102 hot");
        story.check("drain", "0-1", "update", "cold", "nothing to do");
        story.check("drain", "0", "overwrite", "cold", "0: 100 cold; 1: 102 hot");
        story.check("drain", "0-1", "force-overwrite", "wet", "0-1: 106 wet");
    }

    #[test]
    fn no_other_mode_is_known() {
        assert_eq!(Mode::of(Some("force")), None);
    }
}
