//! Search for jobs: a pattern of their names, and a range of ids.

use std::ops::RangeInclusive;

use proto::data::JobId;
use regex_lite::Regex;

use command::error::CliError;

/// In front of a word: it is a pattern, even if it looks like a range of ids.
const NAME: &str = "name:";

/// Condition on a job.
#[derive(Debug, Default)]
pub struct Expression {
    /// Somewhere in its name.
    name: Option<Regex>,
    /// The id is in each of them.
    ids: Vec<RangeInclusive<JobId>>,
}

impl Expression {
    /// Reads the words of a command line.
    pub fn parse(words: &[String]) -> Result<Expression, CliError> {
        let refuse = |why: String| {
            let text = format!("expression error: {why}");
            CliError::new(text).with_code(2)
        };
        let mut expression = Expression::default();
        for word in words {
            if let Some(range) = id_range(word) {
                expression.ids.push(range);
                continue;
            }
            let pattern = word.strip_prefix(NAME).unwrap_or(word);
            if expression.name.is_some() {
                return Err(refuse("Only one pattern can be provided".to_owned()));
            }
            let regex = Regex::new(pattern).map_err(|error| refuse(error.to_string()))?;
            expression.name = Some(regex);
        }
        Ok(expression)
    }

    /// True if a job matches.
    pub fn matches(&self, id: JobId, name: &str) -> bool {
        self.ids.iter().all(|ids| ids.contains(&id))
            && self.name.as_ref().is_none_or(|regex| regex.is_match(name))
    }
}

/// The ids of `ID1..ID2`; `None` for a pattern with two dots in it.
fn id_range(word: &str) -> Option<RangeInclusive<JobId>> {
    if word.contains(':') {
        return None;
    }
    let (first, last) = word.split_once("..")?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the jobs that an expression finds, by their numbers.
    fn check(words: &[&str], expect: &str) {
        let jobs = [
            (1, "sleep"),
            (2, "f2..f9"),
            (3, "sleep-more"),
            (4, "hostname"),
        ];
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let outcome = match Expression::parse(&words) {
            Ok(expression) => {
                let found = jobs
                    .iter()
                    .filter(|(id, name)| expression.matches(JobId(*id), name));
                let found = found.map(|(id, _)| id.to_string());
                found.collect::<Vec<_>>().join(" ")
            }
            Err(error) => {
                assert_eq!(error.code(command::entry::Style::Tagged), 2);
                error.text().to_owned()
            }
        };
        assert_eq!(outcome, expect, "{words:?}");
    }

    #[test]
    fn patterns_are_found_anywhere_in_names() {
        check(&["sleep"], "1 3");
        check(&["^sleep$"], "1");
        check(&["e"], "1 3 4");
        check(&["name:sleep-"], "3");
        check(&["."], "1 2 3 4");
        check(&["zz"], "");
    }

    #[test]
    fn ranges_of_ids_have_both_ends_in_them() {
        check(&["2..3"], "2 3");
        check(&["f3..f4"], "2 3");
        check(&["ƒ3..ƒ4", "sleep"], "3");
        check(&["sleep", "2..9", "1..3"], "3");
        check(&["3..2"], "");
    }

    #[test]
    fn a_range_may_be_meant_as_a_pattern() {
        check(&["f2..f9"], "1 2 3 4");
        check(&["name:f2..f9"], "2");
        check(&["s..ep"], "1 3");
    }

    #[test]
    fn what_is_no_expression_is_said() {
        let check = |words: &[&str], why: &str| check(words, &format!("expression error: {why}"));
        check(&["a", "b"], "Only one pattern can be provided");
        check(&["("], &Regex::new("(").unwrap_err().to_string());
    }
}
