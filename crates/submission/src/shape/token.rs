//! Tokens of the shape language, cut one at a time: the allowed tokens depend on the one
//! before.

use super::ShapeSyntax;

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bracket, brace or separator.
    Mark(char),
    /// Text without quotes.
    Word,
    /// Text within quotes, which stands for itself.
    Quoted,
    /// The end of the input.
    End,
}

/// A token and where it begins, in characters from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Quoted text is without its quotes.
    pub text: String,
    pub position: usize,
}

/// Characters that are tokens of their own.
const MARKS: &str = "[]{};,:=/";

/// The input, from the next token on.
pub struct Tokens {
    chars: Vec<char>,
    at: usize,
    peeked: Option<Token>,
    /// Positions of open brackets and braces.
    open: Vec<(char, usize)>,
}

impl Tokens {
    pub fn new(input: &str) -> Tokens {
        Tokens {
            chars: input.chars().collect(),
            at: 0,
            peeked: None,
            open: Vec::new(),
        }
    }

    /// The next token, which stays the next.
    pub fn peek(&mut self) -> Result<Kind, ShapeSyntax> {
        if self.peeked.is_none() {
            self.peeked = Some(self.cut()?);
        }
        Ok(self.peeked.as_ref().map_or(Kind::End, |token| token.kind))
    }

    pub fn next(&mut self) -> Result<Token, ShapeSyntax> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.cut(),
        }
    }

    /// Takes the next token if it is this mark.
    pub fn take(&mut self, mark: char) -> Result<bool, ShapeSyntax> {
        let is_next = self.peek()? == Kind::Mark(mark);
        if is_next {
            self.next()?;
        }
        Ok(is_next)
    }

    /// Error for `token` at this place.
    pub fn refuse(&self, token: Token) -> ShapeSyntax {
        match (token.kind, self.open.last()) {
            (Kind::End, Some(('[', position))) => ShapeSyntax::UnclosedBracket(*position),
            (Kind::End, Some((_, position))) => ShapeSyntax::UnclosedBrace(*position),
            (Kind::End, None) => ShapeSyntax::End(self.chars.iter().collect()),
            _ => ShapeSyntax::Token {
                token: token.text,
                position: token.position,
            },
        }
    }

    fn cut(&mut self) -> Result<Token, ShapeSyntax> {
        self.skip_blanks();
        let position = self.at;
        let Some(first) = self.chars.get(self.at).copied() else {
            let text = String::new();
            let kind = Kind::End;
            return Ok(Token {
                kind,
                text,
                position,
            });
        };
        let (kind, text) = match first {
            mark if MARKS.contains(mark) => {
                self.at += 1;
                self.pair(mark, position)?;
                (Kind::Mark(mark), mark.to_string())
            }
            quote @ ('\'' | '"') => (Kind::Quoted, self.quoted(quote)?),
            _ => (Kind::Word, self.word()),
        };
        Ok(Token {
            kind,
            text,
            position,
        })
    }

    fn skip_blanks(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    /// Keeps account of open brackets.
    fn pair(&mut self, mark: char, position: usize) -> Result<(), ShapeSyntax> {
        let (open, error) = match mark {
            '[' | '{' => {
                self.open.push((mark, position));
                return Ok(());
            }
            ']' => ('[', ShapeSyntax::MismatchedBrackets(position)),
            '}' => ('{', ShapeSyntax::MismatchedBraces(position)),
            _ => return Ok(()),
        };
        // One that closes the wrong thing is told as a token that cannot stand there.
        let last = self.open.iter().rposition(|(mark, _)| *mark == open);
        match last {
            Some(place) => drop(self.open.remove(place)),
            None => return Err(error),
        }
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<String, ShapeSyntax> {
        let position = self.at;
        let rest = &self.chars[position + 1..];
        let length = rest.iter().position(|c| *c == quote);
        let length = length.ok_or(ShapeSyntax::UnclosedQuote { quote, position })?;
        self.at = position + length + 2;
        Ok(rest[..length].iter().collect())
    }

    fn word(&mut self) -> String {
        let ends = |c: &char| c.is_whitespace() || MARKS.contains(*c) || matches!(c, '\'' | '"');
        let rest = &self.chars[self.at..];
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        rest[..length].iter().collect()
    }

    /// Text after `=`: the text of a count, or empty if none is given.
    pub fn count(&mut self) -> Result<String, ShapeSyntax> {
        let is_bracketed = self.take_before_count('[')?;
        self.skip_blanks();
        let start = self.at;
        self.at += count_length(&self.chars[start..]);
        if self.at == start {
            let next = self.chars.get(start).copied();
            return match next {
                None | Some('{' | '}' | '/' | ';' | ']' | ',') if !is_bracketed => {
                    Ok(String::new())
                }
                None => Err(self.refuse_end()),
                Some(character) => Err(ShapeSyntax::Character {
                    character,
                    position: start,
                }),
            };
        }
        let text = self.chars[start..self.at].iter().collect();
        if is_bracketed && !self.take(']')? {
            let token = self.next()?;
            return Err(self.refuse(token));
        }
        Ok(text)
    }

    /// As `take`, but looks at one character: the rest may be no token but of a count.
    fn take_before_count(&mut self, mark: char) -> Result<bool, ShapeSyntax> {
        self.skip_blanks();
        let is_next = self.chars.get(self.at) == Some(&mark);
        if is_next {
            self.pair(mark, self.at)?;
            self.at += 1;
        }
        Ok(is_next)
    }

    fn refuse_end(&self) -> ShapeSyntax {
        self.refuse(Token {
            kind: Kind::End,
            text: String::new(),
            position: self.at,
        })
    }
}

/// Number of characters at the beginning that are a count: an integer, an idset, or a
/// range of RFC 45. None begins with 0.
fn count_length(chars: &[char]) -> usize {
    let Some(mut length) = number(chars, 0) else {
        return 0;
    };
    let is_open = chars.get(length) == Some(&'+');
    let last = (chars.get(length) == Some(&'-')).then(|| number(chars, length + 1));
    match last.flatten() {
        Some(end) => length = end,
        None if is_open => length += 1,
        None => {}
    }
    if (is_open || last.flatten().is_some())
        && let Some(end) = operand(chars, length)
    {
        return end;
    }
    while !is_open
        && chars.get(length) == Some(&',')
        && let Some(end) = number(chars, length + 1)
    {
        length = match chars.get(end) {
            Some('-') => number(chars, end + 1).unwrap_or(end),
            _ => end,
        };
    }
    length
}

/// `:OPERAND[:OPERATOR]`, and where it ends.
fn operand(chars: &[char], at: usize) -> Option<usize> {
    let colon = |at: usize| (chars.get(at) == Some(&':')).then_some(at + 1);
    let end = number(chars, colon(at)?)?;
    let operator = colon(end).and_then(|at| Some((at, chars.get(at)?)));
    match operator {
        Some((at, '+' | '*' | '^')) => Some(at + 1),
        _ => Some(end),
    }
}

/// A positive number without zeroes in front, and where it ends.
fn number(chars: &[char], at: usize) -> Option<usize> {
    let digits = chars.get(at..)?;
    let length = digits.iter().position(|c| !c.is_ascii_digit());
    let length = length.unwrap_or(digits.len());
    (length > 0 && digits[0] != '0').then_some(at + length)
}
