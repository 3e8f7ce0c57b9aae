//! The module on another rank than 0: its requests to its parent, and its answers.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use content::{Content, Store};
use node::probe::Probe;
use proto::data::{BlobRef, HashKind};
use proto::{Errno, Role};
use wire::{Flags, Identity, Kind, Message};

struct Follower {
    probe: Probe<Content>,
    tag: u32,
}

/// Messages: to the parent as `topic #tag`, to a client as `#tag` with the response.
type Said = Vec<String>;

fn start() -> Follower {
    let attrs = [("rank", "3"), ("rundir", "/nowhere")];
    let mut probe = Probe::start_with(Store::default(), &[], "{}", &attrs).unwrap();
    let said = probe.said();
    assert_eq!(said, [""; 0], "no store is opened, no service added");
    Follower { probe, tag: 1000 }
}

fn digest(blob: &[u8]) -> Bytes {
    Bytes::copy_from_slice(BlobRef::of(HashKind::Sha1, blob).digest())
}

impl Follower {
    fn ask(&mut self, topic: &str, payload: impl Into<Bytes>) -> Said {
        self.tag += 1;
        let mut message = Message::request(topic, self.tag);
        message.set_payload(payload.into());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new("client").unwrap());
        self.probe.message(message);
        self.said()
    }

    /// The parent answers.
    fn answer(&mut self, topic: &str, tag: u32, result: Result<&[u8], Errno>) -> Said {
        let request = Message::request(topic, tag);
        let response = match result {
            Ok(payload) => request.into_response(0, Bytes::copy_from_slice(payload)),
            Err(errno) => request.into_response(errno.0, Bytes::new()),
        };
        self.probe.message(response);
        self.said()
    }

    fn said(&mut self) -> Said {
        self.probe.settle();
        let messages = self.probe.messages().into_iter();
        messages
            .map(|message| match message.kind {
                Kind::Request { nodeid, matchtag } => {
                    assert!(message.has(Flags::UPSTREAM) && nodeid == 3);
                    format!("{} #{matchtag}", message.topic())
                }
                Kind::Response {
                    errnum: 0,
                    matchtag,
                } => {
                    let bytes = message.payload().map_or(0, |payload| payload.len());
                    format!("#{} {bytes} bytes", matchtag - 1000)
                }
                Kind::Response { errnum, matchtag } => {
                    let text = message.error_text().unwrap_or_default();
                    format!("#{} {:?} {text}", matchtag - 1000, Errno(errnum))
                }
                _ => panic!("{message:?}"),
            })
            .collect()
    }
}

#[test]
fn a_blob_is_asked_for_once_and_then_known() {
    let mut follower = start();
    assert_eq!(
        follower.ask("content.load", digest(b"blob")),
        ["content.load #1"]
    );
    assert_eq!(follower.ask("content.load", digest(b"blob")), [""; 0]);
    let said = follower.answer("content.load", 1, Ok(b"blob"));
    assert_eq!(said, ["#1 4 bytes", "#2 4 bytes"]);
    assert_eq!(
        follower.ask("content.load", digest(b"blob")),
        ["#3 4 bytes"]
    );
    follower.ask("content.dropcache", "");
    assert_eq!(
        follower.ask("content.load", digest(b"blob")),
        ["content.load #2"]
    );
}

#[test]
fn an_error_is_told_to_all_and_not_remembered() {
    let mut follower = start();
    follower.ask("content.load", digest(b"blob"));
    follower.ask("content.load", digest(b"blob"));
    let said = follower.answer("content.load", 1, Err(Errno::ENOENT));
    assert_eq!(said, ["#1 ENOENT ", "#2 ENOENT "]);
    assert_eq!(
        follower.ask("content.load", digest(b"blob")),
        ["content.load #2"]
    );
    let said = follower.answer("content.load", 2, Ok(b"other"));
    assert_eq!(said, ["#3 EIO blob differs from its digest"]);
    assert_eq!(follower.ask("content.load", "short"), ["#4 EPROTO "]);
}

#[test]
fn a_store_is_answered_when_the_parent_has_it() {
    let mut follower = start();
    assert_eq!(follower.ask("content.store", "blob"), ["content.store #1"]);
    assert_eq!(
        follower.ask("content.store", "blob"),
        [""; 0],
        "it joins the first"
    );
    assert_eq!(
        follower.ask("content.load", digest(b"blob")),
        ["#3 4 bytes"]
    );
    assert_eq!(follower.ask("content.flush", ""), [""; 0]);
    let said = follower.answer("content.store", 1, Ok(&digest(b"blob")));
    assert_eq!(said, ["#1 20 bytes", "#2 20 bytes", "#4 0 bytes"]);
    assert_eq!(follower.ask("content.flush", ""), ["#5 0 bytes"]);
    // Again, for a collection of garbage above has to see it.
    assert_eq!(follower.ask("content.store", "blob"), ["content.store #2"]);
    let said = follower.answer("content.store", 2, Err(Errno::ENOSPC));
    assert_eq!(said, ["#6 ENOSPC "]);
}

#[test]
fn what_the_store_has_is_passed_on_or_refused() {
    let mut follower = start();
    assert_eq!(
        follower.ask("content.checkpoint-get", ""),
        ["content.checkpoint-get #1"]
    );
    let said = follower.answer("content.checkpoint-get", 1, Err(Errno::ENOENT));
    assert_eq!(said, ["#1 ENOENT "]);
    let check = |follower: &mut Follower, topic: &str, json: &str, text: &str| {
        let n = follower.tag - 999;
        assert_eq!(
            follower.ask(topic, format!("{json}\0")),
            [format!("#{n} EINVAL {text}")]
        );
    };
    let name = r#"{"name":"content-sqlite"}"#;
    let registered = "content backing store can only be registered on rank 0";
    check(&mut follower, "content.register-backing", name, registered);
    let inactive = "content backing store is not active";
    check(&mut follower, "content.unregister-backing", "", inactive);
    let mapped = "content may only be mmapped on rank 0";
    let file = r#"{"path":"/a","chunksize":0,"tag":"x"}"#;
    for topic in ["content.mmap-add", "content.mmap-remove"] {
        check(&mut follower, topic, file, mapped);
    }
    let kept = "records are kept on rank 0 only";
    check(&mut follower, "content.records", r#"{"writer":"x"}"#, kept);
}

#[test]
fn only_so_much_is_under_way() {
    let mut follower = start();
    let asked: usize = (0..100_u8)
        .map(|n| follower.ask("content.load", digest(&[n])).len())
        .sum();
    assert_eq!(asked, 32, "as many as may be a MiB long each");
    let said = follower.answer("content.load", 1, Ok(&[0]));
    assert_eq!(
        said.len(),
        1 + 6,
        "short answers make room for more: {said:?}"
    );
    let half = vec![1; 20 << 20];
    assert_eq!(follower.ask("content.store", half).len(), 1);
    let other = vec![2; 20 << 20];
    assert_eq!(
        follower.ask("content.store", other),
        [""; 0],
        "it waits for the first"
    );
    let large = vec![3; (128 << 20) + 1];
    let said = follower.ask("content.store", large);
    assert_eq!(
        said,
        ["#103 EFBIG blobs of over 134217728 bytes can only be loaded on rank 0"]
    );
}
