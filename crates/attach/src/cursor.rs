//! Removal of sequences that would move the cursor from output, while a line of our own
//! stands below it.

/// Final bytes of control sequences that leave the cursor where it is: colours above all.
const KEPT: &[u8] = b"mnchlpq";

/// The bytes without sequences that move the cursor, scroll or clear.
pub fn without_moves(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (length, stays) = sequence(rest);
        if stays {
            kept.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    kept.extend_from_slice(rest);
    kept
}

/// Length of the sequence at the beginning, and whether it is harmless.
fn sequence(bytes: &[u8]) -> (usize, bool) {
    match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..].iter();
            let parameters = parameters.take_while(|byte| (0x20..0x40).contains(*byte));
            let end = 2 + parameters.count();
            match bytes.get(end) {
                Some(last) => (end + 1, KEPT.contains(last)),
                None => (end, false),
            }
        }
        // Saved and restored cursors, tabs, index, next line, reverse index, reset.
        Some(b'7' | b'8' | b'D' | b'E' | b'M' | b'c') => (2, false),
        _ => (1, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_is_taken_out() {
        for (text, expect) in [
            ("plain\n", "plain\n"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("a\x1b[2Jb\x1b[1;5Hc\x1b[Ad", "abcd"),
            ("a\x1b7b\x1b8c\x1bMd", "abcd"),
            ("a\x1b[5", "a"),
            ("a\x1b[1;20rb", "ab"),
            ("a\x1b", "a\x1b"),
        ] {
            let kept = without_moves(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&kept), expect);
        }
    }
}
