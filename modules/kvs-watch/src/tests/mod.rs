//! Conversations with kvs-watch, as text (`transcripts/*.txt`): a command, a line of dashes,
//! what was said, an empty line. `UPDATE=1 cargo test -p kvs-watch` writes what was said; the
//! diff is read.

mod costs;
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
    a_watch_answers_at_every_commit_of_its_key = "watch",
    a_full_or_uniq_watch_answers_when_the_value_is_another = "full-uniq",
    a_growing_value_is_sent_piece_by_piece = "append",
    a_key_that_is_not_there_is_waited_for = "waitcreate",
    a_stream_sends_a_value_and_ends = "stream",
    bad_flags_are_refused = "refused",
    answers_that_cross_are_sent_in_order = "crossing",
    a_kvs_that_restarts_is_asked_again = "restart",
    watches_end_when_they_are_cancelled_or_left = "cancel",
    guests_watch_what_is_theirs = "guests",
    keys_are_watched_by_their_text_and_values_through_links = "keys",
    a_blob_that_is_gone_ends_what_needs_it = "lost-blob",
    each_client_has_its_own_watches = "clients",
}
