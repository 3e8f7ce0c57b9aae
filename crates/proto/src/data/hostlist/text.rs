//! The compressed text form of host lists (RFC 29).
//!
//! Reading expands the first bracket of each expression; zero padding is per element, by the
//! width of the element's first number. Writing folds neighbours that share a prefix and differ
//! in the last number only.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::Hostlist;
use crate::data::limits::{HOST_NAME_BYTES_MAX, HOSTS_MAX};
use crate::data::textual::string_on_the_wire;

/// Errors of parsing a host list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostlistError {
    /// A bracket without its partner.
    #[error("mismatched brackets in hostlist '{0}'")]
    Brackets(String),
    /// Something in brackets that is neither a number nor an ascending range.
    #[error("invalid range '{0}' in hostlist")]
    Range(String),
    /// The list has more than `HOSTS_MAX` names.
    #[error("hostlist has more than {HOSTS_MAX} hosts")]
    TooManyHosts,
    /// A name is longer than `HOST_NAME_BYTES_MAX`.
    #[error("host name is longer than {HOST_NAME_BYTES_MAX} bytes")]
    NameTooLong,
}

impl FromStr for Hostlist {
    type Err = HostlistError;

    fn from_str(text: &str) -> Result<Self, HostlistError> {
        let mut list = Hostlist::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = expression_end(rest)?;
            expand(&mut list, rest[..end].trim())?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        Ok(list)
    }
}

impl fmt::Display for Hostlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hosts = self.iter().map(Name::split).peekable();
        let mut is_first = true;
        while let Some(name) = hosts.next() {
            if !std::mem::take(&mut is_first) {
                f.write_char(',')?;
            }
            let mut runs = Vec::from_iter(name.number.map(Run::new));
            while let Some(next) = hosts.next_if(|next| {
                name.number.is_some() && next.number.is_some() && next.prefix == name.prefix
            }) {
                if let Some(number) = next.number {
                    match runs.last_mut() {
                        Some(run) if run.takes(number) => run.last = number.value,
                        _ => runs.push(Run::new(number)),
                    }
                }
            }
            f.write_str(name.prefix)?;
            write_runs(f, &runs)?;
        }
        Ok(())
    }
}

string_on_the_wire!(
    Hostlist,
    "Hostlist",
    "a host list (RFC 29), such as \"node[0-3]\""
);

/// Order of names: prefix, then value and width of the trailing number.
pub(super) fn sort_key(name: &str) -> (&str, Option<(u64, usize)>) {
    let name = Name::split(name);
    (
        name.prefix,
        name.number.map(|number| (number.value, number.width)),
    )
}

/// Digits of a number that is compressed; longer ones stay literal.
const NUMBER_DIGITS_MAX: usize = 18;

/// A trailing number as it was written.
#[derive(Clone, Copy)]
struct Number {
    value: u64,
    width: usize,
}

/// A host name cut before its trailing number.
struct Name<'a> {
    prefix: &'a str,
    number: Option<Number>,
}

impl<'a> Name<'a> {
    fn split(name: &'a str) -> Self {
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        match parse_number(&name[prefix.len()..]) {
            Some(number) => Self {
                prefix,
                number: Some(number),
            },
            None => Self {
                prefix: name,
                number: None,
            },
        }
    }
}

/// Consecutive numbers written with one width.
struct Run {
    first: u64,
    last: u64,
    width: usize,
}

impl Run {
    fn new(number: Number) -> Self {
        Self {
            first: number.value,
            last: number.value,
            width: number.width,
        }
    }

    /// True if `number` is the next one and is written as the expansion of this run would
    /// print it.
    fn takes(&self, number: Number) -> bool {
        number.value == self.last + 1 && number.width == digits(number.value).max(self.width)
    }
}

fn write_runs(f: &mut fmt::Formatter<'_>, runs: &[Run]) -> fmt::Result {
    let in_brackets = match runs {
        [] => false,
        [run] => run.first != run.last,
        _ => true,
    };
    if in_brackets {
        f.write_char('[')?;
    }
    for (n, Run { first, last, width }) in runs.iter().enumerate() {
        if n > 0 {
            f.write_char(',')?;
        }
        write!(f, "{first:0width$}")?;
        if first != last {
            write!(f, "-{last:0width$}")?;
        }
    }
    if in_brackets {
        f.write_char(']')
    } else {
        Ok(())
    }
}

fn digits(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn parse_number(text: &str) -> Option<Number> {
    let is_number = !text.is_empty()
        && text.len() <= NUMBER_DIGITS_MAX
        && text.bytes().all(|c| c.is_ascii_digit());
    let value = is_number.then(|| text.parse().ok()).flatten()?;
    Some(Number {
        value,
        width: text.len(),
    })
}

/// End of the first expression of `text`: at a comma outside brackets, or at the end.
fn expression_end(text: &str) -> Result<usize, HostlistError> {
    let mut is_inside = false;
    for (at, c) in text.bytes().enumerate() {
        match c {
            b'[' if is_inside => return Err(HostlistError::Brackets(text.to_owned())),
            b'[' => is_inside = true,
            b']' if !is_inside => return Err(HostlistError::Brackets(text.to_owned())),
            b']' => is_inside = false,
            b',' if !is_inside => return Ok(at),
            _ => {}
        }
    }
    if is_inside {
        Err(HostlistError::Brackets(text.to_owned()))
    } else {
        Ok(text.len())
    }
}

fn expand(list: &mut Hostlist, expression: &str) -> Result<(), HostlistError> {
    if expression.is_empty() {
        return Ok(());
    }
    let Some((prefix, rest)) = expression.split_once('[') else {
        return list.push(expression);
    };
    let Some((ids, suffix)) = rest.split_once(']') else {
        return Err(HostlistError::Brackets(expression.to_owned()));
    };
    for element in ids.split(',') {
        let (first, last) = element.split_once('-').unwrap_or((element, element));
        let (Some(first), Some(last)) = (parse_number(first), parse_number(last)) else {
            return Err(HostlistError::Range(element.to_owned()));
        };
        if last.value < first.value {
            return Err(HostlistError::Range(element.to_owned()));
        }
        let width = first.width;
        for value in first.value..=last.value {
            list.push(&format!("{prefix}{value:0width$}{suffix}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `text`; lists the names, and prints the list again.
    fn check(text: &str, names: &[&str], encoded: &str) {
        let list: Hostlist = text.parse().unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), names, "{text}");
        assert_eq!(list.to_string(), encoded, "{text}");
    }

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        check("", &[], "");
        check(
            "foox,fooy,fooz",
            &["foox", "fooy", "fooz"],
            "foox,fooy,fooz",
        );
        check("[1-3,5-6]", &["1", "2", "3", "5", "6"], "[1-3,5-6]");
        check(
            "foo[1-5]",
            &["foo1", "foo2", "foo3", "foo4", "foo5"],
            "foo[1-5]",
        );
        check(
            "foo[0-2]-eth2",
            &["foo0-eth2", "foo1-eth2", "foo2-eth2"],
            "foo0-eth2,foo1-eth2,foo2-eth2",
        );
        check("foo1,foo1,foo1", &["foo1", "foo1", "foo1"], "foo[1,1,1]");
        check("[00-02]", &["00", "01", "02"], "[00-02]");
        check("[00-2]", &["00", "01", "02"], "[00-02]");
        check(
            "foo[1,1,2,1]",
            &["foo1", "foo1", "foo2", "foo1"],
            "foo[1,1-2,1]",
        );
    }

    #[test]
    fn padding_is_per_element() {
        let names = ["host005", "host4", "host11", "host12", "host13"];
        check("host[005,4,11-13]", &names, "host[005,4,11-13]");
    }

    #[test]
    fn neighbours_are_folded() {
        check("foo9,foo10", &["foo9", "foo10"], "foo[9-10]");
        check("foo09,foo10", &["foo09", "foo10"], "foo[09-10]");
        check("foo01,foo2", &["foo01", "foo2"], "foo[01,2]");
        check("foo1,foo02", &["foo1", "foo02"], "foo[1,02]");
        check("foo99,foo100", &["foo99", "foo100"], "foo[99-100]");
        check(
            "foo1,foo1,foo2,foo1",
            &["foo1", "foo1", "foo2", "foo1"],
            "foo[1,1-2,1]",
        );
        check("vm,vm", &["vm", "vm"], "vm,vm");
        check("vm,vm1", &["vm", "vm1"], "vm,vm1");
        check("a1,b2,b3,a2", &["a1", "b2", "b3", "a2"], "a1,b[2-3],a2");
        check("foo3,foo2", &["foo3", "foo2"], "foo[3,2]");
        check("foo1", &["foo1"], "foo1");
    }

    #[test]
    fn only_the_first_bracket_is_expanded() {
        check(
            "a[1-2]b[3-4]",
            &["a1b[3-4]", "a2b[3-4]"],
            "a1b[3-4],a2b[3-4]",
        );
    }

    #[test]
    fn empty_expressions_and_blanks_between_names_are_skipped() {
        check(",a,,b,", &["a", "b"], "a,b");
        check("a1, a2", &["a1", "a2"], "a[1-2]");
    }

    #[test]
    fn long_numbers_stay_literal() {
        let name = "n00000000000000000000000000001";
        check(name, &[name], name);
    }

    #[test]
    fn bad_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("foo[1", "mismatched brackets in hostlist 'foo[1'"),
            ("foo1]", "mismatched brackets in hostlist 'foo1]'"),
            ("foo[[1]]", "mismatched brackets in hostlist 'foo[[1]]'"),
            ("foo[]", "invalid range '' in hostlist"),
            ("foo[a]", "invalid range 'a' in hostlist"),
            ("foo[2-1]", "invalid range '2-1' in hostlist"),
            ("foo[1-2-3]", "invalid range '1-2-3' in hostlist"),
            ("foo[-1]", "invalid range '-1' in hostlist"),
            ("foo[1,,2]", "invalid range '' in hostlist"),
            ("foo[0-999999999]", "hostlist has more than 131072 hosts"),
            (
                "a[0-99999],b[0-99999]",
                "hostlist has more than 131072 hosts",
            ),
        ] {
            assert_eq!(
                text.parse::<Hostlist>().unwrap_err().to_string(),
                reason,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_list_survives_its_text(
            names in prop::collection::vec("[a-c]?-?0{0,2}[0-9]{0,3}", 0..20),
        ) {
            let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
            let list = Hostlist::from_names(&names).unwrap();
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]0-9,\\- xé]{0,20}") {
            let _ = text.parse::<Hostlist>();
        }
    }
}
