//! Decisions about a module's process: the meaning of its exit, the next step, and the
//! handling of a request for it. Pure.

use std::time::Duration;

use proto::{Errno, Refusal};

use super::{Loaded, Stage};
use crate::core::seconds;
use crate::limits::{RESTART_WINDOW_S, RESTARTS_MAX};

pub(super) const SIGKILL: i32 = 9;
pub(super) const SIGTERM: i32 = 15;

/// Delay of the second process in a row; doubled for each further one.
const FIRST_WAIT_MS: u64 = 10;

/// Next step for a module whose process has exited.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Unload it for good.
    Unload,
    /// The module waits for this module, which it needs.
    Park(&'static str),
    /// The module is started again after a while.
    Start(Duration),
    /// The module is waited for: it will be loaded again.
    Await,
    /// The module has ended N times in a row.
    GiveUp(usize),
}

/// Handling of a request for a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The message is handed to the process, or waits for its link.
    Hand,
    /// The message waits for the next process.
    Hold,
    /// The message is answered with this, and a text.
    Refuse(Errno, Option<&'static str>),
}

impl Loaded {
    /// Handling of a request at this moment. `is_urgent` ones do not wait for a module
    /// that is being started again; `has_link` is true if its process can receive
    /// messages.
    pub(super) fn way(&self, is_urgent: bool, has_link: bool) -> Way {
        match self.stage {
            _ if self.deferred => Way::Hold,
            // While it loads, clients that know its name may already ask.
            Stage::Running | Stage::Loading => Way::Hand,
            // Its new process is there and may already ask; it is asked in turn.
            Stage::Restarting if is_urgent && has_link => Way::Hand,
            Stage::Restarting | Stage::Leaving | Stage::Away { .. } if is_urgent => {
                Way::Refuse(Errno::EHOSTUNREACH, Some("module is restarting"))
            }
            Stage::Restarting | Stage::Leaving | Stage::Away { .. } => Way::Hold,
            Stage::Stopping => Way::Refuse(Errno::ENOSYS, None),
        }
    }

    /// Result of its process, from the status of wait(2) and its own last message.
    pub(super) fn how_it_ended(&self, status: i32) -> Result<(), Refusal> {
        let asked = matches!(self.stage, Stage::Stopping | Stage::Leaving);
        let how = match (&self.reported, status & 0x7f, status >> 8) {
            (Some(end), ..) => return end.clone(),
            // Its last words may be lost when the machine is very busy. A process that we
            // have killed has none.
            (None, 0, 0) | (None, SIGKILL | SIGTERM, _) if asked => return Ok(()),
            (None, 0, 0) => "exited with exit code 0 but did not report module status".to_owned(),
            (None, 0, code) => format!("exited with exit code {code}"),
            (None, signal, _) => format!("killed by signal {signal}"),
        };
        let errno = match self.stage {
            Stage::Loading => Errno::EINVAL,
            _ => Errno::ECONNRESET,
        };
        Err(Refusal::new(errno, format!("module {} {how}", self.name)))
    }

    /// Next step after such an exit, depending on whether a module that this one needs is
    /// missing. `is_ending` is the broker.
    pub(super) fn after(
        &mut self,
        end: &Result<(), Refusal>,
        missing: Option<&'static str>,
        is_ending: bool,
        now: Duration,
    ) -> Then {
        if self.stage == Stage::Leaving && !is_ending {
            return Then::Await;
        }
        let had_run = matches!(self.stage, Stage::Running | Stage::Restarting);
        if !had_run || !self.removing.is_empty() || is_ending {
            return Then::Unload;
        }
        let lost_service =
            |error: &Refusal| matches!(error.errno, Errno::ENOSYS | Errno::EHOSTUNREACH);
        if let (Some(need), Err(error)) = (missing, end)
            && lost_service(error)
        {
            return Then::Park(need);
        }
        let n = self.count_end(now);
        let is_sound = self.killed || end.as_ref().is_err_and(Refusal::may_pass);
        if n > RESTARTS_MAX && !is_sound {
            return Then::GiveUp(n);
        }
        // A module that dies at once must not keep the machine busy: each restart in
        // the window waits twice as long as the one before.
        let doublings = (n - 1).min(if self.killed { 5 } else { 9 });
        Then::Start(match n {
            1 => Duration::ZERO,
            _ => Duration::from_millis(FIRST_WAIT_MS << doublings),
        })
    }

    /// Notes that the process has ended unasked; returns the number of such ends in a
    /// row.
    fn count_end(&mut self, now: Duration) -> usize {
        if self.useful {
            self.restarted_at.clear();
        }
        let window = seconds(RESTART_WINDOW_S);
        self.restarted_at.retain(|at| *at + window >= now);
        self.restarted_at.push_back(now);
        self.restarted_at.len()
    }
}

#[cfg(test)]
mod tests {
    use proto::module::Load;

    use super::*;
    use crate::modules::Modules;

    const AWAY: Stage = Stage::Away {
        until: Duration::ZERO,
    };

    fn module(stage: Stage) -> Loaded {
        let mut modules = Modules::default();
        let request = Load {
            path: String::new(),
            args: Vec::new(),
            name: None,
            loader: None,
            exec: None,
        };
        let id = modules.add("m", String::new(), request, Duration::ZERO);
        let mut module = modules.remove(id).expect("it was added");
        module.stage = stage;
        module
    }

    #[test]
    fn a_request_is_handed_over_held_or_refused() {
        let restarting = Way::Refuse(Errno::EHOSTUNREACH, Some("module is restarting"));
        let gone = Way::Refuse(Errno::ENOSYS, None);
        for (stage, deferred, is_urgent, has_link, want) in [
            (Stage::Loading, false, false, false, Way::Hand),
            (Stage::Running, false, true, true, Way::Hand),
            (Stage::Running, true, false, true, Way::Hold),
            (Stage::Restarting, false, false, true, Way::Hold),
            (Stage::Restarting, false, true, true, Way::Hand),
            (Stage::Restarting, false, true, false, restarting),
            (Stage::Stopping, false, false, true, gone),
            (Stage::Stopping, true, false, true, Way::Hold),
            (Stage::Leaving, false, false, true, Way::Hold),
            (AWAY, false, false, false, Way::Hold),
        ] {
            let mut module = module(stage);
            module.deferred = deferred;
            assert_eq!(module.way(is_urgent, has_link), want, "{stage:?}");
        }
    }

    #[test]
    fn an_end_is_what_the_module_says_or_else_what_the_system_says() {
        let no_word = "module m exited with exit code 0 but did not report module status";
        let says = |text| Some(Err(Refusal::new(Errno::ENOSYS, text)));
        for (stage, reported, status, want) in [
            (Stage::Running, Some(Ok(())), 9, ""),
            (Stage::Loading, says("load a first"), 1 << 8, "load a first"),
            (Stage::Stopping, None, 0, ""),
            (Stage::Stopping, None, SIGKILL, ""),
            (Stage::Leaving, None, SIGKILL, ""),
            (Stage::Stopping, None, 11, "module m killed by signal 11"),
            (Stage::Running, None, 0, no_word),
            (
                Stage::Running,
                None,
                3 << 8,
                "module m exited with exit code 3",
            ),
            (Stage::Running, None, SIGKILL, "module m killed by signal 9"),
        ] {
            let mut module = module(stage);
            module.reported = reported.clone();
            let got = module.how_it_ended(status);
            let got = got.map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(got, want, "{stage:?} {reported:?} {status}");
        }
        let errno = |stage| module(stage).how_it_ended(256).map_err(|e| e.errno);
        assert_eq!(errno(Stage::Loading), Err(Errno::EINVAL));
        assert_eq!(errno(Stage::Running), Err(Errno::ECONNRESET));
    }

    fn failed(errno: Errno) -> Result<(), Refusal> {
        Err(Refusal::bare(errno))
    }

    #[test]
    fn who_has_not_run_or_need_not_run_is_unloaded() {
        for (stage, is_ending, want) in [
            (Stage::Loading, false, Then::Unload),
            (Stage::Stopping, false, Then::Unload),
            (Stage::Running, true, Then::Unload),
            (Stage::Running, false, Then::Start(Duration::ZERO)),
            (Stage::Restarting, false, Then::Start(Duration::ZERO)),
            (Stage::Leaving, false, Then::Await),
            (Stage::Leaving, true, Then::Unload),
        ] {
            let then = module(stage).after(&Ok(()), None, is_ending, Duration::ZERO);
            assert_eq!(then, want, "{stage:?}");
        }
    }

    #[test]
    fn who_has_lost_what_it_needs_waits_for_it() {
        for (errno, missing, want) in [
            (Errno::ENOSYS, Some("kvs"), Then::Park("kvs")),
            (Errno::EHOSTUNREACH, Some("kvs"), Then::Park("kvs")),
            (Errno::EINVAL, Some("kvs"), Then::Start(Duration::ZERO)),
            (Errno::ENOSYS, None, Then::Start(Duration::ZERO)),
        ] {
            let then = module(Stage::Running).after(&failed(errno), missing, false, Duration::ZERO);
            assert_eq!(then, want, "{errno:?}");
        }
    }

    /// Checks the next step after the last of `n` exits, one every `every`.
    fn check_ends(n: u32, every: Duration, set: impl Fn(&mut Loaded), want: Then) {
        let mut module = module(Stage::Running);
        set(&mut module);
        let ends = (0..n).map(|n| module.after(&failed(Errno::EINVAL), None, false, every * n));
        assert_eq!(ends.last(), Some(want), "{n} ends");
    }

    #[test]
    fn each_end_in_a_row_waits_twice_as_long_up_to_the_last() {
        let (soon, max) = (Duration::from_millis(1), RESTARTS_MAX as u32);
        let ms = |ms| Then::Start(Duration::from_millis(ms));
        check_ends(2, soon, |_| (), ms(20));
        check_ends(3, soon, |_| (), ms(40));
        check_ends(max, soon, |_| (), ms(10 << 9));
        check_ends(max + 1, soon, |_| (), Then::GiveUp(RESTARTS_MAX + 1));
        check_ends(max + 1, soon, |module| module.killed = true, ms(10 << 5));
        check_ends(max + 1, soon, |module| module.useful = true, ms(0));
        check_ends(max + 1, seconds(RESTART_WINDOW_S + 1), |_| (), ms(0));
    }
}
