//! Tests of links between brokers over real ZeroMQ: admission, names and losses.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::*;
use crate::limits::OVERLAY_BACKLOG_BYTES_MAX;

const PARENT: PeerId = PeerId::PARENT;

fn curve() -> Curve {
    let pair = zmq::CurveKeyPair::new().unwrap();
    Curve {
        public: zmq::z85_encode(&pair.public_key).unwrap(),
        secret: zmq::z85_encode(&pair.secret_key).unwrap(),
    }
}

/// A broker of a test, with the messages that it has received.
struct Broker {
    overlay: Overlay,
    heard: Vec<String>,
    last_peer: u64,
}

impl Broker {
    fn new(curve: Curve) -> Broker {
        Broker {
            overlay: Overlay::new(curve, Tcp::default(), 1, 0),
            heard: Vec::new(),
            last_peer: 1,
        }
    }

    /// A broker that lets in these keys, and its endpoint.
    fn parent(curve: Curve, allowed: &[&Curve]) -> (Broker, String) {
        let mut broker = Broker::new(curve);
        let bound = broker.overlay.listen(&["tcp://127.0.0.1:*".to_owned()]);
        for key in allowed {
            broker.overlay.allow(&key.public);
        }
        (broker, bound.unwrap().remove(0))
    }

    fn child(curve: Curve, endpoint: &str, key: &str, identity: &str) -> Broker {
        let mut broker = Broker::new(curve);
        let reached = broker.overlay.reach_parent(endpoint, key, identity);
        reached.unwrap();
        broker
    }

    fn say(&mut self, to: PeerId, topic: &str) -> bool {
        self.overlay
            .send(to, &Message::request(topic, 1), Duration::ZERO)
    }

    fn turn(&mut self) {
        for lost in self.overlay.serve(Duration::ZERO) {
            self.overlay.remove(lost);
            self.heard.push(format!("{} is lost", lost.0));
        }
        while let Some(heard) = self.overlay.recv() {
            let heard = match heard {
                Received::New(stranger) => {
                    self.last_peer += 1;
                    let peer = PeerId(self.last_peer);
                    let who = String::from_utf8_lossy(&stranger.identity).into_owned();
                    self.heard.push(format!("{who} is {}", peer.0));
                    self.overlay.add(peer, stranger)
                }
                heard => Some(heard),
            };
            match heard {
                Some(Received::Message(peer, message)) => {
                    self.heard.push(format!("{} {}", peer.0, message.topic()));
                }
                Some(Received::Lost(peer)) => self.heard.push(format!("{} knows us not", peer.0)),
                _ => {}
            }
        }
    }
}

/// Lets both go on until it holds; fails when nothing happens for long.
fn until(brokers: &mut [&mut Broker], holds: impl Fn(&[&mut Broker]) -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        for broker in &mut *brokers {
            broker.turn();
        }
        if holds(brokers) {
            return;
        }
        assert!(Instant::now() < end, "nothing came of it");
        if brokers.iter().any(|broker| broker.overlay.is_busy()) {
            continue;
        }
        let fds = brokers.iter().flat_map(|broker| broker.overlay.fds());
        let mut fds: Vec<PollFd<'_>> = fds
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let second = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&second)).unwrap();
    }
}

#[test]
fn both_ends_hear_each_other_in_order() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&theirs]);
    let mut child = Broker::child(theirs, &endpoint, &key, "uuid");
    for topic in ["a.b", "c.d"] {
        assert!(child.say(PARENT, topic));
    }
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 3
    });
    assert_eq!(parent.heard, ["uuid is 2", "2 a.b", "2 c.d"]);
    assert!(parent.say(PeerId(2), "e.f"));
    until(&mut [&mut parent, &mut child], |both| {
        !both[1].heard.is_empty()
    });
    assert_eq!(child.heard, ["1 e.f"]);
}

#[test]
fn one_with_a_foreign_key_or_for_another_parent_is_not_heard() {
    let (mine, theirs, foreign) = (curve(), curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&theirs]);
    let mut stranger = Broker::child(foreign.clone(), &endpoint, &key, "a");
    let mut misled = Broker::child(theirs.clone(), &endpoint, &foreign.public, "b");
    let mut child = Broker::child(theirs, &endpoint, &key, "c");
    stranger.say(PARENT, "let.me-in");
    misled.say(PARENT, "are.you-it");
    child.say(PARENT, "good.day");
    until(
        &mut [&mut parent, &mut stranger, &mut misled, &mut child],
        |all| all[0].heard.len() == 2,
    );
    assert_eq!(parent.heard, ["c is 2", "2 good.day"]);
}

#[test]
fn an_identity_stays_with_its_key() {
    let (mine, one, other) = (curve(), curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&one, &other]);
    let mut child = Broker::child(one, &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |all| {
        all[0].heard.len() == 2
    });
    let mut thief = Broker::child(other.clone(), &endpoint, &key, "uuid");
    let mut honest = Broker::child(other, &endpoint, &key, "own");
    thief.say(PARENT, "steal.it");
    honest.say(PARENT, "c.d");
    until(&mut [&mut parent, &mut thief, &mut honest], |all| {
        all[0].heard.len() == 4
    });
    assert_eq!(parent.heard[2..], ["own is 3", "3 c.d"]);
}

#[test]
fn a_child_that_left_is_noticed_by_the_next_message() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&theirs]);
    let mut child = Broker::child(theirs, &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 2
    });
    drop(child);
    // The end of a connection is news of ZeroMQ's own, which comes when it comes.
    let end = Instant::now() + Duration::from_secs(60);
    while parent.say(PeerId(2), "x.y") {
        assert!(Instant::now() < end, "the loss was not noticed");
        std::thread::yield_now();
    }
    assert!(!parent.say(PeerId(9), "to.nobody"));
}

#[test]
fn a_child_that_does_not_read_has_a_bound() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&theirs]);
    let mut child = Broker::child(theirs, &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 2
    });
    let mut large = Message::request("large.one", 1);
    large.set_payload(vec![b'x'; 1 << 20].into());
    let mut sent = 0_usize;
    while parent.overlay.send(PeerId(2), &large, Duration::ZERO) {
        sent += 1;
    }
    assert_eq!(sent, OVERLAY_BACKLOG_BYTES_MAX / (large_bytes(&large)));
}

fn large_bytes(message: &Message) -> usize {
    wire::encode(message).len() + 9
}

#[test]
fn many_messages_pass_the_window_in_both_directions() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine, &[&theirs]);
    let mut child = Broker::child(theirs, &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 2
    });
    let mut large = Message::request("large.one", 1);
    large.set_payload(vec![b'x'; 1 << 20].into());
    for _ in 0..40 {
        assert!(parent.overlay.send(PeerId(2), &large, Duration::ZERO));
        assert!(child.overlay.send(PARENT, &large, Duration::ZERO));
    }
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 42 && both[1].heard.len() == 40
    });
}

#[test]
fn a_child_of_an_earlier_parent_is_told_that_it_is_unknown() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let (mut parent, endpoint) = Broker::parent(mine.clone(), &[&theirs]);
    let mut child = Broker::child(theirs.clone(), &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 2
    });
    // Actions of a parent that gives a child up, or that was restarted.
    parent.overlay.remove(PeerId(2));
    child.say(PARENT, "c.d");
    until(&mut [&mut parent, &mut child], |both| {
        !both[1].heard.is_empty()
    });
    assert_eq!(child.heard, ["1 knows us not"]);
    assert_eq!(parent.heard.len(), 2);
}

#[test]
fn a_parent_on_this_host_that_goes_is_lost() {
    let (mine, theirs) = (curve(), curve());
    let key = mine.public.clone();
    let folder = tempfile::tempdir().unwrap();
    // A name without a file: those with one are not ZeroMQ's (`near.rs`).
    let endpoint = format!("ipc://@{}/tbon-0", folder.path().display());
    let mut parent = Broker::new(mine);
    parent
        .overlay
        .listen(std::slice::from_ref(&endpoint))
        .unwrap();
    parent.overlay.allow(&theirs.public);
    let mut child = Broker::child(theirs, &endpoint, &key, "uuid");
    child.say(PARENT, "a.b");
    until(&mut [&mut parent, &mut child], |both| {
        both[0].heard.len() == 2
    });
    drop(parent);
    until(&mut [&mut child], |one| !one[0].heard.is_empty());
    assert_eq!(child.heard, ["1 is lost"]);
}
