//! State of a job at any moment: state, result, flags, urgency, exceptions and exit status.
//!
//! Contains the numbers and names (RFC 21, RFC 30) and the table of moves between states.
//! Other effects of an event belong to the job manager. The states are in `state.rs`, the
//! moves in `moves.rs`.

mod exception;
mod flags;
mod moves;
mod number;
mod rank;
mod result;
mod row;
mod signal;
mod state;
mod status;
mod step;

pub use exception::{Exception, ExceptionError, ExceptionType, Severity};
pub use flags::{EventWatchFlags, JobFlag, LookupFlags, SubmitFlags, UnknownFlag};
pub use moves::{Next, next};
pub use rank::{Priority, Urgency, UrgencyError};
pub use result::{JobOutcome, JobResult, UnknownResult};
pub use row::{Asked, Given, Raised, Row, RowsWriter, rows};
pub use signal::signal_description;
pub use state::{State, States, UnknownState};
pub use status::WaitStatus;
pub use step::JobStep;
