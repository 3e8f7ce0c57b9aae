//! Conversations with the job manager, as text (`transcripts/*.txt`): a command, a line of
//! dashes, what was said, an empty line. `UPDATE=1 cargo test -p job-manager` writes what
//! was said; the diff is read.

mod stage;

use stage::Stage;

/// Plays every command of a transcript and puts what was said below each.
fn play(text: &str) -> String {
    let mut stage = Stage::new();
    let mut played = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // What was said the last time is not read.
        while lines.peek().is_some_and(|line| !line.is_empty()) {
            lines.next();
        }
        played.push_str("----\n");
        for said in stage.play(line) {
            played.push_str(&said);
            played.push('\n');
        }
    }
    played
}

#[allow(clippy::disallowed_methods, reason = "the test compares a file")]
fn check(name: &str) {
    let path = format!("{}/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the transcript is there");
    let played = play(&text);
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, &played).expect("the transcript can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the transcript is there");
    assert_eq!(text, played, "{name}");
}

macro_rules! transcripts {
    ($($test:ident = $name:literal,)*) => {
        $(#[test] fn $test() { check($name); })*

        #[test]
        fn every_transcript_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts");
            for entry in std::fs::read_dir(folder).expect("transcripts/ is there") {
                let name = entry.expect("transcripts/ can be read").file_name();
                let name = name.to_string_lossy().replace(".txt", "");
                assert!([$($name),*].contains(&name.as_str()), "{name} is never played");
            }
        }
    };
}

transcripts! {
    a_job_runs_and_ends = "normal-life",
    a_pending_job_is_cancelled = "cancel-pending",
    a_running_job_is_cancelled = "cancel-running",
    an_allocation_crosses_a_cancel = "alloc-race",
    a_limited_scheduler_gets_the_best_jobs = "alloc-limited",
    a_scheduler_comes_and_goes = "sched-lost",
    an_execution_service_comes_and_goes = "exec-lost",
    signals_are_sent_to_running_jobs_only = "kill",
    listeners_hear_past_and_present_once = "journal",
    waiters_are_told_how_jobs_ended = "wait",
    a_restart_goes_on_where_the_log_ends = "restart",
    a_commit_is_sent_again_when_the_kvs_was_lost = "kvs-lost",
    queues_take_and_run_jobs_or_not = "queue",
    jobs_are_forgotten = "purge",
    users_change_their_jobs = "urgency-memo",
    submissions_are_refused_with_a_reason = "submit",
}

#[test]
fn every_declared_method_has_a_route() {
    let routes = <crate::JobManager as node::Module>::routes();
    let topics: Vec<&str> = routes.topics().collect();
    for method in proto::job_manager::METHODS {
        assert!(topics.contains(&method.topic), "{}", method.topic);
    }
}
