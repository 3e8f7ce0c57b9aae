//! A program on the local socket, as the simulator sees it: it sends requests, checks the
//! responses, and reports when it waits for nothing.

use wire::Message;

use crate::rng::Rng;

/// A program, and the checkers of its input, which fail by panicking.
pub(crate) trait Program {
    /// For those who have to find out.
    fn name(&self) -> &str;

    /// A new request, if it has one. Without `load` only the messages it needs to come to
    /// an end.
    fn ask(&mut self, rng: &mut Rng, load: bool) -> Option<Message>;

    /// Receives an answer or an event, checks it, and maybe asks for more.
    fn take(&mut self, message: &Message) -> Vec<Message>;

    /// Replaces a lost link: earlier requests were carried out or not.
    fn cut(&mut self);

    /// A module is being removed and loaded again: requests to it may fail meanwhile.
    fn reloading(&mut self) {}

    /// True if it waits for nothing and has seen everything.
    fn is_done(&self) -> bool;

    /// Requests that got their final answer.
    fn answered(&self) -> u64;

    /// Of those, with an error.
    fn failed(&self) -> u64;
}
