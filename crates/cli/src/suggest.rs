//! Which of a few names somebody meant who mistyped one.

/// Names that differ from the word in more than this many letters are not suggested.
const EDITS_MAX: usize = 2;

/// The name nearest to `word`, if one is near enough.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = EDITS_MAX.min(word.chars().count() / 2);
    names
        .map(|name| (distance(word, name), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be inserted, left out, replaced or swapped to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
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
