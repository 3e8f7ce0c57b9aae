//! Our ZMTP against libzmq's: messages of `conn.rs` to modules and back are those of a
//! program linked with libzmq.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, like tests, may unwrap"
)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use bytes::Bytes;
use runtime::link::{Context, DealerLink, LinkLimits, RouterLink};
use rustix::event::{PollFd, PollFlags, poll};
use wire::{Arrived, Message, Socket, ZmtpDecoder, encode_hello, encode_zmtp};

/// Our end of a connection, waiting as a test may.
struct Ours {
    stream: UnixStream,
    decoder: ZmtpDecoder,
}

impl Ours {
    fn greet(mut stream: UnixStream, socket: Socket, identity: &[u8]) -> Ours {
        let mut hello = Vec::new();
        encode_hello(socket, identity, &mut hello);
        stream.write_all(&hello).unwrap();
        let decoder = ZmtpDecoder::new(socket);
        Ours { stream, decoder }
    }

    fn send(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        encode_zmtp(message, &mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    fn next(&mut self) -> Arrived {
        let mut chunk = [0; 4096];
        loop {
            if let Some(arrived) = self.decoder.next_arrived().unwrap() {
                return arrived;
            }
            let n = self.stream.read(&mut chunk).unwrap();
            assert!(n > 0, "libzmq hung up");
            self.decoder.push(&chunk[..n]).unwrap();
        }
    }

    fn message(&mut self) -> Message {
        match self.next() {
            Arrived::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

fn of_length(n: usize) -> Message {
    let mut message = Message::request("kvs.ping", 7);
    message.set_payload(Bytes::from(vec![b'x'; n]));
    message
}

/// Below one frame's short length, above it, and above one read.
const LENGTHS: [usize; 3] = [3, 300, 100_000];

/// Waits, without a timer, until libzmq has something.
fn wait<T>(fd: std::os::fd::BorrowedFd<'_>, mut take: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(taken) = take() {
            return taken;
        }
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
    }
}

#[test]
fn a_dealer_of_libzmq_is_understood_and_understands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link");
    let listener = UnixListener::bind(&path).unwrap();
    let context = Context::new().unwrap();
    let endpoint = format!("ipc://{}", path.display());
    let peer = DealerLink::connect(&context, &endpoint, b"theirs", LinkLimits::default()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut ours = Ours::greet(stream, Socket::Router, b"");
    match ours.next() {
        Arrived::Ready(identity) => assert_eq!(identity[..], *b"theirs"),
        other => panic!("{other:?}"),
    }
    for n in LENGTHS {
        peer.send(wire::encode(&of_length(n))).unwrap();
        assert_eq!(ours.message(), of_length(n));
        ours.send(&of_length(n));
        let bytes = wait(peer.fd(), || {
            let _ = peer.ready().unwrap();
            peer.recv().unwrap()
        });
        assert_eq!(wire::decode(bytes), Ok(of_length(n)));
    }
}

#[test]
fn a_router_of_libzmq_is_understood_and_understands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link");
    let context = Context::new().unwrap();
    let endpoint = format!("ipc://{}", path.display());
    let router = RouterLink::bind(&context, &endpoint, LinkLimits::default()).unwrap();
    let stream = UnixStream::connect(&path).unwrap();
    let mut ours = Ours::greet(stream, Socket::Dealer, b"ours");
    assert!(matches!(ours.next(), Arrived::Ready(_)));
    for n in LENGTHS {
        ours.send(&of_length(n));
        let (identity, bytes) = wait(router.fd(), || {
            let _ = router.ready().unwrap();
            router.recv().unwrap()
        });
        assert_eq!(identity[..], *b"ours");
        assert_eq!(wire::decode(bytes), Ok(of_length(n)));
        router.send(b"ours", wire::encode(&of_length(n))).unwrap();
        assert_eq!(ours.message(), of_length(n));
    }
}
