use proto::data::job::{Exception, ExceptionType, Severity};

use super::*;

fn exception(severity: i64, kind: &str) -> JobEvent {
    JobEvent::Exception(Exception {
        kind: ExceptionType::new(kind).unwrap(),
        severity: Severity::new(severity).unwrap(),
        note: String::new(),
        userid: None,
        wait_status: None,
    })
}

/// An example of each event, by name.
fn events() -> Vec<(&'static str, JobEvent)> {
    use JobEvent as E;
    let text = || "x".to_owned();
    let status = WaitStatus::SUCCESS;
    vec![
        ("validate", E::Validate),
        ("invalidate", E::Invalidate),
        ("set-flags", E::SetFlags(vec![])),
        ("jobspec-update", E::JobspecUpdate(Default::default())),
        ("resource-update", E::ResourceUpdate { expiration: 0.0 }),
        ("dependency-add", E::DependencyAdd(text())),
        ("dependency-remove", E::DependencyRemove(text())),
        ("depend", E::Depend),
        ("priority", E::Priority(Priority(16))),
        (
            "urgency",
            E::Urgency {
                userid: 0,
                urgency: Urgency::DEFAULT,
            },
        ),
        ("flux-restart", E::FluxRestart),
        (
            "alloc",
            E::Alloc {
                annotations: None,
                bypass: false,
            },
        ),
        ("prolog-start", E::PrologStart(text())),
        (
            "prolog-finish",
            E::PrologFinish {
                description: text(),
                status,
            },
        ),
        ("start", E::Start),
        ("finish", E::Finish(status)),
        (
            "release",
            E::Release {
                ranks: text(),
                is_final: true,
            },
        ),
        ("epilog-start", E::EpilogStart(text())),
        (
            "epilog-finish",
            E::EpilogFinish {
                description: text(),
                status,
            },
        ),
        ("free", E::Free),
        ("clean", E::Clean),
        ("exception (severity 0)", exception(0, "cancel")),
        ("exception (severity 1-7)", exception(1, "note")),
        ("memo", E::Memo(Default::default())),
        ("annotations", E::Annotations(None)),
        ("debug.*", E::Debug(text(), None)),
        ("(any other)", E::Other(text(), None)),
    ]
}

fn submitted() -> Life {
    let submit = JobEvent::Submit {
        userid: 100,
        urgency: Urgency::DEFAULT,
        flags: SubmitFlags::NONE,
        version: Some(1),
    };
    Life::begin(&submit, 1.0).unwrap()
}

/// Folds events of these names into a new job; prints its state, the requests due with
/// the execution service there, and the others.
fn check(names: &str, exec: ExecAsk, expect: &str) {
    let mut life = submitted();
    let known = events();
    for name in names.split_whitespace() {
        let event = match name {
            "cancel" => &exception(0, "cancel"),
            "scheduler-restart" => &exception(0, "scheduler-restart"),
            _ => &known.iter().find(|(known, _)| *known == name).unwrap().1,
        };
        life.apply(event, 2.0).unwrap();
    }
    let said = |action: Option<Action>| match action {
        Some(Action::Post(event)) => event.name().to_owned(),
        Some(other) => format!("{other:?}"),
        None => "nothing".to_owned(),
    };
    let with = said(due(&life, AllocAsk::None, exec, true));
    let without = said(due(&life, AllocAsk::None, exec, false));
    assert_eq!(
        format!("{} {with}/{without}", life.state),
        expect,
        "{names}"
    );
}

#[test]
fn a_job_is_asked_for_one_step_at_a_time() {
    use ExecAsk::{Lost, Never, Sent};
    check("", Never, "NEW nothing/nothing");
    check("validate", Never, "DEPEND depend/depend");
    check("validate dependency-add", Never, "DEPEND nothing/nothing");
    check("validate depend", Never, "PRIORITY Rank/Rank");
    check("validate depend priority", Never, "SCHED Enqueue/Enqueue");
    let run = "validate depend priority alloc";
    check(run, Never, "RUN Start/nothing");
    check(run, Sent, "RUN nothing/nothing");
    check(run, Lost, "RUN Start/nothing");
    check(&format!("{run} prolog-start"), Never, "RUN nothing/nothing");
    check(
        &format!("{run} start finish"),
        Sent,
        "CLEANUP nothing/nothing",
    );
    check(
        &format!("{run} start finish release"),
        Sent,
        "CLEANUP Free/Free",
    );
    let freed = format!("{run} start finish release free");
    check(&freed, Sent, "CLEANUP clean/clean");
    check(&format!("{freed} clean"), Sent, "INACTIVE Retire/Retire");
}

#[test]
fn a_cancelled_job_gives_back_what_it_has() {
    use ExecAsk::{Lost, Never, Sent};
    check("validate cancel", Never, "CLEANUP clean/clean");
    check(
        "validate depend priority cancel",
        Never,
        "CLEANUP clean/clean",
    );
    let run = "validate depend priority alloc cancel";
    check(run, Never, "CLEANUP Free/Free");
    check(run, Sent, "CLEANUP nothing/nothing");
    check(run, Lost, "CLEANUP Start/nothing");
    check(&format!("{run} release"), Sent, "CLEANUP Free/Free");
    check(
        &format!("{run} start finish release"),
        Sent,
        "CLEANUP Free/Free",
    );
}

#[test]
fn resources_that_the_scheduler_could_not_take_over_are_not_freed() {
    let run = "validate depend priority alloc scheduler-restart";
    check(run, ExecAsk::Never, "CLEANUP clean/clean");
    check(run, ExecAsk::Sent, "CLEANUP nothing/nothing");
}

#[test]
fn an_urgency_of_0_holds_a_job() {
    let mut life = submitted();
    life.urgency = Urgency::HOLD;
    for event in [
        JobEvent::Validate,
        JobEvent::Depend,
        JobEvent::Priority(Priority(0)),
    ] {
        life.apply(&event, 2.0).unwrap();
    }
    assert_eq!(due(&life, AllocAsk::None, ExecAsk::Never, true), None);
}

#[test]
fn a_refused_event_changes_nothing() {
    let before = submitted();
    for event in [
        JobEvent::Clean,
        JobEvent::DependencyRemove("x".to_owned()),
        exception(0, "cancel"),
    ] {
        let mut life = before.clone();
        assert!(life.apply(&event, 2.0).is_err(), "{event:?}");
        assert_eq!(life, before);
    }
}

#[test]
fn the_first_of_finish_and_fatal_exception_is_the_end() {
    let mut life = submitted();
    for event in [
        JobEvent::Validate,
        JobEvent::Depend,
        JobEvent::Priority(Priority(16)),
        JobEvent::Alloc {
            annotations: None,
            bypass: false,
        },
        exception(1, "note"),
        JobEvent::Finish(WaitStatus(256)),
        exception(0, "cancel"),
    ] {
        life.apply(&event, 2.0).unwrap();
    }
    assert_eq!(life.end, Some(End::Finish(WaitStatus(256))));
}
