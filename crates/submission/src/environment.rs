//! The environment that a job gets: rules applied in order to the submitter's own.
//!
//! Pure but for files of rules, which are read where a rule names one. A job starts with
//! everything, as if the first rule were `*`.

use regex_lite::Regex;
use serde_json::{Map, Value};

use command::env::Env;
use command::error::{CliError, numbered};
use proto::data::glob::glob_matches;

/// Maximum nesting of rule files.
const FILES_DEPTH_MAX: u32 = 16;

/// A rule as it stands on the command line, by the option that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `--env=RULE`
    Any(String),
    /// `--env-remove=PATTERN`
    Remove(String),
    /// `--env-file=FILE`
    File(String),
}

/// The job's environment, variables by name.
#[derive(Debug, Default)]
pub struct Environment {
    /// Variables with values.
    pub vars: Map<String, Value>,
    /// Variables whose values the job shell makes from templates such as `{{id}}`.
    pub templates: Map<String, Value>,
}

/// Environment made from our own by the rules.
pub fn environment(env: &Env, rules: &[Rule]) -> Result<Environment, CliError> {
    let mut job = Job {
        outer: env,
        vars: Map::new(),
        templates: Map::new(),
    };
    job.copy(&Pattern::Glob("*".to_owned()));
    for rule in rules {
        match rule {
            Rule::Any(rule) => job.apply(rule, 0)?,
            Rule::Remove(pattern) => job.remove(&Pattern::new(pattern)?),
            Rule::File(path) => job.apply_file(path, 0)?,
        }
    }
    Ok(Environment {
        vars: job.vars,
        templates: job.templates,
    })
}

struct Job<'a> {
    outer: &'a Env,
    vars: Map<String, Value>,
    templates: Map<String, Value>,
}

impl Job<'_> {
    fn apply(&mut self, rule: &str, depth: u32) -> Result<(), CliError> {
        if let Some(pattern) = rule.strip_prefix('-') {
            self.remove(&Pattern::new(pattern)?);
        } else if let Some(path) = rule.strip_prefix('^') {
            self.apply_file(path, depth)?;
        } else if let Some((name, value)) = rule.split_once('=').filter(|(_, v)| v.contains("{{")) {
            self.vars.shift_remove(name);
            self.templates.insert(name.to_owned(), value.into());
        } else if let Some((name, value)) = rule.split_once('=') {
            let value = self.expand(rule, value)?;
            self.templates.shift_remove(name);
            self.vars.insert(name.to_owned(), Value::String(value));
        } else {
            self.copy(&Pattern::new(rule)?);
        }
        Ok(())
    }

    fn apply_file(&mut self, path: &str, depth: u32) -> Result<(), CliError> {
        if depth >= FILES_DEPTH_MAX {
            return Err(CliError::new(format!(
                "--env: {path}: files include each other without end"
            )));
        }
        let home = self.outer.get("HOME").unwrap_or_default();
        let path = match path.strip_prefix("~/") {
            Some(below) => format!("{home}/{below}"),
            None => path.to_owned(),
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| CliError::new(format!("--env: {}: '{path}'", numbered(&error))))?;
        for line in text.lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                self.apply(line, depth + 1)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, pattern: &Pattern) {
        self.vars.retain(|name, _| !pattern.matches(name));
        self.templates.retain(|name, _| !pattern.matches(name));
    }

    /// Copies variables that match and are not set yet.
    fn copy(&mut self, pattern: &Pattern) {
        for (name, value) in self.outer.iter() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                continue;
            };
            if pattern.matches(name) && !self.vars.contains_key(name) {
                self.vars.insert(name.to_owned(), value.into());
            }
        }
    }

    /// Replaces `$NAME`, `${NAME}` and `$$`.
    fn expand(&self, rule: &str, text: &str) -> Result<String, CliError> {
        let refuse = || CliError::new(format!("--env: Unable to substitute {rule}"));
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, next) = if let Some(after) = after.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            } else if let Some(braced) = after.strip_prefix('{') {
                braced.split_once('}').ok_or_else(refuse)?
            } else {
                after.split_at(after.find(|c| !is_part_of_name(c)).unwrap_or(after.len()))
            };
            let begins = |c: char| is_part_of_name(c) && !c.is_ascii_digit();
            if !name.starts_with(begins) || !name.chars().all(is_part_of_name) {
                return Err(refuse());
            }
            let value = self.vars.get(name).and_then(Value::as_str);
            let value = value.or_else(|| self.outer.get(name));
            let unset = || CliError::new(format!("--env: Variable '{name}' not found in {rule}"));
            expanded.push_str(value.ok_or_else(unset)?);
            rest = next;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// True if names of substituted variables may have this character.
fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names that a rule applies to.
enum Pattern {
    /// As file names on a shell's command line.
    Glob(String),
    Regex(Regex),
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, CliError> {
        let Some(regex) = text.strip_prefix('/') else {
            return Ok(Pattern::Glob(text.to_owned()));
        };
        let regex = regex.strip_suffix('/').unwrap_or(regex);
        // A name matches from its beginning, as in re.match.
        match Regex::new(&format!("^(?:{regex})")) {
            Ok(regex) => Ok(Pattern::Regex(regex)),
            Err(error) => Err(CliError::new(format!("--env: {text}: {error}"))),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Glob(glob) => glob_matches(glob.as_bytes(), name.as_bytes()),
            Pattern::Regex(regex) => regex.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: [(&str, &str); 4] = [("A", "1"), ("AB", "2"), ("HOME", "/h"), ("B", "3")];

    fn check(rules: &[Rule], expect: &str) {
        let env = Env::from_iter(OUTER);
        let outcome = match environment(&env, rules) {
            Ok(vars) => {
                let Environment { vars, templates } = vars;
                let vars = vars.iter().chain(&templates);
                let vars = vars
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
                vars.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{rules:?}");
    }

    fn any(rule: &str) -> Rule {
        Rule::Any(rule.to_owned())
    }

    #[test]
    fn rules_are_applied_in_order() {
        check(&[], "A=1 AB=2 B=3 HOME=/h");
        check(&[any("-A*")], "B=3 HOME=/h");
        check(&[Rule::Remove("*".to_owned())], "");
        check(&[any("-*"), any("A*")], "A=1 AB=2");
        check(&[any("-*"), any("A=x"), any("A*")], "A=x AB=2");
        check(&[any("-/^.B$/")], "A=1 B=3 HOME=/h");
        check(&[any("-/A")], "B=3 HOME=/h");
        check(&[any("-*"), any("X=$A-${AB}$$")], "X=1-2$");
        check(&[any("-*"), any("A=$A:x"), any("B=$A")], "A=1:x B=1:x");
    }

    #[test]
    fn the_job_shell_fills_templates_in() {
        let rules = [any("-*"), any("X={{id}}-$A"), any("Y={{id}}"), any("Y=1")];
        let job = environment(&Env::from_iter(OUTER), &rules).unwrap();
        assert_eq!(Value::Object(job.vars).to_string(), r#"{"Y":"1"}"#);
        let templates = Value::Object(job.templates).to_string();
        assert_eq!(templates, r#"{"X":"{{id}}-$A"}"#);
        check(&[any("X={{id}}"), any("-*")], "");
    }

    #[test]
    fn what_cannot_be_expanded_is_refused() {
        check(&[any("X=$NO")], "--env: Variable 'NO' not found in X=$NO");
        for rule in [
            "X=${A",
            "X=$",
            "X=$1",
            "X=$-",
            "X=${}",
            "X=${1}",
            "X=${A:-x}",
        ] {
            check(&[any(rule)], &format!("--env: Unable to substitute {rule}"));
        }
        check(
            &[any("^/nope")],
            "--env: [Errno 2] No such file or directory: '/nope'",
        );
        check(&[any("-*"), any("NO*")], "");
    }

    #[test]
    fn files_hold_one_rule_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules");
        std::fs::write(&path, "# clean\n-*\n\nX=1\n").unwrap();
        let path = path.to_string_lossy().into_owned();
        check(&[Rule::File(path.clone())], "X=1");
        check(&[any(&format!("^{path}"))], "X=1");
        std::fs::write(&path, format!("^{path}\n")).unwrap();
        let endless = format!("--env: {path}: files include each other without end");
        check(&[Rule::File(path)], &endless);
    }
}
