//! Text as it may stand on a line of a terminal.
//!
//! Names, notes, reasons, keys and log messages are written by others. Printed as they are,
//! they could steer the terminal or pass for lines of our own; so everything that is printed
//! for people comes through here. JSON and values that were asked for by name stay as
//! they are.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::env::Env;

/// Prefix of a job id in base 58.
const F58_PREFIX: char = 'ƒ';

/// Form of text on this terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain {
    /// Job ids begin with `f`, because the terminal has no `ƒ`.
    ascii_ids: bool,
}

impl Plain {
    /// As the locale wants it. Without any the terminal is trusted with Unicode.
    pub fn new(env: &Env) -> Plain {
        let names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
        let mut locales = names.filter_map(|name| env.get(name).filter(|text| !text.is_empty()));
        let is_unicode = locales.next().is_none_or(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let is_forced = env.get_os("FLUX_F58_FORCE_ASCII").is_some();
        Plain {
            ascii_ids: is_forced || !is_unicode,
        }
    }

    /// The text as one line at most, with escapes in place of unprintable characters.
    pub fn line<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.show(text, is_unprintable)
    }

    /// The same for a text of our own that may have several lines.
    pub fn lines<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.show(text, |c| c != '\n' && is_unprintable(c))
    }

    fn show<'t>(&self, text: &'t str, is_escaped: impl Fn(char) -> bool) -> Cow<'t, str> {
        let has_ids = self.ascii_ids && text.contains(F58_PREFIX);
        if !has_ids && !text.contains(&is_escaped) {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len() + 8);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let begins_id =
                has_ids && c == F58_PREFIX && chars.peek().is_some_and(char::is_ascii_alphanumeric);
            match begins_id {
                true => shown.push('f'),
                false if is_escaped(c) => escape(c, &mut shown),
                false => shown.push(c),
            }
        }
        Cow::Owned(shown)
    }
}

/// True if a character controls the terminal, the line or the order of the text on it.
fn is_unprintable(c: char) -> bool {
    let separates = matches!(c, '\u{2028}' | '\u{2029}');
    let reorders = matches!(c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || separates || reorders
}

/// As in JSON, so that JSON within a line stays valid.
fn escape(c: char, shown: &mut String) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        // Writing to a String does not fail.
        c => drop(write!(shown, "\\u{:04x}", u32::from(c))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(Plain::default().line(text), expect, "{text:?}");
    }

    #[test]
    fn what_does_something_is_escaped() {
        check("two\nlines\tand tab\r", "two\\nlines\\tand tab\\r");
        check("red\x1b[31mname\x07", "red\\u001b[31mname\\u0007");
        check("\u{9b}31m\x7f\0", "\\u009b31m\\u007f\\u0000");
        check("\u{2028}\u{202e}abc", "\\u2028\\u202eabc");
    }

    #[test]
    fn what_is_printed_stays() {
        for text in ["", "a b", "back\\slash", "ünï.日本", "ƒ1", "👩‍💻", "e\u{301}"] {
            check(text, text);
        }
    }

    #[test]
    fn only_our_own_texts_have_lines() {
        assert_eq!(Plain::default().lines("a\nb\x1b"), "a\nb\\u001b");
    }

    #[test]
    fn ids_are_ascii_where_the_locale_is() {
        for (name, value, expect) in [
            ("X", "", "ƒ1 ƒ ƒABC"),
            ("LC_ALL", "C.UTF-8", "ƒ1 ƒ ƒABC"),
            ("LANG", "en_US.utf8", "ƒ1 ƒ ƒABC"),
            ("LC_ALL", "C", "f1 ƒ fABC"),
            ("LC_CTYPE", "POSIX", "f1 ƒ fABC"),
            ("LANG", "de_DE.ISO-8859-1", "f1 ƒ fABC"),
            ("FLUX_F58_FORCE_ASCII", "1", "f1 ƒ fABC"),
        ] {
            let env = [(name, value)].into_iter().collect();
            let shown = Plain::new(&env);
            assert_eq!(shown.line("ƒ1 ƒ ƒABC"), expect, "{name}={value}");
        }
        let env = [("LC_ALL", "C"), ("LANG", "C.UTF-8")].into_iter().collect();
        assert_eq!(Plain::new(&env).line("ƒ1"), "f1");
    }
}
