//! Drives nodes in processes: the one loop that owns sockets, timers, signals, child
//! processes and the clock.
//!
//! Read on in `entry.rs` (how a process begins), `reactor.rs` (the loop), `conn.rs` (connections
//! with clients and modules), `children.rs`, `zygote.rs` (children that are forked and not loaded),
//! `worker.rs`, `logging.rs`, `overlay.rs` (links to other brokers), `near.rs` (those on this host)
//! and `link.rs` (libzmq, which carries the others). It must never know the meaning of a message:
//! nodes do.

mod budget;
mod channel;
mod children;
mod clock;
mod conn;
mod descriptors;
mod direct;
mod doors;
mod entry;
mod greetings;
pub mod limits;
pub mod link;
pub mod logging;
pub mod memory;
mod near;
mod outbox;
mod overlay;
mod peers;
mod poller;
mod prepare;
mod reactor;
mod seats;
mod session;
mod shares;
mod signals;
pub mod sinks;
mod stopwatch;
mod tally;
mod trace;
mod usage;
mod users;
mod watch;
mod worker;
mod zap;
mod zygote;

pub use descriptors::Descriptors;
pub use entry::{
    MODULE_CLEANUP, MODULE_URI, MODULE_UUID, connect, module_main, program_main, report,
};
pub use overlay::Overlay;
pub use reactor::Reactor;
pub use signals::Signals;
pub use usage::rusage;
pub use zygote::{SERVE, serve};
