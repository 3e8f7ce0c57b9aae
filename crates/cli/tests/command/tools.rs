//! Small tools: `lptest`, `fortune` and the like.

use super::run;

#[test]
fn lptest_rotates_the_printable_characters() {
    assert_eq!(
        run(&[], &["lptest", "5", "3"], ""),
        "!\"#$%\n\"#$%&\n#$%&'\n"
    );
    let long = run(&[], &["lptest", "100", "94"], "");
    let last = long.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("~!\"#") && last.ends_with("}~!\"#$%"),
        "{last}"
    );
    let default = run(&[], &["lptest"], "");
    assert_eq!(default.lines().count(), 200);
    assert!(default.lines().all(|line| line.len() == 79));
    let bad = |name| format!("-- stderr\nflux-lptest: error parsing {name}\n-- code 1\n");
    assert_eq!(run(&[], &["lptest", "x"], ""), bad("length"));
    assert_eq!(run(&[], &["lptest", "1", "1k"], ""), bad("count"));
}

#[test]
fn a_fortune_is_a_sentence() {
    let sentence = run(&[], &["fortune"], "");
    assert!(
        sentence.ends_with(".\n") && sentence.lines().count() == 1,
        "{sentence}"
    );
}
