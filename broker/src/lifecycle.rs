//! The broker's life as a state machine: one function has all moves, and the table
//! in `doc/states/broker.md` is printed from it (protocol/03 section 9).

/// State of the life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum State {
    LoadBuiltins = 0,
    Join = 1,
    ConfigSync = 2,
    Init = 3,
    Quorum = 4,
    Run = 5,
    Cleanup = 6,
    Shutdown = 7,
    Finalize = 8,
    Goodbye = 9,
    UnloadBuiltins = 10,
    Exit = 11,
}

impl State {
    /// Every state in order.
    pub const ALL: [State; 12] = [
        State::LoadBuiltins,
        State::Join,
        State::ConfigSync,
        State::Init,
        State::Quorum,
        State::Run,
        State::Cleanup,
        State::Shutdown,
        State::Finalize,
        State::Goodbye,
        State::UnloadBuiltins,
        State::Exit,
    ];

    /// The name that clients and logs see.
    pub fn name(self) -> &'static str {
        match self {
            State::LoadBuiltins => "load-builtins",
            State::Join => "join",
            State::ConfigSync => "config-sync",
            State::Init => "init",
            State::Quorum => "quorum",
            State::Run => "run",
            State::Cleanup => "cleanup",
            State::Shutdown => "shutdown",
            State::Finalize => "finalize",
            State::Goodbye => "goodbye",
            State::UnloadBuiltins => "unload-builtins",
            State::Exit => "exit",
        }
    }
}

macro_rules! events {
    ($($variant:ident = $name:literal,)*) => {
        /// Event of the life cycle.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names are the documentation")]
        pub enum Event { $($variant,)* }

        impl Event {
            /// Every event.
            pub const ALL: &'static [Event] = &[$(Event::$variant,)*];

            /// The name that logs show.
            pub fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)* }
            }

            /// The event of this name.
            pub fn named(name: &str) -> Option<Event> {
                Self::ALL.iter().copied().find(|event| event.name() == name)
            }
        }
    };
}

events! {
    BuiltinsSuccess = "builtins-success",
    BuiltinsFail = "builtins-fail",
    ParentReady = "parent-ready",
    ParentNone = "parent-none",
    ParentFail = "parent-fail",
    SyncSuccess = "sync-success",
    SyncNone = "sync-none",
    SyncFail = "sync-fail",
    Rc1Success = "rc1-success",
    Rc1None = "rc1-none",
    Rc1IgnoreFail = "rc1-ignorefail",
    Rc1Fail = "rc1-fail",
    QuorumFull = "quorum-full",
    QuorumFail = "quorum-fail",
    Rc2Success = "rc2-success",
    Rc2Fail = "rc2-fail",
    Rc2None = "rc2-none",
    Shutdown = "shutdown",
    CleanupSuccess = "cleanup-success",
    CleanupNone = "cleanup-none",
    CleanupFail = "cleanup-fail",
    ChildrenComplete = "children-complete",
    ChildrenNone = "children-none",
    Rc3Success = "rc3-success",
    Rc3None = "rc3-none",
    Rc3Fail = "rc3-fail",
    Goodbye = "goodbye",
    BuiltinsDone = "builtins-done",
    BuiltinsUnloadFail = "builtins-unload-fail",
    Panic = "panic",
}

/// Effect of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The broker moves on.
    To(State),
    /// The event legally changes nothing.
    Stay,
    /// The event does not fit the state.
    Ignore,
}

/// All moves of the broker's life.
pub fn next(state: State, event: Event) -> Next {
    use Event as E;
    use State as S;
    match (state, event) {
        (S::LoadBuiltins, E::BuiltinsSuccess) => Next::To(S::Join),
        (S::LoadBuiltins, E::BuiltinsFail) => Next::To(S::UnloadBuiltins),
        (S::Join, E::ParentReady | E::ParentNone) => Next::To(S::ConfigSync),
        (S::Join, E::ParentFail) => Next::To(S::Shutdown),
        (S::ConfigSync, E::SyncSuccess | E::SyncNone) => Next::To(S::Init),
        (S::ConfigSync, E::SyncFail) => Next::To(S::Shutdown),
        (S::Init, E::Rc1Success | E::Rc1None | E::Rc1IgnoreFail) => Next::To(S::Quorum),
        (S::Init, E::Rc1Fail | E::Panic) => Next::To(S::Shutdown),
        (S::Quorum, E::QuorumFull) => Next::To(S::Run),
        (S::Quorum, E::QuorumFail | E::ParentFail | E::Panic) => Next::To(S::Shutdown),
        (S::Run, E::Rc2Success | E::Rc2Fail | E::Shutdown | E::ParentFail) => Next::To(S::Cleanup),
        (S::Run, E::Panic) => Next::To(S::Shutdown),
        (S::Run, E::Rc2None) => Next::Stay,
        (S::Cleanup, E::CleanupSuccess | E::CleanupNone | E::CleanupFail) => Next::To(S::Shutdown),
        (S::Shutdown, E::ChildrenComplete | E::ChildrenNone) => Next::To(S::Finalize),
        (S::Finalize, E::Rc3Success | E::Rc3None | E::Rc3Fail) => Next::To(S::Goodbye),
        (S::Goodbye, E::Goodbye) => Next::To(S::UnloadBuiltins),
        (S::UnloadBuiltins, E::BuiltinsDone | E::BuiltinsUnloadFail) => Next::To(S::Exit),
        _ => Next::Ignore,
    }
}

/// The table of all moves as Markdown, for `doc/states/broker.md`.
pub fn table() -> String {
    let mut out = String::from(
        "# States of the broker\n\nPrinted from `broker/src/lifecycle.rs`; do not edit. \
         A dash is an event that does not fit and is ignored with a debug line.\n\n| event |",
    );
    for state in State::ALL {
        out += &format!(" {} |", state.name());
    }
    out += "\n|---|";
    out += &"---|".repeat(State::ALL.len());
    for event in Event::ALL {
        out += &format!("\n| {} |", event.name());
        for state in State::ALL {
            let cell = match next(state, *event) {
                Next::To(to) => to.name(),
                Next::Stay => "stay",
                Next::Ignore => "-",
            };
            out += &format!(" {cell} |");
        }
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_broker_lives_from_builtins_to_exit() {
        let events = [
            Event::BuiltinsSuccess,
            Event::ParentNone,
            Event::SyncNone,
            Event::Rc1Success,
            Event::QuorumFull,
            Event::Rc2Success,
            Event::CleanupSuccess,
            Event::ChildrenNone,
            Event::Rc3Success,
            Event::Goodbye,
            Event::BuiltinsDone,
        ];
        let mut state = State::LoadBuiltins;
        for (event, want) in events.into_iter().zip(&State::ALL[1..]) {
            assert_eq!(next(state, event), Next::To(*want));
            state = *want;
        }
    }

    #[test]
    fn a_failed_rc1_skips_the_initial_program() {
        assert_eq!(next(State::Init, Event::Rc1Fail), Next::To(State::Shutdown));
    }

    #[test]
    fn nothing_leaves_exit() {
        assert!(
            Event::ALL
                .iter()
                .all(|event| next(State::Exit, *event) == Next::Ignore)
        );
    }
}
