//! Where requests go, from each rank's point of view.

use super::*;

#[test]
fn a_request_goes_to_its_rank() {
    // Me.
    check(
        1,
        CLIENT,
        request(1, "echo.x", &[]),
        &["m: asked echo.x c!b1"],
    );
    check(
        1,
        CLIENT,
        request(1, "attr.get", &[]),
        &["here: asked attr.get c"],
    );
    let text = "c: ENOSYS none.x  No service matching none.x is registered";
    check(1, CLIENT, request(1, "none.x", &[]), &[text]);
    // In my subtree, at any depth: asked for without a look at what is here.
    check(
        1,
        CLIENT,
        request(3, "none.x", &[]),
        &["child3: asked none.x c!b1"],
    );
    check(
        1,
        CLIENT,
        request(8, "echo.x", &[]),
        &["child3: asked echo.x c!b1"],
    );
    // The child on the way is not online.
    for nodeid in [4, 9, 10] {
        check(
            1,
            CLIENT,
            request(nodeid, "echo.x", &[]),
            &["c: EHOSTUNREACH echo.x"],
        );
    }
    // Elsewhere, or nowhere: rank 0 knows.
    for nodeid in [0, 2, 14, 99] {
        check(
            1,
            CLIENT,
            request(nodeid, "echo.x", &[]),
            &["parent: asked echo.x c"],
        );
    }
    // Modules and the broker itself ask in the same way.
    check(
        1,
        MODULE,
        request(3, "echo.x", &[]),
        &["child3: asked echo.x m!b1"],
    );
    check(
        1,
        Hop::Here,
        request(3, "echo.x", &[]),
        &["child3: asked echo.x b1"],
    );
    check(
        1,
        Hop::Here,
        request(0, "echo.x", &[]),
        &["parent: asked echo.x"],
    );
}

#[test]
fn any_rank_is_the_first_on_the_way_up_that_has_the_service() {
    check(
        1,
        CLIENT,
        request(ANY, "echo.x", &[]),
        &["m: asked echo.x c!b1"],
    );
    check(
        1,
        CLIENT,
        request(ANY, "none.x", &[]),
        &["parent: asked none.x c"],
    );
    check(
        1,
        CHILD,
        request(ANY, "echo.x", &["c"]),
        &["m: asked echo.x c!b3!b1"],
    );
    check(
        1,
        CHILD,
        request(ANY, "none.x", &["c"]),
        &["parent: asked none.x c!b3"],
    );
    let text = "c: ENOSYS none.x  No service matching none.x is registered";
    check(0, CLIENT, request(ANY, "none.x", &[]), &[text]);
}

#[test]
fn upstream_passes_over_the_sender_s_own_rank() {
    check(
        1,
        CLIENT,
        upstream(1, "echo.x", &[]),
        &["parent: asked echo.x c"],
    );
    check(
        1,
        CHILD,
        upstream(3, "echo.x", &["c"]),
        &["m: asked echo.x c!b3!b1"],
    );
    check(
        1,
        CHILD,
        upstream(3, "none.x", &["c"]),
        &["parent: asked none.x c!b3"],
    );
    check(
        0,
        CLIENT,
        upstream(0, "echo.x", &[]),
        &["c: EHOSTUNREACH echo.x"],
    );
    let from_below = upstream(1, "none.x", &["c"]);
    check(
        0,
        Hop::Child(1),
        from_below,
        &["child1: EHOSTUNREACH none.x c"],
    );
}

#[test]
fn nothing_is_above_rank_0() {
    let text = "c: ENOSYS none.x  No service matching none.x is registered";
    check(0, CLIENT, request(0, "none.x", &[]), &[text]);
    check(
        0,
        CLIENT,
        request(99, "echo.x", &[]),
        &["c: EHOSTUNREACH echo.x"],
    );
    check(
        0,
        CLIENT,
        request(2, "echo.x", &[]),
        &["child2: asked echo.x c!b0"],
    );
    check(
        0,
        Hop::Child(1),
        request(6, "echo.x", &["c"]),
        &["child2: asked echo.x c!b1!b0"],
    );
}

#[test]
fn a_leaf_has_only_a_parent() {
    check(
        14,
        CLIENT,
        request(14, "echo.x", &[]),
        &["m: asked echo.x c!b14"],
    );
    check(
        14,
        CLIENT,
        request(13, "echo.x", &[]),
        &["parent: asked echo.x c"],
    );
    check(
        14,
        Hop::Parent,
        request(14, "echo.x", &["c", "b6"]),
        &["m: asked echo.x c!b6!b14"],
    );
    let mut router = stage(14);
    router.link_down(Hop::Parent);
    router.receive(CLIENT, request(0, "echo.x", &[]));
    assert_eq!(out(&mut router), ["c: EHOSTUNREACH echo.x"]);
}

#[test]
fn a_request_does_not_go_back_to_where_it_came_from() {
    let from_above = request(2, "echo.x", &["c", "b0"]);
    check(
        1,
        Hop::Parent,
        from_above,
        &["parent: EHOSTUNREACH echo.x c!b0"],
    );
    check(
        1,
        CHILD,
        request(7, "echo.x", &["c"]),
        &["child3: EHOSTUNREACH echo.x c"],
    );
}

#[test]
fn a_hop_that_lies_about_itself_is_not_heard() {
    check(1, Hop::Parent, request(3, "echo.x", &["c", "b2"]), &[]);
    check(1, Hop::Parent, request(3, "echo.x", &[]), &[]);
    check(1, Hop::Child(4), request(1, "echo.x", &["c"]), &[]);
    // Hops below the stamp name nobody.
    check(
        1,
        CHILD,
        request(1, "none.x", &["b0"]),
        &["child3: ENOSYS none.x b0 No service matching none.x is registered"],
    );
}

#[test]
fn a_hop_keeps_the_user_and_takes_the_mark_of_the_local() {
    for from in [Hop::Parent, CHILD] {
        let mut router = stage(1);
        let hops: &[&str] = if from == CHILD { &[] } else { &["b0"] };
        let mut message = request(1, "attr.get", hops);
        (message.userid, message.rolemask) = (GUEST, Role::USER | Role::LOCAL);
        router.receive(from, message);
        let Some(Out::Send { message, .. }) = router.poll() else {
            panic!("it goes nowhere");
        };
        assert_eq!((message.userid, message.rolemask), (GUEST, Role::USER));
    }
}

#[test]
fn only_brokers_say_control_messages_and_they_cross_one_hop() {
    let control = || {
        Message::new(Kind::Control {
            control: 0,
            status: 0,
        })
    };
    check(1, CHILD, control(), &["control child3"]);
    check(1, Hop::Parent, control(), &["control parent"]);
    for from in [CLIENT, MODULE, Hop::Here] {
        check(1, from, control(), &[]);
    }
}

#[test]
fn in_private_mode_services_of_others_are_not_there_for_a_guest() {
    let mut router = stage(0);
    assert_eq!(router.add_service(CLIENT, "100-tool"), Ok(()));
    let ask = |router: &mut Router, from| {
        let mut request = request(0, "100-tool.x", &[]);
        if from == GUESTS {
            (request.userid, request.rolemask) = (GUEST, Role::USER);
        }
        router.receive(from, request);
        out(router).concat()
    };
    assert_eq!(ask(&mut router, GUESTS), "c: asked 100-tool.x g!b0");
    router.set_private(true);
    let hidden = "g: ENOSYS 100-tool.x  No service matching 100-tool.x is registered";
    assert_eq!(ask(&mut router, GUESTS), hidden);
    assert_eq!(ask(&mut router, OTHER), "c: asked 100-tool.x d!b0");
}

/// Asks from a client on rank `from`, passes it on from broker to broker, and lets the
/// broker that it arrives at answer.
fn check_way(from: u32, request: Message, expect: &str) {
    let mut routers: Vec<Router> = (0..7).map(|rank| router(rank, 7)).collect();
    for rank in 0..7 {
        let topology = routers[0].topology().clone();
        let router = &mut routers[rank as usize];
        if let Some(parent) = topology.parent(rank) {
            router.broker_up(Hop::Parent, PeerId(10), id(&format!("b{parent}")));
        }
        for child in topology.children(rank) {
            let peer = PeerId(u64::from(*child) + 20);
            router.broker_up(Hop::Child(*child), peer, id(&format!("b{child}")));
        }
    }
    let rolemask = Role::OWNER | Role::LOCAL;
    let userid = OWNER;
    routers[from as usize].client_up(PeerId(1), id("c"), Viewer { userid, rolemask });
    routers[from as usize].receive(Hop::Client(PeerId(1)), request);
    let mut way = String::new();
    let mut at = from;
    while let Some(Out::Send { to, message, .. }) = routers[at as usize].poll() {
        match to {
            Hop::Parent => {
                let parent = routers[0].topology().parent(at).unwrap();
                routers[parent as usize].receive(Hop::Child(at), message);
                at = parent;
            }
            Hop::Child(child) => {
                routers[child as usize].receive(Hop::Parent, message);
                at = child;
            }
            Hop::Here => {
                let hops = message.routes_from_sender().map(Identity::as_str);
                way = hops
                    .chain([format!("b{at}").as_str()])
                    .collect::<Vec<_>>()
                    .join("!");
                let answer = message.into_response(0, Bytes::new());
                routers[at as usize].receive(Hop::Here, answer);
            }
            _ => {
                assert_eq!((at, message.n_routes()), (from, 0));
                assert_eq!(way, expect);
                routers.iter().for_each(Router::check);
                return assert!(routers.iter().all(|router| router.n_pending() == 0));
            }
        }
    }
    panic!("no answer came back: {way}");
}

#[test]
fn every_broker_on_the_way_is_on_the_route_and_off_it_again() {
    check_way(0, request(3, "attr.get", &[]), "c!b0!b1!b3");
    check_way(3, request(0, "attr.get", &[]), "c!b3!b1!b0");
    check_way(3, upstream(3, "attr.get", &[]), "c!b3!b1");
    check_way(3, request(3, "attr.get", &[]), "c!b3");
    check_way(3, request(ANY, "attr.get", &[]), "c!b3");
    check_way(3, request(6, "attr.get", &[]), "c!b3!b1!b0!b2!b6");
    check_way(5, request(6, "attr.get", &[]), "c!b5!b2!b6");
}
