//! Failure of a command: a text for the user, perhaps a hint, and an exit code.

use std::fmt::Write as _;

use crate::entry::Style;
use crate::plain::Plain;

/// Exit code of a program that SIGPIPE would have ended.
const BROKEN_PIPE_CODE: u8 = 141;

/// Failure of a command.
///
/// `?` makes one from a refusal of a service and from an I/O error; texts that need a
/// subject take it with [`CliError::about`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// Text; empty when everything has been printed already.
    text: String,
    hint: Option<String>,
    code: u8,
    form: Form,
}

/// Form of the printed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The program's name in front, in the style of the command.
    Named,
    /// The same, in several lines.
    Lines,
    /// The text alone.
    Bare,
    /// A mistake on the command line.
    Usage,
}

impl CliError {
    /// A failure that ends the command with 1: `flux-NAME: TEXT`.
    pub fn new(text: impl Into<String>) -> CliError {
        CliError {
            text: text.into(),
            hint: None,
            code: 1,
            form: Form::Named,
        }
    }

    /// The end of a command that has nothing more to say, such as that of a job which failed.
    pub fn exit(code: u8) -> CliError {
        CliError::new("").with_code(code)
    }

    /// A mistake on the command line. The exit code is the style's.
    pub fn usage(text: impl Into<String>) -> CliError {
        CliError {
            form: Form::Usage,
            ..CliError::new(text)
        }
    }

    /// The same text without the program's name.
    pub fn bare(mut self) -> CliError {
        self.form = Form::Bare;
        self
    }

    /// The same text, which has lines of its own.
    pub fn in_lines(mut self) -> CliError {
        self.form = Form::Lines;
        self
    }

    /// The same text with its subject in front: `SUBJECT: TEXT`.
    pub fn about(mut self, subject: impl std::fmt::Display) -> CliError {
        self.text = format!("{subject}: {}", self.text);
        self
    }

    /// Adds a line with advice for the user.
    pub fn with_hint(mut self, hint: impl Into<String>) -> CliError {
        self.hint = Some(hint.into());
        self
    }

    /// Ends the command with `code`.
    pub fn with_code(mut self, code: u8) -> CliError {
        self.code = code;
        self
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Exit code of the process. `style` decides for mistakes on the command line.
    pub fn code(&self, style: Style) -> u8 {
        match (self.form, style) {
            (Form::Usage, Style::Tagged) => 2,
            _ => self.code,
        }
    }

    /// Text for standard error, whole lines. `program` is `flux-NAME`.
    pub fn render(&self, program: &str, style: Style, plain: Plain) -> String {
        let mut lines = String::new();
        if !self.text.is_empty() {
            let text = match self.form {
                // With the usage below it.
                Form::Usage | Form::Lines => plain.lines(&self.text),
                Form::Named | Form::Bare => plain.line(&self.text),
            };
            // Writing to a String does not fail.
            let _ = match (self.form, style) {
                (Form::Bare, _) => writeln!(lines, "{text}"),
                (_, Style::Bare) => writeln!(lines, "{program}: {text}"),
                (Form::Usage, Style::Tagged) => writeln!(lines, "{program}: error: {text}"),
                (Form::Named | Form::Lines, Style::Tagged) => {
                    writeln!(lines, "{program}: ERROR: {text}")
                }
            };
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(lines, "hint: {}", plain.line(hint));
        }
        lines
    }
}

/// The service's own text if it sent one, else the text of its error number.
impl From<proto::Refusal> for CliError {
    fn from(refusal: proto::Refusal) -> CliError {
        CliError::new(refusal.to_string())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> CliError {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => CliError::exit(BROKEN_PIPE_CODE),
            _ => CliError::new(io_text(&error)),
        }
    }
}

/// The error's own text, without Rust's ` (os error N)`.
pub fn io_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// The same with its number, as commands of the tagged style show it.
pub fn numbered(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("[Errno {number}] {}", io_text(error)),
        None => io_text(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: CliError, style: Style, expect: &str, code: u8) {
        assert_eq!(error.render("flux-x", style, Plain::default()), expect);
        assert_eq!(error.code(style), code);
    }

    #[test]
    fn both_styles_have_their_prefixes_and_codes() {
        let error = || CliError::new("no");
        check(error(), Style::Bare, "flux-x: no\n", 1);
        check(error(), Style::Tagged, "flux-x: ERROR: no\n", 1);
        check(error().bare(), Style::Tagged, "no\n", 1);
        check(CliError::usage("no"), Style::Bare, "flux-x: no\n", 1);
        check(
            CliError::usage("no"),
            Style::Tagged,
            "flux-x: error: no\n",
            2,
        );
    }

    #[test]
    fn a_hint_is_a_line_of_its_own() {
        let error = CliError::new("no").about("a.b").with_hint("try again");
        check(error, Style::Bare, "flux-x: a.b: no\nhint: try again\n", 1);
    }

    #[test]
    fn what_a_service_says_is_one_line() {
        let refusal = proto::Refusal::new(proto::Errno::EINVAL, "a\nflux-x: b\x1b[2J");
        let error = CliError::from(refusal).about("c\nd");
        check(
            error,
            Style::Bare,
            "flux-x: c\\nd: a\\nflux-x: b\\u001b[2J\n",
            1,
        );
    }

    #[test]
    fn an_exit_says_nothing() {
        check(CliError::exit(7), Style::Tagged, "", 7);
    }

    #[test]
    fn refusals_give_their_sentence_or_their_number() {
        let refusal = proto::Refusal::bare(proto::Errno::ENOENT);
        check(
            refusal.into(),
            Style::Bare,
            "flux-x: No such file or directory\n",
            1,
        );
        let refusal = proto::Refusal::new(proto::Errno::EINVAL, "unknown job id");
        check(refusal.into(), Style::Bare, "flux-x: unknown job id\n", 1);
    }

    #[test]
    fn io_errors_are_told_without_rust_in_them() {
        let error = std::io::Error::from_raw_os_error(2);
        check(
            error.into(),
            Style::Bare,
            "flux-x: No such file or directory\n",
            1,
        );
        let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        check(pipe.into(), Style::Bare, "", 141);
    }
}
