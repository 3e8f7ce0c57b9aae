//! Suggests the name that was probably meant by a mistyped one.

/// Names that differ from the word in more letters than this are not suggested.
const EDITS_MAX: usize = 2;

/// The name nearest to `word`, if it is near enough. Letters are inserted, left out,
/// replaced or swapped.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = EDITS_MAX.min(word.chars().count() / 2);
    names
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// At most `count_max` names that differ from `word` in at most `edits_max` letters, nearest
/// first.
pub fn near<'a>(
    word: &str,
    names: impl Iterator<Item = &'a str>,
    edits_max: usize,
    count_max: usize,
) -> Vec<&'a str> {
    let edits = names.map(|name| (strsim::osa_distance(word, name), name));
    let mut found: Vec<_> = edits.filter(|(edits, _)| *edits <= edits_max).collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(count_max);
    found.into_iter().map(|(_, name)| name).collect()
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
    fn the_nearest_of_several_come_first() {
        let names = ["kvs", "getattr", "lsattr", "setattr", "getattr"];
        let near = |word, count| near(word, names.into_iter(), 3, count);
        assert_eq!(near("getatr", 3), ["getattr", "setattr", "lsattr"]);
        assert_eq!(near("getatr", 1), ["getattr"]);
        assert!(near("frobnicate", 3).is_empty());
    }

    #[test]
    fn other_words_are_not() {
        check("x", None);
        check("frobnicate", None);
        check("", None);
    }
}
