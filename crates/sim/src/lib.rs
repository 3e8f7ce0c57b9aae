//! Brokers and modules on one thread, one clock, one seed: the same seed gives the
//! same run, to the byte.
//!
//! Read on in `play.rs` (what is simulated), `world.rs` (what happens next), `stage.rs`
//! (how it begins), `between.rs` (what joins brokers), `faults.rs` (what goes wrong), `hosted.rs` (a node without its
//! process), `by_hand.rs` (a world that a test moves step by step), `program.rs` (what programs are),
//! `clients.rs` with `echo.rs`, `store/` and `jobs/` (programs that ask, and the checkers of what
//! they get); many brokers are in `tree/`. The cut is at messages:
//! sockets and processes are covered by `t/`. Only the content store has files, in a
//! folder that ends with the run.
//!
//! Faults are those that can happen: a link keeps its order; a module may be killed, and
//! messages to or from it are lost in part; a program may vanish with requests
//! outstanding; everything may be lost at once but the files.

mod between;
mod by_hand;
mod clients;
mod echo;
mod faults;
mod hosted;
mod jobs;
mod play;
mod program;
mod rng;
mod stage;
mod store;
pub mod tree;
mod world;

pub use by_hand::Sent;
pub use play::Play;
pub use stage::OWNER;
pub use world::{Report, World};
