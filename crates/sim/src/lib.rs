//! Broker and modules on one thread, one clock, one seed: the same seed gives the
//! same run, to the byte.
//!
//! Read on in `world.rs` (what happens next), `hosted.rs` (a node without its
//! process), `clients.rs` (programs that ask, and the checkers of what they get),
//! `echo.rs` (a module made for this). The cut is at messages: sockets and processes
//! are covered by `t/`.
//!
//! Faults are those that can happen: a link keeps its order; a module may be killed,
//! and what was on its way to or from it is lost in part; a client may vanish with
//! requests outstanding.

mod clients;
mod echo;
mod hosted;
mod rng;
mod world;

pub use world::{Report, World};
