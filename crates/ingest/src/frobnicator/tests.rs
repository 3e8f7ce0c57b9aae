//! Tests of the attributes of a job, and of the errors of those that fit no queue.

use proto::Object;
use serde_json::{Value, json};

use super::*;

/// Two queues with nodes of their own, one that is a part of another, and one without any
/// requirement; the default is `batch`.
fn site() -> Value {
    let system = |system: Value| json!({"jobspec": {"defaults": {"system": system}}});
    json!({
        "policy": system(json!({"duration": "10m", "queue": "batch"})),
        "queues": {
            "batch": {"requires": ["b", "c"], "policy": system(json!({"duration": "1.5s"}))},
            "quick": {"parent": "batch"},
            "debug": {"requires": ["d"]},
            "any": {"policy": system(json!({"duration": "infinity"}))},
        }
    })
}

fn chain(plugins: Option<&[&str]>, conf: &Value) -> Result<Frobnicator, Broken> {
    let conf = Object(conf.as_object().cloned().unwrap_or_default());
    let queues = Queues::parse(&conf).unwrap();
    let plugins: Option<Vec<String>> =
        plugins.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Frobnicator::new(plugins.as_deref(), &[], queues)
}

/// The system attributes of a job that the site has changed, or its error.
fn check_with(plugins: Option<&[&str]>, conf: &Value, system: Value, expect: Result<Value, &str>) {
    let jobspec = json!({"attributes": {"system": system}});
    let mut jobspec = Jobspec::from_object(jobspec.as_object().unwrap().clone());
    let done = chain(plugins, conf).unwrap().apply(&mut jobspec);
    let done = done.map(|()| jobspec.get("attributes.system").cloned().unwrap());
    let done = done.map_err(|refusal| {
        assert_eq!(refusal.errno, Errno::EPERM);
        refusal.to_string()
    });
    assert_eq!(done, expect.map_err(str::to_owned), "{system}");
}

fn check(system: Value, expect: Result<Value, &str>) {
    check_with(None, &site(), system, expect);
}

#[test]
fn what_a_job_does_not_say_is_set() {
    check(
        json!({"duration": 0}),
        Ok(json!({"duration": 1.5, "queue": "batch",
            "constraints": {"properties": ["b", "c"]}})),
    );
    check(
        json!({"duration": 7, "queue": "debug"}),
        Ok(json!({"duration": 7, "queue": "debug", "constraints": {"properties": ["d"]}})),
    );
    check(
        json!({"queue": "debug"}),
        Ok(json!({"queue": "debug", "duration": 600, "constraints": {"properties": ["d"]}})),
    );
    check(
        json!({"duration": 0.0, "queue": "any"}),
        Ok(json!({"duration": 0, "queue": "any"})),
    );
    check(
        json!({"duration": 1, "queue": "quick"}),
        Ok(json!({"duration": 1, "queue": "quick", "constraints": {"properties": ["b", "c"]}})),
    );
}

#[test]
fn a_job_without_a_queue_is_refused_where_there_are_some() {
    let mut conf = site();
    check(json!({"queue": "x"}), Err("Invalid queue 'x' specified"));
    conf["policy"] = json!({});
    check_with(None, &conf, json!({}), Err("no queue specified"));
    conf["queues"] = json!({});
    check_with(
        None,
        &conf,
        json!({"queue": "x"}),
        Ok(json!({"queue": "x"})),
    );
}

#[test]
fn properties_of_the_queue_join_those_of_the_job() {
    for (own, expect) in [
        (json!({}), json!({"properties": ["b", "c"]})),
        (
            json!({"properties": ["x", "c"]}),
            json!({"properties": ["x", "c", "b"]}),
        ),
        (
            json!({"or": [{"ranks": ["0"]}]}),
            json!({"and": [{"or": [{"ranks": ["0"]}]}, {"properties": ["b", "c"]}]}),
        ),
    ] {
        check(
            json!({"duration": 1, "queue": "batch", "constraints": own}),
            Ok(json!({"duration": 1, "queue": "batch", "constraints": expect})),
        );
    }
    for (own, text) in [
        (json!([]), "constraints must be a mapping"),
        (
            json!({"properties": "x"}),
            "argument to constraint properties must be a sequence",
        ),
    ] {
        check(
            json!({"queue": "batch", "constraints": own}),
            Err(&format!("invalid jobspec: {text}")),
        );
    }
}

#[test]
fn what_is_not_a_jobspec_is_named() {
    let text = "invalid jobspec: attributes.system must be a mapping";
    check(json!(1), Err(text));
    let text = "invalid jobspec: attributes.system.queue must be a string";
    check(json!({"queue": 1}), Err(text));
    let mut none = Jobspec::from_object(serde_json::Map::new());
    let refusal = chain(None, &site()).unwrap().apply(&mut none).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "invalid jobspec: attributes must be a mapping"
    );
}

#[test]
fn only_the_chosen_plugins_act() {
    let system = || json!({"queue": "debug"});
    check_with(Some(&[]), &site(), system(), Ok(system()));
    check_with(
        Some(&["constraints"]),
        &site(),
        system(),
        Ok(json!({"queue": "debug", "constraints": {"properties": ["d"]}})),
    );
    let broken = chain(Some(&["defaults", "x"]), &site()).unwrap_err();
    assert_eq!(broken.text, "CRITICAL: frobnicator plugin 'x' not found");
}
