//! Files that tests compare with the output of code, and write under `UPDATE=1`:
//! conversations as text, and the tables in `doc/states/`.
//!
//! A transcript has a command, a line of dashes, the messages, an empty line. Its diff is
//! reviewed. [`transcripts!`](crate::transcripts) makes a test of each.

#![allow(clippy::disallowed_methods, reason = "tests compare files")]

use std::fmt::Debug;

/// Panics if the file at `path` is not `text`; with UPDATE set, writes it first.
pub fn check(path: &str, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).expect("the file can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, text, "UPDATE=1 cargo test writes {path}");
}

/// Plays every command of the transcript at `path` and checks the messages.
pub fn check_transcript(path: &str, play: impl FnMut(&str) -> Vec<String>) {
    let text = std::fs::read_to_string(path).expect("the transcript is there");
    check(path, &replay(&text, play));
}

/// The transcript with the present messages below each command.
fn replay(text: &str, mut play: impl FnMut(&str) -> Vec<String>) -> String {
    let mut played = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The messages of the last run are skipped.
        while lines.peek().is_some_and(|line| !line.is_empty()) {
            lines.next();
        }
        played.push_str("----\n");
        for said in play(line) {
            played.push_str(&said);
            played.push('\n');
        }
    }
    played
}

/// Panics if `folder` has a transcript that is none of `names`.
pub fn check_all_played(folder: &str, names: &[&str]) {
    for entry in std::fs::read_dir(folder).expect("transcripts/ is there") {
        let name = entry.expect("transcripts/ can be read").file_name();
        let name = name.to_string_lossy().replace(".txt", "");
        assert!(names.contains(&name.as_str()), "{name} is never played");
    }
}

/// The moves of a state machine as a table below `head`: rows are events, columns the
/// states, a dash a move that `next` refuses.
pub fn table_of_moves<S: Debug + Copy, M: Debug + Copy>(
    head: &str,
    states: &[S],
    moves: &[M],
    next: impl Fn(S, M) -> Option<S>,
) -> String {
    let mut text = format!("{head}\n\n| |");
    for state in states {
        text += &format!(" {state:?} |");
    }
    text += "\n|---|";
    text += &"---|".repeat(states.len());
    for step in moves {
        text += &format!("\n| {step:?} |");
        for state in states {
            let to = next(*state, *step).map_or("-".to_owned(), |to| format!("{to:?}"));
            text += &format!(" {to} |");
        }
    }
    text + "\n"
}

/// Makes a test of each transcript in `transcripts/` of the crate, played by a new stage:
/// a type with `new()` and `play(&mut self, &str) -> Vec<String>`.
#[macro_export]
macro_rules! transcripts {
    ($stage:ty: $($test:ident = $name:literal,)*) => {
        $(#[test]
        fn $test() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts/", $name, ".txt");
            let mut stage = <$stage>::new();
            $crate::written::check_transcript(path, |line| stage.play(line));
        })*

        #[test]
        fn every_transcript_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts");
            $crate::written::check_all_played(folder, &[$($name),*]);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_is_replaced() {
        let text = "# About.\n\nask\n----\nold\n\nend\n";
        let played = replay(text, |line| vec![format!("{line}ed")]);
        assert_eq!(played, "# About.\n\nask\n----\nasked\n\nend\n----\nended\n");
    }

    #[test]
    fn a_table_has_a_row_for_each_move() {
        let next = |state: u8, step: char| (step == 'x').then_some(state + 1);
        let table = table_of_moves("# Head", &[1, 2], &['x', 'y'], next);
        let rows = "| | 1 | 2 |\n|---|---|---|\n| 'x' | 2 | 3 |\n| 'y' | - | - |\n";
        assert_eq!(table, format!("# Head\n\n{rows}"));
    }
}
