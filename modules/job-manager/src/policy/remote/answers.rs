//! Requests to the module, and the effects of its answer, or of a missing one.

use bytes::Bytes;
use proto::data::JobId;
use proto::data::job::Priority;

use super::{Remote, uptime};
use crate::limits::REMOTE_RANK_RETRY_S;
use crate::policy::{View, Want, Wants};

impl Remote {
    pub(super) fn ask(&mut self, view: &View<'_>, method: &str, payload: Bytes, wants: &mut Wants) {
        self.asked += 1;
        let topic = format!("{}.{method}", self.settings.service);
        wants.ask(&topic, payload, self.asked);
        self.wake(view, wants);
    }

    /// Wants to be woken when the next answer comes too late, or jobs are to be ranked again.
    pub(super) fn wake(&self, view: &View<'_>, wants: &mut Wants) {
        let times = [
            self.checks.out.until(),
            self.ranks.out.until(),
            self.ranks.pause(),
        ];
        if let Some(at) = times.into_iter().flatten().reduce(f64::min) {
            wants.wake(view.now.wall + at - uptime(view));
        }
    }

    pub(super) fn validated(
        &mut self,
        said: Result<Vec<(JobId, String)>, String>,
        wants: &mut Wants,
    ) {
        let said = match said {
            Ok(errors) => {
                self.answered_well();
                errors
            }
            Err(why) => {
                let text = self.failed(why);
                self.settings.on_failure(self.checks.asked(), &text)
            }
        };
        for (ticket, refused) in self.checks.take(said) {
            wants.verdict(ticket, refused);
        }
    }

    pub(super) fn ranked(
        &mut self,
        view: &View<'_>,
        said: Result<Vec<(JobId, Priority)>, String>,
        wants: &mut Wants,
    ) {
        let ids = match said {
            Ok(priorities) => {
                self.answered_well();
                self.ranks.take(priorities)
            }
            Err(why) => {
                self.failed(why);
                match self.settings.allows {
                    true => self.ranks.pass(),
                    false => {
                        self.ranks.put_back(uptime(view) + REMOTE_RANK_RETRY_S);
                        Vec::new()
                    }
                }
            }
        };
        for id in ids {
            wants.push(Want::Rank(id));
        }
    }

    fn answered_well(&mut self) {
        if self.failure.take().is_some() {
            tracing::info!("policy {}: answering again", self.settings.service);
        }
    }

    /// Takes note of a failure; the sentence for those who are refused for it.
    pub(super) fn failed(&mut self, why: String) -> String {
        self.failed += 1;
        let text = format!("policy {}: {why}", self.settings.service);
        if self.failure.is_none() {
            tracing::error!("{text}");
        }
        self.failure = Some(why);
        text
    }
}
