//! Limit on large responses on their way from a module to one client.
//!
//! Read requests whose answers may be large are given to a module only as fast as the
//! client reads: as many as are expected to fit into a window, one at least, and none while
//! the client is behind with reading. So who does not read waits alone, and a burst of one
//! client goes between the requests of others. The size of responses is learned from each
//! one; the first goes alone, and small ones soon go by the thousand.
//!
//! Nobody waits for ever on another client. Only methods that are declared `bulk` have to
//! wait: a module answers them from its present state, never after another request of the
//! same client. Later requests of the client to the same module wait too, because they must
//! not overtake; the broker goes on reading, so the client can always come to read.
//! Requests of modules do not wait at all: they are few, modules always read, and an answer
//! to a client may need them.

use std::collections::{BTreeSet, VecDeque};

use node::{Cx, PeerId};
use rustc_hash::FxHashMap;
use wire::{Flags, Message};

use crate::core::Broker;
use crate::limits::{CREDIT_BYTES, CREDIT_WAITING_MAX, CREDIT_WAITING_OF_GUEST_MAX};
use crate::router::{Hop, ModuleId, Stop};

/// One client's requests to one module.
type Lane = (PeerId, ModuleId);

#[derive(Debug)]
struct Flow {
    /// Bulk requests that the module has.
    n_out: usize,
    /// Length of the next answer, as far as is known.
    expected: usize,
    /// Waiting requests, each with its bulk flag.
    waiting: VecDeque<(Message, bool)>,
    /// True if it is among the lanes to check.
    is_due: bool,
}

impl Flow {
    fn has_room(&self) -> bool {
        self.n_out == 0 || self.n_out.saturating_mul(self.expected) < CREDIT_BYTES
    }
}

/// The flows of all clients.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    flows: FxHashMap<Lane, Flow>,
    /// Clients that are behind with reading.
    behind: BTreeSet<PeerId>,
    /// Lanes that may go on, each in its turn.
    due: VecDeque<Lane>,
    n_waiting: usize,
}

impl Credit {
    /// True if nothing waits at all: then only bulk requests need a check.
    pub fn is_idle(&self) -> bool {
        self.n_waiting == 0
    }

    /// Number of requests of a client that wait for a module.
    pub fn n_waiting(&self, client: PeerId, module: ModuleId) -> usize {
        let flow = self.flows.get(&(client, module));
        flow.map_or(0, |flow| flow.waiting.len())
    }

    /// Takes a request in. Gives it back if the module may have it now.
    pub fn admit(
        &mut self,
        client: PeerId,
        module: ModuleId,
        request: Message,
        is_bulk: bool,
    ) -> Option<Message> {
        let lane = (client, module);
        if !is_bulk && !self.flows.contains_key(&lane) {
            return Some(request);
        }
        let flow = self.flows.entry(lane).or_insert_with(|| Flow {
            n_out: 0,
            expected: CREDIT_BYTES,
            waiting: VecDeque::new(),
            is_due: false,
        });
        let may_go = !is_bulk || (flow.has_room() && !self.behind.contains(&client));
        if flow.waiting.is_empty() && may_go {
            flow.n_out += usize::from(is_bulk);
            return Some(request);
        }
        flow.waiting.push_back((request, is_bulk));
        self.n_waiting += 1;
        None
    }

    /// A bulk request of the client was answered with `bytes` bytes.
    pub fn answered(&mut self, client: PeerId, module: ModuleId, bytes: usize) {
        let lane = (client, module);
        if let Some(flow) = self.flows.get_mut(&lane) {
            flow.n_out = flow.n_out.saturating_sub(1);
            flow.expected = bytes.max(flow.expected / 2);
            Self::look_at(&mut self.due, lane, flow);
        }
    }

    /// A client is behind with reading, or has caught up.
    pub fn set_behind(&mut self, client: PeerId, is_behind: bool) {
        if is_behind {
            self.behind.insert(client);
        } else if self.behind.remove(&client) {
            let mut lanes: Vec<Lane> = self.flows.keys().copied().collect();
            lanes.retain(|(owner, _)| *owner == client);
            lanes.sort_unstable();
            for lane in lanes {
                if let Some(flow) = self.flows.get_mut(&lane) {
                    Self::look_at(&mut self.due, lane, flow);
                }
            }
        }
    }

    /// The next request that may go on: one of each lane in turn.
    pub fn next_due(&mut self) -> Option<(ModuleId, Message)> {
        while let Some(lane) = self.due.pop_front() {
            let Some(flow) = self.flows.get_mut(&lane) else {
                continue;
            };
            flow.is_due = false;
            let is_bulk = flow.waiting.front().is_some_and(|(_, is_bulk)| *is_bulk);
            if is_bulk && (self.behind.contains(&lane.0) || !flow.has_room()) {
                continue;
            }
            let Some((request, _)) = flow.waiting.pop_front() else {
                continue;
            };
            flow.n_out += usize::from(is_bulk);
            self.n_waiting -= 1;
            Self::look_at(&mut self.due, lane, flow);
            return Some((lane.1, request));
        }
        None
    }

    /// Handles a client that has disconnected: returns the requests to carry out all the
    /// same. Its read requests are dropped.
    pub fn client_left(&mut self, client: PeerId) -> Vec<(ModuleId, Message)> {
        self.behind.remove(&client);
        let of_client = |lane: &Lane, _: &mut Flow| lane.0 == client;
        let mut left: Vec<(Lane, Flow)> = self.flows.extract_if(of_client).collect();
        left.sort_unstable_by_key(|(lane, _)| *lane);
        let mut todo = Vec::new();
        for ((_, module), flow) in left {
            self.n_waiting -= flow.waiting.len();
            let kept = flow.waiting.into_iter().filter(|(_, is_bulk)| !is_bulk);
            todo.extend(kept.map(|(request, _)| (module, request)));
        }
        todo
    }

    /// Handles the end of a module's process: its requests are answered, or handed on in
    /// any case.
    pub fn module_ended(&mut self, module: ModuleId) {
        let lanes = self.flows.keys().filter(|(_, of)| *of == module);
        let mut lanes: Vec<Lane> = lanes.copied().collect();
        lanes.sort_unstable();
        for lane in lanes {
            if let Some(flow) = self.flows.get_mut(&lane) {
                flow.n_out = 0;
                Self::look_at(&mut self.due, lane, flow);
            }
        }
    }

    /// Handles the unloading of a module: returns the messages that wait for it.
    pub fn module_unloaded(&mut self, module: ModuleId) -> Vec<Message> {
        let of_module = |lane: &Lane, _: &mut Flow| lane.1 == module;
        let mut left: Vec<(Lane, Flow)> = self.flows.extract_if(of_module).collect();
        left.sort_unstable_by_key(|(lane, _)| *lane);
        let waiting = left.into_iter().flat_map(|(_, flow)| flow.waiting);
        let waiting: Vec<Message> = waiting.map(|(request, _)| request).collect();
        self.n_waiting -= waiting.len();
        waiting
    }

    fn look_at(due: &mut VecDeque<Lane>, lane: Lane, flow: &mut Flow) {
        if !flow.waiting.is_empty() && !flow.is_due {
            flow.is_due = true;
            due.push_back(lane);
        }
    }

    /// Checks that the counts are those of the table.
    pub fn check(&self) {
        let waiting = self.flows.values().map(|flow| flow.waiting.len());
        assert_eq!(self.n_waiting, waiting.sum::<usize>());
    }
}

impl Broker {
    /// Gives a request back that a module may have now; keeps one that has to wait.
    pub(crate) fn admit(
        &mut self,
        cx: &mut Cx<Broker>,
        module: ModuleId,
        request: Message,
    ) -> Option<Message> {
        let is_bulk = self.is_bulk(&request);
        if !is_bulk && self.credit.is_idle() {
            return Some(request);
        }
        let requester = request
            .last_route()
            .and_then(|identity| self.router.party(identity));
        let Some(Hop::Client(peer)) = requester else {
            return Some(request);
        };
        let guest = self.clients.guest(peer);
        let max = match guest {
            Some(_) => CREDIT_WAITING_OF_GUEST_MAX,
            None => CREDIT_WAITING_MAX,
        };
        if self.credit.n_waiting(peer, module) >= max {
            let text = "too many requests wait for answers to be read";
            self.refuse(cx, request, Stop::full(text));
            return None;
        }
        self.credit.admit(peer, module, request, is_bulk)
    }

    /// Streams may wait for actions of others, and requests without a response need no
    /// credit.
    pub(crate) fn is_bulk(&self, message: &Message) -> bool {
        let is_once = !message.has(Flags::STREAMING) && !message.has(Flags::NORESPONSE);
        is_once && self.bulk.contains(message.topic())
    }

    /// A client gets an answer from a module, or one that stands for it.
    pub(crate) fn settle_credit(&mut self, client: PeerId, module: ModuleId, message: &Message) {
        if self.is_bulk(message) {
            let bytes = message.payload().map_or(0, |payload| payload.len());
            self.credit.answered(client, module, bytes);
        }
    }

    /// Sends waiting requests that may go.
    pub(crate) fn hand_due(&mut self, cx: &mut Cx<Broker>) {
        while let Some((module, request)) = self.credit.next_due() {
            self.send_to_module(cx, module, request);
        }
    }
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
