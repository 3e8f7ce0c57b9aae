//! Limits of the table of open requests, and its counts.

use node::PeerId;

use super::*;

const PROVIDER: Hop = Hop::Child(1);
/// Limits in the order of the real ones.
const ALL: usize = 64;
const ONE: usize = 32;
const GUESTS: usize = 16;
const GUEST: usize = 4;

fn table() -> Pending {
    let room = Room {
        all: ALL,
        of_one: ONE,
        of_guests: GUESTS,
        of_guest: GUEST,
    };
    Pending {
        room,
        ..Pending::default()
    }
}

fn requester(link: u64, guest: Option<u32>) -> Requester {
    let link = Hop::Client(PeerId(link));
    Requester { link, guest }
}

/// A table in which each of these has asked N times, under different matchtags.
fn check(asked: &[(u64, Option<u32>, usize)], then: (u64, Option<u32>), is_full: bool) {
    let mut pending = table();
    for (link, guest, n) in asked {
        for tag in 1..=*n as u32 {
            let request = Message::request("a.b", tag);
            let opened = pending.open(
                requester(*link, *guest),
                PROVIDER,
                &request,
                Past::default(),
            );
            assert!(opened.is_ok());
        }
    }
    let (link, guest) = then;
    let request = Message::request("a.b", u32::MAX);
    let opened = pending.open(requester(link, guest), PROVIDER, &request, Past::default());
    assert_eq!(opened == Err(Full), is_full);
    pending.check();
    for (link, ..) in asked {
        pending.requester_left(Hop::Client(PeerId(*link)));
    }
    let opened = pending.open(requester(link, guest), PROVIDER, &request, Past::default());
    assert!(opened.is_ok());
    pending.check();
}

#[test]
fn a_guest_with_many_connections_fills_its_own_share_and_no_other() {
    let (half, all) = (GUEST / 2, GUEST);
    let one = [(2, Some(7), half), (3, Some(7), half)];
    check(&one, (4, Some(7)), true);
    check(&one, (4, Some(8)), false);
    check(&one, (4, None), false);
    check(&[(2, None, all)], (4, Some(7)), false);
}

#[test]
fn one_link_of_the_owner_fills_its_own_share_and_no_other() {
    let one = [(2, None, ONE)];
    check(&one, (2, None), true);
    check(&one, (3, None), false);
    check(&one, (3, Some(7)), false);
}

#[test]
fn all_guests_together_leave_room_for_the_owner() {
    let guests = (GUESTS / GUEST) as u32;
    let all: Vec<_> = (0..guests)
        .map(|n| (u64::from(n) + 2, Some(n), GUEST))
        .collect();
    check(&all, (1000, Some(1000)), true);
    check(&all, (1000, None), false);
}

#[test]
fn the_same_matchtag_again_counts_again_and_is_answered_as_often() {
    let mut pending = table();
    let guest = requester(2, Some(7));
    let request = Message::request("a.b", 0);
    for _ in 0..3 {
        let opened = pending.open(guest, PROVIDER, &request, Past::default());
        assert!(opened.is_ok());
    }
    assert_eq!(pending.n(), 3);
    let response = Message::respond_to(&request, 0, Bytes::new());
    for passes in [true, true, true, false] {
        assert_eq!(pending.answer(guest.link, PROVIDER, &response), passes);
        pending.check();
    }
}

#[test]
fn what_a_dead_provider_leaves_is_given_in_the_order_of_delivery() {
    let mut pending = table();
    for (link, tag) in [(2, 3), (3, 1), (2, 1), (2, 0)] {
        let request = Message::request("a.b", tag);
        let opened = pending.open(requester(link, None), PROVIDER, &request, Past::default());
        assert!(opened.is_ok());
    }
    let left = pending.provider_left(PROVIDER);
    let tags: Vec<u32> = left.iter().map(|call| call.request.matchtag()).collect();
    assert_eq!((tags, pending.n()), (vec![3, 1, 1], 0));
    pending.check();
}

#[test]
fn the_owner_can_fill_the_table_and_is_told() {
    check(&[(2, None, ONE), (3, None, ALL - ONE)], (4, None), true);
}
