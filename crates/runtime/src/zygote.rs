//! Children that are forked from a process of their program which stands ready (a *zygote*),
//! so that loading a program is paid once and not for each child.
//!
//! The zygote is our child, and so are those that it forks: it has us as their parent
//! (`CLONE_PARENT`), so that they are waited for, signalled and left behind as any other. They are
//! processes of their own in every respect. We ask over a socket pair, its standard input. Not the
//! zygote but the child itself reports, when it leads its group: once the socket says that nobody
//! is left at the other end, nobody is who could still report, and a start that was asked for in
//! vain is done without a zygote.
//!
//! `message.rs` has the messages, `serve.rs` is the zygote, `nursery.rs` our side.

mod message;
mod nursery;
mod serve;

pub use nursery::{Nursery, Streams, ZygoteMessage, may_serve};
pub use serve::{SERVE, serve};
