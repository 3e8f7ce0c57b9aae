//! A new connection in place of one that was lost, for programs that asked for it: they
//! outlive the broker's restart without a failed idempotent call.

use std::time::{Duration, Instant};

use proto::{Errno, Method, event, service, state_machine};
use wire::{Flags, Message};

use crate::call::CallId;
use crate::handle::{Handle, Waiting};
use crate::limits::{CONNECT_DELAY_MAX, CONNECT_DELAY_MIN};
use crate::open::connect_link;
use crate::ssh::Ssh;

/// Subscriptions and services of a program that a new broker connection does not know.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// URI of the broker.
    pub uri: String,
    /// Settings for reaching other hosts.
    pub ssh: Ssh,
    /// Time for which to try, if at all.
    pub patience: Option<Duration>,
    /// Subscriptions, once for each time.
    pub subscriptions: Vec<String>,
    /// Services registered.
    pub services: Vec<String>,
}

impl Handle {
    /// True if a lost connection may be replaced.
    pub(crate) fn may_reconnect(&self) -> bool {
        self.standing.patience.is_some()
    }

    /// Blocks until there is a connection to a broker that is online, or patience ends.
    /// Calls that cannot be made twice have failed then; the others are sent again.
    pub(crate) fn reconnect(&mut self) -> bool {
        let Some(deadline) = self
            .standing
            .patience
            .and_then(|p| Instant::now().checked_add(p))
        else {
            return false;
        };
        self.fail_unrepeatable();
        let mut delay = CONNECT_DELAY_MIN;
        while Instant::now() < deadline {
            if self.try_again(deadline) {
                return true;
            }
            std::thread::sleep(delay.min(deadline.saturating_duration_since(Instant::now())));
            delay = (delay * 2).min(CONNECT_DELAY_MAX);
        }
        self.standing.patience = None;
        false
    }

    fn try_again(&mut self, deadline: Instant) -> bool {
        let Ok(link) = connect_link(&self.standing.uri, 0, &self.standing.ssh) else {
            return false;
        };
        self.link = link;
        self.lost = None;
        self.attrs.clear();
        if !self.is_online(deadline) {
            return false;
        }
        for topic in self.standing.subscriptions.clone() {
            self.notify_again(event::Subscribe::TOPIC, &event::Subscribe { topic });
        }
        for service in self.standing.services.clone() {
            self.notify_again(service::Add::TOPIC, &service::Add { service });
        }
        self.resend_waiting();
        self.lost.is_none()
    }

    /// Asks the broker to answer when it takes requests, and waits for that.
    fn is_online(&mut self, deadline: Instant) -> bool {
        let id = self.new_id();
        let waiting = Waiting {
            again: None,
            is_stream: false,
            deadline: None,
            is_idempotent: true,
            fruitless: 0,
            is_answered: false,
        };
        self.waiting.insert(id, waiting);
        let mut request = Message::request(state_machine::Wait::TOPIC, id.0);
        self.stamp(&mut request);
        let sent = self.link.send(&request);
        self.note_loss(sent);
        while self.lost.is_none() && self.waiting.contains_key(&id) && Instant::now() < deadline {
            self.turn_socket(&[], Some(deadline));
        }
        self.stop_waiting(id);
        let is_answered = self.inbox.has_answer(id);
        self.inbox.forget(id);
        is_answered && self.lost.is_none()
    }

    fn notify_again(&mut self, topic: &str, request: &impl proto::Payload) {
        let mut message = Message::request(topic, 0);
        message.set_payload(request.encode());
        message.set_flag(Flags::NORESPONSE, true);
        self.stamp(&mut message);
        let sent = self.link.send(&message);
        self.note_loss(sent);
    }

    fn resend_waiting(&mut self) {
        self.resends.clear();
        for id in self.waiting_ids() {
            let waiting = self.waiting.get(&id);
            let Some(message) = waiting.and_then(|waiting| waiting.again.clone()) else {
                continue;
            };
            if waiting.is_some_and(|waiting| waiting.is_stream) {
                self.inbox.put_again(id);
            }
            let sent = self.link.send(&message);
            self.note_loss(sent);
        }
    }

    fn fail_unrepeatable(&mut self) {
        let errno = self.lost.unwrap_or(Errno::ECONNRESET);
        for id in self.waiting_ids() {
            if self
                .waiting
                .get(&id)
                .is_some_and(|waiting| waiting.again.is_none())
            {
                self.fail(id, errno);
            }
        }
    }

    /// In the order in which they were made.
    pub(crate) fn waiting_ids(&self) -> Vec<CallId> {
        let mut ids: Vec<CallId> = self.waiting.keys().copied().collect();
        ids.sort_unstable();
        ids
    }
}
