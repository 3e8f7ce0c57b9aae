//! What a program on the local socket is to the simulator: it asks, it checks what it is
//! told, and it says when it has nothing to wait for.

use wire::Message;

use crate::rng::Rng;

/// A program, and the checkers of what it gets, which speak by panicking.
pub(crate) trait Program {
    /// For those who have to find out.
    fn name(&self) -> &str;

    /// A new request, if it has one. Without `load` only what it needs to come to an end.
    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message>;

    /// Takes in an answer or an event, checks it, and maybe asks for more.
    fn take(&mut self, message: &Message) -> Vec<Message>;

    /// Its link is gone, and another has come: what it had asked was done or not.
    fn cut(&mut self);

    /// A module is being removed and loaded again: requests to it may fail meanwhile.
    fn reloading(&mut self) {}

    /// Whether it waits for nothing and has seen all that there is.
    fn is_done(&self) -> bool;

    /// Requests that got their final answer.
    fn answered(&self) -> u64;

    /// Of those, with an error.
    fn failed(&self) -> u64;
}
