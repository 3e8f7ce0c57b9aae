//! `flux jobs --json`: jobs as objects with names in place of numbers.

use serde_json::{Map, Value, json};

use super::field::Facts;
use super::job::Job;

/// The object of a job from its attributes in job-list.
pub fn object(mut raw: Map<String, Value>, facts: &Facts) -> Value {
    let job = Job::of_object(&raw);
    // As other commands print and take it; `id` is the number.
    raw.insert("jobid".to_owned(), job.id.to_string().into());
    if let Some(state) = job.state() {
        raw.insert("state".to_owned(), state.name().into());
    }
    if let Some(result) = job.result() {
        raw.insert("result".to_owned(), result.name().into());
    }
    if let Some(userid) = job.userid {
        raw.insert("username".to_owned(), facts.user_name(userid).into());
    }
    raw.insert("runtime".to_owned(), job.runtime(facts.now).into());
    raw.insert("status".to_owned(), job.status().into());
    if let Some(code) = job.returncode() {
        raw.insert("returncode".to_owned(), code.into());
    }
    let mut exception = Map::new();
    for (key, attr) in [
        ("occurred", "exception_occurred"),
        ("severity", "exception_severity"),
        ("type", "exception_type"),
        ("note", "exception_note"),
    ] {
        if let Some(value) = raw.shift_remove(attr) {
            exception.insert(key.to_owned(), value);
        }
    }
    if !exception.is_empty() {
        raw.insert("exception".to_owned(), Value::Object(exception));
    }
    for (key, empty) in [("dependencies", json!([])), ("annotations", json!({}))] {
        raw.entry(key).or_insert(empty);
    }
    Value::Object(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names() {
        let raw = json!({"id":1,"state":64,"result":2,"waitstatus":256,"t_run":1.0,
            "t_cleanup":3.0,"exception_occurred":false});
        let Value::Object(raw) = raw else {
            panic!("an object")
        };
        let expect = json!({"id":1,"jobid":"ƒ2","state":"INACTIVE","result":"FAILED","waitstatus":256,
            "t_run":1.0,"t_cleanup":3.0,"runtime":2.0,"status":"FAILED","returncode":1,
            "exception":{"occurred":false},"dependencies":[],"annotations":{}});
        assert_eq!(object(raw, &Facts::new(9.0)), expect);
    }
}
