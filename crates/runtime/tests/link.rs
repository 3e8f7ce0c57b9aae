//! The link over real ZeroMQ: readiness, full queues, order, exits, descriptors.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, like tests, may unwrap"
)]

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::process::Command;
use std::thread;

use bytes::Bytes;
use runtime::link::{Context, DealerLink, LinkLimits, RouterLink, SendError, has_curve};
use rustix::event::epoll;
use tempfile::TempDir;

/// Set for the process that `child_sends_and_exits` runs in.
const CHILD_ENDPOINT: &str = "LINK_TEST_CHILD_ENDPOINT";
const CHILD_MESSAGES: u32 = 20_000;

/// A router and the folder with its socket.
struct Host {
    context: Context,
    router: RouterLink,
    endpoint: String,
    _folder: TempDir,
}

impl Host {
    fn new(limits: LinkLimits) -> Host {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = format!("ipc://{}/link", folder.path().display());
        let context = Context::new().unwrap();
        let router = RouterLink::bind(&context, &endpoint, limits).unwrap();
        Host {
            context,
            router,
            endpoint,
            _folder: folder,
        }
    }

    /// A peer whose first message has arrived, so that the router can answer it.
    fn peer(&self, identity: &str, limits: LinkLimits) -> DealerLink {
        let peer = DealerLink::connect(&self.context, &self.endpoint, identity.as_bytes(), limits)
            .unwrap();
        peer.send(b"hello".to_vec()).unwrap();
        let (from, message) = next_of_router(&self.router);
        assert_eq!(
            (&from[..], &message[..]),
            (identity.as_bytes(), &b"hello"[..])
        );
        peer
    }
}

/// Waits for news without any timer.
struct Waiter(rustix::fd::OwnedFd);

impl Waiter {
    fn new(fd: BorrowedFd<'_>) -> Waiter {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, fd, epoll::EventData::new_u64(0), flags).unwrap();
        Waiter(epoll)
    }

    fn wait(&self) {
        let mut events = Vec::with_capacity(1);
        epoll::wait(&self.0, rustix::buffer::spare_capacity(&mut events), None).unwrap();
        assert_eq!(events.len(), 1);
    }
}

fn next_of_router(router: &RouterLink) -> (Bytes, Bytes) {
    let waiter = Waiter::new(router.fd());
    loop {
        if let Some(found) = router.recv().unwrap() {
            return found;
        }
        if !router.ready().unwrap().readable {
            waiter.wait();
        }
    }
}

fn next_of_dealer(dealer: &DealerLink) -> Bytes {
    let waiter = Waiter::new(dealer.fd());
    loop {
        if let Some(found) = dealer.recv().unwrap() {
            return found;
        }
        if !dealer.ready().unwrap().readable {
            waiter.wait();
        }
    }
}

/// Answers the farewell of a peer that has nothing more to send.
fn receive_nothing_until(router: &RouterLink, mut done: impl FnMut() -> bool) {
    while !done() {
        assert_eq!(router.recv().unwrap(), None);
        thread::yield_now();
    }
}

/// Sends, waiting for room as often as it must.
fn send_all(dealer: &DealerLink, messages: impl Iterator<Item = Vec<u8>>) {
    let waiter = Waiter::new(dealer.fd());
    for mut message in messages {
        while let Err(error) = dealer.send(message) {
            let SendError::Full(refused) = error else {
                panic!("{error}")
            };
            message = refused;
            if !dealer.ready().unwrap().writable {
                waiter.wait();
            }
        }
    }
}

fn small_queues() -> LinkLimits {
    LinkLimits {
        send_messages: 8,
        receive_messages: 8,
        ..LinkLimits::default()
    }
}

/// For ends that must not be cut short on a busy machine.
fn patient() -> LinkLimits {
    LinkLimits {
        linger_ms: 60_000,
        ..LinkLimits::default()
    }
}

#[test]
fn curve_is_available() {
    assert!(has_curve());
}

#[test]
fn messages_of_every_size_cross_unchanged_in_both_directions() {
    let host = Host::new(LinkLimits::default());
    let peer = host.peer("kvs", LinkLimits::default());
    for length in [1, 33, 200, 8191, 8192, 8193, 65_536, 3_000_000] {
        let message: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        peer.send(message.clone()).unwrap();
        let (identity, received) = next_of_router(&host.router);
        assert!(received == message, "{length} bytes to the router");
        host.router.send(&identity, received.to_vec()).unwrap();
        assert!(
            next_of_dealer(&peer) == message,
            "{length} bytes to the dealer"
        );
    }
}

#[test]
fn fifty_thousand_messages_arrive_in_order() {
    const MESSAGES: u32 = 50_000;
    let host = Host::new(LinkLimits::default());
    let peer = host.peer("job-list", patient());
    let sender = thread::spawn(move || {
        send_all(
            &peer,
            (0..MESSAGES).map(|number| number.to_le_bytes().to_vec()),
        );
        peer.finish()
    });
    for number in 0..MESSAGES {
        let (_, message) = next_of_router(&host.router);
        assert_eq!(message[..], number.to_le_bytes());
    }
    receive_nothing_until(&host.router, || sender.is_finished());
    assert!(sender.join().unwrap());
}

#[test]
fn a_full_peer_is_reported_and_loses_nothing() {
    for length in [1000, 100_000] {
        let host = Host::new(small_queues());
        let peer = host.peer("slow", small_queues());
        let mut taken: u32 = 0;
        let refused = loop {
            let mut message = vec![0; length];
            message[..4].copy_from_slice(&taken.to_le_bytes());
            match host.router.send(b"slow", message) {
                Ok(()) => taken += 1,
                Err(SendError::Full(message)) => break message,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(
            refused[..4],
            taken.to_le_bytes(),
            "the refused message comes back"
        );
        for number in 0..taken {
            assert_eq!(next_of_dealer(&peer)[..4], number.to_le_bytes());
        }
        assert_eq!(peer.recv().unwrap(), None);
    }
}

#[test]
fn a_full_broker_is_reported_to_a_dealer() {
    for length in [1000, 100_000] {
        let host = Host::new(small_queues());
        let peer = host.peer("eager", small_queues());
        let mut taken = 0;
        let refused = loop {
            match peer.send(vec![taken as u8; length]) {
                Ok(()) => taken += 1,
                Err(SendError::Full(message)) => break message,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(refused, vec![taken as u8; length]);
        for number in 0..taken {
            assert_eq!(next_of_router(&host.router).1[0], number as u8);
        }
    }
}

#[test]
fn a_full_link_wakes_up_when_there_is_room() {
    let host = Host::new(small_queues());
    let peer = host.peer("slow", small_queues());
    let reader = thread::spawn(move || {
        for _ in 0..1000 {
            assert_eq!(next_of_dealer(&peer).len(), 10_000);
        }
    });
    let waiter = Waiter::new(host.router.fd());
    for _ in 0..1000 {
        while let Err(SendError::Full(_)) = host.router.send(b"slow", vec![0; 10_000]) {
            if !host.router.ready().unwrap().writable {
                waiter.wait();
            }
        }
    }
    reader.join().unwrap();
}

#[test]
fn an_unknown_identity_is_unreachable() {
    let host = Host::new(LinkLimits::default());
    let _peer = host.peer("kvs", LinkLimits::default());
    for identity in [&b"nobody"[..], b"", b"kv", &[b'x'; 300]] {
        match host.router.send(identity, b"lost?".to_vec()) {
            Err(SendError::Unreachable(message)) => assert_eq!(message, b"lost?"),
            other => panic!("{identity:?}: {other:?}"),
        }
    }
    host.router.send(b"kvs", b"fine".to_vec()).unwrap();
}

#[test]
fn a_peer_that_left_becomes_unreachable() {
    let host = Host::new(LinkLimits::default());
    drop(host.peer("kvs", LinkLimits::default()));
    let waiter = Waiter::new(host.router.fd());
    loop {
        // The departure is news like any other: taken here, it shows in the send.
        let _ = host.router.ready().unwrap();
        match host.router.send(b"kvs", b"gone?".to_vec()) {
            Ok(()) => waiter.wait(),
            Err(SendError::Unreachable(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_restarted_peer_takes_over_its_identity() {
    let host = Host::new(LinkLimits::default());
    let first = host.peer("kvs", LinkLimits::default());
    let second = host.peer("kvs", LinkLimits::default());
    host.router.send(b"kvs", b"which?".to_vec()).unwrap();
    assert_eq!(next_of_dealer(&second)[..], b"which?"[..]);
    assert_eq!(first.recv().unwrap(), None);
}

#[test]
fn a_message_above_the_limit_comes_back() {
    let limits = LinkLimits {
        message_bytes: 100,
        ..LinkLimits::default()
    };
    let host = Host::new(limits);
    let peer = host.peer("kvs", limits);
    assert!(matches!(peer.send(vec![0; 101]), Err(SendError::TooLong(m)) if m.len() == 101));
    let answer = host.router.send(b"kvs", vec![0; 101]);
    assert!(matches!(answer, Err(SendError::TooLong(m)) if m.len() == 101));
    peer.send(vec![0; 100]).unwrap();
    assert_eq!(next_of_router(&host.router).1.len(), 100);
}

#[test]
fn a_bad_address_is_an_error_and_not_a_panic() {
    let context = Context::new().unwrap();
    let limits = LinkLimits::default();
    let long = format!("ipc:///tmp/{}", "x".repeat(200));
    for endpoint in [
        "",
        "ipc",
        "ipc://\0",
        "no://where",
        "ipc:///etc/passwd/x",
        &long,
    ] {
        assert!(
            RouterLink::bind(&context, endpoint, limits).is_err(),
            "{endpoint:?}"
        );
    }
    let error = RouterLink::bind(&context, "ipc:///etc/passwd/x", limits)
        .err()
        .unwrap();
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::NOTDIR.raw_os_error())
    );
    for identity in [&b""[..], b"\0kvs", &[b'x'; 256]] {
        let answer = DealerLink::connect(&context, "ipc:///tmp/x", identity, limits);
        assert!(answer.is_err(), "{identity:?}");
    }
    let unbounded = LinkLimits {
        send_messages: 0,
        ..limits
    };
    assert!(DealerLink::connect(&context, "ipc:///tmp/x", b"kvs", unbounded).is_err());
}

#[test]
fn a_lone_ping_pong_lives_on_wake_ups_alone() {
    let host = Host::new(LinkLimits::default());
    let peer = host.peer("echo", LinkLimits::default());
    let echo = thread::spawn(move || {
        for _ in 0..2_000 {
            let message = next_of_dealer(&peer);
            peer.send(message.to_vec()).unwrap();
        }
        peer
    });
    for number in 0..2_000_u32 {
        host.router
            .send(b"echo", number.to_le_bytes().to_vec())
            .unwrap();
        assert_eq!(next_of_router(&host.router).1[..], number.to_le_bytes());
    }
    echo.join().unwrap();
}

#[test]
fn a_child_inherits_no_descriptor_of_zeromq() {
    let before = descriptors_of_a_child();
    let host = Host::new(LinkLimits::default());
    // Accepted connections count too, so have one, used in both directions.
    let peer = host.peer("kvs", LinkLimits::default());
    host.router.send(b"kvs", b"hello".to_vec()).unwrap();
    assert_eq!(next_of_dealer(&peer)[..], b"hello"[..]);

    let ours = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(
        ours > before.len() + 5,
        "there is something to inherit: {ours}"
    );
    assert_eq!(descriptors_of_a_child(), before);
}

/// Descriptors that a child finds open beside its standard streams and the directory it
/// reads.
fn descriptors_of_a_child() -> BTreeMap<u32, String> {
    let output = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let listing = String::from_utf8(output.stdout).unwrap();
    listing
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .map(|(left, target)| {
            let fd = left.rsplit(' ').next().unwrap().parse().unwrap();
            (fd, target.to_owned())
        })
        .filter(|(fd, target)| *fd > 2 && !target.starts_with("/proc/"))
        .collect()
}

#[test]
fn a_process_that_sends_and_exits_at_once_loses_nothing() {
    let host = Host::new(LinkLimits::default());
    for _ in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_sends_and_exits"])
            .env(CHILD_ENDPOINT, &host.endpoint)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        for number in 0..CHILD_MESSAGES {
            let (identity, message) = next_of_router(&host.router);
            assert_eq!(identity[..], b"child"[..]);
            assert_eq!(message[..4], number.to_le_bytes());
        }
        receive_nothing_until(&host.router, || child.try_wait().unwrap().is_some());
        assert!(child.wait().unwrap().success());
    }
}

/// The other half of the test above; on its own it has nothing to do.
#[test]
fn child_sends_and_exits() {
    let Ok(endpoint) = std::env::var(CHILD_ENDPOINT) else {
        return;
    };
    let context = Context::new().unwrap();
    let link = DealerLink::connect(&context, &endpoint, b"child", patient()).unwrap();
    let numbered = |number: u32| {
        let mut message = vec![0; 1000];
        message[..4].copy_from_slice(&number.to_le_bytes());
        message
    };
    send_all(&link, (0..CHILD_MESSAGES).map(numbered));
    assert!(link.finish());
}

#[test]
fn a_finished_link_has_delivered_into_a_full_queue() {
    let host = Host::new(small_queues());
    let peer = host.peer(
        "kvs",
        LinkLimits {
            send_messages: 8192,
            ..patient()
        },
    );
    let sender = thread::spawn(move || {
        send_all(
            &peer,
            (0..5_000_u32).map(|number| number.to_le_bytes().to_vec()),
        );
        peer.finish()
    });
    for number in 0..5_000_u32 {
        assert_eq!(next_of_router(&host.router).1[..], number.to_le_bytes());
        if number % 100 == 0 {
            // The reader is the slow one: its queue stays full.
            thread::yield_now();
        }
    }
    receive_nothing_until(&host.router, || sender.is_finished());
    assert!(sender.join().unwrap());
}

#[test]
fn finishing_without_a_broker_ends_when_the_time_is_up() {
    let context = Context::new().unwrap();
    let limits = LinkLimits {
        linger_ms: 1,
        ..LinkLimits::default()
    };
    let link = DealerLink::connect(&context, "ipc:///nonexistent/link", b"kvs", limits).unwrap();
    link.send(b"lost".to_vec()).unwrap();
    assert!(!link.finish());
}

#[test]
fn an_empty_message_is_refused() {
    let host = Host::new(LinkLimits::default());
    let peer = host.peer("kvs", LinkLimits::default());
    assert!(matches!(peer.send(Vec::new()), Err(SendError::Other(_))));
    assert!(matches!(
        host.router.send(b"kvs", Vec::new()),
        Err(SendError::Other(_))
    ));
}
