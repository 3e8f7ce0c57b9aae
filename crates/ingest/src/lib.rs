//! Pipeline of submitted jobs (protocol/11 section 2.2, protocol/25 section 11): the
//! *frobnicator* changes the jobspec, then the *validator* checks it.
//!
//! Both are chains of plugins that a site chooses by name. Flux runs them in worker
//! processes, `flux job-validator` and `flux job-frobnicator`; ours run in job-ingest itself,
//! and the two commands try them by hand. So they stand here, where both can use them. No
//! I/O: a check that must ask others says so ([`Validator::asks_feasibility`]).

mod broken;
mod constraints;
mod defaults;
mod frobnicator;
mod line;
mod options;
mod require_instance;
mod validator;

pub use broken::Broken;
pub use frobnicator::Frobnicator;
pub use line::{Answer, Line};
pub use validator::{Feasibility, Validator, Verdict};

/// A plugin, as the lists of the commands show it.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Name in the configuration.
    pub name: &'static str,
    /// Purpose, in one line.
    pub about: &'static str,
}
