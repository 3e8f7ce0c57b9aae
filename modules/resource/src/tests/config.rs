//! Tests of `[resource]`: values read at the start, and changes while the module runs.

use super::*;

/// Three nodes; the first has this in front of its cores.
fn conf(first: &str) -> String {
    let others = r#"{"hosts":"b[1-2]","cores":"0"}"#;
    let first = format!(r#"{{"hosts":"b0",{first}"cores":"0"}}"#);
    format!(r#"{{"resource":{{"noverify":true,"config":[{first},{others}]}}}}"#)
}

/// A module with three nodes, and a scheduler that has them.
fn with_scheduler(conf: &str) -> Probe<Resource> {
    let mut probe = start(conf, &[], &["monitor-force-up"]);
    stored(&mut probe);
    probe.stream("resource.acquire", "");
    probe.said();
    probe
}

/// Has the configuration read again. Messages to the scheduler, and R if it is stored.
fn reload(probe: &mut Probe<Resource>, conf: &str) -> (Vec<String>, Option<String>) {
    probe.request("resource.config-reload", conf);
    let mut said = probe.said();
    said.retain(|line| line.contains("resource.acquire"));
    let r = stored(probe)
        .into_iter()
        .find(|(key, _)| key == "resource.R");
    (said, r.map(|(_, r)| r))
}

#[test]
fn properties_may_change_while_they_are_in_use() {
    let mut probe = with_scheduler(&conf(r#""properties":["big","old"],"#));
    let (said, r) = reload(&mut probe, &conf(r#""properties":["big","new"],"#));
    let news = r#"{"property-add":{"new":"0"},"property-remove":{"old":"0"}}"#;
    assert_eq!(said, [format!("response resource.acquire #1 {news}")]);
    let r = r.unwrap();
    assert!(r.contains(r#""properties":{"big":"0","new":"0"}"#), "{r}");
    // The same again is nothing new.
    let same = reload(&mut probe, &conf(r#""properties":["new","big"],"#));
    assert_eq!(same, (vec![], None));
    let (said, _) = reload(&mut probe, &conf(""));
    let news = r#"{"property-remove":{"big":"0","new":"0"}}"#;
    assert_eq!(said, [format!("response resource.acquire #1 {news}")]);
}

#[test]
fn other_nodes_or_cores_are_not_taken_while_the_module_runs() {
    let mut probe = with_scheduler(&conf(""));
    let other = conf(r#""properties":["new"],"gpus":"0","#);
    assert_eq!(reload(&mut probe, &other), (vec![], None));
    // Nor are those that come where nothing was configured.
    let mut probe = with_scheduler("{}");
    let configured =
        r#"{"resource":{"config":[{"hosts":"fox0","cores":"0-3","properties":["new"]}]}}"#;
    assert_eq!(reload(&mut probe, configured), (vec![], None));
}

#[test]
fn a_scheduler_that_is_muted_is_told_nothing() {
    let mut probe = with_scheduler(&conf(""));
    let mut mute = Message::request("resource.acquire-mute", 0);
    mute.set_flag(wire::Flags::NORESPONSE, true);
    (mute.userid, mute.rolemask) = (100, proto::Role::OWNER);
    mute.push_route(Identity::new("client").unwrap());
    probe.message(mute);
    let (said, _) = reload(&mut probe, &conf(r#""properties":["new"],"#));
    assert_eq!(said, [""; 0]);
}

#[test]
fn what_is_for_the_scheduler_is_read_from_a_file() {
    let conf = conf("").replace("\"noverify\"", r#""scheduling":"/there.json","noverify""#);
    let mut probe = start(&conf, &[], &[]);
    let r = stored(&mut probe)
        .into_iter()
        .find(|(key, _)| key == "resource.R");
    let (_, r) = r.unwrap();
    assert!(r.contains(r#""scheduling":{"writer":"x"}"#), "{r}");
    let check = |file, text: &str| {
        let mut machine = Box::new(Fake { cores: "0", file }) as Worker;
        let read = crate::start::read_json(&mut machine, "/x.json");
        assert_eq!(read, Err(format!("resource.scheduling: /x.json: {text}")));
    };
    check("", "missing");
    check("{\n\n!", "key must be a string on line 3");
}
