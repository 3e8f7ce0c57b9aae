//! Jobs about which policies are asked that answer later: the steps for these jobs when all
//! policies have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use node::Cx;
use proto::data::JobId;
use proto::job_policy::Job;

use super::{Points, Policies};
use crate::JobManager;

/// The jobs that are refused, and why.
pub type Refused = BTreeMap<JobId, String>;

type Then = Box<dyn FnOnce(&mut JobManager, &mut Cx<JobManager>, Refused)>;

/// One question.
struct Open {
    /// Policies that have not answered, by number.
    waits_for: BTreeSet<u64>,
    /// With the policy that refuses the job: the one that was loaded first has its way.
    refused: BTreeMap<JobId, (u64, String)>,
    then: Then,
}

/// The questions that wait for answers. Their number is bounded by the policies, each of which
/// answers at once when it has too many jobs to ask about.
#[derive(Default)]
pub struct Verdicts {
    asked: u64,
    open: BTreeMap<u64, Open>,
}

impl Verdicts {
    /// Receives the answer of one policy; returns the effects if it was the last one.
    fn take(
        &mut self,
        ticket: u64,
        by: u64,
        said: Vec<(JobId, String)>,
    ) -> Option<(Then, Refused)> {
        let open = self.open.get_mut(&ticket)?;
        open.waits_for.remove(&by);
        for (id, text) in said {
            let refused = open.refused.entry(id).or_insert_with(|| (by, text.clone()));
            if by < refused.0 {
                *refused = (by, text);
            }
        }
        if !open.waits_for.is_empty() {
            return None;
        }
        let open = self.open.remove(&ticket)?;
        let refused = open.refused.into_iter();
        let refused = refused.map(|(id, (_, text))| (id, text)).collect();
        Some((open.then, refused))
    }
}

impl JobManager {
    /// Asks policies that answer later about jobs, and goes on in `then` with the refused ones.
    pub(crate) fn consider(
        &mut self,
        cx: &mut Cx<Self>,
        jobs: &[Rc<Job>],
        then: impl FnOnce(&mut Self, &mut Cx<Self>, Refused) + 'static,
    ) {
        self.verdicts.asked += 1;
        let ticket = self.verdicts.asked;
        let waits_for =
            self.ask_policies(cx, |policies, view| policies.consider(view, ticket, jobs));
        if waits_for.is_empty() {
            return then(self, cx, Refused::new());
        }
        let open = Open {
            waits_for,
            refused: BTreeMap::new(),
            then: Box::new(then),
        };
        self.verdicts.open.insert(ticket, open);
        self.apply_wants(cx);
    }

    /// Lets policies ask about the gathered jobs.
    pub(crate) fn end_turn(&mut self, cx: &mut Cx<Self>) {
        if self.policies.any_at(Points::TURN) {
            self.ask_policies(cx, Policies::turn_ended);
            self.run(cx);
        }
    }

    /// A policy has answered.
    pub(crate) fn receive_verdict(
        &mut self,
        cx: &mut Cx<Self>,
        ticket: u64,
        by: u64,
        said: Vec<(JobId, String)>,
    ) {
        if let Some((then, refused)) = self.verdicts.take(ticket, by, said) {
            then(self, cx, refused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_policy_has_its_way_whoever_answers_first() {
        let check = |answers: &[(u64, &str)], expect: &str| {
            let mut verdicts = Verdicts::default();
            let open = Open {
                waits_for: [4, 7].into(),
                refused: BTreeMap::new(),
                then: Box::new(|_, _, _| {}),
            };
            verdicts.open.insert(1, open);
            let mut said = String::new();
            for (by, text) in answers {
                assert!(said.is_empty(), "not all have answered");
                let refused = match text.is_empty() {
                    true => Vec::new(),
                    false => vec![(JobId(9), (*text).to_owned())],
                };
                if let Some((_, refused)) = verdicts.take(1, *by, refused) {
                    said = format!("{refused:?}");
                }
            }
            assert_eq!(said, expect);
            assert!(verdicts.open.is_empty());
            assert!(verdicts.take(1, 4, Vec::new()).is_none(), "it is answered");
        };
        check(&[(4, "four"), (7, "seven")], r#"{JobId(9): "four"}"#);
        check(&[(7, "seven"), (4, "four")], r#"{JobId(9): "four"}"#);
        check(&[(7, "seven"), (4, "")], r#"{JobId(9): "seven"}"#);
        check(&[(4, ""), (7, "")], "{}");
    }
}
