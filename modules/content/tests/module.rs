//! The module through its messages, with a real file and the worker run on the spot.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use content::{Content, Store};
use node::probe::Probe;
use node::{Input, Output};
use proto::data::{BlobRef, HashKind};
use proto::{Errno, Role};
use wire::{Identity, Kind, Message};

struct Instance {
    folder: tempfile::TempDir,
    probe: Probe<Content>,
    tag: u32,
}

fn start(args: &[&str]) -> Instance {
    let folder = tempfile::tempdir().unwrap();
    let probe = probe(&folder, args);
    Instance {
        folder,
        probe,
        tag: 1000,
    }
}

fn probe(folder: &tempfile::TempDir, args: &[&str]) -> Probe<Content> {
    let path = folder.path().to_str().unwrap();
    let attrs = [
        ("rundir", path),
        ("content.backing-module", "content-sqlite"),
    ];
    let mut probe = Probe::start_with(Store::default(), args, "{}", &attrs).unwrap();
    assert_eq!(
        probe.said(),
        [
            r#"request service.add #1 {"service":"content-backing"}"#,
            r#"request service.add #2 {"service":"content-sqlite"}"#,
        ]
    );
    probe
}

impl Instance {
    fn ask(&mut self, topic: &str, payload: impl Into<Bytes>) -> u32 {
        self.tag += 1;
        let mut message = Message::request(topic, self.tag);
        message.set_payload(payload.into());
        (message.userid, message.rolemask) = (100, Role::OWNER);
        message.push_route(Identity::new("client").unwrap());
        self.probe.message(message);
        self.tag
    }

    /// The answers since the last look: matchtag, then payload or error number.
    fn answers(&mut self) -> Vec<(u32, Result<Bytes, Errno>)> {
        let messages = self.probe.messages().into_iter();
        messages
            .map(|message| match message.kind {
                Kind::Response {
                    errnum: 0,
                    matchtag,
                } => (matchtag, Ok(message.payload().cloned().unwrap_or_default())),
                Kind::Response { errnum, matchtag } => (matchtag, Err(Errno(errnum))),
                _ => panic!("{message:?}"),
            })
            .collect()
    }

    fn ask_and_settle(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<Bytes, Errno> {
        let tag = self.ask(topic, payload);
        self.probe.settle();
        let answers = self.answers();
        assert_eq!(answers.len(), 1, "{topic}");
        assert_eq!(answers[0].0, tag);
        answers[0].1.clone()
    }
}

fn digest(blob: &[u8]) -> Bytes {
    Bytes::copy_from_slice(BlobRef::of(HashKind::Sha1, blob).digest())
}

#[test]
fn a_stored_blob_is_answered_with_its_digest_and_loaded_by_it() {
    let mut instance = start(&[]);
    assert_eq!(
        instance.ask_and_settle("content.store", "hello"),
        Ok(digest(b"hello"))
    );
    assert_eq!(
        instance.ask_and_settle("content.load", digest(b"hello")),
        Ok("hello".into())
    );
    assert_eq!(
        instance.ask_and_settle("content.store", ""),
        Ok(digest(b""))
    );
    assert_eq!(
        instance.ask_and_settle("content.load", digest(b"")),
        Ok("".into())
    );
    instance.ask_and_settle("content.dropcache", "").unwrap();
    assert_eq!(
        instance.ask_and_settle("content-backing.load", digest(b"hello")),
        Ok("hello".into())
    );
}

#[test]
fn what_is_in_memory_is_bounded_and_can_be_dropped() {
    let mut instance = start(&[]);
    let count = |instance: &mut Instance| {
        let stats = ask(instance, "content.stats-get", "");
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        stats["count"].as_u64().unwrap()
    };
    for number in 0..10 {
        let blob = format!("{number:030000}");
        instance.ask_and_settle("content.store", blob).unwrap();
    }
    assert_eq!(count(&mut instance), 10);
    // An eighth of it is for blobs.
    let conf = r#"{"kvs":{"cache-size":"1M"}}"#;
    ask(&mut instance, "content.config-reload", conf);
    assert_eq!(count(&mut instance), 4);
    instance.ask_and_settle("content.dropcache", "").unwrap();
    assert_eq!(count(&mut instance), 0);
    let conf = r#"{"kvs":{"cache-size":"1k"}}"#;
    assert_eq!(
        ask(&mut instance, "content.config-reload", conf),
        r#"EINVAL "kvs.cache-size: must be at least 1M""#
    );
}

#[test]
fn loads_are_refused_as_the_protocol_says() {
    let mut instance = start(&[]);
    for (payload, errno) in [
        (Bytes::new(), Errno::EPROTO),
        (Bytes::from_static(&[0; 19]), Errno::EPROTO),
        (Bytes::from_static(&[0; 32]), Errno::EPROTO),
        (Bytes::from_static(&[0; 20]), Errno::ENOENT),
    ] {
        for topic in [
            "content.load",
            "content-backing.load",
            "content-backing.validate",
        ] {
            assert_eq!(
                instance.ask_and_settle(topic, payload.clone()),
                Err(errno),
                "{topic}"
            );
        }
    }
}

#[test]
fn what_arrives_together_is_one_batch_and_what_arrives_during_it_is_the_next() {
    let mut instance = start(&[]);
    let mut ask = |topic, payload| {
        let tag = instance.ask(topic, payload);
        instance.probe.settle();
        tag
    };
    let first = ask("content.store", "a");
    let second = [ask("content.store", "b"), ask("content.flush", "")];

    let Some(Output::Work { work, job, .. }) = instance.probe.actor.poll() else {
        panic!("a lone store waits for nothing");
    };
    assert!(instance.probe.actor.poll().is_none(), "one batch at a time");
    // The worker is this test's own: what it has does not matter here.
    let result = job(&mut Store::default());
    instance.probe.input(Input::Work { work, result });
    let answers = instance.answers();
    assert_eq!(
        answers[0],
        (first, Err(Errno::EIO)),
        "the test's store is closed"
    );
    let [store, flush] = second;
    assert_eq!(
        answers[1..],
        [(store, Ok(digest(b"b"))), (flush, Ok("".into()))]
    );
}

#[test]
fn a_blob_on_its_way_to_the_file_can_be_loaded() {
    let mut instance = start(&[]);
    instance.ask("content.store", "a");
    let load = instance.ask("content.load", digest(b"a"));
    let Some(Output::Send { message, .. }) = instance.probe.actor.poll() else {
        panic!("the load waits for nothing");
    };
    assert_eq!(message.matchtag(), load);
    assert_eq!(message.payload(), Some(&Bytes::from("a")));
    instance.probe.settle();
    assert_eq!(instance.answers().len(), 1);
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_process_is_killed() {
    let mut instance = start(&[]);
    for blob in ["a", "b", "c"] {
        instance.ask_and_settle("content.store", blob).unwrap();
    }
    // A copy of the files as they are now is what a successor of a killed process finds.
    let after = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(instance.folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), after.path().join(entry.file_name())).unwrap();
    }
    let mut successor = Instance {
        probe: probe(&after, &[]),
        folder: after,
        tag: 0,
    };
    for blob in ["a", "b", "c"] {
        let loaded = successor.ask_and_settle("content.load", digest(blob.as_bytes()));
        assert_eq!(loaded, Ok(blob.into()));
    }
}

#[test]
fn a_stopping_module_first_stores_what_it_has_accepted() {
    let mut instance = start(&[]);
    let store = instance.ask("content.store", "a");
    instance.probe.settle();
    instance.ask("content.shutdown", "");
    assert_eq!(
        instance.answers().last().unwrap(),
        &(store, Ok(digest(b"a")))
    );
}

#[test]
fn a_blob_over_the_limit_is_refused() {
    let mut instance = start(&["blob-size-limit=4"]);
    assert_eq!(
        instance.ask_and_settle("content.store", "1234"),
        Ok(digest(b"1234"))
    );
    assert_eq!(
        instance.ask_and_settle("content.store", "12345"),
        Err(Errno::EFBIG)
    );
}

#[test]
fn checkpoints_are_given_newest_first() {
    let mut instance = start(&["max-checkpoints=2"]);
    assert_eq!(
        instance.ask_and_settle("content.checkpoint-get", ""),
        Err(Errno::ENOENT)
    );
    for sequence in [1, 2, 3] {
        let value = format!(
            r#"{{"value":{{"version":1,"rootref":"r","sequence":{sequence},"timestamp":1.5}}}}"#
        );
        let put = instance.ask_and_settle("content.checkpoint-put", value + "\0");
        assert_eq!(put, Ok("".into()));
    }
    let got = instance
        .ask_and_settle("content-backing.checkpoint-get", "")
        .unwrap();
    let checkpoint = |sequence| {
        format!(r#"{{"version":1,"rootref":"r","sequence":{sequence},"timestamp":1.5}}"#)
    };
    let expect = format!("{{\"value\":[{},{}]}}\0", checkpoint(3), checkpoint(2));
    assert_eq!(got, Bytes::from(expect));
}

#[test]
fn the_backing_store_is_built_in() {
    let mut instance = start(&[]);
    let mut ask = |topic: &str, payload: &'static str| {
        instance.probe.request(topic, payload);
        instance.probe.said().remove(0)
    };
    assert_eq!(
        ask("content.register-backing", r#"{"name":"content-sqlite"}"#),
        r#"response content.register-backing #1 EBUSY "content backing store is already active""#
    );
    assert_eq!(
        ask("content.register-backing", r#"{"name":"content-files"}"#),
        r#"response content.register-backing #2 EINVAL "content backing store cannot be changed on the fly""#
    );
    assert!(ask("content.unregister-backing", "").contains("EBUSY"));
    let stats = r#"{"count":0,"valid":0,"dirty":0,"size":0,"flush-batch-count":0,"mmap":{"tags":{},"blobs":0}}"#;
    assert_eq!(
        ask("content.stats-get", ""),
        format!("response content.stats-get #4 {stats}")
    );
}

#[test]
fn files_of_the_host_are_read_when_their_parts_are_loaded() {
    let mut instance = start(&[]);
    let path = instance.folder.path().join("data");
    let shown = path.to_str().unwrap().to_owned();
    std::fs::write(&path, "onetwo").unwrap();
    let add = |path: &str| format!(r#"{{"path":"{path}","chunksize":3,"tag":"x"}}"#) + "\0";
    let digest =
        |text: &str| Bytes::copy_from_slice(BlobRef::of(HashKind::Sha1, text.as_bytes()).digest());
    assert_eq!(
        instance.ask_and_settle("content.mmap-add", add(&shown)),
        Ok(Bytes::new())
    );
    let load =
        |instance: &mut Instance, text| instance.ask_and_settle("content.load", digest(text));
    assert_eq!(load(&mut instance, "two"), Ok(Bytes::from("two")));
    let stats = instance.ask_and_settle("content.stats-get", "").unwrap();
    let mapped = format!(
        r#""count":0,"valid":0,"dirty":0,"size":0,"flush-batch-count":0,"mmap":{{"tags":{{"x":["{shown}"]}},"blobs":2}}"#
    );
    assert!(
        String::from_utf8_lossy(&stats).contains(&mapped),
        "{stats:?}"
    );
    // Blobs stored by others are found when the file has changed.
    instance.ask_and_settle("content.store", "one").unwrap();
    instance.ask_and_settle("content.dropcache", "").unwrap();
    std::fs::write(&path, "ONETWO").unwrap();
    assert_eq!(load(&mut instance, "one"), Ok(Bytes::from("one")));
    assert_eq!(load(&mut instance, "two"), Err(Errno::EINVAL));
    for path in [&shown[1..], "/", "/dev/null"] {
        assert_eq!(
            instance.ask_and_settle("content.mmap-add", add(path)),
            Err(Errno::EINVAL)
        );
    }
    for _ in 0..2 {
        let tag = "{\"tag\":\"x\"}\0";
        assert_eq!(
            instance.ask_and_settle("content.mmap-remove", tag),
            Ok(Bytes::new())
        );
    }
    assert_eq!(load(&mut instance, "two"), Err(Errno::ENOENT));
}

#[test]
fn arguments_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let attrs = [("rundir", folder.path().to_str().unwrap())];
    let check = |arg: &str, text: &str| {
        let refusal = Probe::<Content>::start_with(Store::default(), &[arg], "{}", &attrs)
            .err()
            .unwrap();
        assert_eq!(
            (refusal.errno, refusal.to_string().as_str()),
            (Errno::EINVAL, text)
        );
    };
    check("nope", "unknown module option: nope");
    check("nope=1", "unknown module option: nope=1");
    check(
        "max-checkpoints=0",
        "max-checkpoints=0: must be a number above zero",
    );
    check(
        "synchronous=MAYBE",
        "synchronous=MAYBE: must be one of EXTRA, FULL, NORMAL, OFF",
    );
}

#[test]
fn guests_have_no_business_here() {
    let mut instance = start(&[]);
    instance
        .probe
        .request_as("content.load", "{}", 200, Role::USER, 0);
    assert_eq!(
        instance.probe.said(),
        [r#"response content.load #1 EPERM "Request requires owner credentials""#]
    );
}

/// Asks with JSON and gives the answer's text.
fn ask(instance: &mut Instance, topic: &str, json: &str) -> String {
    let number = instance.probe.request(topic, json);
    instance.probe.settle();
    let said = instance.probe.said().remove(0);
    let head = format!("response {topic} #{number} ");
    said.strip_prefix(&head).unwrap_or(&said).to_owned()
}

const CHECKPOINT: &str = r#"{"value":{"version":1,"rootref":"r","sequence":1,"timestamp":1.5}}"#;

#[test]
fn marks_are_refused_as_the_protocol_says() {
    let mut instance = start(&[]);
    let hash = BlobRef::of(HashKind::Sha1, b"x").to_string();
    let many = serde_json::json!({"epoch": 1, "hashes": vec![&hash; 16_385]}).to_string();
    assert_eq!(
        ask(&mut instance, "content-backing.mark", &many),
        r#"EINVAL "mark request of 16385 hashes exceeds limit of 16384""#
    );
    let most = serde_json::json!({"epoch": 1, "hashes": vec![&hash; 16_384]}).to_string();
    assert_eq!(
        ask(&mut instance, "content-backing.mark", &most),
        r#"{"marked":0}"#
    );
    let none = r#"{"epoch":1,"hashes":[]}"#;
    assert_eq!(
        ask(&mut instance, "content-backing.mark", none),
        r#"{"marked":0}"#
    );
    let bad = r#"{"epoch":1,"hashes":["sha1-x"]}"#;
    assert_eq!(ask(&mut instance, "content-backing.mark", bad), "EPROTO");
}

#[test]
fn sweeps_are_refused_as_the_protocol_says() {
    let mut instance = start(&[]);
    for (cursor, high_water, delete_cap, window) in
        [(-1, 1, 1, 1), (0, -1, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)]
    {
        let request = serde_json::json!({"epoch": 0, "cursor": cursor,
            "high_water": high_water, "delete_cap": delete_cap, "window": window});
        let answer = ask(&mut instance, "content-backing.sweep", &request.to_string());
        assert_eq!(answer, "EINVAL");
    }
    let beyond = r#"{"epoch":1,"cursor":0,"high_water":1,"delete_cap":1,"window":1}"#;
    assert_eq!(
        ask(&mut instance, "content-backing.sweep", beyond),
        r#"EINVAL "sweep epoch is beyond the current epoch 0""#
    );
}

#[test]
fn a_sweep_of_many_steps_is_one_answer() {
    let mut instance = start(&[]);
    for number in 0..1500 {
        let blob = format!("blob {number}");
        instance.ask("content.store", blob);
    }
    instance.probe.settle();
    assert_eq!(instance.answers().len(), 1500);
    ask(&mut instance, "content.checkpoint-put", CHECKPOINT);
    let keep: Vec<String> = (0..1500)
        .step_by(100)
        .map(|number| {
            let blob = format!("blob {number}");
            BlobRef::of(HashKind::Sha1, blob.as_bytes()).to_string()
        })
        .collect();
    let mark = serde_json::json!({"epoch": 1, "hashes": keep}).to_string();
    assert_eq!(
        ask(&mut instance, "content-backing.mark", &mark),
        r#"{"marked":15}"#
    );
    let sweep = |cursor, delete_cap| {
        serde_json::json!({"epoch": 1, "cursor": cursor, "high_water": 1500,
            "delete_cap": delete_cap, "window": 524_288})
        .to_string()
    };
    // The last of the first 1000 that go: ten among them stay, and so does the first.
    assert_eq!(
        ask(&mut instance, "content-backing.sweep", &sweep(0, 1000)),
        r#"{"deleted":1000,"cursor":1011}"#
    );
    assert_eq!(
        ask(
            &mut instance,
            "content-backing.sweep",
            &sweep(1011, 100_000)
        ),
        r#"{"deleted":485,"cursor":1500}"#
    );
    // The fifteen that stay have moved behind the last row there was.
    assert_eq!(
        ask(
            &mut instance,
            "content-backing.gc-info",
            r#"{"epoch":2,"get_count":true}"#
        ),
        r#"{"current_epoch":1,"high_water":1515,"candidates":15}"#
    );
    assert_eq!(
        ask(&mut instance, "content-backing.gc-info", r#"{"epoch":2}"#),
        r#"{"current_epoch":1,"high_water":1515}"#
    );
    for topic in ["content-backing.stats-get", "content-sqlite.stats-get"] {
        let stats = ask(&mut instance, topic, "");
        assert!(
            stats.starts_with(r#"{"object_count":15,"current_epoch":1,"#),
            "{stats}"
        );
    }
}

#[test]
fn the_store_of_files_has_its_own_name_and_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let start = |args: &[&str], backing: &str, conf: &str| {
        let attrs = [("rundir", path), ("content.backing-module", backing)];
        Probe::<Content>::start_with(Store::default(), args, conf, &attrs)
    };
    let mut probe = start(&["testing", "truncate"], "content-files", "{}").unwrap();
    assert_eq!(
        probe.said(),
        [
            r#"request service.add #1 {"service":"content-backing"}"#,
            r#"request service.add #2 {"service":"content-files"}"#,
        ]
    );
    probe.request("content.register-backing", r#"{"name":"content-files"}"#);
    assert!(probe.said()[0].contains("already active"));
    let refused = |args: &[&str], backing: &str, conf: &str, text: &str| {
        let refusal = start(args, backing, conf).err().unwrap();
        assert_eq!(
            (refusal.errno, refusal.to_string().as_str()),
            (Errno::EINVAL, text)
        );
    };
    let files = "content-files";
    refused(
        &["journal_mode=WAL"],
        files,
        "{}",
        "unknown module option: journal_mode=WAL",
    );
    refused(
        &["testing"],
        "content-sqlite",
        "{}",
        "unknown module option: testing",
    );
    let unknown = "content.backing-module=none: must be content-sqlite or content-files";
    refused(&[], "none", "{}", unknown);
    let wrong = "kvs.durability: must be process or power";
    for conf in [
        r#"{"kvs":{"durability":"disk"}}"#,
        r#"{"kvs":{"durability":true}}"#,
    ] {
        refused(&[], files, conf, wrong);
    }
}
