//! Conversations with the kvs, as text (`transcripts/*.txt`): a command, a line of dashes,
//! what was said, an empty line. `UPDATE=1 cargo test -p kvs` writes what was said; the
//! diff is read.

mod stage;
mod stats;

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
    commits_that_arrive_during_another_are_the_next_batch = "batches",
    a_failed_transaction_does_not_take_others_along = "failed-merge",
    what_may_not_be_merged_is_a_version_of_its_own = "no-merge",
    a_sync_makes_a_checkpoint = "sync",
    a_batch_that_fails_takes_along_what_builds_on_it = "batch-fails",
    content_refuses_a_batch = "content-refuses",
    a_batch_is_refused_before_the_one_before_it_is_answered = "content-leaves",
    a_kvs_that_is_killed_loses_nothing = "killed",
    a_token_is_applied_once = "once",
    a_request_that_comes_again_is_done_once = "again",
    namespaces_come_and_go = "namespaces",
    guests_have_limits = "guests",
    lookups_wait_for_blobs = "lookups",
    versions_are_waited_for = "wait-version",
    a_paused_namespace_gets_no_version = "pause",
    the_start_goes_on_from_what_was_saved = "start",
    requests_wait_for_the_start = "early",
    requests_have_their_form = "requests",
    links_lead_into_other_namespaces = "links",
    a_commit_does_not_keep_others_waiting = "limits",
    arguments_and_configuration_are_obeyed = "settings",
    what_is_no_tree_object_is_not_recoverable = "garbled",
}
