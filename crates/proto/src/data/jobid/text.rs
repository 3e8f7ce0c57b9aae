//! The eight encodings of a job id (RFC 19), and the one parser for all of them.
//!
//! The encoding of a text follows from its form alone; the order of the tests in
//! [`JobId::from_str`] is the RFC's and must not change (`foo` is F58, `1.2` is not decimal).

use std::fmt;
use std::str::FromStr;

use super::JobId;
use super::emoji::{EMOJI, EMOJI_COUNT};
use super::words::{WORDS, WORDS_COUNT};

/// An encoding of job ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobIdEncoding {
    /// `6731191091817518`
    Dec,
    /// `0x17e9fb8df16c2e`
    Hex,
    /// `0017.e9fb.8df1.6c2e`
    DotHex,
    /// `job.0017.e9fb.8df1.6c2e`, the directory of the job in the KVS
    Kvs,
    /// `reform-remote-galileo--heart-package-academy`
    Words,
    /// `ƒuZZybuNNy`, for terminals that show UTF-8
    F58,
    /// `fuZZybuNNy`
    F58Plain,
    /// Base 576, one emoji a digit
    Emoji,
}

/// A text that is not a job id in any encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed input")]
pub struct JobIdError;

/// An unknown name of an encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown job id encoding '{0}'")]
pub struct UnknownEncoding(pub String);

impl JobIdEncoding {
    /// Every encoding with its name, as in `flux job id --to=NAME`.
    pub const NAMES: [(&'static str, JobIdEncoding); 8] = [
        ("dec", JobIdEncoding::Dec),
        ("hex", JobIdEncoding::Hex),
        ("dothex", JobIdEncoding::DotHex),
        ("kvs", JobIdEncoding::Kvs),
        ("words", JobIdEncoding::Words),
        ("f58", JobIdEncoding::F58),
        ("f58plain", JobIdEncoding::F58Plain),
        ("emoji", JobIdEncoding::Emoji),
    ];
}

impl FromStr for JobIdEncoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        Self::NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, encoding)| *encoding)
            .ok_or_else(|| UnknownEncoding(name.to_owned()))
    }
}

impl JobId {
    /// The id in one encoding.
    pub fn encode(self, encoding: JobIdEncoding) -> String {
        match encoding {
            JobIdEncoding::Dec => self.0.to_string(),
            JobIdEncoding::Hex => format!("{:#x}", self.0),
            JobIdEncoding::DotHex => dothex(self.0),
            JobIdEncoding::Kvs => format!("job.{}", dothex(self.0)),
            JobIdEncoding::Words => words(self.0),
            JobIdEncoding::F58 => format!("{F58_PREFIX}{}", base58(self.0)),
            JobIdEncoding::F58Plain => format!("f{}", base58(self.0)),
            JobIdEncoding::Emoji => emoji(self.0),
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.encode(JobIdEncoding::F58))
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, JobIdError> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let text = text.strip_prefix("job.").unwrap_or(text);
        let id = if text.contains('.') {
            parse_dothex(text)
        } else if text.contains('-') {
            parse_words(text)
        } else if let Some(digits) = text.strip_prefix([F58_PREFIX, 'f']) {
            parse_base58(digits)
        } else if text.as_bytes().starts_with(&[0xf0, 0x9f]) {
            parse_emoji(text)
        } else if let Some(digits) = text.strip_prefix("0x") {
            parse_digits(digits, 16)
        } else {
            parse_digits(text, 10)
        };
        id.map(JobId).ok_or(JobIdError)
    }
}

/// U+0192, the prefix that distinguishes F58 from decimal.
const F58_PREFIX: char = 'ƒ';

const F58_ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Maximum number of characters read after the F58 prefix.
const F58_DIGITS_MAX: usize = 12;

/// Number of words for one 32-bit half of an id.
const WORDS_A_HALF: usize = 3;

fn dothex(id: u64) -> String {
    format!(
        "{:04x}.{:04x}.{:04x}.{:04x}",
        id >> 48,
        id >> 32 & 0xffff,
        id >> 16 & 0xffff,
        id & 0xffff
    )
}

fn parse_dothex(text: &str) -> Option<u64> {
    let mut id = 0;
    let mut groups = 0;
    for group in text.split('.') {
        if group.len() > 4 {
            return None;
        }
        id = (id << 16) | parse_digits(group, 16)?;
        groups += 1;
        if groups > 4 {
            return None;
        }
    }
    (groups == 4).then_some(id)
}

/// Digits only: no sign, no blank, nothing empty, nothing beyond 64 bits.
fn parse_digits(text: &str, radix: u32) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(text, radix).ok()
}

/// Digits of `id` in `base`, most significant first, at least one.
fn digits(mut id: u64, base: u64) -> Vec<usize> {
    let mut digits = vec![(id % base) as usize];
    id /= base;
    while id > 0 {
        digits.push((id % base) as usize);
        id /= base;
    }
    digits.reverse();
    digits
}

/// The number that `digits` write in `base`, most significant first.
fn number(digits: impl Iterator<Item = Option<usize>>, base: u64) -> Option<u64> {
    let mut id = None;
    for digit in digits {
        let digit = digit? as u64;
        id = Some(id.unwrap_or(0_u64).checked_mul(base)?.checked_add(digit)?);
    }
    id
}

fn base58(id: u64) -> String {
    digits(id, 58)
        .into_iter()
        .map(|digit| F58_ALPHABET[digit] as char)
        .collect()
}

fn parse_base58(text: &str) -> Option<u64> {
    if text.len() > F58_DIGITS_MAX {
        return None;
    }
    number(
        text.bytes()
            .map(|c| F58_ALPHABET.iter().position(|known| *known == c)),
        58,
    )
}

fn emoji(id: u64) -> String {
    digits(id, EMOJI_COUNT as u64)
        .into_iter()
        .map(|digit| EMOJI[digit])
        .collect()
}

fn parse_emoji(text: &str) -> Option<u64> {
    let digits = text
        .chars()
        .map(|c| EMOJI.iter().position(|known| *known == c));
    number(digits, EMOJI_COUNT as u64)
}

/// Two halves, the low one first; in each half the low word first.
fn words(id: u64) -> String {
    let half = |mut bits: u64| {
        let mut names = [""; WORDS_A_HALF];
        for name in &mut names {
            *name = WORDS[(bits % WORDS_COUNT as u64) as usize];
            bits /= WORDS_COUNT as u64;
        }
        names.join("-")
    };
    format!("{}--{}", half(id & 0xffff_ffff), half(id >> 32))
}

fn parse_words(text: &str) -> Option<u64> {
    let mut indexes = Vec::with_capacity(2 * WORDS_A_HALF);
    for name in text.split('-').filter(|name| !name.is_empty()) {
        if indexes.len() == 2 * WORDS_A_HALF {
            return None;
        }
        indexes.push(
            WORDS
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name)),
        );
    }
    if indexes.len() != 2 * WORDS_A_HALF {
        return None;
    }
    let half = |indexes: &[Option<usize>]| {
        let bits = number(indexes.iter().rev().copied(), WORDS_COUNT as u64)?;
        u32::try_from(bits).ok()
    };
    let (low, high) = indexes.split_at(WORDS_A_HALF);
    Some(u64::from(half(low)?) | u64::from(half(high)?) << 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One id in one encoding, both ways.
    fn check(id: u64, encoding: &str, text: &str) {
        let encoding: JobIdEncoding = encoding.parse().unwrap();
        assert_eq!(JobId(id).encode(encoding), text);
        assert_eq!(text.parse(), Ok(JobId(id)), "{text}");
    }

    #[test]
    fn f58_vectors_hold() {
        for (id, text) in [
            (0, "ƒ1"),
            (1, "ƒ2"),
            (57, "ƒz"),
            (1234, "ƒNH"),
            (1888, "ƒZZ"),
            (3363, "ƒzz"),
            (3364, "ƒ211"),
            (4369, "ƒ2JL"),
            (65535, "ƒLUv"),
            (4294967295, "ƒ7YXq9G"),
            (633528662, "ƒxyzzy"),
            (6731191091817518, "ƒuZZybuNNy"),
            (18446744073709551614, "ƒjpXCZedGfVP"),
            (18446744073709551615, "ƒjpXCZedGfVQ"),
        ] {
            check(id, "f58", text);
            check(id, "f58plain", &text.replace('ƒ', "f"));
        }
    }

    #[test]
    fn every_spelling_of_one_id_holds() {
        let id = 6731191091817518;
        check(id, "dec", "6731191091817518");
        check(id, "hex", "0x17e9fb8df16c2e");
        check(id, "dothex", "0017.e9fb.8df1.6c2e");
        check(id, "kvs", "job.0017.e9fb.8df1.6c2e");
        check(id, "words", "reform-remote-galileo--heart-package-academy");
        check(0, "dec", "0");
        check(0, "hex", "0x0");
        check(0, "dothex", "0000.0000.0000.0000");
    }

    #[test]
    fn word_vectors_hold() {
        check(
            0,
            "words",
            "academy-academy-academy--academy-academy-academy",
        );
        check(
            1234,
            "words",
            "turtle-academy-academy--academy-academy-academy",
        );
        check(
            65535,
            "words",
            "nevada-archive-academy--academy-academy-academy",
        );
    }

    #[test]
    fn emoji_vectors_hold() {
        check(0, "emoji", "\u{1f603}");
        check(1234, "emoji", "\u{1f601}\u{1f44c}");
    }

    #[test]
    fn the_examples_of_the_rfc_are_the_same_ids() {
        let same = [["0xedaf97d000000", "000e.daf9.7d00.0000", "ƒZemgA8Bzf"]];
        for texts in same {
            let ids: Vec<JobId> = texts.iter().map(|text| text.parse().unwrap()).collect();
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
        for emoji in ["🚹💂🙌😳💱🏃", "😄😹🎇📥🏧🙉🔞", "🚹💂🈳💰🎩🏃"]
        {
            let id: JobId = emoji.parse().unwrap();
            assert_eq!(id.encode(JobIdEncoding::Emoji), emoji);
        }
    }

    #[test]
    fn odd_texts_that_are_ids_are_read() {
        for (text, id) in [
            ("foo", 2714),
            ("  42 \n", 42),
            ("job.0000.0000.0000.002a", 42),
            ("job.42", 42),
            ("0x2A", 42),
            ("ACADEMY-academy-academy--academy-academy-academy", 0),
        ] {
            assert_eq!(text.parse(), Ok(JobId(id)), "{text:?}");
        }
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in [
            "",
            " ",
            "f",
            "ƒ",
            "job.",
            "0x",
            "0x1g",
            "12 34",
            "42x",
            "-1",
            "+1",
            "f0",
            "fI",
            "f1111111111111",
            "fjpXCZedGfVR",
            "18446744073709551616",
            "0x10000000000000000",
            "1.2.3",
            "1.2.3.4.5",
            "00001.2.3.4",
            "0.0.0.+1",
            "academy-academy",
            "no-such-word--at-all-here",
            "verbal-amen-amen--academy-academy-academy",
            "\u{1f603}x",
            "\u{1f9ff}",
            "job.job.1",
            "x",
            "academy-academy-academy--academy-academy-academy-academy",
        ] {
            assert_eq!(text.parse::<JobId>(), Err(JobIdError), "{text:?}");
        }
    }

    #[test]
    fn encoding_names_ignore_case_and_unknown_ones_are_named() {
        assert_eq!("DotHex".parse(), Ok(JobIdEncoding::DotHex));
        let unknown = "morse".parse::<JobIdEncoding>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown job id encoding 'morse'");
    }

    proptest! {
        #[test]
        fn any_id_survives_any_spelling(id: u64) {
            for (_, encoding) in JobIdEncoding::NAMES {
                prop_assert_eq!(JobId(id).encode(encoding).parse(), Ok(JobId(id)));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<JobId>();
        }
    }
}
