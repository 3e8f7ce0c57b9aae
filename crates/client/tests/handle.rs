//! A handle against a broker made of one function.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use client::fake::{Act, FakeBroker, answer, answer_raw, object_of, refuse, send};
use client::{Arrival, Call, Delivery, Handle, Options, Refusal};
use proto::{Errno, Outcome, attr, config};
use serde_json::json;
use wire::{Flags, Kind, Message};

/// A handle on a broker that answers as `handle` says; the folder holds its socket.
fn open(
    handle: impl FnMut(&Message) -> Vec<Act> + Send + 'static,
) -> (tempfile::TempDir, FakeBroker, Handle) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = FakeBroker::listen(&folder.path().join("local"), handle).expect("a socket");
    let opened = Handle::open(Some(&broker.uri()), &Options::default());
    (folder, broker, opened.expect("a broker that lets us in"))
}

fn get(name: &str) -> attr::Get {
    attr::Get {
        name: name.to_owned(),
    }
}

#[test]
fn a_call_is_answered() {
    let (_folder, _broker, mut handle) = open(|request| {
        assert_eq!(request.topic(), "attr.get");
        assert_eq!((request.userid, request.rolemask.0), (u32::MAX, 0));
        vec![answer(request, &json!({"value": "7", "flags": 0}))]
    });
    assert_eq!(handle.rpc(&get("size")).unwrap().value, "7");
    assert_eq!(handle.size(), Ok(7));
}

#[test]
fn what_can_not_change_is_asked_for_once() {
    let mut asked = 0;
    let (_folder, _broker, mut handle) = open(move |request| {
        asked += 1;
        vec![answer(
            request,
            &json!({"value": asked.to_string(), "flags": 1}),
        )]
    });
    assert_eq!(handle.attr("rank"), Ok("1".to_owned()));
    assert_eq!(handle.attr("rank"), Ok("1".to_owned()));
    assert_eq!(handle.attr("size"), Ok("2".to_owned()));
}

#[test]
fn a_refusal_has_number_and_sentence() {
    let (_folder, _broker, mut handle) =
        open(|request| vec![refuse(request, &Refusal::new(Errno::EINVAL, "no good"))]);
    let refused = handle.rpc(&get("x"));
    assert_eq!(refused, Err(Refusal::new(Errno::EINVAL, "no good")));
}

#[test]
fn answers_are_matched_to_calls_whatever_their_order() {
    let mut held = None;
    let (_folder, _broker, mut handle) = open(move |request| match held.take() {
        None => {
            held = Some(request.clone());
            vec![]
        }
        Some(first) => {
            let value = |request: &Message| {
                answer(
                    request,
                    &json!({"value": object_of(request)["name"], "flags": 0}),
                )
            };
            vec![value(request), value(&first)]
        }
    });
    let one = handle.start(Call::new(&get("one")));
    let two = handle.start(Call::new(&get("two")));
    assert_eq!(handle.wait(one).unwrap().value, "one");
    assert_eq!(handle.wait(two).unwrap().value, "two");
    assert_eq!(handle.wait(two).unwrap_err().errno, Errno::EINVAL);
}

#[test]
fn a_stream_ends_with_enodata() {
    let (_folder, _broker, mut handle) = open(|request| {
        assert!(request.has(Flags::STREAMING));
        vec![
            answer(request, &json!({"a": 1})),
            answer(request, &json!({"a": 2})),
            refuse(request, &Refusal::END),
        ]
    });
    let got: Vec<_> = handle.stream(Call::new(&config::Get)).collect();
    let got: Vec<_> = got
        .into_iter()
        .map(|item| item.unwrap().0["a"].clone())
        .collect();
    assert_eq!(got, [json!(1), json!(2)]);
}

#[test]
fn a_stream_that_fails_says_so_last() {
    let (_folder, _broker, mut handle) = open(|request| {
        vec![
            answer(request, &json!({})),
            refuse(request, &Refusal::bare(Errno::EHOSTUNREACH)),
        ]
    });
    let got: Vec<_> = handle.stream(Call::new(&config::Get)).collect();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1], Err(Refusal::bare(Errno::EHOSTUNREACH)));
}

#[test]
fn a_repeating_stream_outlives_its_service() {
    let mut asked = 0;
    let (_folder, _broker, mut handle) = open(move |request| {
        asked += 1;
        let object = answer(request, &json!({"asked": asked}));
        let end = match asked {
            1 => Refusal::new(Errno::EHOSTUNREACH, "module disconnect"),
            _ => Refusal::END,
        };
        vec![object, refuse(request, &end)]
    });
    let mut stream = handle.stream(Call::new(&config::Get).repeating());
    assert_eq!(stream.next().unwrap().unwrap().0["asked"], 1);
    assert_eq!(stream.next().unwrap().unwrap().0["asked"], 2);
    assert_eq!(stream.next(), None);
}

#[test]
fn a_repeating_stream_outlives_the_removal_of_its_service() {
    let mut asked = 0;
    let (_folder, _broker, mut handle) = open(move |request| {
        asked += 1;
        let gone = refuse(request, &Refusal::bare(Errno::ENOSYS));
        match asked {
            1 | 4 => vec![answer(request, &json!({"asked": asked})), gone],
            2 | 3 => vec![gone],
            _ => vec![refuse(request, &Refusal::END)],
        }
    });
    let mut stream = handle.stream(Call::new(&config::Get).repeating());
    assert_eq!(stream.next().unwrap().unwrap().0["asked"], 1);
    assert_eq!(stream.repeats(), 0);
    assert_eq!(stream.next().unwrap().unwrap().0["asked"], 4);
    assert_eq!(stream.next(), None);
}

#[test]
fn a_service_that_was_never_there_is_not_waited_for() {
    let (_folder, _broker, mut handle) =
        open(|request| vec![refuse(request, &Refusal::bare(Errno::ENOSYS))]);
    let mut stream = handle.stream(Call::new(&config::Get).repeating());
    assert_eq!(stream.next(), Some(Err(Refusal::bare(Errno::ENOSYS))));
}

#[test]
fn a_repeating_stream_gives_up_when_nothing_comes_of_it() {
    let (_folder, _broker, mut handle) =
        open(|request| vec![refuse(request, &Refusal::bare(Errno::EHOSTUNREACH))]);
    let mut stream = handle.stream(Call::new(&config::Get).repeating());
    let end = stream.next().unwrap();
    assert_eq!(end, Err(Refusal::bare(Errno::EHOSTUNREACH)));
    assert_eq!(stream.next(), None);
}

#[test]
fn a_call_with_a_deadline_does_not_wait_for_ever() {
    let (_folder, _broker, mut handle) = open(|_| vec![]);
    let deadline = Some(Duration::from_millis(1));
    let call = Call::new(&get("x")).delivery(Delivery::Wait { deadline });
    let refused = handle.call(call).unwrap_err();
    assert_eq!(
        (refused.errno, refused.outcome()),
        (Errno::ETIMEDOUT, Outcome::Expired)
    );
}

#[test]
fn a_deadline_travels_with_its_request() {
    let (_folder, _broker, mut handle) = open(|request| {
        let left = request.deadline_ms.to_string();
        vec![answer(request, &json!({"value": left, "flags": 0}))]
    });
    for (deadline, left) in [(Some(80), "70"), (Some(10_000), "9900"), (None, "0")] {
        let deadline = deadline.map(Duration::from_millis);
        let call = Call::new(&get("x")).delivery(Delivery::Wait { deadline });
        // The short one may end before it is answered.
        match handle.call(call) {
            Ok(answer) => assert_eq!(answer.value, left),
            Err(refusal) => assert_eq!(refusal.outcome(), Outcome::Expired),
        }
    }
}

#[test]
fn what_has_become_of_a_request_is_a_type() {
    let (_folder, _broker, mut handle) = open(|request| {
        let name = object_of(request)["name"].as_str().unwrap().to_owned();
        let text = name.replace('|', "\0");
        vec![refuse(request, &Refusal::new(Errno::EHOSTUNREACH, text))]
    });
    for (text, outcome, rank, shown) in [
        ("not mine", Outcome::Delivered, None, "not mine"),
        ("gone|peer-gone@3", Outcome::PeerGone, Some(3), "gone"),
        (
            "No route to host|unknown@0",
            Outcome::Unknown,
            Some(0),
            "No route to host",
        ),
        ("full|dropped:9@1", Outcome::Dropped(9), Some(1), "full"),
        ("gone|who knows", Outcome::Delivered, None, "gone"),
    ] {
        let refused = handle.rpc(&get(text)).unwrap_err();
        assert_eq!(
            (refused.outcome(), refused.to_string()),
            (outcome, shown.to_owned())
        );
        assert_eq!(refused.stopped.and_then(|stopped| stopped.rank), rank);
    }
}

#[test]
fn what_is_best_effort_never_waits_for_a_broker_that_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let broker = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(&[0]).unwrap();
        client
    });
    let uri = format!("local://{}", path.display());
    let mut handle = Handle::open(Some(&uri), &Options::default()).unwrap();
    let mut client = broker.join().unwrap();
    let line = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    let append = proto::log::Append(proto::Raw(line));
    let mut n_sent = 0;
    while handle.notify(Call::new(&append)) == Outcome::Delivered {
        n_sent += 1;
    }
    assert!(n_sent > 10);
    assert_eq!(handle.notify(Call::new(&append)), Outcome::Dropped(2));
    assert_eq!(handle.n_dropped(), 2);
    // When the broker reads again, what comes then gets there.
    let reader = std::thread::spawn(move || {
        let mut buf = vec![0; 1 << 20];
        while std::io::Read::read(&mut client, &mut buf).is_ok_and(|n| n > 0) {}
    });
    handle.flush().unwrap();
    assert_eq!(handle.notify(Call::new(&append)), Outcome::Delivered);
    drop(handle);
    reader.join().unwrap();
}

#[test]
fn delivery_and_destination_are_in_the_header() {
    let (_folder, _broker, mut handle) = open(|request| {
        assert!(request.has(Flags::USER1));
        assert!(matches!(request.kind, Kind::Request { nodeid: 3, .. }));
        vec![answer(request, &json!({"value": "", "flags": 0}))]
    });
    let call = Call::new(&get("x")).to(3).delivery(Delivery::Now);
    assert!(handle.call(call).is_ok());
}

#[test]
fn upstream_is_a_flag_and_our_own_rank() {
    let (_folder, _broker, mut handle) = open(|request| {
        if request.has(Flags::UPSTREAM) {
            assert!(matches!(request.kind, Kind::Request { nodeid: 5, .. }));
        }
        vec![answer(request, &json!({"value": "5", "flags": 1}))]
    });
    assert!(handle.call(Call::new(&get("x")).upstream()).is_ok());
}

#[test]
fn a_lost_connection_fails_what_waits_and_what_comes_later() {
    let (_folder, _broker, mut handle) = open(|_| vec![Act::HangUp]);
    let lost = Err(Refusal::stopped(Errno::ECONNRESET, Outcome::PeerGone));
    let waiting = handle.start(Call::new(&get("x")));
    assert_eq!(handle.wait(waiting), lost);
    assert_eq!(handle.rpc(&get("x")), lost);
    assert_eq!(
        handle.next_event(None).unwrap_err().errno,
        Errno::ECONNRESET
    );
}

#[test]
fn a_client_that_is_not_let_in_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broker = FakeBroker::greeting(&folder.path().join("s"), 1, |_| vec![]).unwrap();
    let refused = Handle::open(Some(&broker.uri()), &Options::default())
        .err()
        .unwrap();
    assert_eq!(refused.errno, Errno::EPERM);
    assert_eq!(refused.to_string(), "Operation not permitted");
}

#[test]
fn the_environment_may_set_the_credential() {
    let folder = tempfile::tempdir().unwrap();
    let broker = FakeBroker::listen(&folder.path().join("s"), |request| {
        assert_eq!((request.userid, request.rolemask.0), (42, 2));
        vec![answer(request, &json!({"value": "", "flags": 0}))]
    });
    let uri = broker.unwrap().uri();
    let options = Options::from_env(|name| match name {
        "FLUX_URI" => Some(&uri),
        "FLUX_HANDLE_USERID" => Some("42"),
        "FLUX_HANDLE_ROLEMASK" => Some("0x2"),
        _ => None,
    });
    let mut handle = Handle::open(None, &options.unwrap()).unwrap();
    assert!(handle.rpc(&get("x")).is_ok());
}

#[test]
fn a_dot_path_names_an_enclosing_instance() {
    let folder = tempfile::tempdir().unwrap();
    let outer = FakeBroker::listen(&folder.path().join("outer"), |request| {
        vec![match object_of(request)["name"].as_str() {
            Some("name") => answer(request, &json!({"value": "outer", "flags": 1})),
            _ => refuse(request, &Refusal::bare(Errno::ENOENT)),
        }]
    });
    let parent = outer.unwrap().uri();
    let inner = FakeBroker::listen(&folder.path().join("inner"), move |request| {
        vec![answer(request, &json!({"value": parent, "flags": 1}))]
    });
    let options = Options {
        default_uri: Some(inner.unwrap().uri()),
        ..Options::default()
    };
    for path in ["..", "/", "../.."] {
        let mut handle = Handle::open(Some(path), &options).unwrap();
        assert_eq!(handle.attr("name"), Ok("outer".to_owned()), "{path}");
    }
}

#[test]
fn events_keep_their_place_among_answers() {
    let (_folder, _broker, mut handle) = open(|request| {
        let event = Handle::event("a.b", b"{}\0".as_slice().into(), false);
        vec![send(event), answer(request, &json!({"seq": 1}))]
    });
    let event = Handle::event("a.b", Default::default(), true);
    assert_eq!(handle.publish(&event), Ok(1));
    let subscribed = handle.start(Call::raw("event.subscribe"));
    let arrived = handle.next(&[], None).unwrap();
    assert!(matches!(arrived, Arrival::Event(event) if event.topic() == "a.b"));
    let arrived = handle.next(&[], None).unwrap();
    assert!(matches!(arrived, Arrival::Event(_)));
    let arrived = handle.next(&[], None).unwrap();
    assert!(matches!(arrived, Arrival::Answer(id, Ok(_)) if id == subscribed.id()));
    let arrived = handle.next(&[], Some(Instant::now()));
    assert!(matches!(arrived, Ok(Arrival::Deadline)));
}

#[test]
fn a_program_can_be_a_service() {
    let (_folder, _broker, mut handle) = open(|message| match message.kind {
        Kind::Request { .. } => {
            let asked = Message::request("mine.ask", 9);
            vec![answer_raw(message, ""), send(asked)]
        }
        Kind::Response { errnum, matchtag } => {
            assert_eq!((errnum, matchtag), (0, 9));
            vec![send(Message::event(message.topic()))]
        }
        _ => vec![],
    });
    handle.register_service("mine").unwrap();
    let request = handle.next_request().unwrap();
    handle.respond(request, Default::default());
    let event = handle.next_event(None).unwrap().unwrap();
    assert_eq!(event.topic(), "mine.ask");
}

#[test]
fn own_descriptors_are_watched_too() {
    let (_folder, _broker, mut handle) = open(|_| vec![]);
    let (mut writer, reader) = UnixStream::pair().unwrap();
    writer.write_all(b"x").unwrap();
    let (quiet, _keeps_it_open) = UnixStream::pair().unwrap();
    let arrived = handle.next(&[quiet.as_fd(), reader.as_fd()], None).unwrap();
    assert!(matches!(arrived, Arrival::Ready(1)));
}

#[test]
fn more_requests_than_the_socket_holds_are_all_answered() {
    let (_folder, _broker, mut handle) = open(|request| vec![answer(request, &object_of(request))]);
    let filler = json!({"filler": "x".repeat(10_000)});
    let calls: Vec<_> = (0..600)
        .map(|_| handle.start(Call::raw("any.echo").json(&filler)))
        .collect();
    for call in calls.into_iter().rev() {
        assert_eq!(object_of(&handle.wait(call).unwrap()), filler);
    }
}

/// A handle that connects again, on a broker that hangs up at the first call of
/// `attr.get` or `attr.set`.
fn open_again() -> (tempfile::TempDir, FakeBroker, Handle) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut topics: Vec<String> = Vec::new();
    let broker = FakeBroker::listen(&folder.path().join("local"), move |request| {
        topics.push(request.topic().to_owned());
        let attrs = topics
            .iter()
            .filter(|topic| topic.starts_with("attr."))
            .count();
        match request.topic() {
            "attr.get" | "attr.set" if attrs == 1 => vec![Act::HangUp],
            "attr.get" => vec![answer(
                request,
                &json!({"value": topics.join(" "), "flags": 0}),
            )],
            "config.get" if !topics.contains(&"state-machine.wait".to_owned()) => {
                vec![answer(request, &json!({"n": 1})), Act::HangUp]
            }
            "config.get" => vec![
                answer(request, &json!({"n": 2})),
                refuse(request, &Refusal::END),
            ],
            _ => vec![answer_raw(request, "")],
        }
    });
    let broker = broker.expect("a socket");
    let options = Options {
        reconnect: Some(Duration::from_secs(30)),
        ..Options::default()
    };
    let handle = Handle::open(Some(&broker.uri()), &options).expect("a broker");
    (folder, broker, handle)
}

#[test]
fn an_idempotent_call_outlives_its_connection() {
    let (_folder, _broker, mut handle) = open_again();
    handle.subscribe("a").unwrap();
    let seen = handle.rpc(&get("x")).unwrap().value;
    let expect = "event.subscribe attr.get state-machine.wait event.subscribe attr.get";
    assert_eq!(seen, expect);
}

#[test]
fn a_call_that_must_not_be_made_twice_does_not() {
    let (_folder, _broker, mut handle) = open_again();
    let add = proto::event::Publish {
        topic: "a".to_owned(),
        flags: 0,
        payload: None,
    };
    let lost = handle.call(Call::new(&add).topic("attr.set"));
    let lost = lost.unwrap_err();
    assert_eq!(
        (lost.errno, lost.outcome()),
        (Errno::ECONNRESET, Outcome::Unknown)
    );
    let seen = handle.rpc(&get("x")).unwrap().value;
    assert_eq!(seen, "attr.set state-machine.wait attr.get");
}

#[test]
fn a_repeating_stream_outlives_its_connection() {
    let (_folder, _broker, mut handle) = open_again();
    let mut stream = handle.stream(Call::new(&config::Get).repeating());
    assert_eq!(stream.next().unwrap().unwrap().0["n"], 1);
    assert_eq!(stream.next().unwrap().unwrap().0["n"], 2);
    assert_eq!(stream.repeats(), 1);
    assert_eq!(stream.next(), None);
}

#[test]
fn patience_ends() {
    let (folder, _broker, _) = open_again();
    let broker = FakeBroker::listen(&folder.path().join("gone"), |_| vec![Act::HangUp]).unwrap();
    let options = Options {
        reconnect: Some(Duration::from_millis(30)),
        ..Options::default()
    };
    let mut handle = Handle::open(Some(&broker.uri()), &options).unwrap();
    std::fs::remove_file(folder.path().join("gone")).unwrap();
    assert_eq!(handle.rpc(&get("x")).unwrap_err().errno, Errno::ECONNRESET);
}

#[test]
fn nothing_that_was_logged_before_an_orderly_end_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    let broker = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(&[0]).unwrap();
        // It begins to read when the program is about to end.
        end.recv().unwrap();
        let mut decoder = wire::StreamDecoder::default();
        let (mut buf, mut lines) = (vec![0; 1 << 16], Vec::new());
        while let Ok(n) = std::io::Read::read(&mut client, &mut buf)
            && n > 0
        {
            decoder.push(&buf[..n]).unwrap();
            while let Ok(Some(message)) = decoder.next_message() {
                lines.push(message.payload().unwrap().clone());
            }
        }
        lines
    });
    let uri = format!("local://{}", path.display());
    let mut handle = Handle::open(Some(&uri), &Options::default()).unwrap();
    let n = 1000;
    for i in 0..n {
        handle.append_log(bytes::Bytes::from(format!("{i:01000}")));
    }
    assert_eq!(handle.n_dropped(), 0);
    ended.send(()).unwrap();
    drop(handle);
    let lines = broker.join().unwrap();
    assert_eq!(lines.len(), n);
    assert!(lines.last().unwrap().ends_with(b"0999"));
}
