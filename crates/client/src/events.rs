//! Events: subscribing, receiving and publishing.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proto::{Refusal, event};
use wire::{Flags, Message};

use crate::call::Call;
use crate::handle::Handle;

impl Handle {
    /// Asks for the events whose topic begins with `prefix`. Every event sequenced after
    /// this returns is delivered.
    pub fn subscribe(&mut self, prefix: &str) -> Result<(), Refusal> {
        let topic = prefix.to_owned();
        self.rpc(&event::Subscribe { topic })?;
        self.standing.subscriptions.push(prefix.to_owned());
        Ok(())
    }

    /// Takes one subscription back.
    pub fn unsubscribe(&mut self, prefix: &str) -> Result<(), Refusal> {
        let topic = prefix.to_owned();
        self.rpc(&event::Unsubscribe { topic })?;
        let held = &mut self.standing.subscriptions;
        if let Some(at) = held.iter().position(|held| held == prefix) {
            held.remove(at);
        }
        Ok(())
    }

    /// The next event, in order of arrival; `None` when `deadline` passes first. Blocks.
    pub fn next_event(&mut self, deadline: Option<Instant>) -> Result<Option<Message>, Refusal> {
        loop {
            if let Some(event) = self.inbox.take_event() {
                return event.map(Some);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            self.pump(&[], deadline)?;
        }
    }

    /// Publishes an event and waits for its sequence number.
    pub fn publish(&mut self, event: &Message) -> Result<u32, Refusal> {
        let request = event::Publish {
            topic: event.topic().to_owned(),
            flags: u32::from(event.flags().0 & Flags::PRIVATE),
            payload: event.payload().map(|payload| STANDARD.encode(payload)),
        };
        let published = self.call(Call::new(&request).to(0))?;
        Ok(published.seq)
    }

    /// Publishes an event and waits for nothing.
    pub fn publish_unsequenced(&mut self, mut event: Message) {
        self.stamp(&mut event);
        self.send(&event);
    }

    /// An event in the making.
    pub fn event(topic: &str, payload: Bytes, private: bool) -> Message {
        let mut event = Message::event(topic);
        event.set_payload(payload);
        event.set_flag(Flags::PRIVATE, private);
        event
    }
}
