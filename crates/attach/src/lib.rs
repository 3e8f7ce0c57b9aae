//! Following jobs: their events, their output, and how they end.
//!
//! Read on in `follower.rs` (what is known of one job), `output.rs` (what its tasks
//! print), `session.rs` (one job with our standard input and signals, as `flux run` has
//! it, and with `status_line.rs` what it waits for), `terminal/` (our terminal as that of a task) and `many.rs` (several jobs at once, with `progress.rs` that tells how far they are).

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
