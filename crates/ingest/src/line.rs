//! Input and output of the programs that run plugins: one JSON object per line, in and out
//! in the same order.

use proto::data::Jobspec;
use proto::{Errno, Refusal};
use serde_json::{Map, Value, json};

/// The keys of a line besides the jobspec.
const KEYS: [&str; 5] = ["jobspec", "userid", "rolemask", "urgency", "flags"];

/// A line that asks.
#[derive(Debug)]
pub struct Line(pub Jobspec);

/// A line that answers: a jobspec from a frobnicator, empty from a validator.
#[derive(Debug)]
pub struct Answer(pub Result<Option<Jobspec>, Refusal>);

impl Line {
    /// Reads a line; with `bare` it is the jobspec itself.
    ///
    /// # Errors
    /// EINVAL with the error in it.
    pub fn read(text: &str, bare: bool) -> Result<Line, Refusal> {
        let invalid = |text: String| Refusal::new(Errno::EINVAL, text);
        let line: Value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let Value::Object(mut line) = line else {
            return Err(invalid("input must be a mapping".to_owned()));
        };
        if bare {
            return Ok(Line(Jobspec::from_object(line)));
        }
        if !line.contains_key("jobspec") && line.contains_key("resources") {
            return Err(invalid(
                "Missing keys in input. Did you mean to use --jobspec-only?".to_owned(),
            ));
        }
        if let Some(missing) = KEYS.iter().find(|key| !line.contains_key(**key)) {
            return Err(invalid(format!("missing key {missing} in input")));
        }
        match line.shift_remove("jobspec") {
            Some(Value::Object(jobspec)) => Ok(Line(Jobspec::from_object(jobspec))),
            _ => Err(invalid("jobspec must be a mapping".to_owned())),
        }
    }
}

impl Answer {
    /// The line.
    pub fn write(&self) -> String {
        let mut line = Map::new();
        match &self.0 {
            Ok(jobspec) => {
                line.insert("errnum".to_owned(), json!(0));
                if let Some(jobspec) = jobspec {
                    line.insert("data".to_owned(), json!(jobspec.object()));
                }
            }
            Err(refusal) => {
                line.insert("errnum".to_owned(), json!(refusal.errno.0));
                line.insert("errstr".to_owned(), json!(refusal.to_string()));
            }
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bare: bool, expect: Result<&str, &str>) {
        let read = Line::read(text, bare);
        let read = read.map(|Line(jobspec)| jobspec.encode());
        let read = read.map_err(|refusal| refusal.to_string());
        let expect = expect.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn a_line_has_a_jobspec_and_who_submits_it() {
        let line = r#"{"jobspec":{"a":1},"userid":1,"rolemask":1,"urgency":16,"flags":0}"#;
        check(line, false, Ok(r#"{"a":1}"#));
        check(r#"{"a":1}"#, true, Ok(r#"{"a":1}"#));
        check(
            r#"{"resources":[]}"#,
            false,
            Err("Missing keys in input. Did you mean to use --jobspec-only?"),
        );
        check("{}", false, Err("missing key jobspec in input"));
        let line = r#"{"jobspec":{},"userid":1,"rolemask":1,"urgency":16}"#;
        check(line, false, Err("missing key flags in input"));
        let line = r#"{"jobspec":1,"userid":1,"rolemask":1,"urgency":16,"flags":0}"#;
        check(line, false, Err("jobspec must be a mapping"));
        check("[]", true, Err("input must be a mapping"));
        check(
            "",
            true,
            Err("EOF while parsing a value at line 1 column 0"),
        );
    }

    #[test]
    fn answers_have_a_number_and_more_where_there_is_more() {
        assert_eq!(Answer(Ok(None)).write(), r#"{"errnum":0}"#);
        let jobspec = Jobspec::decode(r#"{"a":1}"#).unwrap();
        let changed = Answer(Ok(Some(jobspec))).write();
        assert_eq!(changed, r#"{"errnum":0,"data":{"a":1}}"#);
        let refused = Refusal::new(Errno::EPERM, "no");
        assert_eq!(
            Answer(Err(refused)).write(),
            r#"{"errnum":1,"errstr":"no"}"#
        );
    }
}
