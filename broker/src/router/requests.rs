//! Requests: to a service here, or one broker nearer to where they go.

use bytes::Bytes;
use node::number_route;
use proto::orphans::Cause;
use proto::{Outcome, Stopped};
use wire::{Errno, Flags, Kind, Message, NODEID_ANY, topic};

use super::pending::Full;
use super::{Hop, Orphaned, Out, Past, Router, Stop};
use crate::limits::OWN_REQUEST_BYTES_MAX;

/// Longest text of the answer to a request for an unknown service, without its NUL.
const NO_SERVICE_TEXT_BYTES: usize = 63;

/// Reason for which a request cannot be routed.
#[derive(Debug, PartialEq, Eq)]
enum Lost {
    /// Nobody has this service.
    NoService,
    /// Nobody is there.
    Unreachable,
}

impl Router {
    pub(super) fn route_request(&mut self, from: Hop, mut request: Message) {
        // Else nobody on the way would know where the answer goes (protocol/21 section 10).
        if request.has(Flags::NORESPONSE) && self.answers_unasked.contains(request.topic()) {
            request.set_flag(Flags::NORESPONSE, false);
        }
        if self.is_expired(&request) {
            return self.refuse(request, Stop::expired());
        }
        match self.next_hop(&request) {
            // A message from there does not go back: it would come again for ever.
            Ok(to) if to == from && to.is_broker() => {
                self.refuse(request, Stop::unreachable(Cause::NoPeer, None));
            }
            Ok(Hop::Here) => self.take_for_own_services(from, request),
            Ok(Hop::Module(module)) => self.out.push_back(Out::Ask { module, request }),
            Ok(to) => self.give(to, request, Past::default()),
            Err(Lost::Unreachable) => {
                self.refuse(request, Stop::unreachable(Cause::NoPeer, None));
            }
            Err(Lost::NoService) => {
                let text = format!("No service matching {} is registered", request.topic());
                self.refuse(request, Stop::no_service(Some(&text)));
            }
        }
    }

    /// Next hop of a request.
    fn next_hop(&self, request: &Message) -> Result<Hop, Lost> {
        let Kind::Request { nodeid, .. } = request.kind else {
            return Err(Lost::Unreachable);
        };
        let (rank, is_upstream) = (self.place.rank, request.has(Flags::UPSTREAM));
        let lost = match is_upstream {
            // The number says who asks, and that one is passed over.
            true if nodeid == rank => return self.up(),
            false if nodeid != rank && nodeid != NODEID_ANY => return self.toward(nodeid),
            true => Lost::Unreachable,
            false => Lost::NoService,
        };
        match self.provider_for(request) {
            Some(provider) => Ok(provider),
            None if rank == 0 || (nodeid == rank) => Err(lost),
            None => self.up(),
        }
    }

    fn up(&self) -> Result<Hop, Lost> {
        self.linked(Hop::Parent)
    }

    /// The neighbour through which another rank is reached.
    fn toward(&self, nodeid: u32) -> Result<Hop, Lost> {
        match self.place.topology.child_toward(self.place.rank, nodeid) {
            Some(child) => self.linked(Hop::Child(child)),
            None => self.up(),
        }
    }

    fn linked(&self, hop: Hop) -> Result<Hop, Lost> {
        match self.links.contains_key(&hop) {
            true => Ok(hop),
            false => Err(Lost::Unreachable),
        }
    }

    /// Gives a request back that the broker itself may decode: it has to fit into memory.
    pub fn fitting(&mut self, request: Message) -> Option<Message> {
        let len = request.payload().map_or(0, |payload| payload.len());
        if len <= OWN_REQUEST_BYTES_MAX {
            return Some(request);
        }
        let topic = request.topic();
        tracing::error!("{topic}: a request of {len} bytes is refused: it is too long");
        let stop = Stop {
            cause: Some(Cause::Dropped),
            outcome: Outcome::Dropped(0),
            errno: Errno::EMSGSIZE,
            text: Some("request is too long"),
        };
        self.refuse(request, stop);
        None
    }

    fn take_for_own_services(&mut self, from: Hop, request: Message) {
        let Some(request) = self.fitting(request) else {
            return;
        };
        // Our own services answer once. Only what comes from afar has to be known, so
        // that they hear of it when the way to the sender breaks.
        let opened = match from.is_broker() {
            true => self.open(Hop::Here, request, Past::default()),
            false => Some((request, None)),
        };
        if let Some((request, _)) = opened {
            self.send(from, Hop::Here, request);
        }
    }

    /// Hands a request to a module, program or broker that is there to take it.
    pub fn give(&mut self, to: Hop, request: Message, past: Past) {
        let from = self.requester(&request).map_or(Hop::Here, |asks| asks.link);
        let Some((mut request, number)) = self.open(to, request, past) else {
            return;
        };
        if matches!(to, Hop::Module(_))
            && self.recognised.contains(request.topic())
            && let Some(route) = number.and_then(number_route)
        {
            request.push_route(route);
        }
        // The parent puts our identity there itself, as we do for our children.
        if to != Hop::Parent {
            request.push_route(self.place.identity.clone());
        }
        self.send(from, to, request);
    }

    /// Opens a request that is about to be given to `to`, so that it can be answered.
    /// Gives it back with its number, if it has one, unless there was no room.
    fn open(&mut self, to: Hop, request: Message, past: Past) -> Option<(Message, Option<u64>)> {
        // One who has left may still have a request on the way, and gets no answer. A process
        // that has died may have done it: it keeps its number.
        let Some(requester) = self.requester(&request) else {
            return Some((request, past.number));
        };
        if !request.wants_response() {
            if request.topic().ends_with(".disconnect") {
                self.pending.sender_left(requester.link, to, &request);
            }
            return Some((request, None));
        }
        match self.pending.open(requester, to, &request, past) {
            Ok(number) => Some((request, number)),
            Err(Full) => {
                self.refuse(request, Stop::full("too many requests wait for an answer"));
                None
            }
        }
    }

    /// Answers a request, as it came in, on behalf of a service that cannot.
    pub fn refuse(&mut self, request: Message, stop: Stop<'_>) {
        let outcome = match stop.outcome {
            Outcome::Dropped(_) => {
                self.n_dropped += 1;
                Outcome::Dropped(self.n_dropped)
            }
            outcome => outcome,
        };
        self.note_orphan(&request, stop);
        if !request.wants_response() {
            return;
        }
        let stopped = Stopped {
            outcome,
            rank: Some(self.place.rank),
        };
        let payload = match stop.text {
            Some(text) => {
                let mut end = text.len().min(NO_SERVICE_TEXT_BYTES);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                format!("{}\0{stopped}\0", &text[..end])
            }
            // Text that other clients print when there is none.
            None => format!("{}\0{stopped}\0", stop.errno),
        };
        let mut response = request.into_response(stop.errno.0, Bytes::from(payload));
        self.stamp_as_owner(&mut response);
        self.route_response(Hop::Here, response);
    }

    /// Records that a request goes no further. One that only takes another back is none to
    /// miss.
    fn note_orphan(&mut self, request: &Message, stop: Stop<'_>) {
        let method = topic::method_of(request.topic());
        let Some(cause) = stop
            .cause
            .filter(|_| !matches!(method, "disconnect" | "cancel"))
        else {
            return;
        };
        let is_best_effort = !request.wants_response();
        let link = self.requester(request).map(|requester| requester.link);
        self.out.push_back(Out::Orphan(Orphaned {
            cause: if is_best_effort {
                Cause::Dropped
            } else {
                cause
            },
            from: link.unwrap_or(Hop::Here),
            message: request.clone(),
            late: None,
            note: stop.text.map(str::to_owned),
        }));
    }
}
