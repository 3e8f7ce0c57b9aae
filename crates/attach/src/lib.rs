//! Following jobs: their events, their output, and how they end.
//!
//! One job is followed by `follower.rs`, its output is printed by `output.rs`; `session.rs` is one
//! job with our standard input and signals, as in `flux run` (with `status_line.rs`), `terminal/`
//! our terminal as that of a task, and `many.rs` several jobs at once (with `progress.rs`).

mod cursor;
mod debugger;
mod follower;
mod input;
pub mod limits;
mod many;
mod output;
mod progress;
mod session;
mod signals;
mod status_line;
pub mod terminal;

pub use debugger::Debugger;
pub use follower::Show;
pub use many::{Answered, Many, Wanted};
pub use progress::{Counts, Kind, Progress};
pub use session::{Session, SessionOptions};
