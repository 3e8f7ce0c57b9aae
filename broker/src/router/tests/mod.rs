//! RFC 3 and protocol/20 section 5 as tables: a message comes in, and these go out.

use bytes::Bytes;
use proto::data::topology::Scheme;
use wire::{Errno, Flags, NODEID_ANY};

use super::*;

mod events;
mod requests;
mod responses;

const OWNER: u32 = 100;
const GUEST: u32 = 7;
const MODULE: Hop = Hop::Module(ModuleId(1));
const CLIENT: Hop = Hop::Client(PeerId(2));
const OTHER: Hop = Hop::Client(PeerId(3));
const GUESTS: Hop = Hop::Client(PeerId(4));
const CHILD: Hop = Hop::Child(3);
const ANY: u32 = NODEID_ANY;

/// A router of a `kary:2` tree, without any links.
pub(crate) fn router(rank: u32, size: u32) -> Router {
    let place = Place {
        rank,
        topology: Topology::new(Scheme::Kary(2), size),
        identity: id(&format!("b{rank}")),
        owner: OWNER,
    };
    Router::new(place, crate::core::OWN_SERVICES, 0)
}

fn id(text: &str) -> Identity {
    Identity::new(text).unwrap()
}

/// Rank 1 of 15, or another one: with module `m`, clients `c` and `d` of the owner and `g`
/// of a guest, the parent, and all children but rank 4.
fn stage(rank: u32) -> Router {
    let mut router = router(rank, 15);
    let module = ModuleId(1);
    router.add_module(module, "echo");
    router.expect_module(module, id("m"));
    router.module_up(module, PeerId(1));
    for (peer, name, userid) in [(2, "c", OWNER), (3, "d", OWNER), (4, "g", GUEST)] {
        let role = if userid == OWNER {
            Role::OWNER
        } else {
            Role::USER
        };
        let rolemask = role | Role::LOCAL;
        let viewer = Viewer { userid, rolemask };
        router.client_up(PeerId(peer), id(name), viewer);
    }
    let topology = router.topology().clone();
    if let Some(parent) = topology.parent(rank) {
        router.broker_up(Hop::Parent, PeerId(10), id(&format!("b{parent}")));
    }
    for child in topology.children(rank).iter().filter(|child| **child != 4) {
        let peer = PeerId(u64::from(*child) + 10);
        router.broker_up(Hop::Child(*child), peer, id(&format!("b{child}")));
    }
    assert_eq!(out(&mut router), Vec::<String>::new());
    router
}

/// Actions of the router, one line each. A module receives requests at once.
fn out(router: &mut Router) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(out) = router.poll() {
        match out {
            Out::Send { to, message, .. } => lines.push(line(to, &message)),
            Out::Ask { module, request } => {
                router.give(Hop::Module(module), request, Past::default());
            }
            Out::Stray(Orphaned { from, message, .. }) => {
                lines.push(format!("stray {}", line(from, &message)));
            }
            Out::Orphan(_) => {}
            Out::Control { from, .. } => lines.push(format!("control {}", name(from))),
        }
    }
    router.check();
    lines
}

fn name(hop: Hop) -> String {
    match hop {
        Hop::Here => "here".to_owned(),
        Hop::Module(_) => "m".to_owned(),
        CLIENT => "c".to_owned(),
        OTHER => "d".to_owned(),
        Hop::Client(_) => "g".to_owned(),
        Hop::Parent => "parent".to_owned(),
        Hop::Child(rank) => format!("child{rank}"),
    }
}

/// `to: what topic hops text`, hops from the sender on.
fn line(to: Hop, message: &Message) -> String {
    let what = match message.kind {
        Kind::Request { .. } => "asked".to_owned(),
        Kind::Response { errnum: 0, .. } => "ok".to_owned(),
        Kind::Response { errnum, .. } => match Errno(errnum) {
            Errno::ENOSYS => "ENOSYS".to_owned(),
            Errno::EHOSTUNREACH => "EHOSTUNREACH".to_owned(),
            other => other.to_string(),
        },
        Kind::Event { sequence } => format!("event {sequence}"),
        Kind::Control { .. } => "control".to_owned(),
    };
    let hops: Vec<&str> = message.routes_from_sender().map(Identity::as_str).collect();
    // That of the number stands for none.
    let text = message.error_text().unwrap_or_default();
    let of_number = Errno::EHOSTUNREACH.to_string();
    let text = Some(text).filter(|text| *text != of_number);
    let text = text.unwrap_or_default();
    let line = format!(
        "{}: {what} {} {} {text}",
        name(to),
        message.topic(),
        hops.join("!")
    );
    line.trim_end().to_owned()
}

/// A request of the owner, with hops that are there already.
fn request(nodeid: u32, topic: &str, hops: &[&str]) -> Message {
    let mut request = Message::request(topic, 5);
    request.kind = Kind::Request {
        nodeid,
        matchtag: 5,
    };
    (request.userid, request.rolemask) = (OWNER, Role::OWNER | Role::LOCAL);
    hops.iter().for_each(|hop| request.push_route(id(hop)));
    request
}

fn upstream(nodeid: u32, topic: &str, hops: &[&str]) -> Message {
    let mut request = request(nodeid, topic, hops);
    request.set_flag(Flags::UPSTREAM, true);
    request
}

fn event(topic: &str, sequence: u32) -> Message {
    let mut event = Message::event(topic);
    event.kind = Kind::Event { sequence };
    (event.userid, event.rolemask) = (OWNER, Role::OWNER);
    event
}

/// Checks the actions of a broker of this rank after a message from `from`.
fn check(rank: u32, from: Hop, message: Message, expect: &[&str]) {
    let shown = format!("rank {rank}: {}", line(from, &message));
    let mut router = stage(rank);
    router.receive(from, message);
    assert_eq!(out(&mut router), expect, "{shown}");
}
