//! Instances of many ranks: discovery, verification, ranks that come and go.

use super::*;

const NO_LOG: u32 = 3;

/// Rank 0 of an instance of N, whose hosts are `fox0`, `fox1`, ...: without a past, and
/// with all questions out that it asks at the start.
fn start_of(size: u32, conf: &str, args: &[&str]) -> Probe<Resource> {
    let size_text = size.to_string();
    let hosts = format!("fox[0-{}]", size - 1);
    let attrs = [("size", size_text.as_str()), ("hostlist", hosts.as_str())];
    let mut probe = boot(conf, &attrs, args);
    probe.said();
    probe.answer("kvs.lookup", NO_LOG, Err(Refusal::bare(Errno::ENOENT)));
    assert_eq!(
        probe.said(),
        [
            r#"request groups.get #4 {"name":"broker.online"}"#,
            r#"request groups.get #5 {"name":"broker.torpid"}"#,
            "request state-machine.monitor #6 {}",
        ]
    );
    probe
}

/// R of these ranks, with hosts that have their numbers.
fn r_of(ranks: &str, cores: &str) -> String {
    let ranks: IdSet = ranks.parse().unwrap();
    let mut set = Rset::new();
    for rank in ranks.iter() {
        let host = format!("fox{rank}");
        let node = proto::data::rset::Node::with_cores(&host, cores.parse().unwrap());
        set.add_rank(rank, node).unwrap();
    }
    set.encode()
}

fn report(ranks: &str, cores: &str) -> String {
    let count = ranks.parse::<IdSet>().unwrap().count();
    format!(r#"{{"count":{count},"resource":{}}}"#, r_of(ranks, cores))
}

fn online(probe: &mut Probe<Resource>, ranks: &str) {
    let members = format!(r#"{{"members":"{ranks}"}}"#);
    probe.answer_stream("groups.get", 4, Ok(&members));
}

/// Messages to the scheduler of stream `tag`, without the beginning that is always the same.
fn told(probe: &mut Probe<Resource>, tag: u32) -> Vec<String> {
    let begin = format!("response resource.acquire #{tag} ");
    let said = probe.said().into_iter();
    said.filter_map(|line| line.strip_prefix(&begin).map(str::to_owned))
        .collect()
}

#[test]
fn r_is_made_when_all_ranks_have_reported() {
    let mut probe = start_of(4, "{}", &[]);
    probe.stream("resource.acquire", "");
    probe.request("resource.topo-reduce", &report("2-3", "0-1"));
    probe.request("resource.topo-reduce", &report("2-3", "0-7"));
    let strange = report("1,4", "0");
    probe.request("resource.topo-reduce", &strange);
    probe.request("resource.topo-reduce", r#"{"count":1}"#);
    let miscounted = report("1", "0").replace(r#""count":1"#, r#""count":2"#);
    probe.request("resource.topo-reduce", &miscounted);
    let said = probe.said();
    assert_eq!(said.len(), 3, "{said:?}");
    let text = "report of ranks 4, which are not below this one";
    assert_eq!(
        said[0],
        format!(r#"response resource.topo-reduce #4 EINVAL "{text}""#)
    );
    probe.request("resource.topo-reduce", &report("1", "0"));
    let said = probe.said();
    let lite = r#"[{"rank":"0","children":{"core":"0-3"}},{"rank":"1","children":{"core":"0"}},{"rank":"2-3","children":{"core":"0-1"}}]"#;
    let r = format!(r#"{{"version":1,"execution":{{"R_lite":{lite},"nodelist":["fox[0-3]"]}}}}"#);
    assert_eq!(
        said,
        [
            "response resource.topo-reduce #2".to_owned(),
            "response resource.topo-reduce #3".to_owned(),
            "response resource.topo-reduce #7".to_owned(),
            format!(r#"response resource.acquire #1 {{"resources":{r},"up":"0"}}"#),
        ]
    );
    online(&mut probe, "0-3");
    assert_eq!(told(&mut probe, 1), [r#"{"up":"1-3"}"#]);
}

#[test]
fn silent_ranks_are_given_up_and_added_when_they_speak() {
    let mut probe = start_of(4, r#"{"resource":{"discovery-timeout":"5s"}}"#, &[]);
    probe.stream("resource.acquire", "");
    probe.request("resource.topo-reduce", &report("1", "0"));
    probe.pass(std::time::Duration::from_secs(4));
    assert_eq!(told(&mut probe, 1), [""; 0]);
    probe.pass(std::time::Duration::from_secs(1));
    let first = told(&mut probe, 1);
    assert!(first[0].contains(r#""nodelist":["fox[0-1]"]"#), "{first:?}");
    stored(&mut probe);
    online(&mut probe, "0-3");
    assert_eq!(told(&mut probe, 1), [r#"{"up":"1"}"#]);
    probe.request("resource.topo-reduce", &report("3", "0"));
    probe.request("resource.topo-reduce", &report("2", "0"));
    assert_eq!(told(&mut probe, 1), [""; 0]);
    probe.pass(std::time::Duration::from_millis(200));
    let whole = told(&mut probe, 1);
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert!(whole[0].contains(r#""nodelist":["fox[0-3]"]"#), "{whole:?}");
    assert!(whole[0].ends_with(r#""up":"0-3"}"#), "{whole:?}");
    let values = stored(&mut probe);
    assert!(values[0].1.contains("fox[0-3]"), "{values:?}");
}

#[test]
fn without_a_time_limit_ranks_are_waited_for_without_end() {
    let mut probe = start_of(2, r#"{"resource":{"discovery-timeout":"0"}}"#, &[]);
    probe.request("resource.get", "");
    probe.pass(std::time::Duration::from_secs(100_000));
    assert_eq!(probe.said(), [""; 0]);
    probe.request("resource.topo-reduce", &report("1", ""));
    let said = probe.said();
    assert_eq!(said[0], "response resource.topo-reduce #2");
    assert!(said[1].contains(r#"R_lite":[{"rank":"0","#), "{said:?}");
    assert!(!said[1].contains("fox1"), "it has found nothing: {said:?}");
}

#[test]
fn who_stops_to_wait_for_resources_is_forgotten() {
    let mut probe = start_of(2, "{}", &[]);
    probe.request("resource.status", "");
    probe.request("resource.topo-reduce", &report("0", "0"));
    probe.request("resource.cancel", r#"{"matchtag":1}"#);
    probe.request("resource.cancel", r#"{"matchtag":2}"#);
    let said = probe.said();
    assert!(
        said.contains(&"response resource.status #1 ENODATA".to_owned()),
        "{said:?}"
    );
    probe.request("resource.topo-reduce", &report("1", "0"));
    assert_eq!(probe.said(), ["response resource.topo-reduce #5"]);
}

const CONF: &str = r#"{"resource":{"config":{"hosts":"fox[0-1]","cores":"0-3"}}}"#;

#[test]
fn configured_ranks_are_verified_as_they_report() {
    let mut probe = start_of(3, CONF, &[]);
    stored(&mut probe);
    probe.request("resource.topo-reduce", &report("1-2", "0-2"));
    assert_eq!(probe.said(), ["response resource.topo-reduce #1"]);
    let log = &stored(&mut probe)[0].1;
    let missing =
        r#""idset":"1","nodelist":"fox1","reason":"rank 1 (fox1) missing resources: core3""#;
    assert!(log.contains(missing), "{log}");
    let unknown = r#""idset":"2","nodelist":"fox2","reason":"rank 2 not found in expected ranks""#;
    assert!(log.contains(unknown), "{log}");

    let mut probe = start_of(3, CONF, &["noverify"]);
    stored(&mut probe);
    probe.request("resource.topo-reduce", &report("1-2", "0-2"));
    assert_eq!(stored(&mut probe), []);
}

#[test]
fn an_exclusion_of_nobody_ends_the_start() {
    for exclude in ["7", "nosuchhost"] {
        let conf = format!(r#"{{"resource":{{"exclude":"{exclude}"}}}}"#);
        let conf = conf.as_str();
        let size_2 = [("size", "2"), ("hostlist", "fox[0-1]")];
        let mut probe = boot(conf, &size_2, &[]);
        probe.said();
        probe.answer("kvs.lookup", NO_LOG, Err(Refusal::bare(Errno::ENOENT)));
        probe.said();
        assert!(probe.actor.cx.is_ending(), "{conf}");
    }
}

#[test]
fn ranks_that_go_are_lost_unless_they_are_configured() {
    let mut probe = start_of(2, "{}", &[]);
    probe.request("resource.topo-reduce", &report("1", "0"));
    online(&mut probe, "0-1");
    stored(&mut probe);
    probe.stream("resource.acquire", "");
    assert_eq!(told(&mut probe, 2).len(), 1);
    online(&mut probe, "0");
    assert_eq!(told(&mut probe, 2), [r#"{"shrink":"1"}"#]);
    probe.request("resource.get", "");
    assert!(!probe.said()[0].contains("fox1"));
    assert_eq!(
        stored(&mut probe),
        [],
        "what is stored is for a restart with all ranks"
    );
    online(&mut probe, "0-1");
    let whole = told(&mut probe, 2);
    assert!(whole[0].contains("fox[0-1]"), "{whole:?}");

    let mut probe = start_of(2, CONF, &["noverify"]);
    online(&mut probe, "0-1");
    probe.stream("resource.acquire", "");
    online(&mut probe, "0");
    assert_eq!(told(&mut probe, 1)[1..], [r#"{"down":"1"}"#]);
}

#[test]
fn ranks_that_leave_at_the_end_are_not_lost() {
    let mut probe = start_of(2, "{}", &[]);
    probe.request("resource.topo-reduce", &report("1", "0"));
    online(&mut probe, "0-1");
    probe.stream("resource.acquire", "");
    probe.answer_stream("state-machine.monitor", 6, Ok(r#"{"state":5}"#));
    probe.answer_stream("state-machine.monitor", 6, Ok(r#"{"state":6}"#));
    online(&mut probe, "0");
    assert_eq!(told(&mut probe, 2)[1..], [r#"{"down":"1"}"#]);
}

#[test]
fn torpid_ranks_are_down_but_not_drained() {
    let mut probe = start_of(2, CONF, &["noverify"]);
    online(&mut probe, "0-1");
    probe.stream("resource.acquire", "");
    told(&mut probe, 1);
    probe.answer_stream("groups.get", 5, Ok(r#"{"members":"1"}"#));
    assert_eq!(told(&mut probe, 1), [r#"{"down":"1"}"#]);
    probe.request("resource.status", "");
    let said = probe.said();
    assert!(
        said[0].contains(r#""drain":{},"online":"0-1","offline":"","exclude":"","torpid":"1""#)
    );
    probe.answer_stream("groups.get", 5, Ok(r#"{"members":""}"#));
    assert_eq!(told(&mut probe, 1), [r#"{"up":"1"}"#]);
    probe.stream("resource.journal", "");
    let log = probe.said().join("");
    let torpid = log.find(r#""name":"torpid","context":{"idset":"1"}"#);
    let lively = log.find(r#""name":"lively","context":{"idset":"1"}"#);
    assert!(torpid.is_some() && torpid < lively, "{log}");
}

#[test]
fn a_number_of_ranks_can_be_waited_for() {
    let mut probe = start_of(3, "{}", &[]);
    probe.request("resource.monitor-waitup", r#"{"up":4}"#);
    let refusal = r#"EPROTO "up value is out of range""#;
    assert_eq!(
        probe.said(),
        [format!("response resource.monitor-waitup #1 {refusal}")]
    );
    probe.request("resource.monitor-waitup", r#"{"up":2}"#);
    probe.request("resource.monitor-waitup", r#"{"up":1}"#);
    assert_eq!(probe.said(), ["response resource.monitor-waitup #3"]);
    online(&mut probe, "0,2");
    assert_eq!(probe.said(), ["response resource.monitor-waitup #2"]);
    probe.request("resource.monitor-force-down", r#"{"ranks":"2"}"#);
    probe.request("resource.monitor-waitup", r#"{"up":1}"#);
    assert_eq!(
        probe.said(),
        [
            "response resource.monitor-force-down #4",
            "response resource.monitor-waitup #5"
        ]
    );
}

#[test]
fn sixteen_thousand_ranks_of_which_one_is_there_start_at_once() {
    let conf = r#"{"resource":{"noverify":true,"config":{"hosts":"fox[0-16383]","cores":"0-3"}}}"#;
    let mut probe = start_of(16384, conf, &[]);
    probe.request("resource.status", "");
    let said = probe.said();
    assert!(said[0].contains(r#""online":"0","offline":"1-16383""#));
    probe.request("resource.drain", r#"{"targets":"1-16383","reason":"cold"}"#);
    stored(&mut probe);
    probe.request("resource.undrain", r#"{"targets":"fox[2-16382]"}"#);
    stored(&mut probe);
    probe.said();
    probe.request("resource.status", "");
    assert!(probe.said()[0].contains(r#""drain":{"1,16383":"#));
}

/// A router with two ranks below it.
fn follower() -> Probe<Resource> {
    let fake = Fake {
        cores: "0-3",
        file: "",
    };
    let attrs = [
        ("rank", "1"),
        ("size", "4"),
        ("hostname", "fox1"),
        ("tbon.descendants", "2"),
    ];
    let mut probe = Probe::start_with(Box::new(fake) as Worker, &[], "{}", &attrs).unwrap();
    probe.settle();
    assert_eq!(
        probe.said(),
        [r#"request state-machine.monitor #1 {"final":4}"#]
    );
    for state in [3, 4] {
        // Nothing is said while rank 0 loads its modules.
        assert_eq!(probe.said(), [""; 0]);
        let state = format!(r#"{{"state":{state}}}"#);
        probe.answer_stream("state-machine.monitor", 1, Ok(&state));
    }
    probe
}

/// Reports sent upwards, as tag, ranks and cores.
fn reported(probe: &mut Probe<Resource>) -> Vec<String> {
    probe.settle();
    let messages = probe.messages().into_iter();
    messages
        .map(|message| {
            assert_eq!(message.topic(), "resource.topo-reduce");
            assert!(message.has(wire::Flags::UPSTREAM));
            let report: proto::resource::TopoReduce =
                proto::payload::decode_json(message.payload()).unwrap();
            assert_eq!(report.count as usize, report.resource.nnodes());
            format!("{} {}", message.matchtag(), report.resource)
        })
        .collect()
}

#[test]
fn a_router_sends_up_one_report_for_its_subtree() {
    let mut probe = follower();
    probe.request("resource.topo-reduce", &report("3", "0"));
    assert_eq!(reported(&mut probe), [""; 0]);
    probe.request("resource.topo-reduce", &report("2", "0"));
    assert_eq!(reported(&mut probe), ["2 rank1/core[0-3] rank[2-3]/core0"]);
    probe.answer("resource.topo-reduce", 2, Ok(""));
    assert_eq!(
        probe.said(),
        [
            "response resource.topo-reduce #1",
            "response resource.topo-reduce #2"
        ]
    );
}

#[test]
fn a_router_does_not_wait_for_a_silent_child() {
    let mut probe = follower();
    probe.request("resource.topo-reduce", &report("3", "0"));
    probe.pass(crate::limits::REDUCE_HOLD);
    assert_eq!(reported(&mut probe), ["2 rank1/core[0-3] rank3/core0"]);
    probe.request("resource.topo-reduce", &report("2", "0"));
    assert_eq!(reported(&mut probe), ["3 rank2/core0"]);
}

#[test]
fn a_report_that_nobody_has_taken_is_sent_again() {
    let mut probe = follower();
    probe.request("resource.topo-reduce", &report("2-3", "0"));
    let first = "rank1/core[0-3] rank[2-3]/core0";
    assert_eq!(reported(&mut probe), [format!("2 {first}")]);
    for (tag, errno) in [(2, Errno::ENOSYS), (3, Errno::EHOSTUNREACH)] {
        probe.answer("resource.topo-reduce", tag, Err(Refusal::bare(errno)));
        assert_eq!(reported(&mut probe), [""; 0]);
        probe.pass(crate::limits::REDUCE_RETRY);
        assert_eq!(reported(&mut probe), [format!("{} {first}", tag + 1)]);
    }
    let refused = Refusal::new(Errno::EINVAL, "no");
    probe.answer("resource.topo-reduce", 4, Err(refused));
    assert_eq!(
        probe.said(),
        [r#"response resource.topo-reduce #1 EINVAL "no""#]
    );
}

#[test]
fn followers_have_no_inventory_but_ask_for_r() {
    let mut probe = follower();
    for (topic, payload) in [
        ("resource.status", ""),
        ("resource.sched-status", ""),
        ("resource.drain", r#"{"targets":"0"}"#),
        ("resource.undrain", r#"{"targets":"0"}"#),
        ("resource.expiration-update", r#"{"expiration":1.0}"#),
        ("resource.monitor-waitup", r#"{"up":1}"#),
        ("resource.monitor-force-down", r#"{"ranks":"1"}"#),
        ("resource.reload", r#"{"path":"/r"}"#),
    ] {
        let tag = probe.request(topic, payload);
        let refusal = r#"EPROTO "this RPC only works on rank 0""#;
        assert_eq!(probe.said(), [format!("response {topic} #{tag} {refusal}")]);
    }
    let tag = probe.request("resource.get", "");
    assert_eq!(probe.said(), ["request resource.get #2"]);
    let unknown = Refusal::bare(Errno::ENOENT);
    probe.answer("resource.get", 2, Err(unknown));
    assert_eq!(
        probe.said(),
        [format!("response resource.get #{tag} ENOENT")]
    );
    let tag = probe.request("resource.topo-get", "");
    assert_eq!(
        probe.said(),
        [format!("response resource.topo-get #{tag} <topology/>")]
    );
}
