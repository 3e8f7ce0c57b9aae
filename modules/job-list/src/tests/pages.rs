//! Pages: no job is left out and none comes twice, regardless of changes between two pages.

use super::*;

/// Ids of a page, and the cursor after it.
fn page(probe: &mut List_, after: &str, size: usize, more: &str) -> (Vec<u64>, Option<String>) {
    let json = format!(r#"{{"max_entries":{size},"attrs":[],"after":"{after}"{more}}}"#);
    probe.request("job-list.list", &json);
    let said = payloads(probe);
    let page: serde_json::Value = serde_json::from_str(&said[0]).unwrap();
    let jobs = page["jobs"].as_array().unwrap();
    let ids = jobs.iter().map(|job| job["id"].as_u64().unwrap());
    let cursor = page["cursor"].as_str().map(str::to_owned);
    (ids.collect(), cursor)
}

fn ended(probe: &mut List_, id: i64, clean: f64) {
    let clean = format!("{clean:?} clean");
    let mut story = RAN;
    story[9] = &clean;
    journal(probe, id, &story, "");
}

#[test]
fn pages_follow_each_other() {
    let mut probe = start("{}");
    for id in 1..=5 {
        ended(&mut probe, id, 100.0 - id as f64);
    }
    journal(&mut probe, 6, &RAN[..5], "");
    journal(&mut probe, 7, &RAN[..4], "");
    sentinel(&mut probe);
    let (first, cursor) = page(&mut probe, "", 3, "");
    assert_eq!(first, [6, 7, 1]);
    let (second, cursor) = page(&mut probe, &cursor.unwrap(), 3, "");
    assert_eq!(second, [2, 3, 4]);
    let (third, cursor) = page(&mut probe, &cursor.unwrap(), 3, "");
    assert_eq!((third, cursor), (vec![5], None));
}

#[test]
fn a_page_is_where_it_was_when_jobs_have_changed() {
    let mut probe = start("{}");
    for id in 1..=4 {
        ended(&mut probe, id, 100.0 + id as f64);
    }
    for id in 11..=13 {
        journal(&mut probe, id, &RAN[..4], "");
    }
    sentinel(&mut probe);
    let (first, cursor) = page(&mut probe, "", 2, "");
    assert_eq!(first, [11, 12]);
    // One that was shown runs, one that was not ends, one is new, and one is purged.
    journal(&mut probe, 11, &[RAN[4]], "");
    journal(&mut probe, 13, &[RAN[4], RAN[6], "200.0 clean"], "");
    journal(&mut probe, 14, &RAN[..4], "");
    probe.event("job-purge-inactive", r#"{"jobs":[4]}"#);
    let (second, cursor) = page(&mut probe, &cursor.unwrap(), 3, "");
    assert_eq!(second, [14, 13, 3]);
    ended(&mut probe, 15, 300.0);
    let (third, _) = page(&mut probe, &cursor.unwrap(), 3, "");
    assert_eq!(third, [2, 1]);
}

#[test]
fn a_page_may_be_of_some_jobs_only_and_a_stream() {
    let mut probe = start("{}");
    for id in 1..=4 {
        ended(&mut probe, id, 100.0 + id as f64);
    }
    sentinel(&mut probe);
    let some = r#","constraint":{"t_inactive":["<104"]}"#;
    let (first, cursor) = page(&mut probe, "", 1, some);
    assert_eq!(first, [3]);
    let after = cursor.unwrap();
    let json = format!(r#"{{"max_entries":1,"attrs":[],"after":"{after}"{some}}}"#);
    probe.stream("job-list.list", &json);
    let said = probe.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains(r#"{"jobs":[{"id":2}],"version":1,"cursor":""#));
}

#[test]
fn what_is_no_cursor_is_refused() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    let json = r#"{"max_entries":1,"attrs":[],"after":"7"}"#;
    probe.request("job-list.list", json);
    let text = r#"EPROTO "invalid payload: after is not a cursor""#;
    assert!(probe.said()[0].ends_with(text));
}

#[test]
fn a_search_that_finds_nothing_lets_others_have_their_turn() {
    let mut probe = start("{}");
    let count = 2 * limits::LIST_SLICE_LOOKED as i64 + 10;
    for id in 1..=count {
        ended(&mut probe, id, 100.0 + id as f64);
    }
    sentinel(&mut probe);
    let json = r#"{"max_entries":0,"attrs":[],"constraint":{"name":["no such"]}}"#;
    probe.request("job-list.list", json);
    assert_eq!(probe.said(), [""; 0]);
    // Jobs that end meanwhile are not visited.
    ended(&mut probe, count + 1, 9000.0);
    probe.pass(limits::NEXT_TURN);
    assert_eq!(probe.said(), [""; 0]);
    probe.pass(limits::NEXT_TURN);
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[]}"#]);
    let failed = r#"{"max_entries":20,"attrs":[],"constraint":{"results":["failed"]}}"#;
    probe.request("job-list.list", failed);
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[]}"#], "in one turn");
}

#[test]
fn jobs_that_change_during_a_long_list_come_once() {
    let mut probe = start("{}");
    let count = limits::LIST_SLICE_JOBS as i64 + 10;
    for id in 1..=count {
        journal(&mut probe, id, &RAN[..4], "");
    }
    sentinel(&mut probe);
    probe.stream("job-list.list", r#"{"max_entries":0,"attrs":[]}"#);
    let mut said = probe.said();
    // One was listed, one is still to be.
    for id in [1, count] {
        journal(&mut probe, id, &[RAN[4], RAN[6], "200.0 clean"], "");
    }
    probe.pass(limits::NEXT_TURN);
    said.extend(probe.said());
    assert_eq!(said.len() as i64, count + 1);
    let mut lines = said.clone();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), said.len());
}
