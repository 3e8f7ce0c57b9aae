//! Groups of ranks, as far as one broker knows them: the members in its subtree (protocol/03
//! section 12, protocol/21 section 4). Pure; who follows a group is kept beside it.
//!
//! A change applies here at once, and it is sent to the parent at once too, unless another
//! one was sent a moment ago: then the change waits for those that follow it, and they go
//! together. So a lone change waits for no timer, and a parent does not receive a message
//! for every rank.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::data::IdSet;
use proto::groups::Change;
use wire::Identity;

use crate::limits::GROUPS_MAX;

/// Time for which changes of groups are gathered before the parent is notified
/// (protocol/20 section 10).
const BATCH: Duration = Duration::from_millis(100);

/// The members of all groups within a subtree.
#[derive(Debug, Default)]
pub struct Groups {
    members: BTreeMap<String, IdSet>,
    /// Groups that this very broker is in, and which program has asked for it.
    joined: BTreeMap<String, Option<Identity>>,
    /// Changes not yet sent to the parent, in order.
    changes: BTreeMap<String, Vec<Change>>,
    /// True if sending the changes is scheduled.
    is_due: bool,
    /// Time at which they were last taken.
    taken: Option<Duration>,
}

/// There is no room for another group.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Groups {
    /// The members of a group; an unknown one has none.
    pub fn members(&self, name: &str) -> IdSet {
        self.members.get(name).cloned().unwrap_or_default()
    }

    /// All groups by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &IdSet)> {
        self.members.iter()
    }

    /// True if this broker is in a group.
    pub fn has_joined(&self, name: &str) -> bool {
        self.joined.contains_key(name)
    }

    /// This broker joins, because `by` has asked for it.
    ///
    /// # Errors
    /// [`Full`] if it would be one group too many.
    pub fn join(&mut self, name: &str, rank: u32, by: Option<Identity>) -> Result<(), Full> {
        self.change(name, &IdSet::from(rank), true)?;
        self.joined.insert(name.to_owned(), by);
        Ok(())
    }

    /// This broker leaves.
    pub fn leave(&mut self, name: &str, rank: u32) {
        if self.joined.remove(name).is_some() {
            // To leave makes no group.
            let _ = self.change(name, &IdSet::from(rank), false);
        }
    }

    /// The groups that this broker is in because `gone` has asked for it.
    pub fn joined_by(&self, gone: &Identity) -> Vec<String> {
        let theirs = self
            .joined
            .iter()
            .filter(|(_, by)| by.as_ref() == Some(gone));
        theirs.map(|(name, _)| name.clone()).collect()
    }

    /// Ranks come into a group, or go.
    ///
    /// # Errors
    /// [`Full`] if it would be one group too many.
    pub fn change(&mut self, name: &str, ranks: &IdSet, set: bool) -> Result<(), Full> {
        if !self.members.contains_key(name) && self.members.len() >= GROUPS_MAX {
            return Err(Full);
        }
        let members = self.members.entry(name.to_owned()).or_default();
        for rank in ranks.iter() {
            match set {
                true => members.insert(rank),
                false => members.remove(rank),
            }
        }
        // Those of one direction go together; what follows in the other keeps its place.
        let changes = self.changes.entry(name.to_owned()).or_default();
        match changes.last_mut() {
            Some(last) if last.set == set => ranks.iter().for_each(|rank| last.ranks.insert(rank)),
            _ => changes.push(Change {
                ranks: ranks.clone(),
                set,
            }),
        }
        Ok(())
    }

    /// Ranks go from all groups: they are lost. Gives the groups that they were in.
    pub fn lose(&mut self, ranks: &IdSet) -> Vec<String> {
        let are_in = |members: &IdSet| ranks.iter().any(|rank| members.contains(rank));
        let groups = self.members.iter().filter(|(_, members)| are_in(members));
        let groups: Vec<String> = groups.map(|(name, _)| name.clone()).collect();
        for name in &groups {
            let _ = self.change(name, ranks, false);
        }
        groups
    }

    /// Time until the parent is to be notified, if there are changes and nothing is
    /// scheduled yet.
    pub fn begins_batch(&mut self, now: Duration) -> Option<Duration> {
        if self.changes.is_empty() || std::mem::replace(&mut self.is_due, true) {
            return None;
        }
        let free = self.taken.map_or(Duration::ZERO, |taken| taken + BATCH);
        Some(free.saturating_sub(now))
    }

    /// Changes to send to the parent.
    pub fn take_changes(&mut self, now: Duration) -> BTreeMap<String, Vec<Change>> {
        (self.is_due, self.taken) = (false, Some(now));
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> IdSet {
        text.parse().unwrap()
    }

    fn told(groups: &mut Groups) -> String {
        let changes = groups.take_changes(Duration::ZERO);
        let shown = changes.iter().map(|(name, changes)| {
            let changes = changes.iter().map(|change| {
                let sign = if change.set { '+' } else { '-' };
                format!("{sign}{}", change.ranks)
            });
            format!("{name} {}", changes.collect::<Vec<_>>().join(" "))
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn changes_of_a_batch_go_up_together_and_in_order() {
        let mut groups = Groups::default();
        let at = Duration::from_millis;
        assert_eq!(groups.begins_batch(at(0)), None);
        groups.join("a", 1, None).unwrap();
        assert_eq!(groups.begins_batch(at(0)), Some(at(0)));
        assert_eq!(groups.begins_batch(at(0)), None);
        groups.change("a", &ids("3-4"), true).unwrap();
        groups.change("a", &ids("3"), false).unwrap();
        groups.change("b", &ids("3"), true).unwrap();
        assert_eq!(told(&mut groups), "a +1,3-4 -3; b +3");
        assert_eq!(groups.members("a").to_string(), "1,4");
        assert_eq!(groups.members("nope"), IdSet::new());
        assert_eq!(told(&mut groups), "");
    }

    #[test]
    fn only_what_follows_at_once_waits() {
        let mut groups = Groups::default();
        let at = Duration::from_millis;
        groups.change("a", &ids("1"), true).unwrap();
        assert_eq!(groups.begins_batch(at(500)), Some(at(0)));
        groups.take_changes(at(500));
        groups.change("a", &ids("2"), true).unwrap();
        assert_eq!(groups.begins_batch(at(530)), Some(at(70)));
        groups.take_changes(at(600));
        groups.change("a", &ids("3"), true).unwrap();
        assert_eq!(groups.begins_batch(at(900)), Some(at(0)));
    }

    #[test]
    fn what_is_lost_leaves_everything() {
        let mut groups = Groups::default();
        groups.change("a", &ids("1-4"), true).unwrap();
        groups.change("b", &ids("1"), true).unwrap();
        groups.take_changes(Duration::ZERO);
        assert_eq!(groups.lose(&ids("3-4")), ["a"]);
        assert_eq!(told(&mut groups), "a -3-4");
        assert_eq!(groups.members("a").to_string(), "1-2");
    }

    #[test]
    fn a_program_takes_its_groups_with_it() {
        let mut groups = Groups::default();
        let program = Identity::new("p").unwrap();
        groups.join("a", 0, Some(program.clone())).unwrap();
        groups.join("b", 0, None).unwrap();
        assert_eq!(groups.joined_by(&program), ["a"]);
        groups.leave("a", 0);
        assert!(!groups.has_joined("a") && groups.has_joined("b"));
    }

    #[test]
    fn there_is_a_bound() {
        let mut groups = Groups::default();
        for n in 0..GROUPS_MAX {
            groups.join(&n.to_string(), 0, None).unwrap();
        }
        assert_eq!(groups.join("more", 0, None), Err(Full));
        assert_eq!(groups.join("0", 0, None), Ok(()));
    }
}
