//! Shell patterns of names: `*`, `?` and `[set]`. A slash is an ordinary character: a star
//! matches it.

/// True if a pattern matches all of a name. Remembers only the last star: an earlier one never has
/// to give up more than the last.
pub fn glob_matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match glob.get(g) {
            Some(b'*') => {
                star = Some((g + 1, n));
                g += 1;
                continue;
            }
            None if n == name.len() => return true,
            None => None,
            Some(_) => name.get(n).and_then(|c| one_matches(&glob[g..], *c)),
        };
        match (step, &mut star) {
            (Some(length), _) => {
                g += length;
                n += 1;
            }
            (None, Some((after, from))) if *from < name.len() => {
                *from += 1;
                (g, n) = (*after, *from);
            }
            (None, _) => return false,
        }
    }
}

/// Length of the first element of a pattern, if the character matches it.
fn one_matches(glob: &[u8], c: u8) -> Option<usize> {
    let literal = |matches: bool| matches.then_some(1);
    match glob[0] {
        b'?' => Some(1),
        b'[' => {
            let negated = matches!(glob.get(1), Some(b'!'));
            let first = 1 + usize::from(negated);
            let set = glob.get(first..).unwrap_or_default();
            // A bracket right after the opening one stands for itself.
            let Some(length) = set.iter().skip(1).position(|b| *b == b']') else {
                return literal(c == b'[');
            };
            let set = &set[..=length];
            (in_set(set, c) != negated).then_some(first + set.len() + 1)
        }
        other => literal(other == c),
    }
}

fn in_set(set: &[u8], c: u8) -> bool {
    let mut at = 0;
    while let Some(low) = set.get(at) {
        match (set.get(at + 1), set.get(at + 2)) {
            (Some(b'-'), Some(high)) => {
                if (*low..=*high).contains(&c) {
                    return true;
                }
                at += 3;
            }
            _ if *low == c => return true,
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_a_shell() {
        for (glob, name, expect) in [
            ("*", "", true),
            ("A*C*", "ABCD", true),
            ("A*C", "ABCD", false),
            ("?B", "AB", true),
            ("?", "", false),
            ("[A-C]X", "BX", true),
            ("[!A-C]X", "BX", false),
            ("[]]", "]", true),
            ("[A", "[A", true),
            ("d*f", "d/e/f", true),
            ("*.c", "a.c.o", false),
        ] {
            let matches = glob_matches(glob.as_bytes(), name.as_bytes());
            assert_eq!(matches, expect, "{glob} {name}");
        }
    }
}
