//! A broker made of one function, for tests of programs that use a handle: it implements
//! the framing and the handshake of protocol/02, and the test gives its answers.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proto::Refusal;
use proto::payload::encode_json;
use wire::{Message, Role, StreamDecoder, encode_stream};

/// Action of the broker on a message.
pub enum Act {
    /// Sends this.
    Send(Box<Message>),
    /// Hangs up.
    HangUp,
}

type Handler = Box<dyn FnMut(&Message) -> Vec<Act> + Send>;

/// A broker that answers as a function says, until the process ends.
pub struct FakeBroker {
    path: PathBuf,
}

impl FakeBroker {
    /// Listens on the socket `path`. `handle` gets every message of every client.
    pub fn listen(
        path: &Path,
        handle: impl FnMut(&Message) -> Vec<Act> + Send + 'static,
    ) -> std::io::Result<FakeBroker> {
        FakeBroker::greeting(path, 0, handle)
    }

    /// The same, greeting clients with the byte `greeting`: an errno refuses them.
    pub fn greeting(
        path: &Path,
        greeting: u8,
        handle: impl FnMut(&Message) -> Vec<Act> + Send + 'static,
    ) -> std::io::Result<FakeBroker> {
        let listener = UnixListener::bind(path)?;
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handle)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let handler = Arc::clone(&handler);
                std::thread::spawn(move || serve(client, greeting, &handler));
            }
        });
        Ok(FakeBroker {
            path: path.to_owned(),
        })
    }

    /// Value of FLUX_URI.
    pub fn uri(&self) -> String {
        format!("local://{}", self.path.display())
    }
}

/// A successful answer with a JSON object.
pub fn answer(request: &Message, object: &serde_json::Value) -> Act {
    respond(request, 0, encode_json(object))
}

/// A successful answer with these bytes as payload.
pub fn answer_raw(request: &Message, payload: impl Into<Bytes>) -> Act {
    respond(request, 0, payload.into())
}

/// A refusal, or the end of a stream.
pub fn refuse(request: &Message, refusal: &Refusal) -> Act {
    let text = refusal.text.as_ref().map(|text| format!("{text}\0"));
    respond(request, refusal.errno.0, text.unwrap_or_default().into())
}

fn respond(request: &Message, errnum: u32, payload: Bytes) -> Act {
    let mut response = Message::respond_to(request, errnum, payload);
    response.userid = 100;
    response.rolemask = Role::OWNER | Role::LOCAL;
    Act::Send(Box::new(response))
}

/// Sends a message of the test's own making.
pub fn send(message: Message) -> Act {
    Act::Send(Box::new(message))
}

/// The JSON object of a request; null when it has none.
pub fn object_of(request: &Message) -> serde_json::Value {
    proto::payload::decode_json(request.payload()).unwrap_or_default()
}

/// Ends when the client does, or does something that ends the connection.
fn serve(mut client: UnixStream, greeting: u8, handler: &Mutex<Handler>) {
    if client.write_all(&[greeting]).is_err() || greeting != 0 {
        return;
    }
    let mut decoder = StreamDecoder::default();
    let mut buf = [0; 4096];
    while let Ok(n) = client.read(&mut buf)
        && n > 0
    {
        if decoder.push(&buf[..n]).is_err() {
            return;
        }
        while let Ok(Some(message)) = decoder.next_message() {
            let Ok(mut handler) = handler.lock() else {
                return;
            };
            let mut bytes = Vec::new();
            for act in handler(&message) {
                match act {
                    Act::Send(message) => encode_stream(&message, &mut bytes),
                    Act::HangUp => {
                        let _ = client.write_all(&bytes);
                        return;
                    }
                }
            }
            if client.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}
