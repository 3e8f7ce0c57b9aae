use node::probe::Probe;
use proto::data::Tree;
use proto::data::sign::wrap_none;
use proto::job_ingest::Submit;
use proto::kvs::{Commit, Dirent, Found};
use proto::{Errno, Payload, Refusal, Role};
use wire::{Identity, Message};

use crate::JobIngest;

pub(crate) const JOBSPEC: &str = r#"{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0,"environment":{"A":"b"}}},"version":1}"#;

/// A system without users.
const fn nobody(_: u32) -> crate::Names {
    crate::Names {
        user: None,
        groups: Vec::new(),
    }
}

/// A module that has read the data of a predecessor.
fn reading(args: &[&str], saved: Result<&str, Refusal>) -> Probe<JobIngest> {
    reading_under("{}", args, saved)
}

fn reading_under(conf: &str, args: &[&str], saved: Result<&str, Refusal>) -> Probe<JobIngest> {
    let mut probe = Probe::<JobIngest>::start(nobody, args, conf).unwrap();
    let said = probe.said();
    assert!(said[0].starts_with("request kvs.commit #"), "{said:?}");
    probe.answer("kvs.commit", 1, Ok(STORED));
    let said = probe.said();
    assert!(said[0].starts_with("request kvs.lookup #"), "{said:?}");
    probe.answer("kvs.lookup", 2, saved);
    probe
}

/// A started module whose ids begin at timestamp 6.
fn started(args: &[&str]) -> Probe<JobIngest> {
    started_after(args, Err(Refusal::bare(Errno::ENOENT)))
}

fn started_after(args: &[&str], saved: Result<&str, Refusal>) -> Probe<JobIngest> {
    on(reading(args, saved))
}

/// One under this configuration.
pub(crate) fn started_under(conf: &str) -> Probe<JobIngest> {
    on(reading_under(conf, &[], Err(Refusal::bare(Errno::ENOENT))))
}

/// Answers the last question of a start.
fn on(mut probe: Probe<JobIngest>) -> Probe<JobIngest> {
    assert_eq!(probe.said(), ["request job-manager.getinfo #3"]);
    let max = 5_u64 << 24;
    probe.answer(
        "job-manager.getinfo",
        3,
        Ok(&format!(r#"{{"max_jobid":{max}}}"#)),
    );
    probe
}

/// Submits a job in a request that the broker has given this number.
fn submit_numbered(probe: &mut Probe<JobIngest>, tag: u32, number: u64) {
    let j = wrap_none(100, JOBSPEC.as_bytes());
    let request = Submit {
        j,
        urgency: 16,
        flags: 0,
    };
    let mut message = Message::request("job-ingest.submit", tag);
    message.set_payload(request.encode());
    (message.userid, message.rolemask) = (100, Role::OWNER);
    for route in ["client", &format!("#{number:x}"), "broker"] {
        message.push_route(Identity::new(route).unwrap());
    }
    probe.message(message);
}

fn submit(probe: &mut Probe<JobIngest>) {
    let j = wrap_none(100, JOBSPEC.as_bytes());
    probe.request(
        "job-ingest.submit",
        &format!(r#"{{"J":"{j}","urgency":16,"flags":0}}"#),
    );
}

/// Messages, each line cut to its topic and tag; ids in place of payloads.
pub(crate) fn said(probe: &mut Probe<JobIngest>) -> Vec<String> {
    probe.settle();
    let short = |line: String| match line.split_once('{') {
        Some((head, payload)) => {
            let ids = payload.matches("\"id\":").count();
            let keys = payload.matches("\"key\":").count();
            format!("{head}{} jobs", ids + keys / 2)
        }
        None => line,
    };
    probe.said().into_iter().map(short).collect()
}

pub(crate) const STORED: &str = r#"{"rootref":"sha1-0","rootseq":1}"#;

pub(crate) fn lost() -> Refusal {
    Refusal::new(Errno::EHOSTUNREACH, "module disconnect")
}

#[test]
fn what_comes_in_one_turn_or_while_a_batch_is_stored_travels_together() {
    let mut probe = started(&[]);
    submit(&mut probe);
    submit(&mut probe);
    assert_eq!(said(&mut probe), ["request kvs.commit #4 2 jobs"]);
    submit(&mut probe);
    assert!(said(&mut probe).is_empty());
    submit(&mut probe);
    assert!(said(&mut probe).is_empty());
    probe.answer("kvs.commit", 4, Ok(STORED));
    let expect = [
        "request job-manager.submit #5 2 jobs",
        "request kvs.commit #6 2 jobs",
    ];
    assert_eq!(said(&mut probe), expect);
    probe.answer("kvs.commit", 6, Ok(STORED));
    assert_eq!(said(&mut probe), ["request job-manager.submit #7 2 jobs"]);
    probe.answer("job-manager.submit", 5, Ok(r#"{"errors":[]}"#));
    let first = 6_u64 << 24;
    let expect = [
        format!(r#"response job-ingest.submit #1 {{"id":{first}}}"#),
        format!(r#"response job-ingest.submit #2 {{"id":{}}}"#, first + 1),
    ];
    probe.settle();
    assert_eq!(probe.said(), expect);
}

#[test]
fn the_environment_stays_in_the_signed_request() {
    let mut probe = started(&[]);
    submit(&mut probe);
    probe.settle();
    let commit = probe.said().remove(0);
    assert!(
        commit.contains(r#""key":"job.0000.0000.0600.0000.J""#),
        "{commit}"
    );
    assert!(
        commit.contains(r#""key":"job.0000.0000.0600.0000.jobspec""#),
        "{commit}"
    );
    probe.answer("kvs.commit", 4, Ok(STORED));
    let submit = probe.said().remove(0);
    assert!(
        submit.contains(r#""t_submit":1000.0,"flags":0,"jobspec":{"resources""#),
        "{submit}"
    );
    assert!(!submit.contains("environment"), "{submit}");
}

#[test]
fn a_job_that_is_not_taken_leaves_nothing_behind() {
    let mut probe = started(&[]);
    submit(&mut probe);
    said(&mut probe);
    probe.answer("kvs.commit", 4, Ok(STORED));
    said(&mut probe);
    let errors = format!(r#"{{"errors":[[{},"no"]]}}"#, 6_u64 << 24);
    probe.answer("job-manager.submit", 5, Ok(&errors));
    let said = probe.said();
    assert_eq!(said[0], r#"response job-ingest.submit #1 EINVAL "no""#);
    let unlink = r#"{"key":"job.0000.0000.0600.0000","flags":0,"dirent":null}"#;
    assert!(said[1].contains(unlink), "{said:?}");
}

#[test]
fn a_lost_service_is_asked_again_and_a_missing_one_is_not() {
    let mut probe = started(&[]);
    submit(&mut probe);
    said(&mut probe);
    probe.answer("kvs.commit", 4, Err(lost()));
    assert_eq!(said(&mut probe), ["request kvs.commit #5 1 jobs"]);
    probe.answer("kvs.commit", 5, Ok(STORED));
    assert_eq!(said(&mut probe), ["request job-manager.submit #6 1 jobs"]);
    probe.answer("job-manager.submit", 6, Err(Refusal::bare(Errno::ENOSYS)));
    let refused = r#"response job-ingest.submit #1 ENOSYS "error sending job-manager.submit RPC""#;
    assert!(said(&mut probe).contains(&refused.to_owned()));
}

#[test]
fn a_job_that_may_be_taken_is_handed_over_until_that_is_known() {
    let mut probe = started(&[]);
    submit(&mut probe);
    said(&mut probe);
    probe.answer("kvs.commit", 4, Ok(STORED));
    assert_eq!(said(&mut probe), ["request job-manager.submit #5 1 jobs"]);
    probe.answer("job-manager.submit", 5, Err(lost()));
    assert_eq!(said(&mut probe), ["request job-manager.submit #6 1 jobs"]);
    probe.answer("job-manager.submit", 6, Err(Refusal::bare(Errno::ENOSYS)));
    assert!(said(&mut probe).is_empty());
    probe.pass(crate::limits::RETRY);
    assert_eq!(said(&mut probe), ["request job-manager.submit #7 1 jobs"]);
    probe.answer("job-manager.submit", 7, Ok(r#"{"errors":[]}"#));
    assert_eq!(said(&mut probe), ["response job-ingest.submit #1 1 jobs"]);
}

/// A broker that has lost its parent ends. Requests under way then have no end.
#[test]
fn on_other_ranks_one_that_ends_asks_nobody_again() {
    for handed_over in [false, true] {
        let attrs = [("rank", "1")];
        let mut probe = Probe::<JobIngest>::start_with(nobody, &[], "{}", &attrs).unwrap();
        probe.answer("job-ingest.getinfo", 1, Ok(r#"{"timestamp":1}"#));
        probe.answer("kvs.commit", 2, Ok(STORED));
        probe.answer("kvs.lookup", 3, Err(Refusal::bare(Errno::ENOENT)));
        said(&mut probe);
        submit(&mut probe);
        said(&mut probe);
        probe.answer("kvs.commit", 4, Err(lost()));
        said(&mut probe);

        if handed_over {
            probe.answer("kvs.commit", 5, Ok(STORED));
        }
        probe.request("job-ingest.shutdown", "");
        said(&mut probe);

        let (asked, text) = match handed_over {
            false => ("kvs.commit", "KVS commit failed"),
            true => ("job-manager.submit", "error sending job-manager.submit RPC"),
        };
        let tag = 5 + u32::from(handed_over);
        probe.answer(asked, tag, Err(lost()));
        let refused = format!("response job-ingest.submit #1 EHOSTUNREACH \"{text}\"");
        assert_eq!(
            said(&mut probe),
            [refused],
            "and nothing is asked or undone"
        );
    }
}

/// Record that a commit stores besides jobs.
fn saved_in(commit: &str) -> String {
    let json = commit.split_once('{').unwrap().1;
    let commit: Commit = serde_json::from_str(&format!("{{{json}")).unwrap();
    let saved = commit
        .ops
        .iter()
        .find(|op| op.key == "checkpoint.job-ingest");
    match saved.and_then(|op| op.dirent.clone()) {
        Some(Dirent::Tree(Tree::Val(text))) => String::from_utf8(text.to_vec()).unwrap(),
        _ => String::new(),
    }
}

#[test]
fn jobs_whose_submitters_may_lack_an_answer_are_saved_with_them() {
    let mut probe = started(&[]);
    submit_numbered(&mut probe, 1, 70);
    submit(&mut probe);
    probe.settle();
    let id = 6_u64 << 24;
    let first = saved_in(&probe.said()[0]);
    assert_eq!(first, format!(r#"{{"version":1,"done":[[70,{id}]]}}"#));
    probe.answer("kvs.commit", 4, Ok(STORED));
    submit_numbered(&mut probe, 2, 71);
    probe.settle();
    let second = saved_in(&probe.said()[1]);
    let both = format!(r#"{{"version":1,"done":[[70,{id}],[71,{}]]}}"#, id + 2);
    assert_eq!(second, both);
}

#[test]
fn a_submission_that_comes_again_gets_the_id_that_it_had_and_no_other_does() {
    // The id that the job manager's highest would let us make first.
    let stored = 6_u64 << 24;
    let saved = found(&format!(r#"{{"version":1,"done":[[70,{stored}]]}}"#));
    let mut probe = started_after(&[], Ok(&saved));
    submit_numbered(&mut probe, 2, 70);
    submit_numbered(&mut probe, 1, 71);
    probe.answer("kvs.lookup", 4, Ok(&found(JOBSPEC)));
    probe.settle();
    probe.said();
    probe.answer("kvs.commit", 5, Ok(STORED));
    probe.said();
    probe.answer("job-manager.submit", 6, Ok(r#"{"errors":[]}"#));
    let new = 7_u64 << 24;
    let answers = [
        format!(r#"response job-ingest.submit #1 {{"id":{new}}}"#),
        format!(r#"response job-ingest.submit #2 {{"id":{stored}}}"#),
    ];
    assert_eq!(probe.said(), answers);
}

/// A module whose predecessor has stored a job for request 70, which has come again.
fn asked_again_under(conf: &str) -> Probe<JobIngest> {
    let saved = found(&format!(r#"{{"version":1,"done":[[70,{}]]}}"#, 6_u64 << 24));
    let mut probe = on(reading_under(conf, &[], Ok(&saved)));
    submit_numbered(&mut probe, 1, 70);
    let said = said(&mut probe);
    assert_eq!(said, ["request kvs.lookup #4 0 jobs"], "its jobspec");
    probe
}

fn found(text: &str) -> String {
    let val = Tree::Val(text.to_owned().into());
    serde_json::to_string(&Found { val }).unwrap()
}

/// Queues by which the job would be refused.
const QUEUES: &str =
    r#"{"queues":{"a":{}},"policy":{"jobspec":{"defaults":{"system":{"duration":"1m"}}}}}"#;

#[test]
fn a_job_that_may_be_taken_stays_what_it_was_whatever_is_configured_now() {
    let mut probe = asked_again_under(QUEUES);
    let stored = JOBSPEC.replace(r#","environment":{"A":"b"}"#, "");
    probe.answer("kvs.lookup", 4, Ok(&found(&stored)));
    probe.settle();
    probe.said();
    probe.answer("kvs.commit", 5, Ok(STORED));
    let asked = probe.said().remove(0);
    assert!(asked.contains(&stored), "{asked}");
    probe.answer("job-manager.submit", 6, Ok(r#"{"errors":[]}"#));
    let answer = format!(r#"response job-ingest.submit #1 {{"id":{}}}"#, 6_u64 << 24);
    assert_eq!(probe.said(), [answer]);
}

#[test]
fn a_job_that_was_refused_before_is_looked_at_again() {
    let mut probe = asked_again_under(QUEUES);
    probe.answer("kvs.lookup", 4, Err(Refusal::bare(Errno::ENOENT)));
    let refused = r#"response job-ingest.submit #1 EPERM "no queue specified""#;
    assert_eq!(said(&mut probe), [refused]);
}

#[test]
fn nothing_of_a_job_that_may_be_taken_is_removed() {
    let mut probe = asked_again_under("{}");
    probe.answer("kvs.lookup", 4, Err(lost()));
    assert_eq!(said(&mut probe), ["request kvs.lookup #5 0 jobs"]);
    probe.answer("kvs.lookup", 5, Ok(&found(JOBSPEC)));
    said(&mut probe);
    probe.answer("kvs.commit", 6, Ok(STORED));
    assert_eq!(said(&mut probe), ["request job-manager.submit #7 1 jobs"]);
    probe.answer("job-manager.submit", 7, Err(Refusal::bare(Errno::ENOSYS)));
    assert!(said(&mut probe).is_empty(), "it is asked again later");
    probe.request("job-ingest.shutdown", "");
    said(&mut probe);
    probe.pass(crate::limits::RETRY);
    assert_eq!(said(&mut probe), ["request job-manager.submit #8 1 jobs"]);
    probe.answer("job-manager.submit", 8, Err(Refusal::bare(Errno::ENOSYS)));
    let refused = r#"response job-ingest.submit #1 ENOSYS "error sending job-manager.submit RPC""#;
    assert_eq!(said(&mut probe), [refused]);
}

#[test]
fn what_is_saved_in_another_form_ends_the_start() {
    let found = Found {
        val: Tree::Val("[]".into()),
    };
    let json = serde_json::to_string(&found).unwrap();
    let mut probe = reading(&[], Ok(&json));
    assert!(probe.said().is_empty());
    assert!(probe.actor.cx.is_ending());
}

#[test]
fn more_jobs_than_a_millisecond_has_ids_get_ids_all_the_same() {
    let mut probe = started(&[]);
    for _ in 0..3000 {
        submit(&mut probe);
    }
    probe.settle();
    let mut commits = Vec::new();
    let is_commit = |said: &String| said.starts_with("request kvs.commit #");
    while let Some(commit) = probe.said().into_iter().find(is_commit) {
        let tag = commit["request kvs.commit #".len()..].split(' ').next();
        let tag = tag.and_then(|tag| tag.parse().ok()).expect("a number");
        commits.push(commit);
        probe.answer("kvs.commit", tag, Ok(STORED));
        probe.settle();
    }
    let is_there = |key: &str| commits.iter().any(|commit| commit.contains(key));
    assert!(is_there("job.0000.0000.0600.03ff.J"));
    assert!(is_there("job.0000.0000.0700.0000.J"));
    probe.request("job-ingest.getinfo", "");
    assert_eq!(
        probe.said(),
        [r#"response job-ingest.getinfo #3001 {"timestamp":8}"#]
    );
}

#[test]
fn stopping_lets_jobs_through_that_are_in() {
    let mut probe = started(&[]);
    submit(&mut probe);
    said(&mut probe);
    probe.request("job-ingest.shutdown", "");
    said(&mut probe);
    submit(&mut probe);
    assert_eq!(said(&mut probe), ["response job-ingest.submit #3 ENOSYS"]);
    probe.answer("kvs.commit", 4, Ok(STORED));
    said(&mut probe);
    probe.answer("job-manager.submit", 5, Ok(r#"{"errors":[]}"#));
    assert_eq!(said(&mut probe), ["response job-ingest.submit #1 1 jobs"]);
}

#[test]
fn requests_wait_for_the_end_of_the_start() {
    let mut probe = reading(&[], Err(Refusal::bare(Errno::ENOENT)));
    probe.request("job-ingest.getinfo", "");
    assert_eq!(probe.said(), ["request job-manager.getinfo #3"]);
    probe.answer("job-manager.getinfo", 3, Ok(r#"{"max_jobid":0}"#));
    assert_eq!(
        probe.said(),
        [r#"response job-ingest.getinfo #1 {"timestamp":1}"#]
    );
}

#[test]
fn a_malformed_request_has_a_text_of_its_own() {
    let mut probe = started(&[]);
    probe.request("job-ingest.submit", r#"{"J":1}"#);
    let text =
        r#"response job-ingest.submit #1 EPROTO "error decoding job request: Protocol error""#;
    assert_eq!(probe.said(), [text]);
}

#[test]
fn a_rank_too_high_makes_no_ids() {
    let said_on = |rank: &str| {
        let attrs = [("rank", rank)];
        let mut probe = Probe::<JobIngest>::start_with(nobody, &[], "{}", &attrs).unwrap();
        submit(&mut probe);
        probe.said()
    };
    assert_eq!(said_on("16367"), ["request job-ingest.getinfo #1"]);
    // It ends, and the broker has the request done by a parent.
    assert_eq!(said_on("16368"), [""; 0]);
}
