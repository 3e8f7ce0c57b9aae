//! The words of a directive: those of a POSIX shell with `#` for comments, and triple quotes
//! around text that needs no escapes.

/// A part of a line of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text of a word. Text that follows without a gap belongs to the same word.
    Text(String),
    /// Blanks between two words.
    Gap,
}

/// Errors of splitting a line into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A triple quote that is not closed on its line, nor the end of it.
    Unclosed,
    /// A shell would not read this.
    Shell(&'static str),
}

/// A line of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Parts in their order.
    pub pieces: Vec<Piece>,
    /// The triple quotes at its end that open a quote of several lines.
    pub opens: Option<&'static str>,
}

const NO_CLOSING: Wrong = Wrong::Shell("No closing quotation");
const NO_ESCAPED: Wrong = Wrong::Shell("No escaped character");

/// Splits a line.
pub fn split(text: &str) -> Result<Split, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(quotes) = [r#"""""#, "'''"].into_iter().find(|q| rest.starts_with(q)) {
            let after = &rest[quotes.len()..];
            let Some(length) = after.find(quotes) else {
                let opens = after.trim().is_empty().then_some(quotes);
                return match opens {
                    None => Err(Wrong::Unclosed),
                    opens => Ok(Split { pieces, opens }),
                };
            };
            pieces.push(Piece::Text(after[..length].to_owned()));
            rest = &after[length + quotes.len()..];
            continue;
        }
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '#' => break,
            '\'' => {
                let length = after.find('\'').ok_or(NO_CLOSING)?;
                pieces.push(Piece::Text(after[..length].to_owned()));
                &after[length + 1..]
            }
            '"' => {
                let (text, rest) = double_quoted(after)?;
                pieces.push(Piece::Text(text));
                rest
            }
            '\\' => {
                let escaped = after.chars().next().ok_or(NO_ESCAPED)?;
                pieces.push(Piece::Text(escaped.into()));
                &after[escaped.len_utf8()..]
            }
            c if c.is_ascii_whitespace() => {
                pieces.push(Piece::Gap);
                after
            }
            c => {
                pieces.push(Piece::Text(c.into()));
                after
            }
        };
    }
    let opens = None;
    Ok(Split { pieces, opens })
}

/// The text up to the closing quote, and the rest. A backslash escapes the quote and
/// itself, and stands for itself before anything else.
fn double_quoted(text: &str) -> Result<(String, &str), Wrong> {
    let mut quoted = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((quoted, &text[at + 1..])),
            '\\' => match chars.next().ok_or(NO_ESCAPED)?.1 {
                escaped @ ('"' | '\\') => quoted.push(escaped),
                other => quoted.extend(['\\', other]),
            },
            c => quoted.push(c),
        }
    }
    Err(NO_CLOSING)
}

/// The words that pieces make.
pub fn join(pieces: Vec<Piece>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    for piece in pieces {
        match piece {
            Piece::Text(text) => word.get_or_insert_default().push_str(&text),
            Piece::Gap => words.extend(word.take()),
        }
    }
    words.extend(word);
    words
}

/// The words of a line as a POSIX shell splits it, `#` for comments; or why there are none.
pub fn shell_words(line: &str) -> Result<Vec<String>, &'static str> {
    match split(line) {
        Ok(Split {
            pieces,
            opens: None,
        }) => Ok(join(pieces)),
        Err(Wrong::Shell(why)) => Err(why),
        // To a shell, three quotes are an empty word and a quote that opens.
        Ok(_) | Err(Wrong::Unclosed) => Err("No closing quotation"),
    }
}
