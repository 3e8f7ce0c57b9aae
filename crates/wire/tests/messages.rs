//! The encodings of protocol/01 and 02 to the byte, and what hostile bytes do.

use bytes::Bytes;
use proptest::prelude::*;
use wire::{
    DecodeError, Errno, Flags, Identity, Kind, Message, NODEID_ANY, Role, StreamDecoder,
    StreamError, decode, encode, encode_stream,
};

const ATTR_GET: &[u8] = &[
    0x00, 0x08, 0x61, 0x74, 0x74, 0x72, 0x2e, 0x67, 0x65, 0x74, 0x10, 0x7b, 0x22, 0x6e, 0x61, 0x6d,
    0x65, 0x22, 0x3a, 0x22, 0x72, 0x61, 0x6e, 0x6b, 0x22, 0x7d, 0x00, 0x14, 0x8e, 0x01, 0x01, 0x0b,
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

fn attr_get() -> Message {
    let mut request = Message::request("attr.get", 1);
    request.set_payload(Bytes::from_static(b"{\"name\":\"rank\"}\0"));
    request
}

#[test]
fn the_worked_request_has_the_documented_bytes() {
    assert_eq!(encode(&attr_get()), ATTR_GET);
    assert_eq!(decode(Bytes::from_static(ATTR_GET)), Ok(attr_get()));
}

#[test]
fn the_worked_response_has_the_documented_bytes() {
    let payload = Bytes::from_static(b"{\"value\":\"0\",\"flags\":1}\0");
    let mut response = Message::respond_to(&attr_get(), 0, payload);
    response.userid = 0;
    response.rolemask = Role(5);
    let mut out = Vec::new();
    encode_stream(&response, &mut out);
    let mut expect = b"\x12\x00\xee\xff\x00\x00\x00\x38\x00\x08attr.get\x18".to_vec();
    expect.extend_from_slice(b"{\"value\":\"0\",\"flags\":1}\0\x14\x8e\x01\x02\x0b");
    expect.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(out, expect);
}

#[test]
fn an_error_response_keeps_flags_and_carries_text() {
    let text = Bytes::from_static(b"No service matching foo.bar is registered\0");
    let mut request = Message::request("foo.bar", 7);
    request.set_flag(Flags::STREAMING, true);
    let response = Message::respond_to(&request, Errno::ENOSYS.0, text);
    assert_eq!(response.flags().0, 0x4b);
    assert_eq!(
        response.error_text(),
        Some("No service matching foo.bar is registered")
    );
    assert!(response.ends_rpc());
}

#[test]
fn frames_of_255_bytes_use_the_long_form() {
    for len in [0usize, 1, 254, 255, 256, 70_000] {
        let mut message = Message::request("t", 1);
        message.set_payload(Bytes::from(vec![7; len]));
        let bytes = encode(&message);
        // Delimiter, topic of one character, then the payload's length byte.
        assert_eq!(bytes[3] == 0xff, len >= 255, "{len}");
        assert_eq!(decode(bytes.into()), Ok(message));
    }
}

#[test]
fn routes_are_pushed_at_the_front_and_name_sender_and_last_hop() {
    let mut message = Message::request("a.b", 1);
    for name in ["client", "connector", "broker"] {
        message.push_route(Identity::new(name).expect("valid"));
    }
    let mut back = decode(encode(&message).into()).expect("round trip");
    assert_eq!(back.first_route().map(Identity::as_str), Some("client"));
    assert_eq!(back.last_route().map(Identity::as_str), Some("broker"));
    assert_eq!(
        back.pop_route().as_ref().map(Identity::as_str),
        Some("broker")
    );
    assert_eq!(back.n_routes(), 2);
}

#[test]
fn noresponse_and_streaming_exclude_each_other() {
    let mut message = Message::request("a.b", 1);
    message.set_flag(Flags::STREAMING, true);
    message.set_flag(Flags::NORESPONSE, true);
    assert!(message.has(Flags::NORESPONSE) && !message.has(Flags::STREAMING));
}

fn check_bad(bytes: &[u8], want: DecodeError, errno: Errno) {
    assert_eq!(
        decode(Bytes::copy_from_slice(bytes)),
        Err(want),
        "{bytes:x?}"
    );
    assert_eq!(want.errno(), errno);
}

#[test]
fn broken_messages_are_refused_with_their_errno() {
    let good = ATTR_GET.to_vec();
    let header = good.len() - 20;
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    check_bad(b"", DecodeError::BadHeader, Errno::EPROTO);
    check_bad(&with(header, 0x8f), DecodeError::BadHeader, Errno::EPROTO);
    check_bad(&with(header + 1, 2), DecodeError::BadHeader, Errno::EPROTO);
    check_bad(
        &with(header + 2, 0x10),
        DecodeError::BadHeader,
        Errno::EPROTO,
    );
    check_bad(
        &good[header - 1..],
        DecodeError::MissingFrame,
        Errno::EPROTO,
    );
    check_bad(&with(1, 0x70), DecodeError::Truncated, Errno::EINVAL);
}

#[test]
fn a_stream_gives_the_same_messages_however_it_is_cut() {
    let mut bytes = Vec::new();
    for _ in 0..3 {
        encode_stream(&attr_get(), &mut bytes);
    }
    for chunk in 1..bytes.len() {
        let mut decoder = StreamDecoder::default();
        let mut got = 0;
        for part in bytes.chunks(chunk) {
            decoder.push(part).expect("memory");
            while let Some(message) = decoder.next_message().expect("valid stream") {
                assert_eq!(message, attr_get());
                got += 1;
            }
        }
        assert_eq!(got, 3, "chunks of {chunk}");
    }
}

#[test]
fn a_stream_of_another_protocol_ends_at_its_first_byte() {
    let mut decoder = StreamDecoder::default();
    decoder.push(b"G").expect("memory");
    assert_eq!(decoder.next_message(), Err(StreamError::BadMagic));
}

#[test]
fn an_announced_length_over_the_limit_is_refused_before_it_is_read() {
    let mut decoder = StreamDecoder::default();
    decoder
        .push(&[0x12, 0x00, 0xee, 0xff, 0xff, 0xff, 0xff, 0xff])
        .expect("memory");
    assert_eq!(
        decoder.next_message(),
        Err(StreamError::TooLong(0xffff_ffff))
    );
}

fn any_message() -> impl Strategy<Value = Message> {
    let kind = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(n, m)| Kind::Request {
            nodeid: n,
            matchtag: m
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(e, m)| Kind::Response {
            errnum: e,
            matchtag: m
        }),
        any::<u32>().prop_map(|s| Kind::Event { sequence: s }),
        (any::<u32>(), any::<u32>()).prop_map(|(c, s)| Kind::Control {
            control: c,
            status: s
        }),
    ];
    let routes = proptest::option::of(proptest::collection::vec("[a-z0-9-]{1,40}", 0..5));
    let topic = proptest::option::of("[a-z.]{1,300}");
    let payload = proptest::collection::vec(any::<u8>(), 0..600);
    (
        kind,
        routes,
        topic,
        payload,
        any::<u8>(),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(|(kind, routes, topic, payload, flags, userid, roles)| {
            let mut message = Message::new(kind);
            for bit in 0..8 {
                message.set_flag(flags & 1 << bit, true);
            }
            message.userid = userid;
            message.rolemask = Role(roles);
            if let Some(routes) = routes {
                message.enable_routes();
                for route in routes {
                    message.push_route(Identity::new(&route).expect("valid"));
                }
            }
            if let Some(topic) = topic {
                message.set_topic(&topic);
            }
            message.set_payload(payload.into());
            message
        })
}

proptest! {
    #[test]
    fn every_message_survives_both_encodings(message in any_message()) {
        prop_assert_eq!(decode(encode(&message).into()), Ok(message.clone()));
        let mut bytes = Vec::new();
        encode_stream(&message, &mut bytes);
        let mut decoder = StreamDecoder::default();
        decoder.push(&bytes).expect("memory");
        prop_assert_eq!(decoder.next_message(), Ok(Some(message)));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(bytes.clone().into());
        let mut decoder = StreamDecoder::default();
        decoder.push(&bytes).expect("memory");
        while let Ok(Some(_)) = decoder.next_message() {}
    }

    #[test]
    fn a_damaged_message_never_panics(
        message in any_message(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = encode(&message);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(bytes.clone().into());
        bytes.truncate(at);
        let _ = decode(bytes.into());
    }

    #[test]
    fn any_request_may_be_built_for_any_rank(nodeid in any::<u32>()) {
        let mut request = Message::request("a.b", 1);
        request.kind = Kind::Request { nodeid, matchtag: 1 };
        prop_assert_eq!(request.matchtag(), 1);
        prop_assert!(NODEID_ANY == 0xffff_ffff);
    }
}

/// A request with these hops, the most recent one first, and its sender as seen after
/// N hops since it was stamped.
fn check_sender(hops: &[&str], above: usize, want: Option<&str>) {
    let mut message = Message::request("a.b", 1);
    for hop in hops.iter().rev() {
        message.push_route(Identity::new(hop).expect("short text"));
    }
    let sender = message.sender(above);
    assert_eq!(sender.as_ref().map(Identity::as_str), want, "{hops:?}");
}

#[test]
fn a_sender_is_told_by_its_stamp_and_what_lies_below_names_no_other() {
    check_sender(&[], 0, None);
    check_sender(&[], 1, None);
    check_sender(&["client"], 0, Some("client"));
    check_sender(&["broker"], 1, Some("broker"));
    check_sender(&["broker", "client"], 1, Some("client"));
    check_sender(&["client", "victim"], 0, Some("client/victim"));
    check_sender(&["broker", "client", "victim"], 1, Some("client/victim"));
    check_sender(&["broker", "proxy", "a", "b"], 1, Some("proxy/a/b"));
    let long = "x".repeat(255);
    let cut = format!("client/{}", &long[7..]);
    check_sender(&["client", &long], 0, Some(&cut));
}

#[test]
fn the_time_that_is_left_travels_before_the_routes_of_a_request() {
    for hops in 0..3 {
        let mut request = Message::request("kvs.get", 7);
        for hop in 0..hops {
            request.push_route(Identity::new(&format!("hop{hop}")).unwrap());
        }
        request.deadline_ms = 1500;
        let bytes = wire::encode(&request);
        assert_eq!(bytes.len(), wire::encoded_len(&request));
        let read = wire::decode(bytes.into()).unwrap();
        assert_eq!(read, request);
        // One who takes it for a hop sends it back.
        let mut answer = request.into_response(0, Bytes::new());
        let expect = answer.clone();
        answer.push_route(Identity::new("@1500").unwrap());
        assert_eq!(wire::decode(wire::encode(&answer).into()).unwrap(), expect);
    }
}

#[test]
fn what_stands_behind_the_text_of_an_error_is_read_apart() {
    for (payload, text, note) in [
        ("gone\0", Some("gone"), None),
        ("gone\0unknown@3\0", Some("gone"), Some("unknown@3")),
        ("\0", Some(""), None),
        ("gone", None, None),
    ] {
        let payload = Bytes::from(payload);
        let answer = Message::request("a.b", 1).into_response(5, payload);
        assert_eq!((answer.error_text(), answer.error_note()), (text, note));
    }
}
