//! State of the broker's life cycle, pending events, errors on the way, and the exit code
//! that follows. Pure: the moves are those of `lifecycle.rs`, the actions of each state
//! are in `lifecycle_actions.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::lifecycle::{Event, Next, State, next};
use crate::limits::STATE_EVENTS_MAX;

/// One life.
#[derive(Debug)]
pub(crate) struct Life {
    state: State,
    entered: Duration,
    queue: VecDeque<Event>,
    /// Names of default modules that were asked to start.
    begun: Vec<&'static str>,
    /// Modules that could not be started, or have nothing to do on this rank: the instance
    /// goes on without them.
    given_up: Vec<&'static str>,
    rc1_failed: bool,
    rc3_failed: bool,
    exit_code: i32,
    program_code: Option<i32>,
}

/// Effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub event: Event,
    /// The state in which it came.
    pub from: State,
    /// Time spent in the previous state.
    pub spent: Duration,
    pub next: Next,
}

/// There are more events than a broker can have to take in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Life {
    /// One that has not begun.
    pub fn new() -> Life {
        Life {
            state: State::LoadBuiltins,
            entered: Duration::ZERO,
            queue: VecDeque::new(),
            begun: Vec::new(),
            given_up: Vec::new(),
            rc1_failed: false,
            rc3_failed: false,
            exit_code: 0,
            program_code: None,
        }
    }

    /// Begins the life.
    pub fn begin(&mut self, now: Duration) {
        self.entered = now;
    }

    /// The state that it is in.
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when.
    pub fn since(&self) -> Duration {
        self.entered
    }

    /// True if modules are stopped, not restarted, from now on.
    pub fn is_ending(&self) -> bool {
        self.state >= State::Finalize
    }

    /// Something has happened.
    ///
    /// # Errors
    /// [`TooMany`] if it is lost.
    pub fn post(&mut self, event: Event) -> Result<(), TooMany> {
        if self.queue.len() >= STATE_EVENTS_MAX {
            return Err(TooMany);
        }
        self.queue.push_back(event);
        Ok(())
    }

    /// Handles the first pending event, and moves on if it leads on.
    pub fn step(&mut self, now: Duration) -> Option<Step> {
        let event = self.queue.pop_front()?;
        let step = Step {
            event,
            from: self.state,
            spent: now.saturating_sub(self.entered),
            next: next(self.state, event),
        };
        if let Next::To(to) = step.next {
            self.state = to;
            self.entered = now;
        }
        Some(step)
    }

    /// A default module is asked to start, which is done once.
    pub fn begin_module(&mut self, name: &'static str) {
        self.begun.push(name);
    }

    /// True if its start has begun.
    pub fn has_begun(&self, name: &str) -> bool {
        self.begun.contains(&name)
    }

    /// True if the default modules are being started, and none has failed.
    pub fn is_in_start(&self) -> bool {
        self.state == State::Init && !self.rc1_failed
    }

    /// A module has gone: its name, if it is a default one whose end fails the start.
    pub fn misses(&self, name: &str) -> Option<&'static str> {
        let is_starting = self.is_in_start();
        let mut begun = self.begun.iter().copied().filter(|_| is_starting);
        begun.find(|begun| *begun == name)
    }

    /// The instance goes on without a default module.
    pub fn give_up(&mut self, name: &'static str) {
        self.given_up.push(name);
    }

    /// True if it has been given up.
    pub fn has_given_up(&self, name: &str) -> bool {
        self.given_up.contains(&name)
    }

    /// The instance does not come up.
    pub fn fail_start(&mut self) {
        self.rc1_failed = true;
    }

    /// Brings the instance up in spite of failed modules.
    pub fn forgive_start(&mut self) {
        self.rc1_failed = false;
    }

    /// True if the start has failed.
    pub fn start_failed(&self) -> bool {
        self.rc1_failed
    }

    /// Commands of the end have ended.
    pub fn end_ran(&mut self, is_ok: bool) {
        self.rc3_failed |= !is_ok;
    }

    /// Result of the shutdown, after the modules have exited.
    pub fn end_event(&self) -> Event {
        match self.rc3_failed {
            true => Event::Rc3Fail,
            false => Event::Rc3Success,
        }
    }

    /// The initial program has ended.
    pub fn program_ended(&mut self, code: i32) -> Event {
        self.program_code = Some(code);
        match code {
            0 => Event::Rc2Success,
            _ => Event::Rc2Fail,
        }
    }

    /// Something on the way has ended with a code: the first that is not 0 counts.
    pub fn note_exit(&mut self, code: i32) {
        if self.exit_code == 0 {
            self.exit_code = code;
        }
    }

    /// The code is this one, regardless of earlier ones.
    pub fn set_exit(&mut self, code: i32) {
        self.exit_code = code;
    }

    /// The exit code of the broker: that of its program comes first.
    pub fn exit_code(&self) -> i32 {
        let program = self.program_code.filter(|code| *code != 0);
        program.unwrap_or(self.exit_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// A life that begins after a second.
    fn begun() -> Life {
        let mut life = Life::new();
        life.begin(S);
        life
    }

    /// One in which all of this has happened, a second each.
    fn lived(events: &[Event]) -> Life {
        let mut life = begun();
        for (n, event) in events.iter().enumerate() {
            assert_eq!(life.post(*event), Ok(()));
            assert!(life.step(S * (n as u32 + 2)).is_some());
        }
        life
    }

    const TO_INIT: [Event; 3] = [Event::BuiltinsSuccess, Event::ParentNone, Event::SyncNone];

    #[test]
    fn each_event_is_taken_in_once_and_in_order() {
        let mut life = begun();
        for event in [Event::Goodbye, Event::BuiltinsSuccess, Event::ParentReady] {
            assert_eq!(life.post(event), Ok(()));
        }
        let mut now = S;
        for (event, from, spent, next) in [
            (Event::Goodbye, State::LoadBuiltins, 1, Next::Ignore),
            (
                Event::BuiltinsSuccess,
                State::LoadBuiltins,
                2,
                Next::To(State::Join),
            ),
            (
                Event::ParentReady,
                State::Join,
                1,
                Next::To(State::ConfigSync),
            ),
        ] {
            now += S;
            let want = Step {
                event,
                from,
                spent: S * spent,
                next,
            };
            assert_eq!(life.step(now), Some(want));
        }
        assert_eq!((life.state(), life.since()), (State::ConfigSync, now));
        assert_eq!(life.step(now), None);
    }

    #[test]
    fn more_events_than_can_be_are_refused() {
        let mut life = begun();
        for _ in 0..STATE_EVENTS_MAX {
            assert_eq!(life.post(Event::Goodbye), Ok(()));
        }
        assert_eq!(life.post(Event::Goodbye), Err(TooMany));
        life.step(S);
        assert_eq!(life.post(Event::Goodbye), Ok(()));
    }

    #[test]
    fn a_default_module_is_started_once_and_missed_only_while_the_instance_starts() {
        let mut life = lived(&TO_INIT);
        assert_eq!(life.misses("kvs"), None);
        assert!(!life.has_begun("kvs"));
        life.begin_module("kvs");
        assert!(life.has_begun("kvs"));
        assert_eq!(life.misses("kvs"), Some("kvs"));
        life.fail_start();
        assert_eq!(life.misses("kvs"), None);
        life.forgive_start();
        assert_eq!(life.post(Event::Rc1Success), Ok(()));
        life.step(S);
        assert_eq!(life.misses("kvs"), None);
    }

    /// The code of a broker whose program ended with `program`, if it had one, and which
    /// then noted `codes` in turn.
    fn check_code(program: Option<i32>, codes: &[i32], want: i32) {
        let mut life = begun();
        if let Some(code) = program {
            life.program_ended(code);
        }
        codes.iter().for_each(|code| life.note_exit(*code));
        assert_eq!(life.exit_code(), want, "{program:?} {codes:?}");
    }

    #[test]
    fn the_program_decides_the_exit_code_then_the_first_failure() {
        check_code(None, &[], 0);
        check_code(Some(0), &[], 0);
        check_code(Some(3), &[1], 3);
        check_code(Some(0), &[0, 4, 5], 4);
        check_code(None, &[7], 7);
    }

    #[test]
    fn commands_of_the_end_fail_it_together() {
        for (ran, want) in [
            (&[][..], Event::Rc3Success),
            (&[true, true], Event::Rc3Success),
            (&[false, true], Event::Rc3Fail),
        ] {
            let mut life = begun();
            ran.iter().for_each(|is_ok| life.end_ran(*is_ok));
            assert_eq!(life.end_event(), want);
        }
    }
}
