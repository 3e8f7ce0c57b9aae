//! Authentication of encrypted links: answers to ZeroMQ's requests, by its authentication
//! protocol (ZeroMQ RFC 27, protocol/20 section 3).

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use crate::limits::{OVERLAY_MESSAGES_PER_TURN, REFUSED_LINES_S};
use crate::link::{Context, system_error};
use crate::tally::{Tally, log_refused};

/// The domain of our links.
pub(crate) const ZAP_DOMAIN: &str = "flux";

const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// Answers by a list of keys. Must be there before the first end that asks.
pub(crate) struct Zap {
    socket: zmq::Socket,
    fd: RawFd,
    allowed: BTreeSet<String>,
    /// Connections that were refused.
    refused: Tally,
}

impl Zap {
    /// One that lets nobody in yet.
    pub(crate) fn open(context: &Context) -> io::Result<Zap> {
        let socket = context.socket(zmq::REP)?;
        socket.set_linger(0).map_err(system_error)?;
        socket.bind(ENDPOINT).map_err(system_error)?;
        let fd = socket.get_fd().map_err(system_error)?;
        Ok(Zap {
            socket,
            fd,
            allowed: BTreeSet::new(),
            refused: Tally::new(REFUSED_LINES_S),
        })
    }

    /// Lets in who holds this key, in Z85.
    pub(crate) fn allow(&mut self, key: &str) {
        self.allowed.insert(key.to_owned());
    }

    /// Becomes readable when a peer requests admission: see "When to wait" in `link.rs`.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's own, and open as long as it lives.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// Answers those who wait.
    pub(crate) fn serve(&mut self, now: Duration) {
        for _ in 0..OVERLAY_MESSAGES_PER_TURN {
            let Ok(request) = self.socket.recv_multipart(zmq::DONTWAIT) else {
                return;
            };
            let key = key_in(&request);
            let user = key.clone().filter(|key| self.allowed.contains(key));
            match (&key, &user) {
                (None, _) => tracing::error!("ZAP request decode error"),
                (_, None) => log_refused(&mut self.refused, now),
                _ => {}
            }
            let answer = answer(&request, user);
            if let Err(error) = self.socket.send_multipart(answer, zmq::DONTWAIT) {
                tracing::error!("overlay auth: {error}");
                return;
            }
        }
    }

    /// True if a request waits.
    pub(crate) fn is_asked(&self) -> bool {
        let events = self.socket.get_events();
        events.is_ok_and(|events| events.contains(zmq::POLLIN))
    }
}

/// The key, in Z85, that the peer has proved to hold; `None` if it cannot be decoded.
fn key_in(request: &[Vec<u8>]) -> Option<String> {
    match request {
        [version, _, domain, _, _, mechanism, key]
            if version == b"1.0" && domain == ZAP_DOMAIN.as_bytes() && mechanism == b"CURVE" =>
        {
            zmq::z85_encode(key).ok()
        }
        _ => None,
    }
}

/// The parts of the answer to a request: version, id, code, text, user, metadata.
fn answer(request: &[Vec<u8>], user: Option<String>) -> [Vec<u8>; 6] {
    let id = request.get(1).cloned().unwrap_or_default();
    let (code, text) = match user {
        Some(_) => ("200", "OK"),
        None => ("400", "No access"),
    };
    [
        b"1.0".to_vec(),
        id,
        code.into(),
        text.into(),
        user.unwrap_or_default().into_bytes(),
        Vec::new(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

    fn check(change: impl FnOnce(&mut Vec<Vec<u8>>), expect: &str) {
        let mut request: Vec<Vec<u8>> = ["1.0", "7", "flux", "127.0.0.1", "uuid", "CURVE"]
            .map(|text| text.as_bytes().to_vec())
            .into();
        request.push(zmq::z85_decode(KEY).unwrap());
        change(&mut request);
        let user = key_in(&request).filter(|key| key == KEY);
        let answer = answer(&request, user).map(|part| String::from_utf8(part).unwrap());
        assert_eq!(answer.join(" "), expect);
    }

    #[test]
    fn only_known_keys_of_our_domain_are_let_in() {
        check(|_| {}, &format!("1.0 7 200 OK {KEY} "));
        check(|request| request[6][0] ^= 1, "1.0 7 400 No access  ");
        check(
            |request| request[2] = b"other".to_vec(),
            "1.0 7 400 No access  ",
        );
        check(
            |request| request[5] = b"NULL".to_vec(),
            "1.0 7 400 No access  ",
        );
        check(|request| request[6] = vec![0; 3], "1.0 7 400 No access  ");
        check(|request| request.truncate(3), "1.0 7 400 No access  ");
        check(|request| request.clear(), "1.0  400 No access  ");
    }
}
