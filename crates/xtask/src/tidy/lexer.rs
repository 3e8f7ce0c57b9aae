//! Blanks out everything but code in Rust source, so that rules can look for words and
//! braces without being misled by comments and strings.

/// The source with comments, strings and character literals replaced by blanks. Line
/// breaks stay, so line numbers do too.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_non_code(bytes, at);
        if end > at {
            for byte in &mut code[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    // Only whole literals and comments were replaced, byte by byte, with ASCII.
    String::from_utf8(code).expect("blanks do not break UTF-8")
}

/// The source up to its unit tests, which by habit are the last item of a file.
pub fn without_tests(source: &str) -> &str {
    source
        .find("\n#[cfg(test)]\nmod ")
        .map_or(source, |at| &source[..=at])
}

/// Where the comment, string or character at `at` ends; `at` itself when there is none.
fn end_of_non_code(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        at + rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len())
    } else if rest.starts_with(b"/*") {
        end_of_block_comment(bytes, at)
    } else if rest[0] == b'"' {
        end_of_string(bytes, at + 1)
    } else if rest[0] == b'r' && !word_before {
        end_of_raw_string(bytes, at)
    } else if rest.starts_with(b"br") && !word_before {
        match end_of_raw_string(bytes, at + 1) {
            end if end > at + 1 => end,
            _ => at,
        }
    } else if rest[0] == b'\'' {
        end_of_character(bytes, at)
    } else {
        at
    }
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// `at` is behind the opening quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `start` is at the r; returns it when this is no raw string.
fn end_of_raw_string(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes[start + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return start;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)[..]].concat();
    let body = &bytes[open + 1..];
    let found = body.windows(close.len()).position(|window| window == close);
    found.map_or(bytes.len(), |length| open + 1 + length + close.len())
}

/// Tells a character literal from a lifetime: the literal has its closing quote one
/// character, or one escape, later.
fn end_of_character(bytes: &[u8], start: usize) -> usize {
    let Some(first) = bytes.get(start + 1) else {
        return start;
    };
    let mut at = start + 2;
    if *first == b'\\' {
        at += 1;
        while at < bytes.len() && bytes[at] != b'\'' && bytes[at] != b'\n' {
            at += 1;
        }
    } else {
        // The rest of a character of several bytes.
        while at < bytes.len() && bytes[at] & 0xc0 == 0x80 {
            at += 1;
        }
    }
    if bytes.get(at) == Some(&b'\'') {
        at + 1
    } else {
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        let code = code_only(source);
        assert_eq!(code.len(), source.len());
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words.join(" "), expect, "{source}");
    }

    #[test]
    fn comments_go() {
        check("a // b {\nc /* d /* e */ f */ g", "a c g");
    }

    #[test]
    fn strings_go_with_their_escapes() {
        check(r#"a "b \" {" c b"d" e"#, "a c b e");
        check(r###"a r"b\" c r#"d "x" e"# f br"g" h"###, "a c f h");
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        check(
            r"fn f<'a>(x: &'a str) '{' '\'' '\u{7b}' 'ƒ' end",
            "fn f<'a>(x: &'a str) end",
        );
    }

    #[test]
    fn a_raw_identifier_is_code() {
        check("r#type for x", "r#type for x");
    }

    #[test]
    fn tests_at_the_end_are_cut_off() {
        assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {}\n"), "a\n");
        assert_eq!(
            without_tests("a\n#[cfg(test)]\nfn helper() {}\n"),
            "a\n#[cfg(test)]\nfn helper() {}\n"
        );
    }
}
