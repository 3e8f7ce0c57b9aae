//! Responses: back along the route stack, if they answer a request given to their sender.

use node::is_number_route;
use proto::orphans::Cause;
use wire::Message;

use super::{Hop, Orphaned, Out, Router};

impl Router {
    pub(super) fn route_response(&mut self, from: Hop, response: Message) {
        match from {
            Hop::Parent if self.hears_of_asked(&response) => {}
            Hop::Here => {
                if let Some(response) = self.wait_for_asked(response) {
                    self.pass_response(from, response);
                }
            }
            _ => self.pass_response(from, response),
        }
    }

    pub(super) fn pass_response(&mut self, from: Hop, mut response: Message) {
        // Requests that we give to others but the parent carry our own identity.
        let is_stamped = match from {
            Hop::Here | Hop::Parent => true,
            Hop::Module(_) | Hop::Client(_) | Hop::Child(_) => self.take_own_hop(&mut response),
        };
        let Some(requester) = self.requester(&response) else {
            // Its requester has left, which is no fault of the one who answers.
            return self.is_orphan(from, response, Out::Orphan);
        };
        let to = requester.link;
        let passes = is_stamped
            && match from {
                // Our own services answer once, and need not be watched.
                Hop::Here => !to.is_broker() || self.closes_own(to, &response),
                _ => self.pending.answer(to, from, &response),
            };
        if !passes {
            return self.is_orphan(from, response, Out::Stray);
        }
        // Above, our own parent's identity tells it that the response came back.
        if to != Hop::Parent {
            response.pop_route();
        }
        self.send(from, to, response);
    }

    /// Drops an answer for which nobody waits.
    fn is_orphan(&mut self, from: Hop, response: Message, out: fn(Orphaned) -> Out) {
        let requester = self.requester(&response).map(|requester| requester.link);
        let found = self.pending.judge(requester, from, &response);
        // A provider that answers too late has done nothing wrong.
        let is_late = found.is_some_and(|found| found.is_no_fault());
        let out = if is_late { Out::Orphan } else { out };
        let (cause, note) = match found {
            Some(tombstone) => tombstone.verdict(),
            None => (Cause::Unasked, "it answers no known request"),
        };
        self.out.push_back(out(Orphaned {
            cause,
            from,
            message: response,
            late: found.map(|tombstone| tombstone.since),
            note: Some(note.to_owned()),
        }));
    }

    /// Removes the hop that [`Router::give`] has put on a request. `false` if it is not
    /// there.
    fn take_own_hop(&self, response: &mut Message) -> bool {
        let is_stamped = response.last_route() == Some(&self.place.identity);
        if is_stamped {
            response.pop_route();
            if response.last_route().is_some_and(is_number_route) {
                response.pop_route();
            }
        }
        is_stamped
    }

    /// Notes an answer of the broker itself to another one, as a service or in place of
    /// one. It always passes.
    fn closes_own(&mut self, to: Hop, response: &Message) -> bool {
        self.pending.answer(to, Hop::Here, response);
        true
    }
}
