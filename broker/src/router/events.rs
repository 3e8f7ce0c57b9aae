//! Events: up to rank 0, which gives each its place in the one sequence, and from there
//! to all who subscribed (protocol/20 section 9).
//!
//! A broker is sent only what somebody on it or below it has subscribed to; it tells its
//! parent so. Both go over one link, in order, so a client that is answered that it has
//! subscribed gets every event that anything it says later may cause. Numbers that are
//! missing below rank 0 were not wanted; links lose nothing as long as they hold.

use proto::Method;
use proto::event::{Subscribe, Unsubscribe};
use wire::{Errno, Flags, Kind, Message};

use super::links::Link;
use super::{Hop, Out, Router};
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
            return self.out.push_back(Out::Stray {
                from,
                message: event,
            });
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
        // Who is far away gets it first, where there is a way to go.
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

    /// Somebody on this broker or below wants these events: the first is told above.
    fn want(&mut self, topic: &str) {
        if self.place.rank == 0 {
            return;
        }
        let is_new = !self.wanted.has(topic);
        if !self.wanted.add(topic) {
            // There is no room to know when it is not wanted any more.
            self.tell_parent(&subscribe(""));
        } else if is_new {
            self.tell_parent(&subscribe(topic));
        }
    }

    pub(super) fn want_no_more(&mut self, topic: &str) {
        if self.place.rank != 0 && self.wanted.remove(topic) && !self.wanted.has(topic) {
            let topic = topic.to_owned();
            self.tell_parent(&Unsubscribe { topic });
        }
    }

    /// Tells the parent, which has just come, all that is wanted here.
    pub(super) fn tell_parent_all(&mut self) {
        let wanted: Vec<Subscribe> = self
            .wanted
            .topics()
            .map(|(topic, _)| subscribe(topic))
            .collect();
        for request in wanted {
            self.tell_parent(&request);
        }
    }

    fn tell_parent<M: Method>(&mut self, request: &M) {
        let parent = self.place.topology.parent(self.place.rank);
        let Some(nodeid) = parent.filter(|_| self.links.contains_key(&Hop::Parent)) else {
            return;
        };
        let mut message = Message::request(M::TOPIC, 0);
        message.kind = Kind::Request {
            nodeid,
            matchtag: 0,
        };
        message.set_flag(Flags::NORESPONSE, true);
        message.set_payload(request.encode());
        self.stamp_as_owner(&mut message);
        self.send(Hop::Here, Hop::Parent, message);
    }
}

fn subscribe(topic: &str) -> Subscribe {
    let topic = topic.to_owned();
    Subscribe { topic }
}
