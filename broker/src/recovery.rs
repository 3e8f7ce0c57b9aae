//! Start despite errors (`broker.recovery-mode`, `flux start --recovery`): the stored
//! state of an instance can be inspected and repaired although something in it is broken.

use proto::attr::names::{BROKER_EXIT_NORESTART, BROKER_RECOVERY_MODE};
use proto::rc;

use crate::core::Broker;
use crate::lifecycle::Event;

impl Broker {
    pub(crate) fn is_recovering(&self) -> bool {
        self.attrs.is_present(&BROKER_RECOVERY_MODE)
    }

    /// Event that follows from this exit code of rc1.
    pub(crate) fn rc1_event(&mut self, code: i32) -> Event {
        if code == 0 {
            return Event::Rc1Success;
        }
        if self.is_recovering() {
            self.life.forgive_start();
            return Event::Rc1IgnoreFail;
        }
        self.life.set_exit(self.exit_norestart().unwrap_or(code));
        Event::Rc1Fail
    }

    /// The exit code that keeps a supervisor from starting the broker again, if there is
    /// one.
    pub(crate) fn exit_norestart(&self) -> Option<i32> {
        self.attrs.value(&BROKER_EXIT_NORESTART)?.parse().ok()
    }

    /// A default module could not be started: the start fails without it, unless the
    /// instance is to come up all the same.
    pub(crate) fn miss_module(&mut self, name: &'static str) {
        match self.is_recovering() {
            true => self.life.give_up(name),
            false => self.life.fail_start(),
        }
    }

    /// True if a default module will not start: it has failed, or one that it needs has.
    pub(crate) fn is_given_up(&self, name: &str) -> bool {
        let entry = rc::MODULES.iter().find(|entry| entry.name == name);
        let rank = self.router.rank();
        let mut needs = entry.into_iter().flat_map(|entry| entry.after_on(rank));
        self.life.has_given_up(name) || needs.any(|need| self.is_given_up(need))
    }
}
