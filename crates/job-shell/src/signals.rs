//! Signals for the tasks: from clients through the job manager, from job-exec, from
//! signals to the shell, and the warning before the end of the job's time limit.

use std::borrow::Cow;
use std::time::Duration;

use nix::sys::signal::Signal;
use node::Cx;
use proto::job_manager::{Kill, ShellKill};

use crate::JobShell;
use crate::log::Level;
use crate::state::State;

/// The gentle request to end.
pub(crate) const SIGTERM: i32 = 15;
/// The end.
pub(crate) const SIGKILL: i32 = 9;

/// Signals to the shell that are meant for its tasks: INT, ALRM, TERM.
const FORWARDED: [i32; 3] = [2, 14, SIGTERM];

/// A signal by the name that users know it by.
fn name_of(signum: i32) -> Cow<'static, str> {
    match Signal::try_from(signum) {
        Ok(signal) => signal.as_str().into(),
        Err(_) => format!("signal {signum}").into(),
    }
}

impl JobShell {
    /// Event `shell-ID.kill`.
    pub(crate) fn kill_event(&mut self, cx: &mut Cx<Self>, id: &str, event: ShellKill) {
        if let Ok(signum) = i32::try_from(event.signum)
            && id == self.launch.id.get().to_string()
        {
            self.signal_tasks(cx, signum);
        }
    }

    /// The shell itself got a signal.
    pub(crate) fn signalled(&mut self, cx: &mut Cx<Self>, signum: i32) {
        if FORWARDED.contains(&signum) {
            let message = format!("forwarding signal {signum} to tasks");
            self.debug(cx, "signals", &message);
            self.signal_tasks(cx, signum);
        }
    }

    /// Sends a signal to all tasks, now or when they run.
    pub(crate) fn signal_tasks(&mut self, cx: &mut Cx<Self>, signum: i32) {
        let is_early = matches!(
            self.state(),
            State::Greeting | State::Preparing | State::Meeting
        );
        if (is_early || self.starting.is_some()) && !self.early_signals.contains(&signum) {
            self.early_signals.push(signum);
        }
        self.kill_tasks(cx, signum);
    }

    /// Sends a signal to the tasks of all shells.
    fn signal_job(&mut self, cx: &mut Cx<Self>, signum: i32) {
        if self.place.size < 2 {
            return self.signal_tasks(cx, signum);
        }
        let kill = Kill {
            id: self.launch.id,
            signum: i64::from(signum),
        };
        cx.call(&kill, |core: &mut JobShell, cx, result| {
            if let Err(error) = result {
                let message = format!("sending a signal to the job: {error}");
                core.log(cx, Level::Error, Some("signal"), &message);
            }
        });
    }

    /// Sets the timer for the signal before the job's time is up.
    pub(crate) fn arm_warning(&mut self, cx: &mut Cx<Self>) {
        if let Some(timer) = self.warning.take() {
            cx.cancel_timer(timer);
        }
        let signal = self.job.as_ref().and_then(|job| job.options.signal);
        let Some((signum, left)) = signal.filter(|_| self.place.is_leader()) else {
            return;
        };
        let name = name_of(signum);
        if self.expiration <= 0.0 {
            let message = format!("job has no expiration, {name} will not be sent");
            return self.notice(cx, "signal", &message);
        }
        let at = self.expiration - left.as_secs_f64() - cx.now().wall;
        let message = format!("Will send {name} to job in {:.2}s", at.max(0.0));
        self.debug(cx, "signal", &message);
        if let Ok(wait) = Duration::try_from_secs_f64(at.max(0.0)) {
            let run = move |core: &mut JobShell, cx: &mut Cx<JobShell>| {
                core.warning = None;
                let left = core.expiration - cx.now().wall;
                let message = format!("job will expire in {left:.1}s, sending {name} to job");
                core.notice(cx, "signal", &message);
                core.signal_job(cx, signum);
            };
            self.warning = Some(cx.timer(wait, run));
        }
    }
}
