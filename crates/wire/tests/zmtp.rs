//! ZMTP 3.0 to the byte (ZeroMQ RFC 23), split anyhow, and what peers may do wrong.

use bytes::Bytes;
use wire::{
    Arrived, Message, Socket, ZmtpDecoder, ZmtpError, encode_hello, encode_pong, encode_zmtp,
};

/// A dealer's first bytes, as the RFC has them.
fn dealer_hello() -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL".to_vec();
    bytes.resize(64, 0);
    bytes.extend_from_slice(
        b"\x04\x2c\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x03kvs",
    );
    bytes
}

fn ping() -> Message {
    let mut message = Message::request("kvs.ping", 7);
    message.set_payload(Bytes::from_static(b"{}\0"));
    message
}

fn story(decoder: &mut ZmtpDecoder) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        seen.push(match decoder.next_arrived() {
            Ok(None) => return seen,
            Ok(Some(Arrived::Ready(identity))) => format!("ready {identity:?}"),
            Ok(Some(Arrived::Message(message))) => {
                format!(
                    "{} {}",
                    message.topic(),
                    message.payload().map_or(0, Bytes::len)
                )
            }
            Ok(Some(Arrived::Parts(parts))) => format!("{parts} parts"),
            Ok(Some(Arrived::Ping(context))) => format!("ping {context:?}"),
            Err(error) => {
                seen.push(error.to_string());
                return seen;
            }
        });
    }
}

fn check(bytes: &[u8], expect: &[&str]) {
    let mut whole = ZmtpDecoder::new(Socket::Router);
    whole.push(bytes).expect("memory");
    assert_eq!(story(&mut whole), expect);
    let mut split = ZmtpDecoder::new(Socket::Router);
    let mut seen = Vec::new();
    for byte in bytes {
        split.push(&[*byte]).expect("memory");
        seen.extend(story(&mut split));
        if seen.len() == expect.len() {
            break;
        }
    }
    assert_eq!(seen, expect, "a byte at a time");
}

#[test]
fn a_dealer_begins_as_the_rfc_says() {
    let mut bytes = Vec::new();
    encode_hello(Socket::Dealer, b"kvs", &mut bytes);
    assert_eq!(bytes, dealer_hello());
}

#[test]
fn messages_of_any_length_come_through() {
    let mut long = ping();
    long.set_payload(Bytes::from(vec![b'x'; 70_000]));
    let mut middle = ping();
    middle.set_payload(Bytes::from(vec![b'x'; 210]));
    let mut bytes = dealer_hello();
    for message in [&ping(), &long, &middle, &ping()] {
        encode_zmtp(message, &mut bytes);
    }
    let expect = [
        "ready b\"kvs\"",
        "kvs.ping 3",
        "kvs.ping 70000",
        "kvs.ping 210",
        "kvs.ping 3",
    ];
    check(&bytes, &expect);
}

#[test]
fn a_short_message_has_a_short_head() {
    let mut bytes = Vec::new();
    encode_zmtp(&ping(), &mut bytes);
    assert_eq!((bytes[0], usize::from(bytes[1])), (0, bytes.len() - 2));
}

#[test]
fn a_message_of_several_parts_is_told_and_the_next_one_arrives() {
    let mut bytes = dealer_hello();
    bytes.extend_from_slice(b"\x01\x01a\x03\0\0\0\0\0\0\0\x01b\0\x01c");
    encode_zmtp(&ping(), &mut bytes);
    check(&bytes, &["ready b\"kvs\"", "3 parts", "kvs.ping 3"]);
}

#[test]
fn commands_between_messages_are_answered_or_skipped() {
    let mut bytes = dealer_hello();
    bytes.extend_from_slice(b"\x04\x09\x04PING\0\0ab\x04\x05\x04WHAT");
    encode_zmtp(&ping(), &mut bytes);
    check(&bytes, &["ready b\"kvs\"", "ping b\"ab\"", "kvs.ping 3"]);
    let mut pong = Vec::new();
    encode_pong(b"ab", &mut pong);
    assert_eq!(pong, b"\x04\x07\x04PONGab");
}

#[test]
fn what_is_not_zmtp_ends_the_connection() {
    let after = |bytes: &[u8]| [&dealer_hello()[..], bytes].concat();
    let mut curve = dealer_hello();
    curve[12..17].copy_from_slice(b"CURVE");
    let mut old = dealer_hello();
    old[10] = 1;
    let mut publisher = dealer_hello();
    let at = publisher.len() - 22;
    publisher[at..at + 6].copy_from_slice(b"PUBSUB");
    let cases: [(Vec<u8>, &str); 7] = [
        (
            b"GET / HTTP/1.1\r\n".to_vec(),
            "the connection does not carry ZMTP 3",
        ),
        (old, "the connection does not carry ZMTP 3"),
        (
            curve,
            "the peer asks for a security mechanism that is not NULL",
        ),
        (
            [&dealer_hello()[..64], b"\0\x01x"].concat(),
            "the peer is not ready: it sent a message before READY",
        ),
        (
            [&dealer_hello()[..64], b"\x04\x09\x05READY\xffab"].concat(),
            "the peer is not ready: its properties are cut short",
        ),
        (
            [&dealer_hello()[..64], b"\x06\x7f\0\0\0\0\0\0\0"].concat(),
            "a frame of 9151314442816847872 bytes is over the limit",
        ),
        (
            publisher,
            "the peer is not ready: its socket type or identity does not fit",
        ),
    ];
    for (bytes, expect) in cases {
        check(&bytes, &[expect]);
    }
    check(
        &after(b"\x80\x01x"),
        &["ready b\"kvs\"", "a frame has flags 0x80"],
    );
    let mut decoder = ZmtpDecoder::new(Socket::Router);
    decoder
        .push(&after(b"\x02\0\0\0\0\x7f\0\0\0"))
        .expect("memory");
    assert!(matches!(
        decoder.next_arrived(),
        Ok(Some(Arrived::Ready(_)))
    ));
    assert!(matches!(decoder.next_arrived(), Err(ZmtpError::TooLong(_))));
}
