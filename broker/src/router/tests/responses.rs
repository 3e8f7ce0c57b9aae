//! Tests of responses: which ones pass, and the answers for a link that is lost.

use super::*;

/// A request of `from` goes its way, and `by` answers with the result of `change`.
fn check_answer(
    from: Hop,
    request: Message,
    by: Hop,
    change: impl Fn(&mut Message),
    expect: &[&str],
) {
    let mut router = stage(1);
    router.receive(from, request);
    let mut given = None;
    while let Some(out) = router.poll() {
        match out {
            Out::Send { message, .. } => given = Some(message),
            Out::Ask { module, request } => {
                router.give(Hop::Module(module), request, Past::default());
            }
            other => panic!("{other:?}"),
        }
    }
    let mut answer = given
        .expect("it was sent on")
        .into_response(0, Bytes::new());
    change(&mut answer);
    router.receive(by, answer.clone());
    assert_eq!(out(&mut router), expect, "{}", line(by, &answer));
}

#[test]
fn a_response_goes_back_the_way_of_its_request() {
    let as_is = |_: &mut Message| {};
    let pushed_by = |hop: &'static str| move |answer: &mut Message| answer.push_route(id(hop));
    // Down and back.
    check_answer(CLIENT, request(3, "a.b", &[]), CHILD, as_is, &["c: ok a.b"]);
    check_answer(
        Hop::Here,
        request(3, "a.b", &[]),
        CHILD,
        as_is,
        &["here: ok a.b"],
    );
    let below = request(3, "a.b", &["c", "b0"]);
    check_answer(Hop::Parent, below, CHILD, as_is, &["parent: ok a.b c!b0"]);
    // Up and back: the parent has taken our name off again.
    check_answer(
        CLIENT,
        request(0, "a.b", &[]),
        Hop::Parent,
        as_is,
        &["c: ok a.b"],
    );
    check_answer(
        CHILD,
        request(0, "a.b", &["c"]),
        Hop::Parent,
        as_is,
        &["child3: ok a.b c"],
    );
    // Answered here.
    let from_above = request(1, "echo.x", &["c", "b0"]);
    check_answer(
        Hop::Parent,
        from_above,
        MODULE,
        as_is,
        &["parent: ok echo.x c!b0"],
    );
    let own = request(1, "attr.get", &["c"]);
    check_answer(CHILD, own, Hop::Here, as_is, &["child3: ok attr.get c"]);
    // One who puts a hop more on it has not been asked so.
    let more = pushed_by("b3");
    check_answer(
        CLIENT,
        request(3, "a.b", &[]),
        CHILD,
        more,
        &["stray child3: ok a.b c!b1!b3"],
    );
}

#[test]
fn a_response_passes_only_on_the_link_that_was_asked() {
    let as_is = |_: &mut Message| {};
    let asked = || request(3, "a.b", &[]);
    for by in [Hop::Child(4), MODULE, OTHER, CLIENT] {
        let stray = format!("stray {}: ok a.b c", name(by));
        check_answer(CLIENT, asked(), by, as_is, &[&stray]);
    }
    let topic = |answer: &mut Message| answer.set_topic("a.c");
    check_answer(CLIENT, asked(), CHILD, topic, &["stray child3: ok a.c c"]);
    let bare = |answer: &mut Message| drop(answer.pop_route());
    check_answer(CLIENT, asked(), CHILD, bare, &["stray child3: ok a.b c"]);
    check_answer(
        CLIENT,
        request(0, "a.b", &[]),
        CHILD,
        as_is,
        &["stray child3: ok a.b c"],
    );
    // A child that has lost its client still forwards; nobody waits here.
    let mut router = stage(1);
    router.receive(CLIENT, asked());
    router.link_down(CLIENT);
    out(&mut router);
    let late = request(3, "a.b", &["c", "b1"]).into_response(0, Bytes::new());
    router.receive(CHILD, late);
    assert_eq!(out(&mut router), Vec::<String>::new());
}

#[test]
fn some_methods_answer_also_who_wants_no_answer() {
    let asked = |topic| {
        let mut request = request(1, topic, &[]);
        request.kind = Kind::Request {
            nodeid: 1,
            matchtag: 0,
        };
        request.set_flag(Flags::NORESPONSE, true);
        request
    };
    // Twice is once more: the answers have one topic and no matchtag to be told apart by.
    let topic = "job-exec.shell-barrier";
    let mut router = stage(1);
    let module = ModuleId(2);
    router.add_module(module, "job-exec");
    router.expect_module(module, id("e"));
    router.module_up(module, PeerId(20));
    for _ in 0..2 {
        router.receive(CLIENT, asked(topic));
        assert_eq!(out(&mut router), ["m: asked job-exec.shell-barrier c!b1"]);
    }
    assert_eq!(router.n_pending(), 1);
    let mut answer = Message::respond_to(&asked(topic), 0, Bytes::new());
    answer.set_flag(Flags::NORESPONSE, false);
    answer.push_route(id("c"));
    answer.push_route(id("b1"));
    router.receive(Hop::Module(module), answer);
    assert_eq!(out(&mut router), ["c: ok job-exec.shell-barrier"]);
    // To who asks for none, no other method does.
    let mut router = stage(1);
    router.receive(CLIENT, asked("echo.x"));
    out(&mut router);
    assert_eq!(router.n_pending(), 0);
}

/// Checks the open requests in a router of rank 1, with these requests sent, when `lost`
/// goes.
fn check_loss(sent: &[(Hop, Message)], lost: Hop, expect: &[&str]) {
    let mut router = stage(1);
    for (from, request) in sent {
        router.receive(*from, request.clone());
        out(&mut router);
    }
    router.link_down(lost);
    assert_eq!(out(&mut router), expect, "{}", name(lost));
    assert_eq!(router.n_pending(), 0);
}

#[test]
fn a_lost_link_answers_what_had_gone_over_it() {
    let down = || request(3, "a.b", &[]);
    // Also the request whose own sending found out, with the route that it came with.
    let of_parent = (Hop::Parent, request(7, "a.b", &["c", "b0"]));
    check_loss(
        &[(CLIENT, down()), of_parent, (Hop::Here, down())],
        CHILD,
        &[
            "c: EHOSTUNREACH a.b",
            "parent: EHOSTUNREACH a.b c!b0",
            "here: EHOSTUNREACH a.b",
        ],
    );
    let up = || request(0, "a.b", &[]);
    let of_child = (CHILD, request(0, "a.b", &["c"]));
    check_loss(
        &[(CLIENT, up()), of_child],
        Hop::Parent,
        &[
            "c: EHOSTUNREACH a.b  overlay disconnect",
            "child3: EHOSTUNREACH a.b c overlay disconnect",
        ],
    );
    let mut quiet = down();
    quiet.set_flag(Flags::NORESPONSE, true);
    check_loss(&[(CLIENT, quiet)], CHILD, &[]);
}

#[test]
fn services_hear_of_senders_behind_a_lost_link() {
    let asked = |nodeid, topic| (CHILD, request(nodeid, topic, &["c"]));
    check_loss(
        &[asked(0, "a.b")],
        CHILD,
        &["parent: asked a.disconnect c!b3"],
    );
    let mut router = stage(1);
    let other = (CHILD, request(1, "echo.x", &["d"]));
    for (from, request) in [
        asked(1, "echo.x"),
        asked(1, "echo.y"),
        asked(1, "log.dmesg"),
        other,
    ] {
        router.receive(from, request);
        out(&mut router);
    }
    router.link_down(CHILD);
    // Once for each sender and service.
    assert_eq!(
        out(&mut router),
        [
            "here: asked log.disconnect c!b3",
            "m: asked echo.disconnect c!b3!b1",
            "m: asked echo.disconnect d!b3!b1",
        ]
    );
}

#[test]
fn a_sender_that_leaves_takes_its_open_requests_along() {
    let mut router = stage(1);
    router.receive(CHILD, request(0, "a.b", &["c"]));
    router.receive(CHILD, request(0, "a.b", &["d"]));
    let mut gone = request(0, "a.disconnect", &["c"]);
    gone.set_flag(Flags::NORESPONSE, true);
    router.receive(CHILD, gone);
    out(&mut router);
    router.link_down(Hop::Parent);
    assert_eq!(
        out(&mut router),
        ["child3: EHOSTUNREACH a.b d overlay disconnect"]
    );
}
