//! Answering requests: a program can be a service too.

use bytes::Bytes;
use proto::{Refusal, service};
use wire::Message;

use crate::handle::Handle;

impl Handle {
    /// Registers a service; requests to it arrive as [`crate::Arrival::Request`].
    pub fn register_service(&mut self, name: &str) -> Result<(), Refusal> {
        let service = name.to_owned();
        self.rpc(&service::Add { service })?;
        self.standing.services.push(name.to_owned());
        Ok(())
    }

    /// Gives a service back.
    pub fn unregister_service(&mut self, name: &str) -> Result<(), Refusal> {
        let service = name.to_owned();
        self.rpc(&service::Remove { service })?;
        self.standing.services.retain(|held| held != name);
        Ok(())
    }

    /// The next request to a service of ours. Blocks.
    pub fn next_request(&mut self) -> Result<Message, Refusal> {
        loop {
            if let Some(request) = self.inbox.take_request() {
                return Ok(request);
            }
            self.pump(&[], None)?;
        }
    }

    /// Answers a request, whose last answer it is; nothing is sent when its sender wants none.
    pub fn respond(&mut self, request: Message, payload: Bytes) {
        self.send_response(&request, 0, payload);
    }

    /// One of the answers of a stream, which goes on.
    pub fn respond_part(&mut self, request: &Message, payload: Bytes) {
        self.send_response(request, 0, payload);
    }

    /// Refuses a request, or ends a stream.
    pub fn refuse(&mut self, request: Message, refusal: &Refusal) {
        let text = refusal.text.as_deref().map(|text| format!("{text}\0"));
        let payload = text.map(Bytes::from).unwrap_or_default();
        self.send_response(&request, refusal.errno.0, payload);
    }

    fn send_response(&mut self, request: &Message, errnum: u32, payload: Bytes) {
        if request.wants_response() {
            let mut response = Message::respond_to(request, errnum, payload);
            self.stamp(&mut response);
            self.send(&response);
        }
    }
}
