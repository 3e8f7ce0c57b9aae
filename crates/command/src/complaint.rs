//! Errors of clap about a command line, in the parts that our messages are made of.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A mistake on the command line.
pub struct Complaint {
    /// Error text.
    pub message: String,
    /// Usage of the command, where clap thinks that this helps.
    pub usage: Option<String>,
    /// Suggestion.
    pub tip: Option<String>,
}

impl Complaint {
    /// From clap's error.
    pub fn of(error: &clap::Error) -> Complaint {
        Complaint {
            message: message(error),
            usage: one(error, ContextKind::Usage),
            tip: tip(error),
        }
    }
}

fn message(error: &clap::Error) -> String {
    let arg = one(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = one(error, ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => {
            let values = possible_values(error);
            format!("a value is required for '{arg}' but none was supplied{values}")
        }
        ErrorKind::InvalidValue => {
            format!(
                "invalid value '{value}' for '{arg}'{}",
                possible_values(error)
            )
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(why) => format!("invalid value '{value}' for '{arg}': {why}"),
            None => format!("invalid value '{value}' for '{arg}'"),
        },
        ErrorKind::UnknownArgument => format!("unexpected argument '{arg}' found"),
        ErrorKind::InvalidSubcommand => {
            let name = one(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unrecognized subcommand '{name}'")
        }
        ErrorKind::NoEquals => format!("equal sign is needed when assigning values to '{arg}'"),
        ErrorKind::TooManyValues => {
            format!("unexpected value '{value}' for '{arg}' found; no more were expected")
        }
        ErrorKind::ArgumentConflict => {
            let others = all(error, ContextKind::PriorArg);
            match others.as_slice() {
                [other] if *other == arg => {
                    format!("the argument '{arg}' cannot be used multiple times")
                }
                [other] => format!("the argument '{arg}' cannot be used with '{other}'"),
                others => format!("the argument '{arg}' cannot be used with:{}", list(others)),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = list(&all(error, ContextKind::InvalidArg));
            format!("the following required arguments were not provided:{missing}")
        }
        kind => {
            let what = kind.as_str().unwrap_or("invalid command line");
            match arg.is_empty() {
                true => what.to_owned(),
                false => format!("{what}: '{arg}'"),
            }
        }
    }
}

/// The first piece of advice: one is enough.
fn tip(error: &clap::Error) -> Option<String> {
    for (kind, what) in [
        (ContextKind::SuggestedSubcommand, "subcommand"),
        (ContextKind::SuggestedArg, "argument"),
        (ContextKind::SuggestedValue, "value"),
    ] {
        match all(error, kind).as_slice() {
            [] => {}
            [near] => return Some(format!("a similar {what} exists: '{near}'")),
            several => {
                let several = several.join("', '");
                return Some(format!("some similar {what}s exist: '{several}'"));
            }
        }
    }
    all(error, ContextKind::Suggested).into_iter().next()
}

fn possible_values(error: &clap::Error) -> String {
    match all(error, ContextKind::ValidValue).as_slice() {
        [] => String::new(),
        values => format!("\n  [possible values: {}]", values.join(", ")),
    }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}

fn one(error: &clap::Error, kind: ContextKind) -> Option<String> {
    all(error, kind).into_iter().next()
}

fn all(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    /// Checks that the message, usage and first tip are those that clap itself would
    /// print.
    fn check(args: &[&str], message: &str) {
        let number = Arg::new("number")
            .long("number")
            .value_parser(clap::value_parser!(u8));
        let parser = Command::new("x")
            .arg(number)
            .arg(
                Arg::new("kind")
                    .long("kind")
                    .value_parser(["one", "two"])
                    .require_equals(true),
            )
            .arg(
                Arg::new("other")
                    .long("other")
                    .num_args(0)
                    .conflicts_with("number"),
            )
            .arg(Arg::new("file").required(true));
        let words = std::iter::once(&"x").chain(args);
        let error = parser.try_get_matches_from(words).unwrap_err();
        let complaint = Complaint::of(&error);
        assert_eq!(complaint.message, message);
        let rendered = error.render().to_string();
        assert!(rendered.contains(&complaint.message), "{rendered}");
        let usage = complaint.usage.unwrap_or_default();
        assert!(rendered.contains(usage.trim_end()), "{rendered}");
        assert_eq!(rendered.contains("Usage:"), !usage.is_empty(), "{rendered}");
        let tip = complaint.tip.map(|tip| format!("tip: {tip}"));
        let tip = tip.unwrap_or_default();
        assert!(rendered.contains(&tip), "{rendered}");
        assert_eq!(rendered.contains("tip: "), !tip.is_empty(), "{rendered}");
    }

    #[test]
    fn complaints_are_what_clap_says() {
        check(&["--frob", "f"], "unexpected argument '--frob' found");
        check(&["--numbr=1", "f"], "unexpected argument '--numbr' found");
        check(&["f", "g"], "unexpected argument 'g' found");
        check(
            &[],
            "the following required arguments were not provided:\n  <file>",
        );
        check(
            &["--number=z", "f"],
            "invalid value 'z' for '--number <number>': invalid digit found in string",
        );
        check(
            &["--kind=tow", "f"],
            "invalid value 'tow' for '--kind=<kind>'\n  [possible values: one, two]",
        );
        check(
            &["--kind", "f"],
            "equal sign is needed when assigning values to '--kind=<kind>'",
        );
        check(
            &["--other", "--number=1", "f"],
            "the argument '--other' cannot be used with '--number <number>'",
        );
        check(
            &["f", "--number"],
            "a value is required for '--number <number>' but none was supplied",
        );
    }
}
