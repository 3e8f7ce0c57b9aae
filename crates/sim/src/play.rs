//! What is played: which modules, and which programs use them.

use crate::clients::Client;
use crate::program::Program;
use crate::store;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// A module that answers in every way, and programs that ask it: whether requests and
    /// answers get through.
    Echo,
    /// The key-value store with its content store and its watches: whether anything that
    /// it has acknowledged is ever lost, torn or told twice.
    Kvs,
}

/// A module and its arguments.
pub(crate) type Cast = (&'static str, &'static [&'static str]);

/// A crash of processes, not of the machine, is what is simulated: files need no syncing.
const CONTENT_ARGS: &[&str] = &["journal_mode=MEMORY", "synchronous=OFF"];

impl Play {
    /// The play of a name, as the command line has it.
    pub fn of_name(name: &str) -> Option<Play> {
        match name {
            "echo" => Some(Play::Echo),
            "kvs" => Some(Play::Kvs),
            _ => None,
        }
    }

    /// The modules in the order in which they are loaded.
    pub(crate) fn modules(self) -> &'static [Cast] {
        match self {
            Play::Echo => &[("echo", &[]), ("heartbeat", &[])],
            Play::Kvs => &[
                ("content", CONTENT_ARGS),
                ("kvs", &[]),
                ("kvs-watch", &[]),
                ("heartbeat", &[]),
            ],
        }
    }

    /// Whether something outlives the processes.
    pub(crate) fn has_files(self) -> bool {
        self == Play::Kvs
    }

    pub(crate) fn programs(self) -> Vec<Box<dyn Program>> {
        match self {
            Play::Echo => (0..3)
                .map(|_| Box::new(Client::default()) as Box<dyn Program>)
                .collect(),
            Play::Kvs => store::programs(),
        }
    }
}
