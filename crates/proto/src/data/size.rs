//! Numbers of bytes in readable form.

/// Reads a number of bytes; the letters k, M and G, in either case, stand for powers of 1024.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<f64>().ok()? * f64::from(factor);
    (bytes >= 0.0 && bytes.is_finite()).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_letters() {
        for (text, expect) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("10K", Some(10_240)),
            ("1.5k", Some(1536)),
            ("2M", Some(2 << 20)),
            ("1g", Some(1 << 30)),
            ("", None),
            ("K", None),
            ("1T", None),
            ("-1", None),
            ("infG", None),
            ("ƒ", None),
        ] {
            assert_eq!(parse_size(text), expect, "{text}");
        }
    }
}
