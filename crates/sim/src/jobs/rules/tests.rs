//! Each checker against a run that keeps the promise and against runs that break it.

use serde_json::{Value, json};

use super::*;
use crate::jobs::site::Conf;
use crate::jobs::task::Task;
use crate::jobs::terms::{QUEUES, Terms};

/// The antecedent in all of these.
const FIRST: JobId = JobId(1);
/// Life, with a run that ends well.
const GOOD: &str = "1 submit, 1 validate, 1 depend, 1 priority, 2 alloc, 2 start, 5 finish, \
    5 release, 5 free, 5 clean";
const BAD: &str = "1 submit, 1 validate, 1 depend, 1 priority, 2 alloc, 2 start, \
    5 finish status=256, 5 release, 5 free, 5 clean";
const CANCELLED: &str = "1 submit, 1 validate, 3 exception type=cancel, 5 clean";

/// A log: events with their times, and words of their context. `@` stands for a blank, `~`
/// for an equals sign.
fn log(text: &str) -> Vec<Entry> {
    let entry = |text: &str| {
        let mut words = text.split_whitespace();
        let at: f64 = words.next().unwrap().parse().unwrap();
        let name = words.next().unwrap().to_owned();
        let mut context = json!({});
        match name.as_str() {
            "submit" => context["urgency"] = json!(16),
            "finish" => context["status"] = json!(0),
            "exception" => context["severity"] = json!(0),
            _ => {}
        }
        for word in words {
            let (key, value) = word.split_once('=').unwrap();
            let number = value.parse().map(|number: i64| json!(number));
            context[key] =
                number.unwrap_or_else(|_| json!(value.replace('@', " ").replace('~', "=")));
        }
        let Value::Object(context) = context else {
            unreachable!()
        };
        let entry = Entry::new(at, name).unwrap();
        entry.with(&context).unwrap()
    };
    text.split(", ").map(entry).collect()
}

fn life(terms: Terms, text: &str) -> Life {
    let request = JobRequest {
        name: "x".to_owned(),
        task: Task::TooLarge,
        cores: 2,
        nodes: None,
        urgency: 16,
        duration: 1.0,
        terms,
    };
    Life {
        request,
        log: log(text),
    }
}

fn after(scheme: Scheme) -> Terms {
    Terms {
        after: vec![(scheme, FIRST)],
        ..Terms::default()
    }
}

/// First complaint of the checkers, up to a colon; empty if there is none.
fn said(lives: &Lives, refused: &[Refused], site: &Site) -> String {
    let said = super::check(lives, refused, site).err().unwrap_or_default();
    said.split(':').next().unwrap_or_default().to_owned()
}

/// A job that waits for the first one.
fn check_after(scheme: Scheme, first: &str, second: &str, expect: &str) {
    let description = scheme.description(FIRST).replace('=', "~");
    let second = second.replace("ADD", &format!("dependency-add description={description}"));
    let second = second.replace(
        "GO",
        &format!("dependency-remove description={description}"),
    );
    let second = second.replace("DESC", &description);
    let lives = [
        (FIRST, life(Terms::default(), first)),
        (JobId(2), life(after(scheme), &second)),
    ];
    let said = said(&lives.into(), &[], &Site::default());
    assert_eq!(said, expect, "{scheme:?} {first} {second}");
}

#[test]
fn a_job_goes_on_when_its_antecedent_is_as_it_was_to_be() {
    let goes_on =
        "1 submit, 1 ADD, 1 validate, 5 GO, 5 depend, 6 alloc, 6 start, 7 finish, 7 clean";
    let too_soon =
        "1 submit, 1 ADD, 1 validate, 4 GO, 4 depend, 6 alloc, 6 start, 7 finish, 7 clean";
    let no_cause = "goes on without cause";
    for (scheme, first, expect) in [
        (Scheme::Success, GOOD, ""),
        (Scheme::Success, BAD, no_cause),
        (Scheme::Success, CANCELLED, no_cause),
        (Scheme::Failure, GOOD, no_cause),
        (Scheme::Failure, BAD, ""),
        (Scheme::Failure, CANCELLED, no_cause),
        (Scheme::Except, BAD, no_cause),
        (Scheme::Except, CANCELLED, no_cause),
        (Scheme::Any, CANCELLED, ""),
        (Scheme::Start, GOOD, ""),
        (Scheme::Start, CANCELLED, no_cause),
    ] {
        check_after(scheme, first, goes_on, expect);
    }
    check_after(Scheme::Any, GOOD, too_soon, no_cause);
    check_after(Scheme::Start, GOOD, too_soon, "");
    let waits = "1 submit, 1 ADD, 1 validate, 5 depend, 6 exception type=cancel, 7 clean";
    check_after(Scheme::Any, GOOD, waits, "goes on while it waits");
    let never_waits = "1 submit, 1 validate, 5 depend, 6 exception type=cancel, 7 clean";
    check_after(Scheme::Any, GOOD, never_waits, "does not wait");
}

#[test]
fn a_job_whose_antecedent_failed_is_told_so() {
    let ended = |note: &str| {
        format!("1 submit, 1 ADD, 1 validate, 5 exception type=dependency note={note}, 5 clean")
    };
    let never = "dependency@DESC@can@never@be@satisfied";
    let not_begun = "dependency@DESC@job@never@started";
    check_after(Scheme::Success, BAD, &ended(never), "");
    check_after(Scheme::Success, CANCELLED, &ended(not_begun), "");
    let wrong = |note: &str| {
        let description = Scheme::Success.description(FIRST);
        let note = note.replace('@', " ").replace("DESC", &description);
        format!("{} is ended with '{note}'", JobId(2))
    };
    check_after(Scheme::Success, GOOD, &ended(never), &wrong(never));
    check_after(Scheme::Success, BAD, &ended(not_begun), &wrong(not_begun));
    check_after(Scheme::Success, CANCELLED, &ended(never), &wrong(never));
    // One that was cancelled meanwhile is told nothing; one that is cancelled later was left.
    let cancelled =
        |at: u32| format!("1 submit, 1 ADD, 1 validate, {at} exception type=cancel, {at} clean");
    check_after(Scheme::Success, BAD, &cancelled(4), "");
    check_after(Scheme::Success, BAD, &cancelled(6), "is left waiting");
}

#[test]
fn a_job_begins_at_its_time() {
    let check = |depend: f64, expect: &str| {
        let terms = Terms {
            begin: Some(5.0),
            ..Terms::default()
        };
        let text =
            format!("1 submit, 1 validate, {depend} depend, 9 exception type=cancel, 9 clean");
        let lives = [(FIRST, life(terms, &text))].into();
        assert_eq!(said(&lives, &[], &Site::default()), expect, "{depend}");
    };
    check(5.0, "");
    check(4.9, "begins before 5");
}

#[test]
fn one_job_of_a_name_goes_on() {
    let check = |first: bool, second: &str, expect: &str| {
        let of_name = |singleton| Terms {
            group: Some("red"),
            singleton,
            ..Terms::default()
        };
        let lives = [
            (FIRST, life(of_name(first), GOOD)),
            (JobId(2), life(of_name(true), second)),
        ];
        assert_eq!(
            said(&lives.into(), &[], &Site::default()),
            expect,
            "{second}"
        );
    };
    let waits = |until: u32| {
        format!(
            "2 submit, 2 dependency-add description=singleton, 2 validate, \
            {until} dependency-remove description=singleton, {until} depend, \
            9 exception type=cancel, 9 clean"
        )
    };
    let beside = format!("{} goes on beside {FIRST}", JobId(2));
    for first in [true, false] {
        check(first, &waits(5), "");
        check(first, &waits(4), &beside);
        let at_once = "2 submit, 2 validate, 2 depend, 9 exception type=cancel, 9 clean";
        check(first, at_once, &beside);
    }
}

#[test]
fn no_more_jobs_are_there_than_allowed() {
    let check = |conf: Conf, expect: &str| {
        let mut site = Site::default();
        site.confs.asked(conf, 0.0);
        site.confs.known(0.5);
        let lives = [1, 2].map(|id| (JobId(id), life(Terms::default(), GOOD)));
        assert_eq!(said(&lives.into(), &[], &site), expect, "{conf:?}");
    };
    let limits = |max_active, max_running| Conf {
        max_active,
        max_running,
        ..Conf::first()
    };
    check(limits(Some(2), Some(2)), "");
    check(limits(Some(1), None), "2 active jobs");
    check(limits(None, Some(1)), "2 running jobs");
}

#[test]
fn jobs_are_taken_and_refused_with_cause() {
    let mut site = Site::default();
    let conf = Conf {
        has_debug: false,
        max_duration: Some(0.5),
        max_cores: Some(1),
        ..Conf::first()
    };
    let terms = |queue| Terms {
        queue: Some(queue),
        ..after(Scheme::Success)
    };
    let lives: Lives = [(FIRST, life(Terms::default(), BAD))].into();
    let refused = |queue, text: &str| Refused {
        request: life(terms(queue), GOOD).request,
        text: text.to_owned(),
        asked: 10.0,
        answered: 11.0,
    };
    let [batch, debug, _] = QUEUES;
    let texts = [
        (
            batch,
            "requested duration (1s) exceeds policy limit of 0.5s".to_owned(),
        ),
        (
            batch,
            "requested ncores (2) exceeds policy limit of 1".to_owned(),
        ),
        (
            batch,
            "job submission to batch is disabled: closed".to_owned(),
        ),
        (debug, "Invalid queue 'debug' specified".to_owned()),
    ];
    let taken =
        |site: &Site, queue| may_be_taken(&life(terms(queue), GOOD).request, 10.0, 11.0, site);
    assert_eq!(taken(&site, debug), Ok(()));
    for (queue, text) in &texts {
        let refused = [refused(queue, text)];
        assert_eq!(
            said(&lives, &refused, &site),
            "refused without cause",
            "{text}"
        );
    }
    site.confs.asked(conf, 1.0);
    site.confs.known(2.0);
    let closed = site.queues.get_mut(batch).unwrap();
    closed.enabled.asked(false, 1.0);
    closed.enabled.known(2.0);
    for (queue, text) in &texts {
        assert_eq!(said(&lives, &[refused(queue, text)], &site), "", "{text}");
        assert!(taken(&site, queue).is_err(), "{queue}");
    }
    let right = format!("dependency: afterok: job {FIRST} failed or was canceled");
    assert_eq!(said(&lives, &[refused(batch, &right)], &site), "");
    let wrong = format!("dependency: after: {FIRST} never started");
    for text in [wrong.as_str(), "no"] {
        assert_eq!(
            said(&lives, &[refused(batch, text)], &site),
            "refused without cause"
        );
    }
}
