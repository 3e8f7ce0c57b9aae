//! Directives: options that stand in comments of a batch script (RFC 36). Pure.
//!
//! A directive begins with a *sentinel*, a prefix such as `# ` and the tag `flux:` or `FLUX:`.
//! All of a file have the same, and stand together: other lines in between begin with the
//! same prefix or are blank. Read on in `words.rs` (the words of a directive).

mod sentinel;
mod words;

use sentinel::{Sentinel, indent};
use words::Piece;

pub use words::shell_words;

/// One directive: the options of one line, or of several if it has a quote of several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The line that it begins at, counted from 1.
    pub line: usize,
    /// Words, of which the first begins with `-`; empty if it is all comment.
    pub words: Vec<String>,
}

/// The directives of a script, or why they make no sense.
pub fn parse(script: &str) -> Result<Vec<Directive>, String> {
    let mut parser = Parser::default();
    for (index, line) in script.lines().enumerate() {
        parser.take(index + 1, line)?;
    }
    // A quote that is still open is dropped with its directive.
    Ok(parser.directives)
}

/// A quote of several lines that is open.
struct Open {
    /// The line where it was opened.
    line: usize,
    /// The directive up to and including the quotes, as it stands in the script.
    text: String,
    /// `"""` or `'''`.
    quotes: &'static str,
    /// The words of the directive up to the quotes.
    before: Vec<Piece>,
    /// The indentation of the first line, which all lines lose.
    indent: Option<String>,
    content: String,
}

#[derive(Default)]
struct Parser<'s> {
    directives: Vec<Directive>,
    /// Sentinel of the first directive.
    sentinel: Option<Sentinel<'s>>,
    /// The line of the last directive.
    last: usize,
    /// Another line has ended the block of directives.
    is_over: bool,
    open: Option<Open>,
}

impl<'s> Parser<'s> {
    fn take(&mut self, number: usize, line: &'s str) -> Result<(), String> {
        let found = Sentinel::find(line);
        if let Some(open) = self.open.take() {
            return self.take_quoted(number, found, open);
        }
        let Some((sentinel, text)) = found else {
            let continues = |sentinel: &Sentinel| sentinel.continues_with(line);
            self.is_over |= self.sentinel.as_ref().is_some_and(|s| !continues(s));
            return Ok(());
        };
        if self.is_over {
            let (tag, last) = (sentinel.tag, self.last);
            return Err(format!(
                "line {number}: orphan '{tag}' detected: directives disabled after line {last}"
            ));
        }
        match &self.sentinel {
            Some(first) if *first != sentinel => {
                return Err(changed(number, first, &sentinel, text));
            }
            Some(_) => {}
            None => self.sentinel = Some(sentinel),
        }
        self.last = number;
        self.take_directive(number, text)
    }

    fn take_directive(&mut self, number: usize, text: &str) -> Result<(), String> {
        let split = words::split(text).map_err(|why| match why {
            words::Wrong::Unclosed => {
                let text = text.trim();
                format!("line {number}: unclosed triple quote: {text}")
            }
            words::Wrong::Shell(why) => format!("line {number}: {text}: {why}"),
        })?;
        if let Some(quotes) = split.opens {
            self.open = Some(Open {
                line: number,
                text: text.trim().to_owned(),
                quotes,
                before: split.pieces,
                indent: None,
                content: String::new(),
            });
            return Ok(());
        }
        self.add(number, split.pieces, text)
    }

    /// A line while a quote is open.
    fn take_quoted(
        &mut self,
        number: usize,
        found: Option<(Sentinel<'s>, &'s str)>,
        mut open: Open,
    ) -> Result<(), String> {
        let ours = found.filter(|(sentinel, _)| self.sentinel.as_ref() == Some(sentinel));
        let Some((_, text)) = ours else {
            return Err(format!(
                "line {number}: unterminated multi-line quote at line {}: `{}'",
                open.line, open.text
            ));
        };
        self.last = number;
        let first = open.indent.get_or_insert_with(|| indent(text).to_owned());
        let inner = text.strip_prefix(first.as_str());
        let inner = inner.unwrap_or_else(|| text.trim_start());
        match inner.trim_end().strip_suffix(open.quotes) {
            None => {
                open.content.push_str(inner);
                open.content.push('\n');
                self.open = Some(open);
                Ok(())
            }
            Some(rest) => {
                open.content.push_str(rest.trim_end());
                let Open {
                    line,
                    text,
                    mut before,
                    content,
                    ..
                } = open;
                before.push(Piece::Text(content));
                self.add(line, before, &text)
            }
        }
    }

    fn add(&mut self, line: usize, pieces: Vec<Piece>, text: &str) -> Result<(), String> {
        let words = words::join(pieces);
        if words.first().is_some_and(|word| !word.starts_with('-')) {
            return Err(format!("line {line}: Unknown directive: {text}"));
        }
        self.directives.push(Directive { line, words });
        Ok(())
    }
}

fn changed(number: usize, first: &Sentinel, now: &Sentinel, text: &str) -> String {
    format!(
        "line {number}: sentinel changed from '{first}' to '{now}'\n\n\
         All directives in a file must use the same sentinel.\n\n\
         A directive is switched off by a comment character behind its sentinel,\n\
         not in front of it, so that it stays a directive without options:\n\
         \x20 {first} # {}\n\
         A line that is no directive must not begin with a sentinel of its own:\n\
         a mistyped directive would be passed over in silence.",
        text.trim()
    )
}

#[cfg(test)]
mod tests;
