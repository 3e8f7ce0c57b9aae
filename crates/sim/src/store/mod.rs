//! Programs that use the key-value store, and check that it keeps its word.
//!
//! Each transaction of a writer puts one number at three keys, one of them in a large
//! directory, and appends it to a log that all writers share. So a client that sees a version can
//! tell whether it holds transactions whole (the keys and the end of the log say the same),
//! and a follower of the log whether an append was lost, doubled or moved.
//!
//! Read on in `ledger.rs` (the knowledge of an observer), `writer.rs`, `walker.rs` (loads
//! every blob of a version), `watch.rs` and `tenant.rs` (a namespace that comes and goes).

mod ledger;
mod tenant;
mod walker;
mod watch;
mod writer;

use std::cell::RefCell;
use std::rc::Rc;

use proto::Method;
use wire::{Errno, Flags, Kind, Message};

use crate::program::Program;
use ledger::Ledger;
use tenant::Tenant;
use walker::Walker;
use watch::{Watch, What};
use writer::Writer;

/// The namespace that all use.
const NAMESPACE: &str = "primary";
/// The log that all writers append to.
const LOG: &str = "log";
/// Writers at work.
const WRITERS: usize = 3;

/// State shared by all programs of a run.
type Shared = Rc<RefCell<Ledger>>;

/// Everyone who uses the store.
pub(crate) fn programs() -> Vec<Box<dyn Program>> {
    let ledger = Shared::default();
    let mut programs: Vec<Box<dyn Program>> = Vec::new();
    for number in 0..WRITERS {
        // The last one does not send again what may or may not have been done.
        let sends_again = number + 1 < WRITERS;
        programs.push(Box::new(Writer::new(number, sends_again, ledger.clone())));
    }
    programs.push(Box::new(Walker::new(ledger.clone())));
    programs.push(Box::new(Tenant::new()));
    for what in [
        What::Log { sentinel: false },
        What::Log { sentinel: true },
        What::Key(0),
        What::Full(1),
        What::Key(2),
    ] {
        programs.push(Box::new(Watch::new(what, ledger.clone())));
    }
    programs
}

/// A request.
pub(crate) fn ask(tag: u32, request: &impl Method, flags: u8) -> Message {
    let mut message = request.to_message(tag);
    message.set_flag(flags, true);
    message
}

/// A request that is answered many times.
fn streaming(tag: u32, request: &impl Method) -> Message {
    ask(tag, request, Flags::STREAMING)
}

/// The tag of a response and whether it is a success.
pub(crate) fn outcome_of(response: &Message) -> Option<(u32, Result<(), Errno>)> {
    match response.kind {
        Kind::Response {
            errnum: 0,
            matchtag,
        } => Some((matchtag, Ok(()))),
        Kind::Response { errnum, matchtag } => Some((matchtag, Err(Errno(errnum)))),
        _ => None,
    }
}

/// True if an error means only that a module was not available.
fn is_absence(errno: Errno) -> bool {
    errno == Errno::EHOSTUNREACH || errno == Errno::ENOSYS
}
