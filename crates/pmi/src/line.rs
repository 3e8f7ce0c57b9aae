//! Lines of PMI-1: words `key=value` with one blank between them (RFC 13). The value of
//! `value` runs to the end of the line.

/// The word after `key=`.
pub(crate) fn word<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split(' ')
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Text after `value=`, blanks included.
pub(crate) fn value(line: &str) -> Option<&str> {
    line.split_once(" value=").map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_blanks_and_a_word_not() {
        let line = "cmd=get_result rc=0 value=a b=c";
        assert_eq!(word(line, "rc"), Some("0"));
        assert_eq!(value(line), Some("a b=c"));
        assert_eq!(word(line, "nope"), None);
        assert_eq!(value("cmd=get_result rc=4"), None);
    }
}
