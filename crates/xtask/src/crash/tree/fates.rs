//! Ends of jobs. One fails because it has lost a node, and its exception names that; no
//! task runs twice, and of one that has not failed none is left out.

use std::collections::BTreeSet;

use client::{Call, Handle};
use proto::data::{Hostlist, JobId};
use proto::job_list;
use proto::kvs::{Lookup, PRIMARY};
use serde_json::{Value, json};

use super::ping::call;

/// Attributes to query of a job that has ended.
pub const ATTRS: [&str; 3] = ["success", "exception_note", "nnodes"];

/// Error in the end of a job, if any: a job fails because of a node that was touched, and
/// names it.
pub fn what_is_wrong(job: &Value, were_touched: impl Fn(&[u32]) -> bool) -> Option<String> {
    if job["success"] == json!(true) {
        return None;
    }
    let Some(note) = job["exception_note"].as_str() else {
        return Some("it failed without an exception".to_owned());
    };
    let ranks = ranks_in(note);
    if ranks.is_empty() {
        return Some("its exception names no node".to_owned());
    }
    (!were_touched(&ranks)).then(|| format!("nobody has touched {ranks:?}"))
}

/// Ranks of all hosts that a text names.
fn ranks_in(text: &str) -> Vec<u32> {
    let words = text.split([' ', '(', ')', ':', ';']);
    let lists = words.filter_map(|word| word.parse::<Hostlist>().ok());
    let hosts = lists.flat_map(|list| list.iter().map(str::to_owned).collect::<Vec<_>>());
    let ranks = hosts.filter_map(|host| host.strip_prefix("fake")?.parse().ok());
    ranks.collect()
}

/// The event logs of a job, for those who have to find out.
pub fn logs_of(handle: &mut Handle, id: JobId) -> String {
    let logs = ["eventlog", "R", "guest.exec.eventlog"].map(|key| {
        let found = call(
            handle,
            Call::new(&Lookup::new(PRIMARY, &id.kvs_key(key), 0)),
        );
        let bytes = found.ok().and_then(proto::kvs::Found::bytes);
        format!("\n{}", String::from_utf8_lossy(&bytes.unwrap_or_default()))
    });
    logs.concat()
}

/// State of the jobs that have not ended, for finding the cause.
pub fn active(handle: &mut Handle) -> String {
    let request = job_list::List {
        max_entries: Some(json!(0)),
        attrs: Some(json!(["name", "state", "ranks", "exception_note"])),
        constraint: Some(json!({"states": ["active"]})),
        ..job_list::List::default()
    };
    match call(handle, Call::new(&request)) {
        Ok(listed) => json!(listed.jobs).to_string(),
        Err(refusal) => refusal.to_string(),
    }
}

/// Error in the marks that the tasks of a job have left behind, if any.
pub fn what_ran_wrong(job: &Value, marks: &str) -> Option<String> {
    let marks: Vec<&str> = marks.lines().collect();
    let distinct: BTreeSet<&&str> = marks.iter().collect();
    let expect = job["nnodes"].as_u64().unwrap_or_default();
    let are_all_there = marks.len() as u64 == expect || job["success"] != json!(true);
    let is_right = distinct.len() == marks.len() && are_all_there;
    (!is_right).then(|| format!("{marks:?} have run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_fails_with_the_name_of_a_node_that_was_touched() {
        for (success, note, expect) in [
            (true, None, None),
            (false, None, Some("it failed without an exception")),
            (false, Some("node failure on fake[2-3] (ranks 2-3)"), None),
            (false, Some("shell rank 1 (on fake3): Killed"), None),
            (
                false,
                Some("node failure on fake4 (rank 4)"),
                Some("nobody has touched [4]"),
            ),
            (false, Some("no"), Some("its exception names no node")),
        ] {
            let job = json!({"success": success, "exception_note": note});
            let wrong = what_is_wrong(&job, |ranks| ranks.contains(&3));
            assert_eq!(wrong.as_deref(), expect, "{note:?}");
        }
    }

    #[test]
    fn a_task_runs_once_or_not_at_all_if_the_job_fails() {
        for (success, marks, is_right) in [
            (true, "0\n1\n", true),
            (true, "0\n", false),
            (true, "0\n0\n", false),
            (false, "1\n", true),
            (false, "1\n1\n", false),
        ] {
            let job = json!({"success": success, "nnodes": 2});
            let wrong = what_ran_wrong(&job, marks);
            assert_eq!(wrong.is_none(), is_right, "{success} {marks}");
        }
    }
}
