//! PROTO, the last frame of every message: 20 bytes, network byte order.

use crate::Errno;

/// First byte of PROTO.
const MAGIC: u8 = 0x8e;
/// Second byte of PROTO: the only version there is.
const VERSION: u8 = 1;
/// Length of PROTO in bytes.
pub(crate) const HEADER_BYTES: usize = 20;

/// Type of a message, with the two numbers that only its type gives meaning to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Asks a service for something.
    Request {
        /// Rank that is to handle it, or [`crate::NODEID_ANY`].
        nodeid: u32,
        /// Chosen by the sender to recognise the response; 0 means none.
        matchtag: u32,
    },
    /// Answers a request.
    Response {
        /// 0 on success.
        errnum: u32,
        /// The request's.
        matchtag: u32,
    },
    /// Tells every subscriber something.
    Event {
        /// Position in the instance's one sequence; 0 means not yet sequenced.
        sequence: u32,
    },
    /// Passes between neighbouring brokers, or a module and its broker, only.
    Control {
        /// Control value (protocol/01 section 8).
        control: u32,
        /// Argument.
        status: u32,
    },
}

/// Flag bits of PROTO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// A topic frame is present.
    pub const TOPIC: u8 = 0x01;
    /// A payload frame is present.
    pub const PAYLOAD: u8 = 0x02;
    /// The sender of this request wants no response.
    pub const NORESPONSE: u8 = 0x04;
    /// A route delimiter, and maybe identities, are present.
    pub const ROUTE: u8 = 0x08;
    /// Deliver to an ancestor of rank `nodeid`.
    pub const UPSTREAM: u8 = 0x10;
    /// Restrict delivery of this event to the owner and its own user.
    pub const PRIVATE: u8 = 0x20;
    /// More than one response may follow.
    pub const STREAMING: u8 = 0x40;
    /// Passed through for applications.
    pub const USER1: u8 = 0x80;

    /// True if all of `bits` are set.
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// Sets or clears `bits`.
    pub fn put(&mut self, bits: u8, on: bool) {
        if on { self.0 |= bits } else { self.0 &= !bits }
    }
}

/// Role bits of a message's credential (RFC 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Role(pub u32);

impl Role {
    /// No role: not stamped yet.
    pub const NONE: Role = Role(0);
    /// Acts as the instance owner.
    pub const OWNER: Role = Role(1);
    /// An authenticated guest.
    pub const USER: Role = Role(2);
    /// Entered through a connector on this broker's rank.
    pub const LOCAL: Role = Role(4);
    /// A guest with extra privilege through configuration.
    pub const ADMIN: Role = Role(8);
    /// Any role at all.
    pub const ALL: Role = Role(0xffff_ffff);

    /// True if the two masks share a bit.
    pub fn meets(self, other: Role) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Role {
    type Output = Role;
    fn bitor(self, other: Role) -> Role {
        Role(self.0 | other.0)
    }
}

/// Errors of decoding a message. The errno is what RFC 3 implementations report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A part's length runs past the end of the buffer (EINVAL).
    #[error("a frame is cut short")]
    Truncated,
    /// There is no frame at all, or the last is not a valid PROTO (EPROTO).
    #[error("the header is not one of this protocol")]
    BadHeader,
    /// A frame that a flag promises is missing (EPROTO).
    #[error("a frame announced by the header is missing")]
    MissingFrame,
    /// A topic or an identity is not text, or is longer than its limit (EPROTO).
    #[error("a topic or route is not valid text")]
    BadText,
    /// More routes than [`crate::limits::ROUTES_MAX`] (EPROTO).
    #[error("the route stack is too deep")]
    TooManyRoutes,
}

impl DecodeError {
    /// The error number to report.
    pub fn errno(self) -> Errno {
        match self {
            Self::Truncated => Errno::EINVAL,
            _ => Errno::EPROTO,
        }
    }
}

/// PROTO, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub flags: Flags,
    pub userid: u32,
    pub rolemask: Role,
}

impl Header {
    pub fn decode(bytes: &[u8]) -> Result<Header, DecodeError> {
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| DecodeError::BadHeader)?;
        if bytes[0] != MAGIC || bytes[1] != VERSION {
            return Err(DecodeError::BadHeader);
        }
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let (aux1, aux2) = (word(12), word(16));
        let kind = match bytes[2] {
            0x01 => Kind::Request {
                nodeid: aux1,
                matchtag: aux2,
            },
            0x02 => Kind::Response {
                errnum: aux1,
                matchtag: aux2,
            },
            0x04 => Kind::Event { sequence: aux1 },
            0x08 => Kind::Control {
                control: aux1,
                status: aux2,
            },
            _ => return Err(DecodeError::BadHeader),
        };
        Ok(Header {
            kind,
            flags: Flags(bytes[3]),
            userid: word(4),
            rolemask: Role(word(8)),
        })
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let (kind, aux1, aux2) = match self.kind {
            Kind::Request { nodeid, matchtag } => (0x01, nodeid, matchtag),
            Kind::Response { errnum, matchtag } => (0x02, errnum, matchtag),
            Kind::Event { sequence } => (0x04, sequence, 0),
            Kind::Control { control, status } => (0x08, control, status),
        };
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&[MAGIC, VERSION, kind, self.flags.0]);
        bytes[4..8].copy_from_slice(&self.userid.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.rolemask.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&aux1.to_be_bytes());
        bytes[16..].copy_from_slice(&aux2.to_be_bytes());
        bytes
    }
}
