//! Tests of the memory of the broker that clients may use: a loop with a small budget, a
//! node that answers everything, and clients that behave badly.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, like tests, may unwrap"
)]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use node::{Input, Node, Now, Output, PeerId, PeerKind};
use runtime::{Descriptors, Reactor};
use rustix::event::{PollFd, PollFlags, poll};
use tempfile::TempDir;
use wire::{
    Arrived, Message, Socket, StreamDecoder, ZmtpDecoder, encode_hello, encode_stream, encode_zmtp,
};

const MIB: usize = 1 << 20;
/// Of which 32 are for clients, and 16 for one process.
const DESCRIPTORS: usize = 128;

/// Lets everybody in and does what a request's topic says: `size` answers with the length
/// of the payload, `fill` with N bytes, `module` hands the request to the module.
#[derive(Default)]
struct Hub {
    module: Option<PeerId>,
    outputs: VecDeque<Output>,
}

impl Hub {
    fn answer(&mut self, to: PeerId, request: &Message, payload: Bytes) {
        let message = Message::respond_to(request, 0, payload);
        self.outputs.push_back(Output::Send { to, message });
    }

    fn take_request(&mut self, from: PeerId, message: Message) {
        let payload = message.payload().cloned().unwrap_or_default();
        match (message.topic(), self.module) {
            ("size", _) => {
                let size = payload.len().to_string();
                self.answer(from, &message, Bytes::from(size));
            }
            ("fill", _) => {
                let size = std::str::from_utf8(&payload).unwrap().parse().unwrap();
                self.answer(from, &message, Bytes::from(vec![0; size]));
            }
            ("module", Some(to)) => self.outputs.push_back(Output::Send { to, message }),
            _ => self.outputs.push_back(Output::Exit { code: 0 }),
        }
    }
}

impl Node for Hub {
    fn handle(&mut self, _now: Now, input: Input) {
        match input {
            Input::PeerUp { peer, kind } => match kind {
                PeerKind::Client { .. } => self.outputs.push_back(Output::Accept { peer }),
                PeerKind::Module { .. } => self.module = Some(peer),
                PeerKind::Broker | PeerKind::Parent | PeerKind::Child { .. } => {}
            },
            Input::Message { from, message } => self.take_request(from, message),
            _ => {}
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Duration> {
        None
    }
}

/// A loop on a thread of its own.
struct Host {
    folder: TempDir,
    thread: JoinHandle<i32>,
}

impl Host {
    /// A loop with a budget of `bytes`, whose clients are the owner's or guests.
    fn start(bytes: usize, guests: bool) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let modules = UnixListener::bind(folder.path().join("modules")).unwrap();
        let clients = UnixListener::bind(folder.path().join("clients")).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let owner = if guests { uid + 1 } else { uid };
        let thread = thread::spawn(move || {
            let mut hub = Hub::default();
            let reactor = Reactor::new(&mut hub).unwrap();
            let reactor = reactor.as_broker(modules, clients).unwrap();
            let reactor = reactor.with_memory(bytes, owner);
            let mut reactor = reactor.with_descriptors(Descriptors::of(DESCRIPTORS), owner);
            reactor.run().unwrap()
        });
        Host { folder, thread }
    }

    fn client(&self) -> Client {
        let path = self.folder.path().join("clients");
        let stream = runtime::connect(path.to_str().unwrap()).unwrap();
        let decoder = StreamDecoder::default();
        Client { stream, decoder }
    }

    /// A module that the node knows.
    fn module(&self) -> Module {
        let stream = UnixStream::connect(self.folder.path().join("modules")).unwrap();
        let decoder = ZmtpDecoder::new(Socket::Dealer);
        let mut module = Module { stream, decoder };
        let mut bytes = Vec::new();
        encode_hello(Socket::Dealer, b"module", &mut bytes);
        encode_zmtp(&Message::request("size", 1), &mut bytes);
        module.stream.write_all(&bytes).unwrap();
        module.receive();
        module
    }

    /// Shows that the loop still serves, and ends it.
    fn end(self) {
        let mut client = self.client();
        assert_eq!(client.ask("size", &[1; 10]), "10");
        client.send("end", b"");
        assert_eq!(self.thread.join().unwrap(), 0);
    }
}

struct Client {
    stream: UnixStream,
    decoder: StreamDecoder,
}

impl Client {
    /// True if all of it could be written.
    fn send(&mut self, topic: &str, payload: &[u8]) -> bool {
        let mut message = Message::request(topic, 1);
        message.set_payload(Bytes::copy_from_slice(payload));
        let mut bytes = Vec::new();
        encode_stream(&message, &mut bytes);
        self.stream.write_all(&bytes).is_ok()
    }

    /// Announces a message and sends `bytes` of it.
    fn send_unfinished(&mut self, bytes: usize) -> bool {
        let mut start = b"\x12\0\xee\xff".to_vec();
        start.extend_from_slice(&(256 * MIB as u32).to_be_bytes());
        start.resize(bytes, 0);
        self.stream.write_all(&start).is_ok()
    }

    fn receive(&mut self) -> String {
        let mut chunk = vec![0; 65_536];
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                let payload = message.payload().cloned().unwrap_or_default();
                return String::from_utf8_lossy(&payload).into_owned();
            }
            let n = self.stream.read(&mut chunk).unwrap();
            assert!(n > 0, "the loop hung up");
            self.decoder.push(&chunk[..n]).unwrap();
        }
    }

    fn ask(&mut self, topic: &str, payload: &[u8]) -> String {
        assert!(self.send(topic, payload));
        self.receive()
    }
}

struct Module {
    stream: UnixStream,
    decoder: ZmtpDecoder,
}

impl Module {
    fn receive(&mut self) -> Message {
        let mut chunk = vec![0; 65_536];
        loop {
            match self.decoder.next_arrived().unwrap() {
                Some(Arrived::Message(message)) => return message,
                Some(_) => {}
                None => {
                    let n = self.stream.read(&mut chunk).unwrap();
                    assert!(n > 0, "the loop hung up");
                    self.decoder.push(&chunk[..n]).unwrap();
                }
            }
        }
    }
}

/// Waits until N of the clients were disconnected, without reading from them.
fn wait_for_ends(clients: &[Client], n: usize) {
    let mut watched: Vec<&Client> = clients.iter().collect();
    while clients.len() - watched.len() < n {
        let fds = watched.iter();
        let mut fds: Vec<PollFd<'_>> = fds
            .map(|client| PollFd::new(&client.stream, PollFlags::empty()))
            .collect();
        poll(&mut fds, None).unwrap();
        let ended: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = ended.iter();
        watched.retain(|_| !ended.next().unwrap());
    }
}

#[test]
fn unfinished_messages_of_all_connections_share_one_budget() {
    let host = Host::start(4 * MIB, false);
    let mut clients: Vec<Client> = (0..6).map(|_| host.client()).collect();
    for client in &mut clients {
        client.send_unfinished(MIB);
    }
    wait_for_ends(&clients, 2);
    drop(clients);
    // Their memory is free again.
    let size = 3 * MIB;
    assert_eq!(host.client().ask("size", &vec![1; size]), size.to_string());
    host.end();
}

#[test]
fn a_client_that_does_not_read_its_answers_is_disconnected() {
    let host = Host::start(4 * MIB, false);
    let mut deaf = host.client();
    while deaf.send("fill", MIB.to_string().as_bytes()) {}
    wait_for_ends(&[deaf], 1);
    let mut reader = host.client();
    for _ in 0..10 {
        assert_eq!(reader.ask("fill", MIB.to_string().as_bytes()).len(), MIB);
    }
    host.end();
}

#[test]
fn a_guest_has_a_quarter() {
    let host = Host::start(8 * MIB, true);
    assert_eq!(host.client().ask("size", &vec![1; MIB]), MIB.to_string());
    let mut greedy = host.client();
    greedy.send("size", &vec![1; 3 * MIB]);
    wait_for_ends(&[greedy], 1);
    host.end();
}

#[test]
fn a_client_is_not_read_from_while_its_requests_wait_for_a_module() {
    let host = Host::start(8 * MIB, false);
    let mut module = host.module();
    let mut busy = host.client();
    let writer = thread::spawn(move || {
        for _ in 0..32 {
            assert!(busy.send("module", &vec![1; MIB]), "it was disconnected");
        }
        busy
    });
    // Others are served meanwhile.
    assert_eq!(host.client().ask("size", &[1; 7]), "7");
    for _ in 0..32 {
        assert_eq!(module.receive().payload().unwrap().len(), MIB);
    }
    drop(writer.join().unwrap());
    host.end();
}

#[test]
fn a_process_with_too_many_connections_is_turned_away_until_one_is_gone() {
    let host = Host::start(4 * MIB, false);
    let path = host.folder.path().join("clients");
    let path = path.to_str().unwrap();
    let mut clients: Vec<Client> = (0..16).map(|_| host.client()).collect();
    for _ in 0..100 {
        let errno = runtime::connect(path).unwrap_err().raw_os_error();
        assert_eq!(errno, Some(11), "EAGAIN");
    }
    assert_eq!(clients[7].ask("size", &[1; 3]), "3");
    // The loop notices in its own time that they have disconnected.
    clients.truncate(8);
    while runtime::connect(path).is_err() {}
    host.end();
}
