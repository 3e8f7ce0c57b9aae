//! One turn at a time, against a broker made of one function.

use std::time::{Duration, Instant};

use client::fake::{FakeBroker, answer, refuse, send};
use client::{Arrival, Call, Handle, Options};
use proto::{Errno, Refusal};
use serde_json::json;
use wire::Message;

/// Turns until something has arrived.
fn turn(handle: &mut Handle) {
    while !handle.has_arrivals() {
        let deadline = Instant::now() + Duration::from_secs(30);
        handle.turn(Some(deadline)).expect("a connection");
    }
}

#[test]
fn what_has_arrived_is_taken_without_waiting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = FakeBroker::listen(&folder.path().join("local"), |request| {
        vec![
            send(Message::event("first")),
            answer(request, &json!({"n": 1})),
            refuse(request, &Refusal::new(Errno::EIO, "the stream is over")),
            send(Message::request("ours.ask", 5)),
        ]
    });
    let uri = broker.expect("a socket").uri();
    let mut handle = Handle::open(Some(&uri), &Options::default()).expect("a broker");
    handle.turn(Some(Instant::now())).expect("a connection");
    assert!(!handle.has_arrivals());
    let stream = handle.start_stream(Call::raw("some.stream")).id();
    assert!(handle.is_waiting(stream));
    assert!(handle.take_answer(stream).is_none());

    let mut taken = Vec::new();
    while taken.len() < 4 {
        turn(&mut handle);
        taken.push(match handle.take_first() {
            Some(Ok(Arrival::Answer(id, Ok(_)))) => format!("answer {}", id == stream),
            Some(Ok(Arrival::Answer(_, Err(refusal)))) => refusal.to_string(),
            Some(Ok(Arrival::Event(event))) => format!("event {}", event.topic()),
            Some(Ok(Arrival::Request(request))) => format!("request {}", request.topic()),
            other => format!("{other:?}"),
        });
    }
    let expect = [
        "event first",
        "answer true",
        "the stream is over",
        "request ours.ask",
    ];
    assert_eq!(taken, expect);
    assert!(!handle.is_waiting(stream));
}

#[test]
fn one_kind_can_be_taken_before_what_came_earlier() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = FakeBroker::listen(&folder.path().join("local"), |request| {
        vec![
            send(Message::request("ours.ask", 5)),
            send(Message::event("second")),
            answer(request, &json!({"n": 1})),
        ]
    });
    let uri = broker.expect("a socket").uri();
    let mut handle = Handle::open(Some(&uri), &Options::default()).expect("a broker");
    let call = handle.start(Call::raw("some.method")).id();
    while handle.is_waiting(call) {
        handle.turn(None).expect("a connection");
    }
    assert!(matches!(handle.take_answer(call), Some(Ok(_))));
    assert!(matches!(handle.take_event(), Some(Ok(event)) if event.topic() == "second"));
    assert!(handle.take_event().is_none());
    let request = handle.take_request().expect("a request");
    assert_eq!(request.topic(), "ours.ask");
    assert!(!handle.has_arrivals());
}
