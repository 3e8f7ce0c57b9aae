//! A message in memory: header fields, route stack, topic and payload.
//!
//! Topic, identities and payload are reference-counted slices of the buffer in
//! which the message arrived, so cloning or re-routing one copies no payload.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::header::{Flags, Kind, Role};

/// `nodeid` of a request that may be handled on any rank.
pub const NODEID_ANY: u32 = 0xffff_ffff;

/// `userid` of a message that has not been stamped yet.
pub const USERID_UNKNOWN: u32 = 0xffff_ffff;

/// One hop's name on a route stack: opaque text, a UUID in practice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Bytes);

impl Identity {
    /// Wraps text as an identity. Empty text would read as the delimiter and
    /// text over the limit would not decode: both give `None`.
    pub fn new(text: &str) -> Option<Identity> {
        Self::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(crate) fn from_bytes(bytes: Bytes) -> Option<Identity> {
        let len_ok = !bytes.is_empty() && bytes.len() <= crate::limits::IDENTITY_BYTES_MAX;
        (len_ok && std::str::from_utf8(&bytes).is_ok()).then_some(Identity(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first eight characters, as ping and trace print it.
    pub fn short(&self) -> &str {
        let text = self.as_str();
        text.char_indices()
            .nth(8)
            .map_or(text, |(end, _)| &text[..end])
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A route stack, top (most recent hop) first.
pub(crate) type Routes = SmallVec<[Identity; 4]>;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Type, with nodeid, matchtag, errnum or sequence.
    pub kind: Kind,
    /// USER1, UPSTREAM, PRIVATE, STREAMING and NORESPONSE. TOPIC, PAYLOAD and
    /// ROUTE are kept by the setters.
    flags: Flags,
    /// User id of the sender.
    pub userid: u32,
    /// Role bits of the sender.
    pub rolemask: Role,
    /// Deadline of a request, in milliseconds; 0 for none. On the wire these are what is left.
    /// A broker counts from its own start while it has the message.
    pub deadline_ms: u64,
    pub(crate) routes: Routes,
    topic: Bytes,
    payload: Bytes,
}

impl Message {
    /// A bare message: no topic, no payload, no routes, not stamped.
    pub fn new(kind: Kind) -> Message {
        Message {
            kind,
            flags: Flags::default(),
            userid: USERID_UNKNOWN,
            rolemask: Role::NONE,
            deadline_ms: 0,
            routes: Routes::new(),
            topic: Bytes::new(),
            payload: Bytes::new(),
        }
    }

    /// A request to any rank, with an empty route stack so that it can be answered.
    pub fn request(topic: &str, matchtag: u32) -> Message {
        let mut message = Message::new(Kind::Request {
            nodeid: NODEID_ANY,
            matchtag,
        });
        message.set_topic(topic);
        message.enable_routes();
        message
    }

    /// An event, not yet sequenced.
    pub fn event(topic: &str) -> Message {
        let mut message = Message::new(Kind::Event { sequence: 0 });
        message.set_topic(topic);
        message
    }

    /// The response to `request`: its routes, topic, matchtag and flags, and a
    /// blank credential for the responder's broker to stamp.
    pub fn respond_to(request: &Message, errnum: u32, payload: Bytes) -> Message {
        request.clone().into_response(errnum, payload)
    }

    /// [`Message::respond_to`] for a request that is not needed any more.
    pub fn into_response(mut self, errnum: u32, payload: Bytes) -> Message {
        self.kind = Kind::Response {
            errnum,
            matchtag: self.matchtag(),
        };
        self.userid = USERID_UNKNOWN;
        self.rolemask = Role::NONE;
        self.deadline_ms = 0;
        self.set_payload(payload);
        self
    }

    pub(crate) fn from_parts(
        header: crate::header::Header,
        deadline_ms: u64,
        routes: Routes,
        topic: Bytes,
        payload: Bytes,
    ) -> Message {
        let crate::header::Header {
            kind,
            flags,
            userid,
            rolemask,
        } = header;
        Message {
            kind,
            flags,
            userid,
            rolemask,
            deadline_ms,
            routes,
            topic,
            payload,
        }
    }

    /// The flag bits.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// True if all of `bits` of [`Flags`] are set.
    pub fn has(&self, bits: u8) -> bool {
        self.flags.has(bits)
    }

    /// Sets or clears NORESPONSE, UPSTREAM, PRIVATE, STREAMING or USER1.
    /// NORESPONSE and STREAMING exclude each other: setting one clears the other.
    pub fn set_flag(&mut self, bits: u8, on: bool) {
        let kept = Flags::TOPIC | Flags::PAYLOAD | Flags::ROUTE;
        self.flags.put(bits & !kept, on);
        if on && bits & Flags::NORESPONSE != 0 {
            self.flags.put(Flags::STREAMING, false);
        } else if on && bits & Flags::STREAMING != 0 {
            self.flags.put(Flags::NORESPONSE, false);
        }
    }

    /// The topic, empty when there is none.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap_or_default()
    }

    /// The same as a slice of the buffer, for tables.
    pub fn topic_bytes(&self) -> &Bytes {
        &self.topic
    }

    /// Sets the topic; text over the limit is cut there.
    pub fn set_topic(&mut self, topic: &str) {
        let mut end = topic.len().min(crate::limits::TOPIC_BYTES_MAX);
        while !topic.is_char_boundary(end) {
            end -= 1;
        }
        self.topic = Bytes::copy_from_slice(&topic.as_bytes()[..end]);
        self.flags.put(Flags::TOPIC, true);
    }

    /// The payload, `None` when there is none.
    pub fn payload(&self) -> Option<&Bytes> {
        self.has(Flags::PAYLOAD).then_some(&self.payload)
    }

    /// Sets the payload. An empty one is no payload (protocol/01 section 1).
    pub fn set_payload(&mut self, payload: Bytes) {
        self.flags.put(Flags::PAYLOAD, !payload.is_empty());
        self.payload = payload;
    }

    /// Text of an error response: the payload up to its NUL.
    pub fn error_text(&self) -> Option<&str> {
        let text = self.payload()?.strip_suffix(b"\0")?;
        let end = text.iter().position(|byte| *byte == 0);
        std::str::from_utf8(&text[..end.unwrap_or(text.len())]).ok()
    }

    /// Note behind the text of an error response: clients that do not know of it read up
    /// to the first NUL.
    pub fn error_note(&self) -> Option<&str> {
        let text = self.payload()?.strip_suffix(b"\0")?;
        let end = text.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&text[end + 1..]).ok()
    }

    /// The matchtag of a request or response, else 0.
    pub fn matchtag(&self) -> u32 {
        match self.kind {
            Kind::Request { matchtag, .. } | Kind::Response { matchtag, .. } => matchtag,
            _ => 0,
        }
    }

    /// True if the sender of this request waits for an answer. Matchtag 0 still does: the
    /// scheduler protocol matches on job ids (RFC 27).
    pub fn wants_response(&self) -> bool {
        matches!(self.kind, Kind::Request { .. }) && !self.has(Flags::NORESPONSE)
    }

    /// True if this response is the last for its matchtag (protocol/01 section 6).
    pub fn ends_rpc(&self) -> bool {
        match self.kind {
            Kind::Response { errnum, .. } => errnum != 0 || !self.has(Flags::STREAMING),
            _ => false,
        }
    }

    /// Gives the message a route stack, empty if it had none.
    pub fn enable_routes(&mut self) {
        self.flags.put(Flags::ROUTE, true);
    }

    /// Removes the route stack and its delimiter.
    pub fn clear_routes(&mut self) {
        self.routes.clear();
        self.flags.put(Flags::ROUTE, false);
    }

    /// Adds the most recent hop.
    pub fn push_route(&mut self, identity: Identity) {
        self.enable_routes();
        self.routes.insert(0, identity);
    }

    /// Takes the most recent hop off.
    pub fn pop_route(&mut self) -> Option<Identity> {
        (!self.routes.is_empty()).then(|| self.routes.remove(0))
    }

    /// The most recent hop.
    pub fn last_route(&self) -> Option<&Identity> {
        self.routes.first()
    }

    /// Name of the original sender at the client at the far end: it proves nothing, as a
    /// client may put anything there. See [`Message::sender`].
    pub fn first_route(&self) -> Option<&Identity> {
        self.routes.last()
    }

    /// The hops below the most recent one.
    pub fn hops_below(&self) -> &[Identity] {
        self.routes.get(1..).unwrap_or_default()
    }

    /// Sender of this request, distinct from all others: the hop that the sender's broker
    /// has stamped, `above` hops below the most recent one, and all hops below that.
    /// Those were put there by the sender itself, who may have programs behind it; so
    /// they name no other sender, no matter what they say.
    pub fn sender(&self, above: usize) -> Option<Identity> {
        match self.routes.get(above..).unwrap_or_default() {
            [] => self.routes.last().cloned(),
            [sender] => Some(sender.clone()),
            [sender, behind @ ..] => {
                let mut name = sender.as_bytes().to_vec();
                for hop in behind {
                    name.push(b'/');
                    name.extend_from_slice(hop.as_bytes());
                }
                // The part cut off distinguishes only programs behind one sender.
                let name = String::from_utf8_lossy(&name);
                let mut end = name.len().min(crate::limits::IDENTITY_BYTES_MAX);
                while !name.is_char_boundary(end) {
                    end -= 1;
                }
                Identity::new(&name[..end])
            }
        }
    }

    /// Number of hops.
    pub fn n_routes(&self) -> usize {
        self.routes.len()
    }

    /// The hops from the original sender on, as ping prints them.
    pub fn routes_from_sender(&self) -> impl Iterator<Item = &Identity> {
        self.routes.iter().rev()
    }
}
