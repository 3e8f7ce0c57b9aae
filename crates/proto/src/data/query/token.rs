//! Cuts a constraint query into terms, operators and parentheses.

use super::QueryError;

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Term,
    And,
    Or,
    Not,
    Minus,
    Open,
    Close,
}

/// A piece of a query.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Text as written.
    pub(super) text: String,
    /// Number of characters before it.
    pub(super) position: usize,
    /// Text before the first unquoted colon of a term.
    pub(super) operator: Option<String>,
    /// The rest of a term, without quotes.
    pub(super) operand: String,
    /// True if part of the term was quoted, so that it may be empty.
    pub(super) is_quoted: bool,
}

/// The tokens of a query, all made in advance so that a stray quote is found first.
pub(super) struct Tokens {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Tokens {
    pub(super) fn new(query: &str) -> Result<Self, QueryError> {
        let mut tokens = Vec::new();
        let mut rest = query;
        let mut position = 0;
        loop {
            let trimmed = rest.trim_start();
            position += rest[..rest.len() - trimmed.len()].chars().count();
            rest = trimmed;
            if rest.is_empty() {
                break;
            }
            let token = cut(rest, position)?;
            position += token.text.chars().count();
            rest = &rest[token.text.len()..];
            tokens.push(token);
        }
        Ok(Self {
            tokens: tokens.into_iter().peekable(),
        })
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    pub(super) fn peek_kind(&mut self) -> Option<Kind> {
        self.tokens.peek().map(|token| token.kind)
    }
}

/// The symbols and words that are not terms. A word must be a whole word: `order` is a
/// term.
const FIXED: [(&str, Kind); 10] = [
    ("&&", Kind::And),
    ("&", Kind::And),
    ("and", Kind::And),
    ("||", Kind::Or),
    ("|", Kind::Or),
    ("or", Kind::Or),
    ("not", Kind::Not),
    ("-", Kind::Minus),
    ("(", Kind::Open),
    (")", Kind::Close),
];

/// The token at the start of `rest`, which is not empty and does not start with a blank.
fn cut(rest: &str, position: usize) -> Result<Token, QueryError> {
    for (text, kind) in FIXED {
        let Some(after) = rest.strip_prefix(text) else {
            continue;
        };
        let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_word && after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let (text, operand) = (text.to_owned(), String::new());
        return Ok(Token {
            kind,
            text,
            position,
            operator: None,
            operand,
            is_quoted: false,
        });
    }
    cut_term(rest, position)
}

fn cut_term(rest: &str, position: usize) -> Result<Token, QueryError> {
    let (mut operator, mut operand) = (None, String::new());
    let (mut quote, mut is_quoted, mut end) = (None, false, rest.len());
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => operand.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                is_quoted = true;
            }
            (None, '(' | ')' | '&' | '|') => {
                end = at;
                break;
            }
            (None, _) if c.is_whitespace() => {
                end = at;
                break;
            }
            (None, ':') if operator.is_none() && !is_quoted => {
                operator = Some(std::mem::take(&mut operand));
            }
            (None, _) => operand.push(c),
        }
    }
    let text = rest[..end].to_owned();
    if quote.is_some() {
        return Err(QueryError::InvalidToken {
            token: text,
            position,
        });
    }
    Ok(Token {
        kind: Kind::Term,
        text,
        position,
        operator,
        operand,
        is_quoted,
    })
}
