//! Messages as Python sees them.

use bytes::Bytes;
use proto::Errno;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wire::{Flags, Kind, NODEID_ANY, Role};

use crate::error::of_errno;

/// The numbers of RFC 3 for what a message is.
const REQUEST: u32 = 1;
const RESPONSE: u32 = 2;
const EVENT: u32 = 4;
const CONTROL: u32 = 8;

/// One message: a request, a response or an event.
#[pyclass(frozen, module = "flux._core")]
pub struct Message(pub wire::Message);

#[pymethods]
impl Message {
    /// A message in the making, with `payload` as its bytes. `number` is the nodeid of a
    /// request and the error number of a response.
    #[new]
    #[pyo3(signature = (r#type, topic=None, payload=None, number=None, flags=0))]
    fn new(
        r#type: u32,
        topic: Option<&str>,
        payload: Option<&[u8]>,
        number: Option<u32>,
        flags: u8,
    ) -> PyResult<Message> {
        let mut message = match r#type {
            REQUEST => {
                let mut request = wire::Message::request("", 0);
                let nodeid = number.unwrap_or(NODEID_ANY);
                request.kind = Kind::Request {
                    nodeid,
                    matchtag: 0,
                };
                request
            }
            RESPONSE => wire::Message::new(Kind::Response {
                errnum: number.unwrap_or(0),
                matchtag: 0,
            }),
            EVENT => wire::Message::event(""),
            other => {
                let text = format!("{other} is no type of message: use FLUX_MSGTYPE_*");
                return Err(PyValueError::new_err(text));
            }
        };
        message.set_topic(topic.unwrap_or_default());
        message.set_payload(Bytes::copy_from_slice(payload.unwrap_or_default()));
        message.set_flag(flags, true);
        Ok(Message(message))
    }

    /// One of FLUX_MSGTYPE_*.
    #[getter]
    fn r#type(&self) -> u32 {
        match self.0.kind {
            Kind::Request { .. } => REQUEST,
            Kind::Response { .. } => RESPONSE,
            Kind::Event { .. } => EVENT,
            Kind::Control { .. } => CONTROL,
        }
    }

    /// Its topic, or None.
    #[getter]
    fn topic(&self) -> Option<&str> {
        self.0.has(Flags::TOPIC).then(|| self.0.topic())
    }

    /// The bytes of its payload, or None.
    #[getter]
    fn payload_bytes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let payload = self.0.payload()?;
        Some(PyBytes::new(py, payload))
    }

    /// Its payload as text, without the NUL that ends it; None if there is none.
    ///
    /// OSError with EPROTO: it is no text.
    #[getter]
    fn payload_str(&self) -> PyResult<Option<&str>> {
        let Some(payload) = self.0.payload() else {
            return Ok(None);
        };
        let text = payload.strip_suffix(b"\0").unwrap_or(payload);
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(of_errno(Errno::EPROTO, "the payload is no text in UTF-8")),
        }
    }

    /// The error number of a response, 0 on success.
    #[getter]
    fn errnum(&self) -> u32 {
        match self.0.kind {
            Kind::Response { errnum, .. } => errnum,
            _ => 0,
        }
    }

    /// The matchtag of a request or response.
    #[getter]
    fn matchtag(&self) -> u32 {
        self.0.matchtag()
    }

    /// The rank that a request is for.
    #[getter]
    fn nodeid(&self) -> Option<u32> {
        match self.0.kind {
            Kind::Request { nodeid, .. } => Some(nodeid),
            _ => None,
        }
    }

    /// The place of an event in the sequence of its instance.
    #[getter]
    fn sequence(&self) -> Option<u32> {
        match self.0.kind {
            Kind::Event { sequence } => Some(sequence),
            _ => None,
        }
    }

    /// The user id of its sender.
    #[getter]
    fn userid(&self) -> u32 {
        self.0.userid
    }

    /// The roles of its sender: FLUX_ROLE_*.
    #[getter]
    fn rolemask(&self) -> u32 {
        let Role(rolemask) = self.0.rolemask;
        rolemask
    }

    /// The flags of its header: FLUX_MSGFLAG_*.
    #[getter]
    fn flags(&self) -> u8 {
        self.0.flags().0
    }
}
