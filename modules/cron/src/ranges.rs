//! Ranges of numbers as crontab(5) has them: `*`, `5`, `1-5`, `*/10`, `1-30/2`, names where
//! there are some, and lists of these. Pure.

use proto::data::IdSet;

/// A field of a time: its name, its first and last number, and the names of the first ones.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key of its value.
    pub name: &'static str,
    /// The first number.
    pub first: u32,
    /// The last one.
    pub last: u32,
    /// Names of numbers, from the first.
    pub names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const fn field(name: &'static str, first: u32, last: u32, names: &'static [&'static str]) -> Field {
    Field {
        name,
        first,
        last,
        names,
    }
}

/// The seven fields of a time.
pub const FIELDS: [Field; 7] = [
    field("second", 0, 59, &[]),
    field("minute", 0, 59, &[]),
    field("hour", 0, 23, &[]),
    field("mday", 1, 31, &[]),
    field("month", 0, 11, MONTHS),
    field("weekday", 0, 6, DAYS),
    field("year", 0, 1100, &[]),
];

impl Field {
    /// All its numbers.
    pub fn all(&self) -> IdSet {
        IdSet::from_range(self.first, self.last)
    }

    /// The numbers of one value, if it is one.
    pub fn number(&self, number: i64) -> Option<IdSet> {
        let number = u32::try_from(number).ok()?;
        (self.first..=self.last)
            .contains(&number)
            .then(|| number.into())
    }

    /// The numbers that a text means, if it means any.
    pub fn parse(&self, text: &str) -> Option<IdSet> {
        let mut set = IdSet::new();
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(step.parse().ok().filter(|step| *step > 0)?)),
                None => (item, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (self.first, self.last),
                Some((first, last)) => (self.value(first)?, self.value(last)?),
                None => {
                    let first = self.value(range)?;
                    // `5/10` is from 5 on, as in other crontabs.
                    (first, if step.is_some() { self.last } else { first })
                }
            };
            if first > last {
                return None;
            }
            for number in (first..=last).step_by(step.unwrap_or(1)) {
                set.insert(number);
            }
        }
        Some(set)
    }

    fn value(&self, text: &str) -> Option<u32> {
        if let Ok(number) = text.parse::<u32>() {
            return (self.first..=self.last).contains(&number).then_some(number);
        }
        let is_named = |name: &&str| text.eq_ignore_ascii_case(name);
        let at = self.names.iter().position(is_named)?;
        Some(self.first + u32::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: usize, text: &str, expect: Option<&str>) {
        let set = FIELDS[field].parse(text).map(|set| set.to_string());
        assert_eq!(set.as_deref(), expect, "{text}");
    }

    #[test]
    fn texts_mean_numbers() {
        check(0, "*", Some("0-59"));
        check(6, "*", Some("0-1100"));
        check(1, "5", Some("5"));
        check(1, "1-3,7", Some("1-3,7"));
        check(1, "*/20", Some("0,20,40"));
        check(1, "10-20/5", Some("10,15,20"));
        check(1, "50/5", Some("50,55"));
        check(4, "jan,Mar", Some("0,2"));
        check(5, "mon-fri", Some("1-5"));
    }

    #[test]
    fn others_mean_nothing() {
        for text in [
            "", "x", "60", "-1", "3-1", "1-", "1,", "*/0", "*/x", "1-2-3", "jan",
        ] {
            check(1, text, None);
        }
        check(3, "0", None);
        check(5, "7", None);
    }

    #[test]
    fn numbers_have_to_be_in_the_field() {
        let number = |number| FIELDS[3].number(number).map(|set| set.to_string());
        assert_eq!(number(31).as_deref(), Some("31"));
        for bad in [0, 32, -1, i64::MAX] {
            assert_eq!(number(bad), None);
        }
    }
}
