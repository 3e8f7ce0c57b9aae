//! A function fits on a screen.

use super::lexer::{code_only, without_tests};
use super::sources::shipped_sources;
use super::{assert_none, short};

const LINES_MAX: usize = 70;

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut breaches = Vec::new();
    for (path, source) in shipped_sources() {
        for (name, line, lines) in functions(without_tests(&source)) {
            if lines > LINES_MAX {
                breaches.push(format!(
                    "{}:{line}: {name} has {lines} lines, more than {LINES_MAX}",
                    short(&path)
                ));
            }
        }
    }
    assert_none(&breaches);
}

/// Name, first line and number of lines of every function with a body.
fn functions(source: &str) -> Vec<(String, usize, usize)> {
    let code = code_only(source);
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let starts_a_word = start == 0 || !is_word(code.as_bytes()[start - 1]);
        let rest = &code[start + 3..];
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !starts_a_word || name.is_empty() {
            continue;
        }
        if let Some(length) = body_end(rest) {
            let first = code[..start].matches('\n').count() + 1;
            let lines = rest[..length].matches('\n').count() + 1;
            found.push((name, first, lines));
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the body of the function whose signature starts `code` ends; `None` for a
/// declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b';' if braces == 0 && others == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && others <= 0 {
                    return Some(at + 1);
                }
                if braces < 0 {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_found_and_measured() {
    let source = "fn a() {\n    let s = \"}\";\n}\n\ntrait T {\n    fn b(&self) -> [u8; 2];\n    fn c(&self) -> u8 { 1 }\n}\n";
    let expect = [("a".to_owned(), 1, 3), ("c".to_owned(), 7, 1)];
    assert_eq!(functions(source), expect);
}
