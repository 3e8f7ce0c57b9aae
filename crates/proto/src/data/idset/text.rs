//! The text form of idsets (RFC 22): strict reading, four styles of writing.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::IdSet;
use crate::data::limits::IDSET_LISTED_IDS_MAX;
use crate::data::textual::string_on_the_wire;

/// Text form of an idset. Brackets are only added around more than one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdSetStyle {
    /// `0,1,2,7`
    Listed,
    /// `[0,1,2,7]`
    ListedInBrackets,
    /// `0-2,7`
    Ranges,
    /// `[0-2,7]`
    RangesInBrackets,
}

/// Errors of parsing an idset, or of writing it in a style.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdSetError {
    /// An element is neither an id nor two ids with a hyphen.
    #[error("error parsing range '{0}'")]
    Range(String),
    /// An element repeats, overlaps or precedes an earlier one.
    #[error("range '{0}' is out of order")]
    Order(String),
    /// Brackets that do not enclose the whole.
    #[error("mismatched or illegal brackets")]
    Brackets,
    /// More ids than `IDSET_LISTED_IDS_MAX` to write one by one.
    #[error("idset has too many ids to list")]
    TooManyToList,
}

impl IdSet {
    /// The set in one style. The styles that list every id refuse sets beyond
    /// [`IDSET_LISTED_IDS_MAX`]; the others never fail.
    pub fn encode(&self, style: IdSetStyle) -> Result<String, IdSetError> {
        let brackets = matches!(
            style,
            IdSetStyle::ListedInBrackets | IdSetStyle::RangesInBrackets
        );
        let listed = matches!(style, IdSetStyle::Listed | IdSetStyle::ListedInBrackets);
        if !listed {
            return Ok(if brackets {
                self.bracketed()
            } else {
                self.to_string()
            });
        }
        if self.count() > IDSET_LISTED_IDS_MAX {
            return Err(IdSetError::TooManyToList);
        }
        let mut text = String::new();
        for (n, id) in self.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            text.push_str(&id.to_string());
        }
        Ok(if brackets && self.count() > 1 {
            format!("[{text}]")
        } else {
            text
        })
    }

    /// Ranges, in brackets if there is more than one id: `3`, `[0-2,7]`.
    pub fn bracketed(&self) -> String {
        if self.count() > 1 {
            format!("[{self}]")
        } else {
            self.to_string()
        }
    }
}

impl IdSet {
    fn write_ranges(&self, out: &mut impl Write) -> fmt::Result {
        for (n, (lo, hi)) in self.ranges().enumerate() {
            if n > 0 {
                out.write_char(',')?;
            }
            if lo == hi {
                write!(out, "{lo}")?;
            } else {
                write!(out, "{lo}-{hi}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() && f.precision().is_none() {
            return self.write_ranges(f);
        }
        let mut text = String::new();
        self.write_ranges(&mut text)?;
        f.pad(&text)
    }
}

impl FromStr for IdSet {
    type Err = IdSetError;

    fn from_str(text: &str) -> Result<Self, IdSetError> {
        let mut set = IdSet::new();
        for element in without_brackets(text)?
            .split(',')
            .filter(|element| !element.is_empty())
        {
            let (lo, hi) = match element.split_once('-') {
                Some((lo, hi)) => (parse_id(lo), parse_id(hi)),
                None => (parse_id(element), parse_id(element)),
            };
            let (Some(lo), Some(hi)) = (lo, hi) else {
                return Err(IdSetError::Range(element.to_owned()));
            };
            let is_range_of_one = lo == hi && element.contains('-');
            if lo > hi || is_range_of_one || set.last().is_some_and(|last| lo <= last) {
                return Err(IdSetError::Order(element.to_owned()));
            }
            set.insert_range(lo, hi);
        }
        Ok(set)
    }
}

string_on_the_wire!(IdSet, "IdSet", "an idset (RFC 22), such as \"0-3,7\"");

fn without_brackets(text: &str) -> Result<&str, IdSetError> {
    let inner = match (text.strip_prefix('['), text.ends_with(']')) {
        (None, false) => text,
        (Some(inner), true) => inner.strip_suffix(']').ok_or(IdSetError::Brackets)?,
        _ => return Err(IdSetError::Brackets),
    };
    if inner.contains(['[', ']']) {
        Err(IdSetError::Brackets)
    } else {
        Ok(inner)
    }
}

/// Digits without a sign, a blank or a leading zero.
fn parse_id(text: &str) -> Option<u32> {
    let is_plain =
        text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let outcome = match text.parse::<IdSet>() {
            Ok(set) => set.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect, "{text:?}");
    }

    #[test]
    fn good_texts_are_read() {
        check("", "");
        check("[]", "");
        check("0", "0");
        check("0-1", "0-1");
        check("0,1", "0-1");
        check("[2]", "2");
        check("[0-3,7]", "0-3,7");
        check("1,,2", "1-2");
        check("1,2-3,5", "1-3,5");
        check(",", "");
        check("0-4000000000", "0-4000000000");
    }

    #[test]
    fn bad_texts_are_refused_with_the_reason() {
        check("x", "error parsing range 'x'");
        check("1-x", "error parsing range '1-x'");
        check("1-", "error parsing range '1-'");
        check("-1", "error parsing range '-1'");
        check("1-2-3", "error parsing range '1-2-3'");
        check("01", "error parsing range '01'");
        check("00", "error parsing range '00'");
        check("1, 2", "error parsing range ' 2'");
        check(" 1", "error parsing range ' 1'");
        check("+1", "error parsing range '+1'");
        check("4294967296", "error parsing range '4294967296'");
        check("1-2,2", "range '2' is out of order");
        check("1-1", "range '1-1' is out of order");
        check("2-1", "range '2-1' is out of order");
        check("3,1", "range '1' is out of order");
        check("2,2", "range '2' is out of order");
        check("[1", "mismatched or illegal brackets");
        check("1]", "mismatched or illegal brackets");
        check("[", "mismatched or illegal brackets");
        check("]", "mismatched or illegal brackets");
        check("[[1]]", "mismatched or illegal brackets");
        check("1,[2]", "mismatched or illegal brackets");
        check("[1],2", "mismatched or illegal brackets");
    }

    #[test]
    fn styles_differ_in_ranges_and_brackets() {
        let set: IdSet = "0-2,7".parse().unwrap();
        assert_eq!(set.encode(IdSetStyle::Listed).unwrap(), "0,1,2,7");
        assert_eq!(
            set.encode(IdSetStyle::ListedInBrackets).unwrap(),
            "[0,1,2,7]"
        );
        assert_eq!(set.encode(IdSetStyle::Ranges).unwrap(), "0-2,7");
        assert_eq!(set.encode(IdSetStyle::RangesInBrackets).unwrap(), "[0-2,7]");
        let one = IdSet::from(3);
        assert_eq!(one.encode(IdSetStyle::ListedInBrackets).unwrap(), "3");
        assert_eq!(one.bracketed(), "3");
        assert_eq!(IdSet::new().bracketed(), "");
        assert_eq!(
            format!("[{:>6}]", "0-1".parse::<IdSet>().unwrap()),
            "[   0-1]"
        );
    }

    #[test]
    fn a_huge_set_is_not_listed() {
        let huge: IdSet = "0-4000000000".parse().unwrap();
        assert_eq!(
            huge.encode(IdSetStyle::Listed),
            Err(IdSetError::TooManyToList)
        );
        assert_eq!(huge.bracketed(), "[0-4000000000]");
    }

    #[test]
    fn json_is_the_text() {
        let set: IdSet = serde_json::from_str("\"[0-1]\"").unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), "\"0-1\"");
        let error = serde_json::from_str::<IdSet>("\"1-1\"").unwrap_err();
        assert!(
            error.to_string().starts_with("range '1-1' is out of order"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn a_set_survives_every_style(ids in prop::collection::vec(0_u32..200, 0..40)) {
            let set: IdSet = ids.into_iter().collect();
            for style in [
                IdSetStyle::Listed,
                IdSetStyle::ListedInBrackets,
                IdSetStyle::Ranges,
                IdSetStyle::RangesInBrackets,
            ] {
                prop_assert_eq!(set.encode(style).unwrap().parse(), Ok(set.clone()));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]0-9,\\- x]{0,20}") {
            let _ = text.parse::<IdSet>();
        }
    }
}
