//! Conversations with the job manager, as text (`transcripts/*.txt`): a command, a line of
//! dashes, the output, an empty line. `UPDATE=1 cargo test -p job-manager` writes the
//! output; the diff is read.

mod dependencies;
mod journal;
mod limits;
mod remote;
mod rows;
mod stage;

use node::probe::Probe;
use proto::{Errno, Role};
use stage::Stage;
use wire::Flags;

use crate::JobManager;

node::transcripts! {
    Stage:
    a_job_runs_and_ends = "normal-life",
    a_job_is_over_soon = "over-soon",
    others_are_told_before_it_is_stored = "early",
    a_pending_job_is_cancelled = "cancel-pending",
    a_running_job_is_cancelled = "cancel-running",
    an_allocation_crosses_a_cancel = "alloc-race",
    a_limited_scheduler_gets_the_best_jobs = "alloc-limited",
    a_scheduler_comes_and_goes = "sched-lost",
    an_execution_service_comes_and_goes = "exec-lost",
    a_reason_that_is_told_again_is_in_the_log_once = "exec-again",
    signals_are_sent_to_running_jobs_only = "kill",
    listeners_hear_past_and_present_once = "journal",
    consumers_go_on_where_they_were = "journal-numbers",
    a_listener_that_knows_jobs_is_not_told_of_them = "journal-packed",
    waiters_are_told_how_jobs_ended = "wait",
    a_restart_goes_on_where_the_log_ends = "restart",
    a_job_log_tells_which_jobs_there_are = "job-log",
    a_damaged_job_log_or_job_is_no_reason_not_to_start = "job-log-damage",
    a_commit_is_sent_again_when_the_kvs_was_lost = "kvs-lost",
    submissions_are_refused_while_there_is_no_room = "no-room",
    queues_take_and_run_jobs_or_not = "queue",
    named_queues_run_their_own_jobs = "queue-named",
    a_queue_goes_while_jobs_wait_in_it = "queue-goes",
    a_queue_that_comes_back_is_a_new_one = "queue-back",
    jobspecs_are_updated = "update",
    the_owner_holds_the_limits_too_if_the_site_says_so = "update-duration",
    an_update_crosses_an_allocation = "update-race",
    owners_add_events = "post-event",
    jobs_are_forgotten = "purge",
    what_is_kept_of_jobs_changes = "purge-limits",
    users_change_their_jobs = "urgency-memo",
    a_request_that_comes_again_is_done_once = "again",
    submissions_are_refused_with_a_reason = "submit",
    nodes_are_looked_after_before_they_are_free = "housekeeping",
    a_job_runs_between_its_prolog_and_its_epilog = "perilog",
    a_prolog_that_fails_ends_its_job = "perilog-fails",
    a_prolog_is_cancelled_with_its_job = "perilog-cancel",
    a_prolog_ends_with_its_policy = "perilog-removed",
    prologs_and_epilogs_are_run_again_after_a_restart = "perilog-restart",
    a_scheduler_hears_of_nodes_that_are_looked_after = "housekeeping-hello",
    jobs_wait_for_one_that_ends_meanwhile = "dependency-race",
    a_job_waits_for_one_that_ended_before_a_restart = "dependency-restart",
    jobs_wait_for_a_time = "begin-time",
    jobs_without_an_end_have_that_of_the_instance = "expiration",
    policies_come_and_go = "jobtap",
    what_two_jobs_get_is_found_out = "alloc-check",
    the_owner_brings_resources_along = "alloc-bypass",
    users_have_so_many_jobs_at_a_time = "limit-active",
    a_limit_changes_under_jobs = "limit-active-changes",
    a_job_that_waits_takes_no_other_ones_place = "limit-active-waits",
    singletons_run_one_at_a_time = "singleton",
    a_module_of_the_site_says_which_jobs_are_taken = "remote-validate",
    a_module_that_does_not_answer_well_is_given_up = "remote-fails",
    a_module_of_the_site_says_priorities = "remote-priority",
    a_job_has_the_priority_of_its_user_and_bank = "priority-factor",
    whoever_waits_is_told_of_the_end = "end",
}

/// The KVS is removed while a job manager reads it, after any number of lookups: unread jobs
/// are not forgotten, and nothing is decided without it.
#[test]
fn a_start_ends_with_the_kvs_and_forgets_no_job() {
    let mut stage = Stage::new();
    for command in ["submit 1", "store", "store", "submit 2", "store"] {
        stage.play(command);
    }
    let before = stage.play("dump");
    for errno in [Errno::ENOSYS, Errno::EHOSTUNREACH] {
        let mut n_lookups = 0;
        loop {
            stage.kvs_leaves = Some((n_lookups, errno));
            let said = stage.play("restart");
            if !stage.is_ending() {
                break;
            }
            assert_eq!(said, [""; 0], "after {n_lookups} lookups");
            assert_eq!(stage.play("dump"), before, "after {n_lookups} lookups");
            n_lookups += 1;
        }
        // The job log and each job's own keys at least.
        assert!(n_lookups > 6, "{n_lookups} lookups");
    }
}

/// A job manager that is asked to end before it has read the stored state does not overwrite
/// it: it knows of no job and no queue that was closed.
#[test]
fn nothing_is_stored_before_what_is_stored_was_read() {
    let mut probe = Probe::<JobManager>::start(stage::log(None), &[], "{}").expect("it starts");
    let said = probe.said();
    assert!(said[1].starts_with("request kvs.commit #2 "), "{said:?}");
    let order = "job-manager.shutdown";
    probe.request_as(order, "", 100, Role::OWNER, Flags::NORESPONSE);
    probe.settle();
    assert!(probe.actor.cx.is_ending());
    assert_eq!(probe.said(), [""; 0]);
}

/// The operator is answered that a configuration is in force while a job manager is still at its
/// start: it does not let jobs go by the one before.
#[test]
fn a_start_goes_by_the_last_configuration() {
    let mut probe = Probe::<JobManager>::start(stage::log(None), &[], "{}").expect("it starts");
    probe.said();
    probe.request("job-manager.queue-list", "{}");
    probe.request("job-manager.config-reload", r#"{"queues":{"a":{}}}"#);
    probe.settle();
    let answer = "response job-manager.config-reload #2";
    assert_eq!(
        probe.said(),
        [answer],
        "and nothing else is answered or stored"
    );
}

/// History of more than a slice, with life going on meanwhile: every event is received
/// once, and a job's events in order.
#[test]
fn a_long_past_is_told_in_slices_between_other_work() {
    let mut stage = Stage::new();
    let jobspec = format!("{{\"x\":\"{}\"}}", "y".repeat(3000));
    for id in 1..=600 {
        let end: &[&str] = if id % 2 == 0 {
            &["exception", "clean"]
        } else {
            &["memo"]
        };
        stage.put_job(id, &jobspec, &[&["submit", "validate"], end].concat());
    }
    stage.play("restart");
    stage.play("store");
    let mut heard = stage.play("stream job-manager.events-journal {\"full\":true}");
    let mut slices = 1;
    while !heard.iter().any(|line| line.contains(r#""id":-1"#)) {
        // Job 1 is told already or not, job 599 is not yet, job 4000 is new.
        for id in [1, 599] {
            let memo = format!(r#"{{"id":{id},"memo":{{"n":{slices}}}}}"#);
            heard.extend(stage.play(&format!("request job-manager.memo {memo}")));
        }
        heard.extend(stage.play(&format!("submit {}", 4000 + slices)));
        heard.extend(stage.play("pass 0.001"));
        slices += 1;
    }
    heard.extend(stage.play("pass 0.001"));
    assert!(slices > 3, "{slices} slices");
    let records = heard.iter().filter(|line| line.contains("events-journal"));
    let records: Vec<&str> = records.map(String::as_str).collect();
    let of = |id: u64| {
        let id = format!("\"id\":{id},");
        records.iter().filter(move |line| line.contains(&id))
    };
    for id in 1..=600 {
        assert!(of(id).count() >= 1, "job {id} is never told");
    }
    for id in [1, 599] {
        let told: String = of(id).copied().collect();
        let numbers: Vec<usize> = (1..slices)
            .map(|n| {
                told.find(&format!("{{\"n\":{n}}}"))
                    .expect("every memo is told")
            })
            .collect();
        assert!(numbers.is_sorted(), "job {id}: {numbers:?}");
        assert_eq!(told.matches("\"n\":").count(), slices - 1, "job {id}");
    }
    for n in 1..slices {
        let told: String = of(4000 + n as u64).copied().collect();
        assert_eq!(told.matches("\"submit\"").count(), 1, "job {}", 4000 + n);
    }
    let mark = records
        .iter()
        .position(|line| line.contains(r#""id":-1"#))
        .expect("there is one");
    let past: Vec<&&str> = records[..mark].iter().collect();
    assert_eq!(past.len(), 600, "one record a job before the mark");
}
