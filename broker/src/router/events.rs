//! Events: up to rank 0, which gives each its place in the one sequence, and from there
//! to all who subscribed (protocol/20 section 9).
//!
//! A broker is sent only events that a client on it or below it has subscribed to; it
//! requests them from its parent, and the parent from its own. The first who wants a topic
//! is answered when all of them know, so it gets every event that is published after that
//! answer, by any client (`asked.rs`). Numbers that are missing below rank 0 were not
//! wanted; links lose nothing as long as they hold, and a broker whose link does not hold
//! ends.

use proto::Method;
use proto::event::{Subscribe, Unsubscribe};
use proto::orphans::Cause;
use wire::{Errno, Flags, Kind, Message};

use super::asked::Kept;
use super::links::Link;
use super::{Hop, Orphaned, Out, Router};
use crate::limits::SUBSCRIBED_BYTES_MAX;

impl Router {
    pub(super) fn route_event(&mut self, from: Hop, event: Message) {
        let Kind::Event { sequence } = event.kind else {
            return;
        };
        let is_theirs = match from {
            Hop::Parent => sequence != 0,
            Hop::Child(_) => sequence == 0 && self.may_publish(&event),
            Hop::Here | Hop::Module(_) | Hop::Client(_) => true,
        };
        if !is_theirs {
            return self.out.push_back(Out::Stray(Orphaned {
                cause: Cause::Unasked,
                from,
                message: event,
                late: None,
                note: None,
            }));
        }
        if from == Hop::Parent {
            if sequence <= self.sequence {
                tracing::debug!("duplicate event {sequence}");
            }
            self.sequence = sequence;
            self.distribute(&event);
        } else {
            self.publish(from, event);
        }
    }

    /// Gives an event its place in the sequence and hands it to all who subscribed; on
    /// other ranks than 0 passes it up, and gives 0.
    pub fn publish(&mut self, from: Hop, mut event: Message) -> u32 {
        event.clear_routes();
        if self.place.rank != 0 {
            event.kind = Kind::Event { sequence: 0 };
            if self.links.contains_key(&Hop::Parent) {
                self.send(from, Hop::Parent, event);
            }
            return 0;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        event.kind = Kind::Event { sequence };
        self.distribute(&event);
        sequence
    }

    fn distribute(&mut self, event: &Message) {
        let out = &mut self.out;
        let mut deliver = |(to, link): (&Hop, &Link)| {
            if link.peer.is_some() && link.wants(event) {
                out.push_back(Out::Send {
                    from: Hop::Here,
                    to: *to,
                    message: event.clone(),
                });
            }
        };
        // Distant receivers get it first, where there is a way to go.
        let (here, below) = (..Hop::Parent, Hop::Child(0)..);
        if self.place.rank == 0 {
            self.links.range(here).for_each(&mut deliver);
            self.links.range(below).for_each(&mut deliver);
        } else {
            self.links.range(below).for_each(&mut deliver);
            self.links.range(here).for_each(&mut deliver);
        }
    }

    /// Adds a subscription. Clients have a limit of bytes; a broker below that has too
    /// many gets everything.
    ///
    /// # Errors
    /// ENOBUFS when there are too many, ECONNRESET for one who is not there.
    pub fn subscribe(&mut self, hop: Hop, topic: &str) -> Result<(), Errno> {
        let link = self.links.get_mut(&hop).ok_or(Errno::ECONNRESET)?;
        let bytes_max = match hop {
            Hop::Client(_) => SUBSCRIBED_BYTES_MAX,
            _ => usize::MAX,
        };
        let topic = match link.subscriptions.add_within(topic, bytes_max) {
            true => topic,
            false if hop.is_broker() && link.subscriptions.add("") => "",
            false => return Err(Errno::ENOBUFS),
        };
        self.want(topic);
        if let Some(number) = self.asked.number_of(topic)
            && let Some(link) = self.links.get_mut(&hop)
        {
            link.asked = number;
        }
        Ok(())
    }

    /// Takes one subscription back.
    ///
    /// # Errors
    /// ENOENT if it was never made, ECONNRESET for one who is not there.
    pub fn unsubscribe(&mut self, hop: Hop, topic: &str) -> Result<(), Errno> {
        let link = self.links.get_mut(&hop).ok_or(Errno::ECONNRESET)?;
        if !link.subscriptions.remove(topic) {
            return Err(Errno::ENOENT);
        }
        self.want_no_more(topic);
        Ok(())
    }

    /// A client on this broker or below wants these events: the first is reported above.
    fn want(&mut self, topic: &str) {
        if self.place.rank == 0 {
            return;
        }
        let is_new = !self.wanted.has(topic);
        if !self.wanted.add(topic) {
            // There is no room to know when it is not wanted any more.
            self.ask_parent("");
        } else if is_new {
            self.ask_parent(topic);
        }
    }

    pub(super) fn want_no_more(&mut self, topic: &str) {
        if self.place.rank != 0 && self.wanted.remove(topic) && !self.wanted.has(topic) {
            let topic = topic.to_owned();
            let request = self.request_to_parent(&Unsubscribe { topic });
            if let Some(mut request) = request {
                request.set_flag(Flags::NORESPONSE, true);
                self.send(Hop::Here, Hop::Parent, request);
            }
        }
    }

    /// Sends the parent, which has just come, all subscriptions of this broker.
    pub(super) fn ask_parent_all(&mut self) {
        let topics = self.wanted.topics().map(|(topic, _)| topic.to_owned());
        for topic in topics.collect::<Vec<_>>() {
            self.ask_parent(&topic);
        }
    }

    fn ask_parent(&mut self, topic: &str) {
        let subscribe = Subscribe {
            topic: topic.to_owned(),
        };
        let Some(mut request) = self.request_to_parent(&subscribe) else {
            return;
        };
        let number = self.asked.ask(topic);
        if let Kind::Request { matchtag, .. } = &mut request.kind {
            *matchtag = number;
        }
        self.send(Hop::Here, Hop::Parent, request);
    }

    /// A request to the parent, if it is there.
    fn request_to_parent<M: Method>(&mut self, request: &M) -> Option<Message> {
        let parent = self.place.topology.parent(self.place.rank);
        let nodeid = parent.filter(|_| self.links.contains_key(&Hop::Parent))?;
        let mut message = Message::request(M::TOPIC, 0);
        message.kind = Kind::Request {
            nodeid,
            matchtag: 0,
        };
        message.set_payload(request.encode());
        self.stamp_as_owner(&mut message);
        Some(message)
    }

    /// The parent, or a broker in its place, has answered that a subscription is known from
    /// there on up. Returns true if the response is one of that kind.
    pub(super) fn hears_of_asked(&mut self, response: &Message) -> bool {
        let is_ours = response.last_route().is_none() && response.topic() == Subscribe::TOPIC;
        if !is_ours {
            return false;
        }
        if let Kind::Response { errnum, matchtag } = response.kind {
            if errnum != 0 {
                tracing::error!("{}: the parent broker answers {errnum}", Subscribe::TOPIC);
            }
            self.asked.is_heard(matchtag);
            self.pass_answers();
        }
        true
    }

    /// There is no parent to receive from any more.
    pub(super) fn ask_no_more(&mut self) {
        self.asked.all_heard();
        self.pass_answers();
    }

    fn pass_answers(&mut self) {
        for answer in self.asked.take_due() {
            self.pass_response(Hop::Here, answer);
        }
    }

    /// Keeps the answer to a subscription until all above know of it; returns it if it
    /// need not wait.
    pub(super) fn wait_for_asked(&mut self, mut response: Message) -> Option<Message> {
        let is_subscribed = response.topic() == Subscribe::TOPIC
            && matches!(response.kind, Kind::Response { errnum: 0, .. });
        if !is_subscribed {
            return Some(response);
        }
        let requester = self.requester(&response);
        let asked = requester.and_then(|requester| self.links.get(&requester.link));
        let Some(number) = asked.map(|link| link.asked) else {
            return Some(response);
        };
        match self.asked.keep(number, response) {
            Kept::Waits => None,
            Kept::Known(response) => Some(response),
            Kept::Full(given_back) => {
                response = given_back;
                if let Kind::Response { errnum, .. } = &mut response.kind {
                    *errnum = Errno::ENOBUFS.0;
                }
                Some(response)
            }
        }
    }
}
