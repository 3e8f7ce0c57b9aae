//! The local connector to the byte, as a program linked with another implementation's
//! library sees it: protocol/01 section 11 and protocol/02, over a real socket to a
//! real broker.
#![allow(clippy::disallowed_types, reason = "the test is a program of its own")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

use wire::{Errno, Flags, Kind, Message, Role, StreamDecoder, USERID_UNKNOWN, encode_stream};

/// A broker without modules, ended with the test.
struct Instance {
    broker: Child,
    folder: tempfile::TempDir,
}

impl Instance {
    fn start() -> Instance {
        let folder = tempfile::tempdir().expect("a folder");
        let arg = |name: &str, value: &str| format!("-S{name}={value}");
        let path = folder.path().display();
        let broker = Command::new(env!("CARGO_BIN_EXE_flux-broker"))
            .arg(arg("rundir", &path.to_string()))
            .arg(arg("statedir", &path.to_string()))
            .arg(arg("broker.rc1_path", ""))
            .arg("-Sbroker.rc2_none")
            .spawn()
            .expect("the broker starts");
        Instance { broker, folder }
    }

    /// Connects, waiting for the socket as client libraries do.
    fn connect(&self) -> Client {
        let path = self.folder.path().join("local-0");
        let mut stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(_) => std::thread::yield_now(),
            }
        };
        let mut byte = [0xff];
        stream.read_exact(&mut byte).expect("the handshake");
        assert_eq!(byte, [0], "the server sends one zero byte");
        let mut client = Client {
            stream,
            decoder: StreamDecoder::default(),
            tag: 0,
        };
        client.call("state-machine.wait", "");
        client
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.broker.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.broker.wait();
    }
}

/// One connection.
struct Client {
    stream: UnixStream,
    decoder: StreamDecoder,
    tag: u32,
}

impl Client {
    fn request(&mut self, topic: &str, payload: &str) -> Message {
        self.tag += 1;
        let mut message = Message::request(topic, self.tag);
        if !payload.is_empty() {
            message.set_payload(bytes::Bytes::from(format!("{payload}\0")));
        }
        message
    }

    fn send(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        encode_stream(message, &mut bytes);
        self.stream.write_all(&bytes).expect("the broker reads");
    }

    fn receive(&mut self) -> Message {
        loop {
            if let Some(message) = self.decoder.next_message().expect("framed messages") {
                return message;
            }
            let mut buf = [0; 4096];
            let n = self.stream.read(&mut buf).expect("the broker writes");
            assert_ne!(n, 0, "the broker hung up");
            self.decoder.push(&buf[..n]).expect("memory");
        }
    }

    fn call(&mut self, topic: &str, payload: &str) -> Message {
        let request = self.request(topic, payload);
        self.send(&request);
        self.receive()
    }
}

fn text(message: &Message) -> &str {
    let payload = message.payload().map_or(&b""[..], |payload| payload);
    // As programs in C read it.
    let text = payload.split(|byte| *byte == 0).next();
    std::str::from_utf8(text.unwrap_or_default()).expect("text")
}

fn errnum(message: &Message) -> Errno {
    match message.kind {
        Kind::Response { errnum, .. } => Errno(errnum),
        other => panic!("not a response: {other:?}"),
    }
}

/// `attr.get {"name":"rank"}` with matchtag 1, as the page has it.
fn worked_request() -> Vec<u8> {
    let mut bytes = b"\x12\x00\xee\xff\x00\x00\x00\x30\x00\x08attr.get\x10".to_vec();
    bytes.extend_from_slice(b"{\"name\":\"rank\"}\0\x14\x8e\x01\x01\x0b");
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
    bytes
}

/// Response, for this user.
fn worked_response() -> Vec<u8> {
    let mut bytes = b"\x12\x00\xee\xff\x00\x00\x00\x38\x00\x08attr.get\x18".to_vec();
    bytes.extend_from_slice(b"{\"value\":\"0\",\"flags\":1}\0\x14\x8e\x01\x02\x0b");
    bytes.extend_from_slice(&nix::unistd::Uid::current().as_raw().to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes
}

fn expect_bytes(client: &mut Client, want: &[u8]) {
    let mut got = vec![0; want.len()];
    client.stream.read_exact(&mut got).expect("the response");
    assert_eq!(got, want);
}

#[test]
fn the_worked_example_is_answered_to_the_byte_however_it_is_cut() {
    let instance = Instance::start();
    let mut client = instance.connect();
    client.stream.write_all(&worked_request()).expect("whole");
    expect_bytes(&mut client, &worked_response());
    for byte in worked_request() {
        client.stream.write_all(&[byte]).expect("byte by byte");
    }
    expect_bytes(&mut client, &worked_response());
    client
        .stream
        .write_all(&worked_request().repeat(3))
        .expect("three at once");
    expect_bytes(&mut client, &worked_response().repeat(3));
}

#[test]
fn unknown_services_and_methods_have_their_texts() {
    let instance = Instance::start();
    let mut client = instance.connect();
    let answer = client.call("foo.bar", "{}");
    assert_eq!(errnum(&answer), Errno::ENOSYS);
    assert_eq!(text(&answer), "No service matching foo.bar is registered");
    let answer = client.call("broker.nosuch", "{}");
    assert_eq!(text(&answer), "Unknown service method 'broker.nosuch'");
    let long = "x".repeat(100);
    let answer = client.call(&long, "{}");
    assert_eq!(text(&answer).len(), 63);
}

#[test]
fn malformed_payloads_are_protocol_errors() {
    let instance = Instance::start();
    let mut client = instance.connect();
    for payload in ["", "[]", "{\"name\":1}", "{\"name\":\"rank\"} x", "{"] {
        let answer = client.call("attr.get", payload);
        assert_eq!(errnum(&answer), Errno::EPROTO, "{payload}");
    }
    let mut request = client.request("attr.get", "");
    request.set_payload(bytes::Bytes::from_static(b"{\"name\":\"rank\"}"));
    client.send(&request);
    assert_eq!(errnum(&client.receive()), Errno::EPROTO, "without its NUL");
}

#[test]
fn requests_to_other_ranks_find_no_route() {
    let instance = Instance::start();
    let mut client = instance.connect();
    let mut request = client.request("broker.ping", "{}");
    request.kind = Kind::Request {
        nodeid: 7,
        matchtag: 9,
    };
    client.send(&request);
    let answer = client.receive();
    assert_eq!(
        (errnum(&answer), answer.error_text(), answer.error_note()),
        (
            Errno::EHOSTUNREACH,
            Some("No route to host"),
            Some("peer-gone@0")
        )
    );
}

#[test]
fn subscriptions_are_answered_by_the_connector_and_events_come_before_the_answer() {
    let instance = Instance::start();
    let mut client = instance.connect();
    let answer = client.call("event.subscribe", "{\"topic\":\"my.\"}");
    assert_eq!((answer.flags().0, answer.payload()), (0x09, None));
    assert_eq!(
        (answer.userid, answer.rolemask),
        (USERID_UNKNOWN, Role::OWNER)
    );
    let publish = client.request("event.publish", "{\"topic\":\"my.event\",\"flags\":0}");
    client.send(&publish);
    let event = client.receive();
    assert_eq!(
        (event.topic(), event.kind),
        ("my.event", Kind::Event { sequence: 1 })
    );
    assert_eq!(text(&client.receive()), "{\"seq\":1}");
    let answer = client.call("event.unsubscribe", "{\"topic\":\"other\"}");
    assert_eq!(errnum(&answer), Errno::ENOENT);
}

#[test]
fn a_client_answers_requests_to_its_service_until_it_leaves() {
    let instance = Instance::start();
    let mut server = instance.connect();
    let mut client = instance.connect();
    assert_eq!(
        errnum(&server.call("service.add", "{\"service\":\"mine\"}")),
        Errno(0)
    );
    assert_eq!(
        errnum(&client.call("service.add", "{\"service\":\"mine\"}")),
        Errno::EEXIST
    );
    assert_eq!(
        errnum(&client.call("service.add", "{\"service\":\"a.b\"}")),
        Errno::EINVAL
    );
    assert_eq!(
        errnum(&client.call("service.remove", "{\"service\":\"mine\"}")),
        Errno::ENOENT
    );
    let request = client.request("mine.hello", "{}");
    client.send(&request);
    let delivered = server.receive();
    assert_eq!(delivered.topic(), "mine.hello");
    assert!(
        delivered.n_routes() >= 1,
        "the way back must be on the request"
    );
    server.send(&delivered.into_response(0, bytes::Bytes::from_static(b"{\"ok\":1}\0")));
    let answer = client.receive();
    assert_eq!((text(&answer), answer.n_routes()), ("{\"ok\":1}", 0));
    drop(server);
    while errnum(&client.call("service.add", "{\"service\":\"mine\"}")) == Errno::EEXIST {
        std::thread::yield_now();
    }
}

#[test]
fn who_speaks_another_protocol_is_cut_off_and_others_are_not() {
    let instance = Instance::start();
    let mut other = instance.connect();
    let mut client = instance.connect();
    client
        .stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .expect("anything may be written");
    let mut buf = [0; 16];
    assert!(
        matches!(client.stream.read(&mut buf), Ok(0) | Err(_)),
        "the connection must end"
    );
    assert_eq!(errnum(&other.call("broker.ping", "{}")), Errno(0));
}

#[test]
fn an_owner_may_speak_as_a_guest_and_is_refused_as_one() {
    let instance = Instance::start();
    let mut client = instance.connect();
    let mut request = client.request("attr.set", "{\"name\":\"test.a\",\"value\":\"1\"}");
    (request.userid, request.rolemask) = (42, Role::USER);
    client.send(&request);
    let answer = client.receive();
    assert_eq!(errnum(&answer), Errno::EPERM);
    assert_eq!(text(&answer), "Request requires owner credentials");
    let mut ping = client.request("broker.ping", "{}");
    (ping.userid, ping.rolemask) = (42, Role::USER);
    client.send(&ping);
    let pong = client.receive();
    assert!(
        text(&pong).contains("\"userid\":42,\"rolemask\":2"),
        "{}",
        text(&pong)
    );
}

#[test]
fn control_messages_and_messages_without_topic_vanish() {
    let instance = Instance::start();
    let mut client = instance.connect();
    client.send(&Message::new(Kind::Control {
        control: 1,
        status: 1,
    }));
    client.send(&Message::new(Kind::Request {
        nodeid: 0,
        matchtag: 5,
    }));
    let answer = client.call("attr.get", "{\"name\":\"size\"}");
    assert_eq!(text(&answer), "{\"value\":\"1\",\"flags\":1}");
}

#[test]
fn log_append_without_a_matchtag_is_not_answered() {
    let instance = Instance::start();
    let mut client = instance.connect();
    let mut request = Message::request("log.append", 0);
    let line = "<56>1 2026-11-22T06:41:30.527664Z 0 test - - - first\nsecond";
    request.set_payload(bytes::Bytes::from_static(line.as_bytes()));
    client.send(&request);
    let mut dmesg = client.request("log.dmesg", "{\"follow\":false}");
    dmesg.set_flag(Flags::STREAMING, true);
    client.send(&dmesg);
    let mut lines = Vec::new();
    let end = loop {
        let answer = client.receive();
        match errnum(&answer) {
            Errno(0) => lines.push(text(&answer).to_owned()),
            errno => break errno,
        }
    };
    assert_eq!(end, Errno::ENODATA);
    let mine: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(" 0 test "))
        .collect();
    assert_eq!(mine.len(), 2, "{lines:?}");
}

#[test]
fn a_client_that_answers_for_another_is_not_heard_and_counted() {
    let instance = Instance::start();
    let (mut server, mut forger) = (instance.connect(), instance.connect());
    let mut client = instance.connect();
    server.call("service.add", "{\"service\":\"mine\"}");
    let request = client.request("mine.hello", "{}");
    client.send(&request);
    let delivered = server.receive();
    let answer = |text: &'static str| {
        Message::respond_to(&delivered, 0, bytes::Bytes::from_static(text.as_bytes()))
    };
    forger.send(&answer("{\"from\":\"forger\"}\0"));
    let stats = forger.call("connector-local.stats-get", "{}");
    assert!(text(&stats).contains("\"strays\":1"), "{}", text(&stats));
    server.send(&answer("{\"from\":\"server\"}\0"));
    assert_eq!(text(&client.receive()), "{\"from\":\"server\"}");
    server.send(&answer("{\"from\":\"again\"}\0"));
    let stats = server.call("connector-local.stats-get", "{}");
    assert!(text(&stats).contains("\"strays\":2"), "{}", text(&stats));
}

#[test]
fn who_waits_for_a_client_that_dies_is_told() {
    let instance = Instance::start();
    let (mut server, mut client) = (instance.connect(), instance.connect());
    server.call("service.add", "{\"service\":\"mine\"}");
    let request = client.request("mine.hello", "{}");
    client.send(&request);
    server.receive();
    drop(server);
    let answer = client.receive();
    assert_eq!(errnum(&answer), Errno::EHOSTUNREACH);
    assert_eq!(text(&answer), "service disconnect");
}
