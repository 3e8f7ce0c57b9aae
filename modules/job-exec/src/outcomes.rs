//! Results of the latest jobs: sent again to a job manager that was killed before it had
//! stored our message. A job runs once, no matter which of those who know of it end.

use std::collections::{BTreeMap, VecDeque};

use node::Cx;
use proto::Payload;
use proto::data::JobId;
use proto::job_exec::{Progress, Step};
use serde_json::Map;
use wire::Message;

use crate::JobExec;
use crate::limits::OUTCOMES_MAX;

/// Result of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The wait status, if it had started.
    pub status: Option<i32>,
    /// The exception that it did not survive, as it was reported.
    pub exception: Option<Step>,
}

/// The latest outcomes.
#[derive(Debug, Default)]
pub struct Outcomes {
    by_id: BTreeMap<JobId, Outcome>,
    oldest_first: VecDeque<JobId>,
}

impl Outcomes {
    /// Keeps one.
    pub fn keep(&mut self, id: JobId, outcome: Outcome) {
        if self.by_id.insert(id, outcome).is_none() {
            self.oldest_first.push_back(id);
        }
        if self.oldest_first.len() > OUTCOMES_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    /// Sends it to a client that asks for a job that has ended. `false` when it is not known here.
    pub fn send(&self, cx: &mut Cx<JobExec>, id: JobId, request: &Message, reattach: bool) -> bool {
        let Some(outcome) = self.by_id.get(&id) else {
            return false;
        };
        for step in outcome.steps(reattach) {
            let payload = Progress { id, step }.encode();
            cx.send(Message::respond_to(request, 0, payload));
        }
        true
    }
}

impl Outcome {
    /// The answers to a start request, all at once.
    fn steps(&self, reattach: bool) -> Vec<Step> {
        let release = Step::Release {
            ranks: "all".to_owned(),
            is_final: true,
        };
        let start = self.status.map(|_| match reattach {
            true => Step::Reattached(Map::new()),
            false => Step::Start(Map::new()),
        });
        let finish = self.status.map(|status| Step::Finish { status });
        let exception = self.exception.clone();
        let steps = [start, exception, finish, Some(release)];
        steps.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Outcome = Outcome {
        status: Some(0),
        exception: None,
    };

    #[test]
    fn only_the_latest_outcomes_are_kept() {
        let mut outcomes = Outcomes::default();
        let n = OUTCOMES_MAX as u64 + 2;
        for id in 0..n {
            outcomes.keep(JobId(id), OVER);
            outcomes.keep(JobId(id), OVER);
        }
        assert_eq!(outcomes.by_id.len(), OUTCOMES_MAX);
        assert_eq!(outcomes.by_id.keys().next(), Some(&JobId(2)));
    }

    #[test]
    fn a_job_that_did_not_end_by_itself_is_told_with_what_ended_it() {
        let exception = Step::Exception {
            kind: "exec".to_owned(),
            severity: 0,
            note: "no shell".to_owned(),
        };
        let failed = Outcome {
            status: None,
            exception: Some(exception.clone()),
        };
        assert_eq!(failed.steps(false)[0], exception);
        assert!(matches!(failed.steps(false)[1], Step::Release { .. }));
        let ran = Outcome {
            status: Some(256),
            ..failed
        };
        assert_eq!(ran.steps(true)[1], exception);
        assert_eq!(ran.steps(true)[2], Step::Finish { status: 256 });
        assert!(matches!(OVER.steps(true)[0], Step::Reattached(_)));
    }
}
