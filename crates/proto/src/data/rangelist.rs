//! Range lists: a compact form of many numbers, as in tables of processes (protocol/23
//! section 14).
//!
//! In JSON an array. Each entry counts from the end of the previous one, the first from 0:
//! `N` is one number, `[N, M]` that number and the M after it, `[N, -M]` the same number M
//! times more, and `[N, M, K]` is `[N, M]` and then K repetitions of it.

use serde_json::{Value, json};

use super::limits::RANGELIST_NUMBERS_MAX;

/// Any numbers, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<Value>", into = "Vec<Value>")]
pub struct Rangelist(pub Vec<i64>);

/// Errors of parsing a range list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangelistError {
    /// An entry that is neither a number nor two or three of them.
    #[error("an entry of a range list is a number or an array of two or three")]
    Malformed,
    /// A number beyond 64 bits.
    #[error("a number of a range list is out of range")]
    TooLarge,
    /// More than `RANGELIST_NUMBERS_MAX` numbers.
    #[error("a range list has more than {RANGELIST_NUMBERS_MAX} numbers")]
    TooMany,
}

/// One entry: the distance of its first number from the previous one, the number of further
/// ones, and whether those count up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    offset: i64,
    more: i64,
    counts_up: bool,
}

impl FromIterator<i64> for Rangelist {
    fn from_iter<I: IntoIterator<Item = i64>>(numbers: I) -> Self {
        Rangelist(numbers.into_iter().collect())
    }
}

impl TryFrom<Vec<Value>> for Rangelist {
    type Error = RangelistError;

    fn try_from(entries: Vec<Value>) -> Result<Self, RangelistError> {
        let mut numbers = Vec::new();
        let mut last = 0;
        for entry in entries {
            let (run, repeats) = read(&entry)?;
            for _ in 0..=repeats {
                last = expand(&mut numbers, last, run)?;
            }
        }
        Ok(Rangelist(numbers))
    }
}

impl From<Rangelist> for Vec<Value> {
    fn from(list: Rangelist) -> Vec<Value> {
        let runs = runs(&list.0);
        let mut entries = Vec::new();
        for same in runs.chunk_by(|a, b| a == b) {
            let (Run { offset, .. }, repeats) = (same[0], same.len() - 1);
            match (signed(same[0]), repeats) {
                (0, _) => entries.extend(same.iter().map(|_| json!(offset))),
                (more, 0) => entries.push(json!([offset, more])),
                (more, repeats) => entries.push(json!([offset, more, repeats])),
            }
        }
        entries
    }
}

fn signed(run: Run) -> i64 {
    match run.counts_up {
        true => run.more,
        false => -run.more,
    }
}

/// Splits numbers into runs.
fn runs(numbers: &[i64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut before: i64 = 0;
    for &number in numbers {
        let offset = number.wrapping_sub(before);
        before = number;
        let goes_on = |run: &&mut Run| {
            matches!(offset, 0 | 1) && (run.more == 0 || run.counts_up == (offset == 1))
        };
        if let Some(run) = runs.last_mut().filter(goes_on) {
            run.more += 1;
            run.counts_up = offset == 1;
        } else {
            runs.push(Run {
                offset,
                more: 0,
                counts_up: false,
            });
        }
    }
    runs
}

/// Reads one entry: a run, and the number of its repetitions.
fn read(entry: &Value) -> Result<(Run, i64), RangelistError> {
    let number = |value: &Value| value.as_i64().ok_or(RangelistError::Malformed);
    let (offset, more, repeats) = match entry.as_array().map(Vec::as_slice) {
        None => (number(entry)?, 0, 0),
        Some([offset, more]) => (number(offset)?, number(more)?, 0),
        Some([offset, more, repeats]) => (number(offset)?, number(more)?, number(repeats)?),
        Some(_) => return Err(RangelistError::Malformed),
    };
    let run = Run {
        offset,
        more: more.checked_abs().ok_or(RangelistError::TooLarge)?,
        counts_up: more > 0,
    };
    match repeats {
        0.. => Ok((run, repeats)),
        _ => Err(RangelistError::Malformed),
    }
}

/// Writes a run out; returns its last number.
fn expand(numbers: &mut Vec<i64>, last: i64, run: Run) -> Result<i64, RangelistError> {
    let room = RANGELIST_NUMBERS_MAX - numbers.len();
    if !usize::try_from(run.more).is_ok_and(|more| more < room) {
        return Err(RangelistError::TooMany);
    }
    let too_large = RangelistError::TooLarge;
    let first = last.checked_add(run.offset).ok_or(too_large.clone())?;
    let step = i64::from(run.counts_up);
    let end = first.checked_add(run.more * step).ok_or(too_large)?;
    numbers.extend((0..=run.more).map(|n| first + n * step));
    Ok(end)
}

crate::schema::schema_by_hand!(Rangelist, "Rangelist", inline, {
    "type": "array",
    "description": "Range list: numbers."
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers and their shortest form, both ways.
    fn check(numbers: &[i64], json: &str) {
        let list = Rangelist(numbers.to_vec());
        assert_eq!(serde_json::to_string(&list).unwrap(), json);
        check_read(json, &Ok(list.0));
    }

    fn check_read(json: &str, expect: &Result<Vec<i64>, RangelistError>) {
        let read = serde_json::from_str(json).map(|Rangelist(numbers)| numbers);
        match (read, expect) {
            (Ok(numbers), expect) => assert_eq!(Ok(numbers), *expect, "{json}"),
            (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect.to_string()),
            (Err(error), Ok(_)) => panic!("{json}: {error}"),
        }
    }

    #[test]
    fn numbers_are_written_as_runs() {
        check(&[], "[]");
        check(&[7], "[7]");
        check(&[0, 1, 2, 3], "[[0,3]]");
        check(&[5, 5, 5], "[[5,-2]]");
        // The example of the protocol.
        check(&[0, 0, 1, 1], "[[0,-1],[1,-1]]");
        check(&[10077, 10079, 10076, 10078], "[10077,2,-3,2]");
        check(&[-1, -1, -1, -1], "[[-1,-3]]");
        // Repetitions are written once.
        check(&[1, 1, 2, 2, 3, 3], "[[1,-1,2]]");
        check(&[0, 1, 0, 1, 0, 1], "[[0,1],[-1,1,1]]");
        check(&[3, 5, 7, 9], "[3,2,2,2]");
        check(&[0, 1, 1, 2], "[[0,1,1]]");
    }

    #[test]
    fn what_is_no_range_list_is_refused() {
        use RangelistError::{Malformed, TooLarge, TooMany};
        for (json, error) in [
            ("[\"1\"]", Malformed),
            ("[[1]]", Malformed),
            ("[[1,2,3,4]]", Malformed),
            ("[[1,2,-1]]", Malformed),
            ("[1.5]", Malformed),
            ("[9223372036854775807,1]", TooLarge),
            ("[[9223372036854775807,1]]", TooLarge),
            ("[[0,-9223372036854775808]]", TooLarge),
            ("[[0,9223372036854775807]]", TooMany),
            ("[[0,1,9223372036854775807]]", TooMany),
        ] {
            check_read(json, &Err(error));
        }
        check_read("[[4,0],[1,0,1]]", &Ok(vec![4, 5, 6]));
    }
}
