//! Every method that may answer late, of every service: each is taken back, and left alone by
//! a client that disconnects, at each step of its way through a whole instance.
//!
//! A request that is taken back is answered ENODATA, whether it is a stream or not
//! (protocol/01 section 6.1). Nothing is kept for it afterwards.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, like tests, may unwrap"
)]

use std::collections::BTreeSet;

use proto::common::Cancel;
use proto::data::{JobId, Jobspec, sign};
use proto::{Errno, Payload};
use sim::{Play, World};
use wire::{Flags, Kind, Message, topic};

/// End of a request that is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    /// With an answer of its own.
    Answered,
    /// Never: the awaited event does not happen.
    Waiting,
}
use Left::{Answered, Waiting};

/// Methods that are not driven here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "sched.alloc",
        "has no matchtag: sched.cancel names the job (RFC 27)",
    ),
    (
        "job-exec.start",
        "has no matchtag: its end is the job's (RFC 32)",
    ),
    (
        "shell.stdin",
        "is answered by job shells: see their own tests",
    ),
    (
        "shell.array-next",
        "is answered by job shells: see their own tests",
    ),
    (
        "shell.exception",
        "is answered by job shells: see their own tests",
    ),
    (
        "shell.proctable",
        "is answered by job shells: see their own tests",
    ),
    (
        "terminus.ID",
        "is answered by job shells and servers of terminals: see their own tests",
    ),
    (
        "terminus.kill",
        "is answered by job shells and servers of terminals: see their own tests",
    ),
    (
        "terminus.kill-server",
        "is answered by job shells and servers of terminals: see their own tests",
    ),
    (
        "job-exec.join",
        "is asked by a job-exec of its parent's: see their own tests",
    ),
    (
        "job-exec.report",
        "is asked by a job-exec of its parent's: see their own tests",
    ),
    (
        "rexec.exec",
        "is about processes, which the simulator has none of: see the broker's own tests",
    ),
    (
        "rexec.wait",
        "is about processes, which the simulator has none of: see the broker's own tests",
    ),
    (
        "rexec.attach",
        "is about processes, which the simulator has none of: see the broker's own tests",
    ),
    (
        "worker.add",
        "is answered by a server of a site's own: see t2276",
    ),
    (
        "worker.take",
        "is answered by a server of a site's own: see t2276",
    ),
    (
        "worker.complete",
        "is answered by a server of a site's own: see t2276",
    ),
    (
        "start.wait",
        "is answered by the program that starts the brokers: see its own tests",
    ),
    (
        "shutdown.start",
        "ends the instance: see one_who_watches_the_end_may_look_away",
    ),
];

/// A method, whether the request is a stream, how it ends, and the request: the example of
/// the goldens if it is empty. `ID` stands for a job that is held.
type Row = (&'static str, bool, Left, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("config.get", true, Waiting, ""),
    ("config.load", false, Answered, r#"{}"#),
    ("config.reload", false, Answered, ""),
    ("content-backing.checkpoint-get", false, Answered, ""),
    ("content-backing.gc-info", false, Answered, ""),
    ("content-backing.load", false, Answered, ""),
    ("content-backing.mark", false, Answered, ""),
    ("content-backing.stats-get", false, Answered, ""),
    ("content-backing.store", false, Answered, ""),
    ("content-backing.sweep", false, Answered, r#"{"epoch":0,"cursor":0,"high_water":1,"delete_cap":1,"window":1}"#),
    ("content-backing.validate", false, Answered, ""),
    ("content-files.stats-get", false, Answered, ""),
    ("content-sqlite.stats-get", false, Answered, ""),
    ("content.checkpoint-get", false, Answered, ""),
    ("content.damage", false, Answered, ""),
    ("content.damage-accept", false, Answered, ""),
    ("content.flush", false, Answered, ""),
    ("content.load", false, Answered, ""),
    ("content.mmap-add", false, Answered, ""),
    ("content.store", false, Answered, ""),
    ("cron.create", false, Answered, ""),
    ("groups.get", true, Waiting, ""),
    ("job-exec.critical-ranks", false, Answered, ""),
    ("job-exec.expiration", false, Answered, ""),
    ("job-exec.make-namespace", false, Answered, ""),
    ("job-exec.override", false, Answered, ""),
    ("job-exec.shell-barrier", false, Answered, ""),
    ("job-exec.shell-exit", false, Answered, ""),
    ("job-exec.shell-hear", false, Answered, ""),
    ("job-exec.shell-hello", true, Answered, ""),
    ("job-exec.shell-tell", false, Answered, ""),
    ("job-info.eventlog-watch", true, Waiting, r#"{"id":ID,"path":"eventlog","flags":2}"#),
    ("job-info.eventlog-watch", true, Waiting, r#"{"id":ID,"path":"guest.output","flags":0}"#),
    ("job-info.eventlog-watch", true, Waiting, r#"{"id":ID,"path":"guest.output","flags":1}"#),
    ("job-info.eventlog-watch", true, Waiting, r#"{"id":ID,"path":"guest.mine","flags":0}"#),
    ("job-info.lookup", false, Answered, r#"{"id":ID,"keys":["jobspec"],"flags":0}"#),
    ("job-info.update-lookup", false, Answered, r#"{"id":ID,"key":"jobspec","flags":0}"#),
    ("job-info.update-watch", true, Waiting, r#"{"id":ID,"key":"jobspec","flags":0}"#),
    ("job-ingest.submit", false, Answered, ""),
    ("job-list.follow", true, Waiting, ""),
    ("job-list.job-state-pause", false, Answered, ""),
    ("job-list.job-state-unpause", false, Answered, ""),
    ("job-list.job-stats", true, Waiting, ""),
    ("job-list.list", true, Answered, ""),
    ("job-list.list-attrs", false, Answered, ""),
    ("job-list.list-id", false, Answered, r#"{"id":ID,"attrs":[]}"#),
    ("job-list.list-id", false, Waiting, r#"{"id":ID,"attrs":[],"state":64}"#),
    ("job-list.stats-get", false, Answered, ""),
    ("job-manager.drain", false, Waiting, ""),
    ("job-manager.events-journal", true, Waiting, ""),
    ("job-manager.getattr", false, Answered, ""),
    ("job-manager.idle", false, Answered, ""),
    ("job-manager.memo", false, Answered, r#"{"id":ID,"memo":{"a":1}}"#),
    ("job-manager.post-event.post", false, Answered, r#"{"id":ID,"name":"test"}"#),
    ("job-manager.purge", false, Answered, ""),
    ("job-manager.purge-id", false, Answered, r#"{"id":ID}"#),
    ("job-manager.queue-enable", false, Answered, r#"{"enable":true,"all":true}"#),
    ("job-manager.queue-start", false, Answered, r#"{"start":true,"all":true}"#),
    ("job-manager.raise", false, Answered, r#"{"id":ID,"severity":7,"type":"test"}"#),
    ("job-manager.raiseall", false, Answered, r#"{"dry_run":true,"userid":100,"states":62,"severity":7,"type":"test"}"#),
    ("job-manager.sched-hello", true, Answered, ""),
    ("job-manager.submit", false, Answered, r#"{"jobs":[]}"#),
    ("job-manager.update", false, Answered, r#"{"id":ID,"updates":{}}"#),
    ("job-manager.urgency", false, Answered, r#"{"id":ID,"urgency":0}"#),
    ("job-manager.wait", false, Waiting, r#"{"id":ID}"#),
    ("job-manager.wait", false, Waiting, r#"{"id":-1}"#),
    ("kvs-watch.lookup", false, Waiting, r#"{"namespace":"primary","key":"none","flags":8}"#),
    ("kvs-watch.lookup", true, Waiting, r#"{"namespace":"primary","key":"none","flags":8}"#),
    ("kvs-watch.lookup", false, Waiting, r#"{"namespace":"none","key":"a","flags":8}"#),
    ("kvs-watch.lookup", true, Waiting, r#"{"namespace":"primary","key":"none","flags":12}"#),
    ("kvs-watch.lookup", true, Waiting, r#"{"namespace":"primary","key":"resource.eventlog","flags":1284}"#),
    ("kvs-watch.lookup", true, Answered, r#"{"namespace":"primary","key":"resource.R","flags":512}"#),
    ("kvs.commit", false, Answered, ""),
    ("kvs.getroot", false, Answered, r#"{"namespace":"primary"}"#),
    ("kvs.lookup", false, Answered, r#"{"key":"resource.R","flags":0,"namespace":"primary"}"#),
    ("kvs.lookup-plus", false, Answered, r#"{"key":"resource.R","flags":0,"namespace":"primary"}"#),
    ("kvs.namespace-create", false, Answered, ""),
    ("kvs.namespace-remove", false, Answered, ""),
    ("kvs.relay", false, Answered, ""),
    ("kvs.relay-create", false, Answered, ""),
    ("kvs.setroot-pause", false, Answered, r#"{"namespace":"primary"}"#),
    ("kvs.setroot-unpause", false, Answered, r#"{"namespace":"primary"}"#),
    ("kvs.wait-version", false, Waiting, r#"{"namespace":"primary","rootseq":1000000}"#),
    ("log.dmesg", true, Waiting, ""),
    ("module.load", false, Answered, r#"{"path":"none","args":[]}"#),
    ("module.remove", false, Answered, ""),
    ("module.trace", true, Waiting, r#"{"typemask":15,"topic_glob":"*","names":["kvs"],"nodeid":0,"full":false}"#),
    ("orphans.list", true, Waiting, ""),
    ("overlay.health", true, Waiting, ""),
    ("overlay.monitor", true, Waiting, ""),
    ("overlay.trace", true, Waiting, r#"{"typemask":15,"topic_glob":"*","nodeid":-1}"#),
    ("resource.acquire", true, Answered, ""),
    ("resource.drain", false, Answered, r#"{"targets":"0","mode":"update"}"#),
    ("resource.get", false, Answered, ""),
    ("resource.journal", true, Waiting, ""),
    ("resource.monitor-waitup", false, Answered, r#"{"up":1}"#),
    ("resource.reload", false, Answered, ""),
    ("resource.sched-status", false, Answered, ""),
    ("resource.status", false, Answered, ""),
    ("resource.topo-get", false, Answered, ""),
    ("resource.topo-reduce", false, Answered, ""),
    ("resource.undrain", false, Answered, ""),
    ("state-machine.monitor", true, Waiting, ""),
    ("state-machine.wait", false, Answered, ""),
    // Last, because they take the store away from the kvs.
    ("content-backing.checkpoint-put", false, Answered, ""),
    ("content.checkpoint-put", false, Answered, ""),
    ("content.records", false, Answered, ""),
    ("content.commit", false, Answered, ""),
];

const STEPS_MAX: usize = 200;
/// Timers that may go off before a request is answered.
const TIMERS_MAX: usize = 50;

/// An instance with a job that is held.
struct Instance {
    world: World,
    id: JobId,
    last_tag: u32,
}

impl Instance {
    fn start() -> Instance {
        let mut instance = Instance {
            world: World::by_hand(Play::Instance),
            id: JobId(0),
            last_tag: 0,
        };
        let spec = Jobspec::from_command(&["true".to_owned()], Default::default()).unwrap();
        let signed = sign::wrap_none(100, spec.encode().as_bytes());
        // Urgency 0 holds it; flag 4: it may be waited for.
        let json = format!(r#"{{"J":"{signed}","urgency":0,"flags":4}}"#);
        let client = instance.world.client();
        instance.ask(client, "job-ingest.submit", &json, false);
        let answer = instance.end_of(client).expect("the job is taken");
        let id: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        instance.id = JobId(id["id"].as_u64().unwrap());
        instance.world.leave(client);
        instance
    }

    /// Sends a request; gives its matchtag.
    fn ask(&mut self, client: node::PeerId, topic: &str, json: &str, streaming: bool) -> u32 {
        self.last_tag += 1;
        let mut request = Message::request(topic, self.last_tag);
        let json = json.replace("ID", &self.id.0.to_string());
        if !json.is_empty() {
            request.set_payload(format!("{json}\0").into());
        }
        request.set_flag(Flags::STREAMING, streaming);
        self.world.send(client, request);
        self.last_tag
    }

    /// Waits for the end of the only request of a client.
    fn end_of(&mut self, client: node::PeerId) -> Result<Vec<u8>, Errno> {
        for _ in 0..TIMERS_MAX {
            self.world.rest();
            let heard = self.world.heard(client);
            if let Some(end) = ends(&heard).pop() {
                return end;
            }
            self.world.wait();
        }
        panic!("no answer: {:#?}", self.world.last_lines());
    }

    /// Waits until nothing is kept that was not before.
    fn check_nothing_is_kept(&mut self, before: &[(String, usize)], what: &str) {
        for _ in 0..TIMERS_MAX {
            if self.world.tokens() == before {
                return;
            }
            self.world.wait();
        }
        assert_eq!(self.world.tokens(), before, "{what}");
    }
}

/// Takes a request back.
fn cancel_of(topic: &str, matchtag: u32) -> Message {
    let mut cancel = Message::request(&format!("{}.cancel", topic::service_of(topic)), 0);
    cancel.set_payload(Cancel { matchtag }.encode());
    cancel.set_flag(Flags::NORESPONSE, true);
    cancel
}

/// The final answers among messages.
fn ends(heard: &[Message]) -> Vec<Result<Vec<u8>, Errno>> {
    let end = |message: &Message| {
        let payload = message.payload().map(|payload| payload.to_vec());
        let text = payload.unwrap_or_default();
        let text = text.strip_suffix(b"\0").unwrap_or(&text).to_vec();
        match message.kind {
            Kind::Response { errnum: 0, .. } if message.has(Flags::STREAMING) => None,
            Kind::Response { errnum: 0, .. } => Some(Ok(text)),
            Kind::Response { errnum, .. } => Some(Err(Errno(errnum))),
            _ => None,
        }
    };
    heard.iter().filter_map(end).collect()
}

/// The payload of a row.
fn request_of(row: &Row) -> String {
    if !row.3.is_empty() {
        return row.3.to_owned();
    }
    let path = format!(
        "{}/../proto/goldens/{}.json",
        env!("CARGO_MANIFEST_DIR"),
        row.0
    );
    let golden = std::fs::read_to_string(path).expect("every method has an example");
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("it is JSON");
    match &golden["request"] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(raw) => raw.clone(),
        request => request.to_string(),
    }
}

#[test]
fn every_method_that_may_wait_has_a_row() {
    let services = proto::services();
    let methods = services.iter().flat_map(|service| service.methods);
    let declared: BTreeSet<&str> = methods
        .filter(|method| method.answer.may_wait())
        .map(|method| method.topic)
        .collect();
    let rows = ROWS.iter().map(|row| row.0);
    let here: BTreeSet<&str> = rows.chain(ELSEWHERE.iter().map(|row| row.0)).collect();
    let without: Vec<_> = declared.difference(&here).collect();
    let undeclared: Vec<_> = here.difference(&declared).collect();
    assert!(
        without.is_empty() && undeclared.is_empty(),
        "without a row: {without:?}; unknown: {undeclared:?}"
    );
}

#[test]
fn a_request_is_taken_back_at_every_step() {
    let mut instance = Instance::start();
    for row in ROWS {
        let (topic, streaming, left, _) = *row;
        let json = request_of(row);
        for steps in 0..STEPS_MAX {
            let before = instance.world.tokens();
            let client = instance.world.client();
            let matchtag = instance.ask(client, topic, &json, streaming);
            let is_on_its_way = (0..steps).all(|_| instance.world.deliver());
            let cancel = cancel_of(topic, matchtag);
            instance.world.send(client, cancel);
            instance.world.rest();
            let heard = instance.world.heard(client);
            let what = format!("{topic} after {steps} steps: {heard:?}");
            let end = ends(&heard);
            assert_eq!(end.len(), 1, "{what}");
            if left == Waiting {
                assert_eq!(end[0], Err(Errno::ENODATA), "{what}");
            }
            instance.world.leave(client);
            instance.check_nothing_is_kept(&before, &what);
            if !is_on_its_way {
                break;
            }
        }
    }
}

#[test]
fn a_client_that_disconnects_leaves_nothing_at_any_step() {
    let mut instance = Instance::start();
    for row in ROWS {
        let (topic, streaming, ..) = *row;
        let json = request_of(row);
        for steps in 0..STEPS_MAX {
            let before = instance.world.tokens();
            let client = instance.world.client();
            instance.ask(client, topic, &json, streaming);
            let is_on_its_way = (0..steps).all(|_| instance.world.deliver());
            instance.world.leave(client);
            instance.world.rest();
            instance.check_nothing_is_kept(&before, &format!("{topic} after {steps} steps"));
            if !is_on_its_way {
                break;
            }
        }
    }
}

#[test]
fn a_request_that_is_left_alone_ends_as_its_row_says() {
    let mut instance = Instance::start();
    for row in ROWS {
        let (topic, streaming, left, _) = *row;
        let client = instance.world.client();
        instance.ask(client, topic, &request_of(row), streaming);
        match left {
            Answered => drop(instance.end_of(client)),
            Waiting => {
                for _ in 0..3 {
                    instance.world.wait();
                }
                let heard = instance.world.heard(client);
                assert!(ends(&heard).is_empty(), "{topic}: {heard:?}");
            }
        }
        instance.world.leave(client);
        instance.world.rest();
    }
}

#[test]
fn one_who_watches_the_end_may_look_away() {
    for is_cancelled in [true, false] {
        let mut instance = Instance::start();
        let before = instance.world.tokens().pop();
        let client = instance.world.client();
        let matchtag = instance.ask(client, "shutdown.start", "{}", true);
        while instance.world.tokens().pop() == before {
            assert!(instance.world.deliver(), "the request arrives");
        }
        if is_cancelled {
            instance
                .world
                .send(client, cancel_of("shutdown.start", matchtag));
            instance.world.rest();
            assert_eq!(ends(&instance.world.heard(client)), [Err(Errno::ENODATA)]);
        } else {
            instance.world.leave(client);
        }
        assert_eq!(instance.world.tokens().pop(), before);
    }
}
