//! The contract between a component and the world: messages, time and children
//! come in, messages, deadlines and commands go out. Nothing else.
//!
//! Inputs and outputs are in `contract.rs`, the life cycle of a module in `module.rs`, its
//! table of contents in `routes.rs`, the actions of a handler in `cx.rs`, calls to other
//! services in `calls.rs`, writing to the key-value store in `commit.rs`, late answers in
//! `reply.rs` and the recognition of repeated requests in `recall.rs`. `builtin.rs` has the
//! methods that every module answers; `spent.rs` has the durations of handlers, `steps.rs`
//! their steps for each job, `desk/` is a server whose workers outlive it, `lru.rs` is a
//! bounded table; `probe.rs` holds a module in a test, and `written.rs` compares its output
//! with a file.
//!
//! This crate knows no socket, clock, thread, file or environment: `runtime`
//! drives nodes in processes, `sim` drives many of them on one thread.

mod actor;
mod builtin;
mod calls;
mod commit;
mod contract;
mod cx;
pub mod desk;
pub mod limits;
mod lru;
mod module;
mod peer;
pub mod probe;
mod program;
mod recall;
mod reply;
mod routes;
mod spent;
mod steps;
mod timers;
pub mod written;

pub use actor::Actor;
pub use calls::{Call, CallId, Delivery};
pub use contract::{
    Alike, ChildEvent, ChildId, Input, Node, Now, OutPath, Output, PeerId, PeerKind, Sink, Spawn,
    Stdio, StdioFd, WinSize, Work, WorkId, WorkResult,
};
pub use cx::Cx;
pub use lru::{LRU_ITEM_BYTES, Lru};
pub use module::{Host, Module, ModuleNode, Move, Phase, RusageFn, next_phase};
pub use peer::Peer;
pub use program::ProgramNode;
pub use recall::{Recall, is_number_route, number_route};
pub use reply::{Closed, Reply, Sent, Stream, StreamId};
pub use routes::Routes;
pub use timers::TimerId;
