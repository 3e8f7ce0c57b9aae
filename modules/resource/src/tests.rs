//! The module through its front door, on a machine that is invented.

use node::probe::Probe;
use proto::data::{IdSet, JobId, Rset, Tree};
use proto::{Errno, kvs};
use wire::{Identity, Message};

use super::*;

mod config;
mod ranks;

/// A machine with these cores and files.
struct Fake {
    cores: &'static str,
    file: &'static str,
}

impl Machine for Fake {
    fn discover(&mut self, restrict: bool) -> Result<Found, String> {
        let cores = if restrict { self.cores } else { "0-15" };
        Ok(Found {
            cores: cores.parse().map_err(|_| "broken".to_owned())?,
            gpus: IdSet::new(),
            topology: Some("<topology/>".to_owned()),
        })
    }

    fn read(&mut self, path: &str) -> Result<String, String> {
        match self.file {
            "" => Err(format!("{path}: missing")),
            text => Ok(text.to_owned()),
        }
    }

    fn r_of_job(&mut self, uri: &str, id: JobId) -> Result<Rset, String> {
        assert_eq!((uri, id), ("local:///parent", JobId(7)));
        Ok(serde_json::from_str(&R.replace("0-3", "2").replace(r#""0""#, r#""5""#)).unwrap())
    }
}

/// A module that knows of no requests that were done before.
fn boot(conf: &str, attrs: &[(&str, &str)], args: &[&str]) -> Probe<Resource> {
    boot_after(conf, attrs, args, Err(Refusal::bare(Errno::ENOENT)))
}

fn boot_after(
    conf: &str,
    attrs: &[(&str, &str)],
    args: &[&str],
    requests: Result<&str, Refusal>,
) -> Probe<Resource> {
    let file = match conf.contains("there.json") {
        true => r#"{"writer":"x"}"#,
        false => "",
    };
    let fake = Fake { cores: "0-3", file };
    let mut all = vec![("hostname", "fox0")];
    all.extend(attrs);
    let mut probe = Probe::start_with(Box::new(fake) as Worker, args, conf, &all).unwrap();
    let said = probe.said();
    assert!(said[0].starts_with("request kvs.commit #1"), "{said:?}");
    probe.answer("kvs.commit", 1, Ok(r#"{"rootref":"x","rootseq":1}"#));
    let said = probe.said();
    let lookup = r#"request kvs.lookup #2 {"key":"resource.requests""#;
    assert!(said[0].starts_with(lookup), "{said:?}");
    probe.answer("kvs.lookup", 2, requests);
    probe
}

/// Answers the look-ups of a start: nothing is stored yet.
fn start(conf: &str, attrs: &[(&str, &str)], args: &[&str]) -> Probe<Resource> {
    let mut probe = boot(conf, attrs, args);
    let said = probe.said();
    let lookup = r#"{"key":"resource.eventlog","flags":0,"namespace":"primary"}"#;
    assert_eq!(said, [format!("request kvs.lookup #3 {lookup}")]);
    probe.answer("kvs.lookup", 3, Err(Refusal::bare(Errno::ENOENT)));
    assert_eq!(probe.said(), [""; 0]);
    probe
}

/// Sends the events that wait to be stored; returns the values by key. Other messages
/// that were out are dropped.
fn stored(probe: &mut Probe<Resource>) -> Vec<(String, String)> {
    probe.settle();
    let mut values = Vec::new();
    for message in probe.messages() {
        if message.topic() != "kvs.commit" {
            continue;
        }
        let commit: kvs::Commit = proto::payload::decode_json(message.payload()).unwrap();
        for op in commit.ops {
            let Some(kvs::Dirent::Tree(Tree::Val(bytes))) = op.dirent else {
                panic!("{} is not put as a value", op.key);
            };
            values.push((op.key, String::from_utf8(bytes.to_vec()).unwrap()));
        }
        let done = r#"{"rootref":"x","rootseq":1}"#;
        probe.answer("kvs.commit", message.matchtag(), Ok(done));
    }
    values
}

const R: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0-3"}}],"nodelist":["fox0"]}}"#;

#[test]
fn a_first_start_discovers_stores_and_tells() {
    let mut probe = start("{}", &[], &[]);
    let define = r#"{"timestamp":1000.0000000000002,"name":"resource-define","context":{"method":"dynamic-discovery"}}"#;
    assert_eq!(
        stored(&mut probe),
        [
            ("resource.R".to_owned(), R.to_owned()),
            ("resource.eventlog".to_owned(), format!("{define}\n")),
        ]
    );
    probe.stream("resource.journal", "");
    let restart = r#"{"timestamp":1000.0,"name":"restart","context":{"ranks":"0","online":"","nodelist":"fox0"}}"#;
    let online = r#"{"timestamp":1000.0000000000001,"name":"online","context":{"idset":"0"}}"#;
    assert_eq!(
        probe.said(),
        [
            format!(
                r#"response resource.journal #1 {{"events":[{restart},{online},{define}],"R":{R}}}"#
            ),
            r#"response resource.journal #1 {"events":[]}"#.to_owned(),
        ]
    );
    probe.request("resource.get", "");
    let get = format!(r#"{{"R":{R},"method":"dynamic-discovery"}}"#);
    assert_eq!(probe.said(), [format!("response resource.get #2 {get}")]);
}

#[test]
fn an_instance_that_is_a_job_has_what_the_job_has() {
    let parent = [("parent-uri", "local:///parent"), ("jobid", "7")];
    let mut probe = start("{}", &parent, &[]);
    let log = stored(&mut probe);
    assert!(
        log[0]
            .1
            .contains(r#"[{"rank":"0","children":{"core":"2"}}]"#)
    );
    assert!(log[1].1.contains(r#"{"method":"job-info"}"#));
    let mut probe = start(r#"{"resource":{"rediscover":true}}"#, &parent, &[]);
    assert!(stored(&mut probe)[1].1.contains("dynamic-discovery"));
}

#[test]
fn norestrict_takes_the_whole_machine() {
    let mut probe = start(r#"{"resource":{"norestrict":true}}"#, &[], &[]);
    assert!(stored(&mut probe)[0].1.contains("0-15"));
}

#[test]
fn a_scheduler_hears_of_every_change_and_is_alone() {
    let mut probe = start("{}", &[], &[]);
    stored(&mut probe);
    probe.stream("resource.acquire", "");
    let first = format!(r#"{{"resources":{R},"up":"0"}}"#);
    assert_eq!(
        probe.said(),
        [format!("response resource.acquire #1 {first}")]
    );
    probe.stream("resource.acquire", "");
    assert_eq!(probe.said(), ["response resource.acquire #2 EBUSY"]);

    probe.request("resource.drain", r#"{"targets":"fox0","reason":"hot"}"#);
    assert_eq!(
        probe.said(),
        [r#"response resource.acquire #1 {"down":"0"}"#]
    );
    let log = stored(&mut probe);
    assert!(log[0].1.contains(
        r#""name":"drain","context":{"idset":"0","nodelist":"fox0","reason":"hot","overwrite":0}"#
    ));
    assert_eq!(probe.said(), ["response resource.drain #3"]);

    probe.request("resource.undrain", r#"{"targets":"0"}"#);
    stored(&mut probe);
    assert_eq!(probe.said(), ["response resource.undrain #4"]);

    probe.request("resource.acquire-cancel", r#"{"matchtag":1}"#);
    assert_eq!(
        probe.said(),
        [
            "response resource.acquire #1 ENODATA",
            "response resource.acquire-cancel #5"
        ]
    );
    probe.stream("resource.acquire", "");
    assert_eq!(
        probe.said(),
        [format!("response resource.acquire #6 {first}")]
    );
}

#[test]
fn a_restart_remembers_resources_and_drains() {
    let mut probe = boot("{}", &[], &[]);
    probe.said();
    let log = concat!(
        r#"{"timestamp":1.0,"name":"resource-define","context":{"method":"dynamic-discovery"}}"#,
        "\n",
        r#"{"timestamp":7.5,"name":"drain","context":{"idset":"0","nodelist":"fox0","reason":"hot","overwrite":0}}"#,
        "\n",
    );
    let found = kvs::Found {
        val: Tree::Val(log.into()),
    };
    let found = serde_json::to_string(&found).unwrap();
    probe.answer("kvs.lookup", 3, Ok(&found));
    let lookup = r#"{"key":"resource.R","flags":0,"namespace":"primary"}"#;
    assert_eq!(probe.said(), [format!("request kvs.lookup #4 {lookup}")]);
    let found = kvs::Found {
        val: Tree::Val(R.into()),
    };
    let found = serde_json::to_string(&found).unwrap();
    probe.answer("kvs.lookup", 4, Ok(&found));
    assert_eq!(probe.said(), [""; 0]);
    probe.request("resource.status", "");
    let status = format!(
        r#"{{"R":{R},"drain":{{"0":{{"timestamp":7.0,"reason":"hot"}}}},"online":"0","offline":"","exclude":"","torpid":""}}"#
    );
    assert_eq!(
        probe.said(),
        [format!("response resource.status #1 {status}")]
    );
}

#[test]
fn configured_resources_are_verified_unless_told_otherwise() {
    let conf = r#"{"resource":{"config":{"hosts":"fox0","cores":"0-7"}}}"#;
    let mut probe = start(conf, &[], &[]);
    let log = stored(&mut probe);
    let reason = "rank 0 (fox0) missing resources: core[4-7]";
    assert!(log[1].1.contains(reason), "{}", log[1].1);
    let mut probe = start(conf, &[], &["noverify"]);
    assert!(!stored(&mut probe)[1].1.contains(reason));
}

#[test]
fn excluded_ranks_are_neither_handed_out_nor_drained() {
    let conf =
        r#"{"resource":{"noverify":true,"exclude":"b1","config":{"hosts":"b[0-2]","cores":"0"}}}"#;
    let mut probe = start(conf, &[], &["monitor-force-up"]);
    stored(&mut probe);
    probe.stream("resource.acquire", "");
    let said = probe.said();
    assert!(said[0].contains(r#"{"rank":"0,2","children":{"core":"0"}}"#));
    assert!(said[0].ends_with(r#""up":"0,2"}"#), "{said:?}");
    probe.request("resource.drain", r#"{"targets":"0-1"}"#);
    let refusal = r#"EEXIST "rank 1 already drained or excluded""#;
    assert_eq!(
        probe.said(),
        [format!("response resource.drain #2 {refusal}")]
    );
    probe.request("resource.drain", r#"{"targets":"0"}"#);
    stored(&mut probe);
    probe.said();
    let conf = conf.replace(r#""b1""#, r#""0""#);
    probe.request("resource.config-reload", &conf);
    let log = stored(&mut probe);
    let undrain = r#""name":"undrain","context":{"idset":"0","nodelist":"b0","#;
    assert!(log[0].1.contains(undrain), "{log:?}");
    probe.said();
    let conf = r#"{"resource":{"exclude":"nobody"}}"#;
    probe.request("resource.config-reload", conf);
    let refusal =
        r#"EINVAL "error decoding resource.exclude: invalid targets: invalid hosts: nobody""#;
    assert_eq!(
        probe.said(),
        [format!("response resource.config-reload #5 {refusal}")]
    );
}

#[test]
fn a_commit_that_got_lost_is_sent_again_with_its_token() {
    let mut probe = start("{}", &[], &[]);
    probe.settle();
    let first = probe.said();
    let tag = 4;
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer("kvs.commit", tag, Err(lost));
    let again = probe.said();
    let payload = |line: &str| line.split_once('{').map(|(_, json)| json.to_owned());
    assert_eq!(payload(&first[0]), payload(&again[0]));
    assert!(first[0].contains(r#""once":"resource-uuid:1""#));
}

/// Drains rank 0 in a request that the broker has given this number.
fn drain_numbered(probe: &mut Probe<Resource>, tag: u32, number: u64) {
    let mut message = Message::request("resource.drain", tag);
    message.set_payload("{\"targets\":\"0\"}\0".into());
    (message.userid, message.rolemask) = (100, proto::Role::OWNER);
    message.push_route(Identity::new("client").unwrap());
    message.push_route(node::number_route(number).unwrap());
    message.push_route(Identity::new("broker").unwrap());
    probe.message(message);
}

#[test]
fn a_drain_that_comes_again_is_answered_and_not_done_again() {
    let requests = kvs::Found {
        val: Tree::Val(r#"{"version":1,"done":[[70,null]]}"#.into()),
    };
    let requests = serde_json::to_string(&requests).unwrap();
    let mut probe = boot_after("{}", &[], &[], Ok(&requests));
    probe.said();
    probe.answer("kvs.lookup", 3, Err(Refusal::bare(Errno::ENOENT)));
    stored(&mut probe);
    drain_numbered(&mut probe, 1, 70);
    assert_eq!(probe.said(), ["response resource.drain #1"]);
    drain_numbered(&mut probe, 2, 71);
    let values = stored(&mut probe);
    let is_logged = |(_, value): &(String, String)| value.contains(r#""name":"drain""#);
    assert!(values.iter().any(is_logged), "{values:?}");
    let saved = r#"{"version":1,"done":[[70,null],[71,null]]}"#.to_owned();
    assert_eq!(
        values.last(),
        Some(&("resource.requests".to_owned(), saved))
    );
    assert_eq!(probe.said(), ["response resource.drain #2"]);
}

#[test]
fn jobs_resources_are_the_job_managers_to_tell() {
    let mut probe = start("{}", &[], &[]);
    stored(&mut probe);
    probe.request("resource.sched-status", "");
    assert_eq!(probe.said(), ["request job-manager.resource-status #5"]);
    let missing = Refusal::bare(Errno::ENOSYS);
    probe.answer("job-manager.resource-status", 5, Err(missing));
    let none = r#"{"version":1,"execution":{"R_lite":[],"nodelist":[""]}}"#;
    let status = format!(r#"{{"all":{R},"down":{none},"allocated":{none}}}"#);
    assert_eq!(
        probe.said(),
        [format!("response resource.sched-status #1 {status}")]
    );
}
