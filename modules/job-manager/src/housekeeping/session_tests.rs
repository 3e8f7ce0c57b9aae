//! Tables of the resources that are given back, and of the times.

use proto::data::JobId;
use proto::data::job::{Priority, WaitStatus};
use proto::data::rset::Node;

use super::*;

fn session(release: Release) -> Session {
    let hello = SchedHelloJob {
        id: JobId(7),
        priority: Priority(16),
        userid: 100,
        t_submit: 1.0,
        free: None,
    };
    let mut r = Rset::new();
    for rank in 0..4 {
        let node = Node::with_cores(&format!("h{rank}"), IdSet::from(0));
        r.add_rank(rank, node).unwrap();
    }
    Session::new(hello, r, 5.0, release)
}

/// Plays words: `+R` hands ranks over, `+R.` the last ones, `-R` ends one well, `!R` badly, `?R`
/// by a signal, `@` is the time. The next step follows each.
fn check(release: Release, story: &str, expect: &[&str]) {
    let mut session = session(release);
    let mut said = Vec::new();
    for word in story.split(' ') {
        let (verb, ranks) = word.split_at(1);
        let rank = || ranks.parse().unwrap();
        match verb {
            "+" => {
                let (text, is_last) = match ranks.strip_suffix('.') {
                    Some(text) => (text, true),
                    None => (ranks, false),
                };
                session.add(&text.parse().unwrap(), is_last);
            }
            "-" => session.ended(rank(), &Outcome::Ended(WaitStatus(0))),
            "!" => session.ended(rank(), &Outcome::Ended(WaitStatus(256))),
            "?" => session.ended(rank(), &Outcome::Ended(WaitStatus(15))),
            "@" => session.time_is_up(),
            other => panic!("no such word: {other}"),
        }
        said.extend(session.take_failures());
        while let Some(step) = session.due() {
            said.push(match step {
                Step::Free { ranks, is_final } if is_final => format!("free {ranks}, the last"),
                Step::Free { ranks, .. } => format!("free {ranks}"),
                Step::Wait(seconds) => format!("wait {seconds}"),
            });
        }
    }
    if session.is_over() {
        said.push("over".to_owned());
    }
    assert_eq!(said, expect, "{story}");
}

#[test]
fn nodes_are_given_back_together() {
    let check = |story, expect: &[&str]| check(Release::Together, story, expect);
    check("+0-3. -1 -0 -2", &[]);
    check("+0-3. -1 -0 -2 -3", &["free 0-3, the last", "over"]);
    check("+0-1 -0 -1 +2. -2", &["free 0-2, the last", "over"]);
}

#[test]
fn nodes_are_given_back_one_by_one() {
    let check = |story, expect: &[&str]| check(Release::After(0.0), story, expect);
    check("+0-2. -1 -0", &["free 1", "free 0"]);
    check(
        "+0-2. -1 -0 -2",
        &["free 1", "free 0", "free 2, the last", "over"],
    );
    check("+0 -0 +1. -1", &["free 0", "free 1, the last", "over"]);
}

#[test]
fn nodes_are_given_back_after_a_while() {
    let check = |story, expect: &[&str]| check(Release::After(9.0), story, expect);
    check("+0-3. -1 -0", &["wait 9"]);
    check("+0-3. -1 -0 @ -2", &["wait 9", "free 0-1", "free 2"]);
    check("+0-1. -1 -0", &["wait 9", "free 0-1, the last", "over"]);
    check("+0. -0", &["free 0, the last", "over"]);
}

#[test]
fn nodes_whose_command_fails_are_given_back_too() {
    let check = |story, expect: &[&str]| check(Release::Together, story, expect);
    check(
        "+0-2. !1 ?0 -2",
        &[
            "h1 (rank 1) ƒ8: nonzero exit code",
            "h0 (rank 0) ƒ8: Terminated",
            "free 0-2, the last",
            "over",
        ],
    );
}

#[test]
fn failures_of_one_moment_are_told_together() {
    let mut session = session(Release::Together);
    session.add(&"0-3".parse().unwrap(), true);
    session.ended(0, &Outcome::Ended(WaitStatus(256)));
    session.ended(2, &Outcome::Ended(WaitStatus(512)));
    let told = session.take_failures();
    assert_eq!(
        told.as_deref(),
        Some("h[0,2] (rank 0,2) ƒ8: nonzero exit code")
    );
    session.ended(1, &Outcome::Ended(WaitStatus(256)));
    session.ended(3, &Outcome::Ended(WaitStatus(9)));
    let told = session.take_failures();
    assert_eq!(
        told.as_deref(),
        Some("h[1,3] (rank 1,3) ƒ8: multiple failure modes")
    );
    assert_eq!(session.take_failures(), None);
}

#[test]
fn a_scheduler_is_told_what_is_not_the_jobs_any_more() {
    let mut session = session(Release::After(0.0));
    session.add(&"0-3".parse().unwrap(), true);
    assert_eq!((session.hello().free, session.is_split()), (None, false));
    session.ended(1, &Outcome::Ended(WaitStatus(0)));
    session.due();
    assert_eq!(session.hello().free.as_deref(), Some("1"));
    assert!(session.is_split());
    assert_eq!(session.place(session.held()), "h[0,2-3] (rank 0,2-3)");
}
