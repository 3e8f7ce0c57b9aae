//! Messages to a zygote, and those of its children: one packet each.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::limits::ZYGOTE_REQUEST_BYTES_MAX;

/// Start a child. Its standard output and error come with it, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Number at ours.
    pub child: u64,
    /// Words, with the program's name as the first.
    pub argv: Vec<String>,
    /// Variables that it has and the zygote has not.
    pub env_add: Vec<(String, String)>,
    /// True if it leads a process group of its own.
    pub new_group: bool,
}

/// Result of the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Number.
    pub child: u64,
    /// Process number, or why there is none.
    pub pid: Result<i32, u32>,
}

impl Request {
    /// Sends it with two descriptors, if it goes at once.
    pub fn send(&self, socket: impl AsFd, streams: [BorrowedFd<'_>; 2]) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > ZYGOTE_REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&streams));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, flags)?;
        Ok(())
    }

    /// Waits for the next one; `None` at the end.
    pub fn receive(socket: impl AsFd) -> io::Result<Option<(Request, [OwnedFd; 2])>> {
        let mut bytes = vec![0; ZYGOTE_REQUEST_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(socket.as_fd(), &mut parts, &mut ancillary, flags)
        })?;
        if received.bytes == 0 {
            return Ok(None);
        }
        let streams: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten()
            .collect();
        let streams = <[OwnedFd; 2]>::try_from(streams);
        let is_whole = !received.flags.contains(ReturnFlags::TRUNC);
        match streams {
            Ok(streams) if is_whole => {
                let request = serde_json::from_slice(&bytes[..received.bytes])?;
                Ok(Some((request, streams)))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Report {
    /// Sends the message.
    pub fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        rustix::io::retry_on_intr(|| {
            rustix::net::send(socket.as_fd(), &bytes, SendFlags::NOSIGNAL)
        })?;
        Ok(())
    }

    /// The next one that is there; `None` at the end.
    pub fn receive(socket: impl AsFd) -> io::Result<Option<Report>> {
        let mut bytes = [0; 256];
        let n = rustix::net::recv(socket, &mut bytes, RecvFlags::DONTWAIT)?.0;
        match n {
            0 => Ok(None),
            n => Ok(Some(serde_json::from_slice(&bytes[..n])?)),
        }
    }
}
