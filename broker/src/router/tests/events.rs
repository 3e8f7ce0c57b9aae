//! Tests of events: their sequence numbers, their receivers, and the propagation of
//! subscriptions.

use proto::Method;
use proto::event::Subscribe;

use super::*;

/// A router with these subscriptions, `t.` all of them, that takes in an event.
fn check_event(rank: u32, wanted: &[Hop], from: Hop, event: Message, expect: &[&str]) {
    let mut router = stage(rank);
    for hop in wanted {
        assert_eq!(router.subscribe(*hop, "t."), Ok(()));
    }
    out(&mut router);
    let shown = format!("rank {rank}: {}", line(from, &event));
    router.receive(from, event);
    assert_eq!(out(&mut router), expect, "{shown}");
}

#[test]
fn an_event_goes_up_to_rank_0_and_down_to_those_who_want_it() {
    for from in [CLIENT, MODULE, Hop::Here, CHILD] {
        check_event(
            1,
            &[CLIENT, CHILD],
            from,
            event("t.x", 0),
            &["parent: event 0 t.x"],
        );
    }
    let all = [OTHER, MODULE, Hop::Child(2)];
    for from in [CLIENT, MODULE, Hop::Here, Hop::Child(1)] {
        let expect = ["m: event 1 t.x", "d: event 1 t.x", "child2: event 1 t.x"];
        check_event(0, &all, from, event("t.x", 0), &expect);
    }
    check_event(0, &all, CLIENT, event("u.x", 0), &[]);
    // Below rank 0 those who are far away come first.
    let expect = ["child3: event 9 t.x", "m: event 9 t.x", "d: event 9 t.x"];
    check_event(
        1,
        &[MODULE, CHILD, OTHER],
        Hop::Parent,
        event("t.x", 9),
        &expect,
    );
    check_event(
        1,
        &[OTHER],
        Hop::Parent,
        event("t.x", 9),
        &["d: event 9 t.x"],
    );
}

#[test]
fn only_rank_0_gives_numbers_and_they_come_from_above() {
    check_event(
        1,
        &[],
        Hop::Parent,
        event("t.x", 0),
        &["stray parent: event 0 t.x"],
    );
    check_event(
        1,
        &[],
        CHILD,
        event("t.x", 9),
        &["stray child3: event 9 t.x"],
    );
    // A client's number is not one.
    check_event(0, &[OTHER], CLIENT, event("t.x", 9), &["d: event 1 t.x"]);
    check_event(1, &[], CLIENT, event("t.x", 9), &["parent: event 0 t.x"]);
    // A guest cannot publish through a broker below what it may not publish here.
    let mut guests = event("kvs.x", 0);
    (guests.userid, guests.rolemask) = (GUEST, Role::USER);
    check_event(
        1,
        &[],
        CHILD,
        guests.clone(),
        &["stray child3: event 0 kvs.x"],
    );
    guests.set_topic("mine.x");
    check_event(1, &[], CHILD, guests, &["parent: event 0 mine.x"]);
}

#[test]
fn numbers_follow_each_other_and_twice_the_same_is_delivered() {
    let mut router = stage(0);
    assert_eq!(router.subscribe(CLIENT, ""), Ok(()));
    for _ in 0..2 {
        router.receive(OTHER, event("t.x", 0));
    }
    assert_eq!(router.publish(Hop::Here, event("t.y", 0)), 3);
    assert_eq!(
        out(&mut router),
        ["c: event 1 t.x", "c: event 2 t.x", "c: event 3 t.y"]
    );
    let mut router = stage(1);
    assert_eq!(router.subscribe(CLIENT, ""), Ok(()));
    out(&mut router);
    for sequence in [4, 4, 7] {
        router.receive(Hop::Parent, event("t.x", sequence));
    }
    assert_eq!(
        out(&mut router),
        ["c: event 4 t.x", "c: event 4 t.x", "c: event 7 t.x"]
    );
}

#[test]
fn private_events_are_for_the_owner_and_their_user() {
    let all = [CLIENT, GUESTS, MODULE];
    let mut private = event("t.x", 0);
    private.set_flag(Flags::PRIVATE, true);
    check_event(
        0,
        &all,
        OTHER,
        private.clone(),
        &["m: event 1 t.x", "c: event 1 t.x"],
    );
    (private.userid, private.rolemask) = (GUEST, Role::USER);
    let expect = ["m: event 1 t.x", "c: event 1 t.x", "g: event 1 t.x"];
    check_event(0, &all, GUESTS, private, &expect);
}

#[test]
fn the_parent_is_told_the_first_and_the_last_that_a_subtree_wants() {
    let mut router = stage(1);
    let told = |router: &mut Router, expect: &[&str]| {
        let told: Vec<String> = std::iter::from_fn(|| router.poll())
            .map(|out| {
                let Out::Send { to, message, .. } = out else {
                    panic!("{out:?}");
                };
                let payload = message.payload().unwrap().strip_suffix(b"\0").unwrap();
                assert_eq!(
                    message.wants_response(),
                    message.topic() == Subscribe::TOPIC
                );
                let Kind::Request { nodeid: 0, .. } = message.kind else {
                    panic!("{message:?}");
                };
                format!(
                    "{}: {} {}",
                    name(to),
                    message.topic(),
                    String::from_utf8_lossy(payload)
                )
            })
            .collect();
        assert_eq!(told, expect);
    };
    let subscribe = r#"parent: event.subscribe {"topic":"t."}"#;
    let unsubscribe = r#"parent: event.unsubscribe {"topic":"t."}"#;
    for (hop, expect) in [
        (CLIENT, &[subscribe][..]),
        (CLIENT, &[]),
        (CHILD, &[]),
        (MODULE, &[]),
    ] {
        assert_eq!(router.subscribe(hop, "t."), Ok(()));
        told(&mut router, expect);
    }
    assert_eq!(router.unsubscribe(OTHER, "t."), Err(Errno::ENOENT));
    router.link_down(CLIENT);
    router.link_down(CHILD);
    told(&mut router, &[]);
    assert!(router.module_ended(ModuleId(1)).is_empty());
    told(&mut router, &[unsubscribe]);
    // A parent that comes later is told what there is.
    router.link_down(Hop::Parent);
    assert_eq!(router.subscribe(OTHER, "t."), Ok(()));
    told(&mut router, &[]);
    router.broker_up(Hop::Parent, PeerId(20), id("b0"));
    told(&mut router, &[subscribe]);
    // Rank 0 has nobody to tell.
    let mut router = stage(0);
    assert_eq!(router.subscribe(CLIENT, "t."), Ok(()));
    told(&mut router, &[]);
}

/// Actions, without payloads.
fn said(router: &mut Router) -> Vec<String> {
    let lines = out(router).into_iter();
    let plain = |line: String| line.split("  {").next().unwrap_or_default().to_owned();
    lines.map(plain).collect()
}

/// Response of the parent: success, or ENOMEM.
fn heard(matchtag: u32, is_well: bool) -> Message {
    let errnum = if is_well { 0 } else { Errno::ENOMEM.0 };
    let mut response = request(0, Subscribe::TOPIC, &[]).into_response(errnum, Bytes::new());
    response.kind = Kind::Response { errnum, matchtag };
    response
}

/// A client or broker subscribes, and its answer is given.
fn subscribe(router: &mut Router, hop: Hop, name: &str, topic: &str, expect: &[&str]) {
    if hop.is_broker() {
        router.receive(hop, request(router.rank(), Subscribe::TOPIC, &[]));
        assert_eq!(said(router), ["here: asked event.subscribe b3"]);
    }
    assert_eq!(router.subscribe(hop, topic), Ok(()));
    let answer = request(0, Subscribe::TOPIC, &[name]).into_response(0, Bytes::new());
    router.route(Hop::Here, answer);
    assert_eq!(said(router), expect, "{hop:?} {topic}");
}

const ASKED: &str = "parent: asked event.subscribe";

#[test]
fn the_first_who_subscribes_is_answered_when_all_above_know_and_others_at_once() {
    let mut router = stage(1);
    subscribe(&mut router, CLIENT, "c", "t.", &[ASKED]);
    // Later subscribers wait too, but not for topics that are confirmed, or not wanted
    // from above.
    subscribe(&mut router, OTHER, "d", "t.", &[]);
    subscribe(&mut router, CHILD, "b3", "u.", &[ASKED]);
    router.receive(Hop::Parent, heard(2, true));
    assert_eq!(said(&mut router), ["child3: ok event.subscribe"]);
    router.receive(Hop::Parent, heard(2, true));
    router.receive(Hop::Parent, heard(9, true));
    assert_eq!(said(&mut router), [""; 0]);
    router.receive(Hop::Parent, heard(1, true));
    let both = ["c: ok event.subscribe", "d: ok event.subscribe"];
    assert_eq!(said(&mut router), both);
    subscribe(&mut router, GUESTS, "g", "t.", &["g: ok event.subscribe"]);
    // Rank 0 has nobody to wait for.
    let mut router = stage(0);
    subscribe(&mut router, CLIENT, "c", "t.", &["c: ok event.subscribe"]);
}

#[test]
fn nobody_waits_for_a_parent_that_is_lost_or_does_not_want_to() {
    let mut router = stage(1);
    subscribe(&mut router, CLIENT, "c", "t.", &[ASKED]);
    router.link_down(Hop::Parent);
    assert_eq!(said(&mut router), ["c: ok event.subscribe"]);
    // A broker without a parent is not part of the tree yet.
    subscribe(&mut router, CLIENT, "c", "u.", &["c: ok event.subscribe"]);
    router.broker_up(Hop::Parent, PeerId(20), id("b0"));
    assert_eq!(said(&mut router), [ASKED, ASKED]);
    router.receive(Hop::Parent, heard(2, false));
    router.receive(Hop::Parent, heard(3, false));
    subscribe(&mut router, CLIENT, "c", "t.", &["c: ok event.subscribe"]);
    // One who leaves while it waits is not answered.
    subscribe(&mut router, CLIENT, "c", "v.", &[ASKED]);
    router.link_down(CLIENT);
    said(&mut router);
    router.receive(Hop::Parent, heard(4, true));
    assert_eq!(said(&mut router), [""; 0]);
}
