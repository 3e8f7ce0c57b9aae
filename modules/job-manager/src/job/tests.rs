//! Tests of the state that a job keeps, and of its packed form.

use proto::Payload;
use proto::data::job::{SubmitFlags, Urgency};
use proto::job_manager::JournalRecord;
use serde_json::json;

use super::*;

const SUBMIT: &str = r#"{"timestamp":1.0,"name":"submit","context":{"x":"},{\"name\":"}}"#;
const VALIDATE: &str = r#"{"timestamp":2.0,"name":"validate"}"#;

fn job(r: Option<&str>) -> Job {
    let submit = JobEvent::Submit {
        userid: 100,
        urgency: Urgency::DEFAULT,
        flags: SubmitFlags::NONE,
        version: Some(1),
    };
    let jobspec = r#"{"attributes":{"system":{"duration":1}},"version":1}"#;
    Job::new(
        JobId(7),
        Life::begin(&submit, 1.0).unwrap(),
        format!("{SUBMIT}\n{VALIDATE}\n"),
        Rc::new(RawJson::new(jobspec).unwrap()),
        r.map(|r| Rc::new(RawJson::new(r).unwrap())),
    )
}

fn update(job: &mut Job, event: JobEvent) {
    let entry = event.entry(3.0).unwrap();
    job.life.state = proto::data::job::State::Run;
    job.apply(&event, &entry, &entry.encode()).unwrap();
}

#[test]
fn a_full_log_takes_only_what_the_job_cannot_do_without() {
    let exception = |severity: i64| {
        let context = json!({"type": "t", "severity": severity, "note": "n"});
        JobEvent::Exception(serde_json::from_value(context).unwrap())
    };
    let memo = |text: &str| JobEvent::Memo(Map::from_iter([("m".to_owned(), json!(text))]));
    let urgency = JobEvent::Urgency {
        userid: 100,
        urgency: Urgency::DEFAULT,
    };
    let check = |log: usize, state: State, event: &JobEvent, expect: bool| {
        let mut job = job(None);
        job.texts = Texts::new("x".repeat(log), job.jobspec());
        job.life.state = state;
        assert_eq!(job.has_room_for(event), expect, "{log} {state:?} {event:?}");
    };
    let line = memo("m").entry(1.0).unwrap().encode().len();
    for event in [memo("m"), urgency, exception(1)] {
        check(0, State::Run, &event, true);
        check(JOB_LOG_BYTES_MAX, State::Run, &event, false);
    }
    check(JOB_LOG_BYTES_MAX - line, State::Run, &memo("m"), true);
    check(JOB_LOG_BYTES_MAX - line, State::Run, &memo("mm"), false);
    check(0, State::Run, &memo(&"m".repeat(JOB_LOG_BYTES_MAX)), false);
    check(JOB_LOG_BYTES_MAX, State::Run, &exception(0), true);
    check(JOB_LOG_BYTES_MAX, State::Cleanup, &exception(0), false);
    check(JOB_LOG_BYTES_MAX, State::New, &JobEvent::Validate, true);
}

#[test]
fn a_packed_job_is_the_record_that_the_journal_sends() {
    for r in [None, Some(r#"{"version":1}"#)] {
        let job = job(r);
        let packed = Packed::of(&job, 0, 1);
        let packed = Packed::of_row(packed.row(JobId(7)));
        assert_eq!(packed.record(JobId(7)), job.record(|_| true));
        let record = JournalRecord::decode(Some(&packed.record(JobId(7)))).unwrap();
        assert_eq!((record.id, record.events.len()), (JobId(7), 2));
        let parts = packed.parts(JobId(7)).unwrap();
        assert_eq!(
            parts.events.iter().map(RawJson::as_str).collect::<Vec<_>>(),
            [SUBMIT, VALIDATE]
        );
        assert_eq!(parts.jobspec.as_ref(), Some(&*job.jobspec()));
        assert_eq!(parts.r.as_ref().map(RawJson::as_str), r);
    }
}

#[test]
fn a_filter_works_on_whole_events() {
    let job = job(None);
    let keep = |line: &str| name_of(line) == "validate";
    let filtered = Packed::of(&job, 0, 1).filtered(JobId(7), keep);
    assert_eq!(filtered, job.record(keep));
    let record = JournalRecord::decode(Some(&filtered)).unwrap();
    assert_eq!(record.events[0].name(), "validate");
    assert_eq!(record.events.len(), 1);
}

#[test]
fn updates_change_jobspec_and_r() {
    let mut job = job(Some(r#"{"execution":{"expiration":0.0}}"#));
    let path = "attributes.system.duration".to_owned();
    update(
        &mut job,
        JobEvent::JobspecUpdate(Map::from_iter([(path, json!(60))])),
    );
    update(&mut job, JobEvent::ResourceUpdate { expiration: 5.0 });
    let jobspec = r#"{"attributes":{"system":{"duration":60}},"version":1}"#;
    assert_eq!(job.jobspec().as_str(), jobspec);
    assert_eq!(
        job.r.unwrap().as_str(),
        r#"{"execution":{"expiration":5.0}}"#
    );
}

#[test]
fn notes_merge_and_go_away() {
    let mut job = job(None);
    let memo = |value: Value| JobEvent::Memo(value.as_object().unwrap().clone());
    update(&mut job, memo(json!({"a": 1, "b": 2})));
    update(&mut job, memo(json!({"a": null})));
    assert_eq!(Value::from(job.notes().unwrap()), json!({"user": {"b": 2}}));
    update(&mut job, memo(json!({"b": null})));
    assert_eq!(job.notes(), None);
    assert_eq!(job.log().lines().count(), 5);
}
