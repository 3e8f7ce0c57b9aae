//! Handles the loss of the broker. Where its instance lasts, another one will come in its
//! place: the tasks run on, and we look for it until it is there. Unacknowledged messages are
//! then repeated, for every call answers as after a restart of job-exec. Elsewhere nobody will
//! ever want to know, and the tasks are ended.

use std::time::Duration;

use node::Cx;
use proto::Event as _;
use proto::job_manager::ShellKill;

use crate::JobShell;
use crate::limits::{SEEK_FIRST_MS, SEEK_LAST_MS};
use crate::state::State;
use crate::worker::{Files, Found};

/// The search for another broker.
#[derive(Debug)]
pub struct Search {
    /// Time of the last loss.
    since: Duration,
    /// The next wait before we look again.
    wait: Duration,
    /// True if the lease has expired, and the job's choice was carried out.
    pub(crate) is_late: bool,
}

impl JobShell {
    /// Looks for another broker, or ends everything where there will be none.
    pub(crate) fn lose_broker(&mut self, cx: &mut Cx<Self>) {
        if self.launch.uri_file.is_empty() || self.orphaned {
            return self.orphan(cx);
        }
        self.search.get_or_insert(Search {
            since: cx.now().mono,
            wait: Duration::from_millis(SEEK_FIRST_MS),
            is_late: false,
        });
        self.seek(cx);
    }

    fn seek(&mut self, cx: &mut Cx<Self>) {
        let file = self.launch.uri_file.clone();
        cx.work(
            move |files: &mut Files| files.find_broker(&file),
            |core: &mut JobShell, cx, found| core.sought(cx, found),
        );
    }

    fn sought(&mut self, cx: &mut Cx<Self>, found: Found) {
        match found {
            _ if self.orphaned || self.state() == State::Gone => {}
            Found::Broker(stream) => cx.reconnect(stream),
            Found::Never => self.orphan(cx),
            Found::NotYet => {
                self.look_at_lease(cx);
                let Some(search) = self.search.as_mut().filter(|_| !self.orphaned) else {
                    return;
                };
                let wait = search.wait;
                search.wait = (wait * 2).min(Duration::from_millis(SEEK_LAST_MS));
                cx.timer(wait, JobShell::seek);
            }
        }
    }

    /// Carries out the job's choice when no broker was reached during the lease: to end, or
    /// to run on. Either way a shell that has nothing more to run does not wait for ever.
    fn look_at_lease(&mut self, cx: &mut Cx<Self>) {
        let lease = self.lease;
        let Some(search) = self.search.as_mut() else {
            return;
        };
        let lost_for = cx.now().mono.saturating_sub(search.since);
        let is_over = lease.is_some_and(|lease| lost_for >= lease);
        if !is_over {
            return;
        }
        let is_first = !std::mem::replace(&mut search.is_late, true);
        let stops = self.job.as_ref().is_some_and(|job| job.stops_when_lost);
        if is_first && stops {
            tracing::error!("job={}: lease expired: killing tasks", self.launch.id);
        }
        let has_ended = matches!(self.state(), State::Draining | State::Leaving);
        if stops || has_ended || self.state() == State::Greeting {
            self.orphan(cx);
        }
    }

    /// There is a broker again. It knows nothing of us.
    pub(crate) fn find_broker(&mut self, cx: &mut Cx<Self>) {
        self.search = None;
        self.announce_topic(cx, "shell.reconnect", &serde_json::Value::Null);
        self.backoff = crate::core::RETRY_FIRST;
        cx.subscribe(&ShellKill::topic_for(&self.launch.id.get().to_string()));
        let told = self.told.as_ref().map(|told| told.userid);
        if let Some(userid) = told.or_else(|| self.job.as_ref().map(|job| job.userid)) {
            self.register(cx, userid);
        }
    }
}
