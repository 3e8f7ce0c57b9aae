//! Which of a few names somebody meant who mistyped one.

/// Names that differ from the word in more than this many letters are not suggested.
const EDITS_MAX: usize = 2;

/// The name nearest to `word`, if one is near enough. Letters are inserted, left out,
/// replaced or swapped.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = EDITS_MAX.min(word.chars().count() / 2);
    names
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expect: Option<&str>) {
        let names = ["getattr", "jobs", "job", "kvs", "ping"];
        assert_eq!(nearest(word, names.into_iter()), expect, "{word}");
    }

    #[test]
    fn slips_are_recognised() {
        check("getatr", Some("getattr"));
        check("gteattr", Some("getattr"));
        check("pign", Some("ping"));
        check("kvss", Some("kvs"));
    }

    #[test]
    fn other_words_are_not() {
        check("x", None);
        check("frobnicate", None);
        check("", None);
    }
}
