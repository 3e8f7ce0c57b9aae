//! Keys typed by the user.

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Leave this instance.
    Quit,
    /// Select the next job.
    Down,
    /// Select the job before.
    Up,
    /// Show the queue before.
    Left,
    /// Show the next queue.
    Right,
    /// Show the selected job's instance.
    Enter,
    /// Show results of inactive jobs, or do not.
    Details,
    /// Draw everything again.
    Redraw,
}

/// The keys among some bytes; other keys are passed over.
pub fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        let (key, rest) = match first {
            0x1b => escape(rest),
            // In raw mode ^C and ^D are keys as any other.
            b'q' | 0x03 | 0x04 => (Some(Key::Quit), rest),
            b'j' => (Some(Key::Down), rest),
            b'k' => (Some(Key::Up), rest),
            b'h' => (Some(Key::Left), rest),
            b'l' => (Some(Key::Right), rest),
            b'\r' | b'\n' => (Some(Key::Enter), rest),
            b'd' => (Some(Key::Details), rest),
            0x0c => (Some(Key::Redraw), rest),
            _ => (None, rest),
        };
        keys.extend(key);
        bytes = rest;
    }
    keys
}

/// The key of a sequence after its escape, and the rest behind it.
fn escape(rest: &[u8]) -> (Option<Key>, &[u8]) {
    let Some((b'[' | b'O', rest)) = rest.split_first() else {
        return (None, rest);
    };
    let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
    let Some(end) = end else {
        return (None, &[]);
    };
    let key = match (end, rest[end]) {
        (0, b'A') => Some(Key::Up),
        (0, b'B') => Some(Key::Down),
        (0, b'C') => Some(Key::Right),
        (0, b'D') => Some(Key::Left),
        _ => None,
    };
    (key, &rest[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_arrows_are_keys() {
        use Key::*;
        let check = |bytes: &[u8], expect: &[Key]| assert_eq!(keys(bytes), expect, "{bytes:?}");
        check(b"jkhl", &[Down, Up, Left, Right]);
        check(b"\x1b[A\x1b[B\x1bOC\x1bOD", &[Up, Down, Right, Left]);
        check(b"d\r\x0cq", &[Details, Enter, Redraw, Quit]);
        check(b"\x03", &[Quit]);
        check(b"x\x1b[5~\x1b[1;5Aj", &[Down]);
        check(b"\x1bq", &[Quit]);
        check(b"\x1b[", &[]);
    }
}
