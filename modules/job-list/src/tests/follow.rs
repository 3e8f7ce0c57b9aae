//! Followers: their messages, the times of these, and the cost of a follower that does
//! not read.

use super::*;

/// A request to follow, and the immediate answers.
fn follow(probe: &mut List_, more: &str) -> Vec<String> {
    let json = format!(r#"{{"attrs":["state"],"chunk":10{more}}}"#);
    probe.stream("job-list.follow", &json);
    told(probe)
}

/// Messages, turns after the first included.
fn told(probe: &mut List_) -> Vec<String> {
    let mut all = payloads(probe);
    loop {
        probe.pass(limits::NEXT_TURN);
        let more = payloads(probe);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[test]
fn each_change_is_told_at_once_and_nothing_else() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN, "");
    journal(&mut probe, 2, &RAN[..4], "");
    sentinel(&mut probe);
    assert_eq!(
        follow(&mut probe, ""),
        [r#"{"jobs":[{"id":2,"state":8},{"id":1,"state":64}],"listed":true}"#]
    );
    journal(&mut probe, 2, &[RAN[4]], "");
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[{"id":2,"state":16}]}"#]);
    // Nothing that is listed has changed.
    journal(&mut probe, 2, &["1.6 start"], "");
    journal(&mut probe, 3, &[SUBMIT], "");
    assert_eq!(told(&mut probe), [""; 0]);
    journal(&mut probe, 3, &["1.1 validate"], "");
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[{"id":3,"state":2}]}"#]);
    probe.pass(Duration::from_secs(3600));
    assert_eq!(probe.said(), [""; 0], "and no timer runs");
}

#[test]
fn a_job_that_is_not_meant_any_more_is_told_once_more() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN[..5], "");
    sentinel(&mut probe);
    let running = r#","constraint":{"states":["running"]}"#;
    assert_eq!(
        follow(&mut probe, running),
        [r#"{"jobs":[{"id":1,"state":16}],"listed":true}"#]
    );
    journal(&mut probe, 1, &[RAN[6]], "");
    journal(&mut probe, 1, &[RAN[9]], "");
    journal(&mut probe, 1, &[r#"3.0 memo {"a":1}"#], "");
    assert_eq!(
        told(&mut probe),
        [
            r#"{"jobs":[{"id":1,"state":32}]}"#,
            r#"{"jobs":[{"id":1,"state":64}]}"#
        ]
    );
}

#[test]
fn one_that_does_not_take_is_told_how_jobs_are_by_then() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    assert_eq!(
        follow(&mut probe, r#","window":1"#),
        [r#"{"jobs":[],"listed":true}"#]
    );
    for id in 1..=3 {
        journal(&mut probe, id, &RAN[..4], "");
    }
    assert_eq!(told(&mut probe), [""; 0]);
    journal(&mut probe, 1, &[RAN[4]], "");
    let take = |probe: &mut List_, taken: u64| {
        let json = format!(r#"{{"matchtag":1,"taken":{taken}}}"#);
        probe.request("job-list.follow-taken", &json);
        // The request itself is answered too, where it wants a response.
        told(probe)
            .into_iter()
            .filter(|told| !told.is_empty())
            .collect::<Vec<_>>()
    };
    let page = take(&mut probe, 1).join("");
    assert!(
        page.contains(r#"{"jobs":[{"id":1,"state":16},{"id":2,"state":8}"#),
        "{page}"
    );
    assert_eq!(take(&mut probe, 9), [""; 0]);
}

#[test]
fn one_that_is_too_far_behind_is_told_everything_again() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    follow(&mut probe, r#","window":1"#);
    for id in 1..=limits::CHANGES_MAX as i64 {
        journal(&mut probe, id, &RAN, "");
        journal(&mut probe, id, &[r#"9.0 memo {"a":1}"#], "");
    }
    let json = r#"{"matchtag":1,"taken":1}"#;
    probe.request("job-list.follow-taken", json);
    let page = told(&mut probe).join("");
    assert!(page.ends_with(r#"],"again":true}"#), "{page}");
    probe.request("job-list.follow-taken", r#"{"matchtag":1,"taken":2}"#);
    let page = told(&mut probe).join("");
    assert!(page.ends_with(r#"],"listed":true}"#), "{page}");
}

#[test]
fn a_new_job_manager_is_news() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    follow(&mut probe, "");
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream("job-manager.events-journal", 1, Err(lost));
    probe.said();
    let json = format!(r#"{{"id":1,"events":[{}]}}"#, events(&RAN));
    probe.answer_stream("job-manager.events-journal", 2, Ok(&json));
    let end = r#"{"id":-1,"events":[]}"#;
    probe.answer_stream("job-manager.events-journal", 2, Ok(end));
    assert_eq!(
        told(&mut probe),
        [r#"{"jobs":[{"id":1,"state":64}],"again":true,"listed":true}"#]
    );
}

#[test]
fn bad_requests_are_refused() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    let mut check = |json: &str, text: &str| {
        probe.stream("job-list.follow", json);
        let said = probe.said();
        assert!(said[0].ends_with(text), "{json}: {said:?}");
    };
    let list = r#"EPROTO "invalid payload: Object item not found: attrs""#;
    check("{}", list);
    check(
        r#"{"attrs":["foo"]}"#,
        r#"EINVAL "foo is not a valid attribute""#,
    );
    check(
        r#"{"attrs":[],"window":0}"#,
        r#"EPROTO "invalid payload: window < 1 not allowed""#,
    );
    for _ in 0..limits::FOLLOWERS_OF_GUEST_MAX {
        probe.request_as(
            "job-list.follow",
            r#"{"attrs":[]}"#,
            200,
            Role::USER,
            wire::Flags::STREAMING,
        );
    }
    probe.said();
    probe.request_as(
        "job-list.follow",
        r#"{"attrs":[]}"#,
        200,
        Role::USER,
        wire::Flags::STREAMING,
    );
    assert!(probe.said()[0].ends_with(r#"EBUSY "too many requests follow jobs""#));
}

#[test]
fn followers_that_leave_cost_nothing() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    follow(&mut probe, "");
    probe.request("job-list.disconnect", "");
    journal(&mut probe, 1, &RAN, "");
    assert_eq!(told(&mut probe), [""; 0]);
}
