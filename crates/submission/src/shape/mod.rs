//! The shape language of `--resources-shape` (RFC 46): a short text that becomes the
//! resources of a jobspec.
//!
//! Owns the grammar; cutting the text into tokens is in `token.rs`. Pure.

#[cfg(test)]
mod tests;
mod token;

use serde_json::{Map, Value, json};

use crate::limits::SHAPE_DEPTH_MAX;
use token::{Kind, Token, Tokens};

/// The label of a slot that has none of its own.
pub const LABEL_DEFAULT: &str = "task";

/// Errors of parsing a shape. Positions count characters from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeSyntax {
    /// The text ends where something is due.
    #[error("Unexpected end of input in '{0}'")]
    End(String),
    /// A character that no token begins with.
    #[error("Illegal character '{character}' at position {position}")]
    Character {
        /// Character.
        character: char,
        /// Position.
        position: usize,
    },
    /// A token that cannot stand where it does.
    #[error("Invalid token '{token}' at position {position}")]
    Token {
        /// Token.
        token: String,
        /// Position.
        position: usize,
    },
    /// A bracket is never closed.
    #[error("Unclosed bracket in position {0}")]
    UnclosedBracket(usize),
    /// A brace is never closed.
    #[error("Unclosed brace in position {0}")]
    UnclosedBrace(usize),
    /// A quote is never closed.
    #[error("Unclosed quote {quote} at position {position}")]
    UnclosedQuote {
        /// Quote character.
        quote: char,
        /// Position of its start.
        position: usize,
    },
    /// A bracket closes nothing.
    #[error("Mismatched brackets starting at position {0}.")]
    MismatchedBrackets(usize),
    /// A brace closes nothing.
    #[error("Mismatched braces starting at position {0}.")]
    MismatchedBraces(usize),
    /// Several slots, and one has no label.
    #[error("Multiple slots require labels")]
    UnlabelledSlots,
    /// A count beyond all measure, or a range that ends before it begins.
    #[error("Invalid count '{0}'")]
    Count(String),
    /// Nested deeper than `SHAPE_DEPTH_MAX`.
    #[error("shape is nested deeper than {SHAPE_DEPTH_MAX} levels")]
    TooDeep,
}

/// Reads a shape as the value of `resources`.
pub fn parse_shape(shape: &str) -> Result<Vec<Value>, ShapeSyntax> {
    parse_shape_labelled(shape, LABEL_DEFAULT)
}

/// The same, where a slot that has no label of its own has this one.
pub fn parse_shape_labelled(shape: &str, label: &str) -> Result<Vec<Value>, ShapeSyntax> {
    let mut parser = Parser {
        label,
        tokens: Tokens::new(shape),
        slots: 0,
        unlabelled: 0,
        depth: 0,
    };
    let list = parser.list()?;
    let rest = parser.tokens.next()?;
    if rest.kind != Kind::End {
        return Err(parser.tokens.refuse(rest));
    }
    match parser.slots > 1 && parser.unlabelled > 0 {
        true => Err(ShapeSyntax::UnlabelledSlots),
        false => Ok(list),
    }
}

struct Parser<'l> {
    /// Of a slot without one of its own.
    label: &'l str,
    tokens: Tokens,
    slots: usize,
    /// Slots without a label of their own.
    unlabelled: usize,
    depth: usize,
}

impl Parser<'_> {
    /// `VERTEX` or `[VERTEX;VERTEX...]`.
    fn list(&mut self) -> Result<Vec<Value>, ShapeSyntax> {
        self.nested(|parser| {
            if !parser.tokens.take('[')? {
                return Ok(vec![parser.vertex()?]);
            }
            parser.separated(';', ']', Parser::vertex)
        })
    }

    /// One level down, if there may be one.
    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ShapeSyntax>,
    ) -> Result<T, ShapeSyntax> {
        if self.depth >= SHAPE_DEPTH_MAX {
            return Err(ShapeSyntax::TooDeep);
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    /// At least one item, up to `end`.
    fn separated<T>(
        &mut self,
        separator: char,
        end: char,
        item: impl Fn(&mut Self) -> Result<T, ShapeSyntax>,
    ) -> Result<Vec<T>, ShapeSyntax> {
        let mut items = vec![item(self)?];
        while self.tokens.take(separator)? {
            items.push(item(self)?);
        }
        self.expect(end)?;
        Ok(items)
    }

    fn expect(&mut self, mark: char) -> Result<(), ShapeSyntax> {
        match self.tokens.take(mark)? {
            true => Ok(()),
            false => self.refuse_next(),
        }
    }

    fn refuse_next<T>(&mut self) -> Result<T, ShapeSyntax> {
        let token = self.tokens.next()?;
        Err(self.tokens.refuse(token))
    }

    /// `TYPE[=COUNT][{ITEMS}][/LIST]`.
    fn vertex(&mut self) -> Result<Value, ShapeSyntax> {
        let mut kind = self.text()?.text;
        let is_slot = kind.eq_ignore_ascii_case("slot");
        if is_slot {
            kind.make_ascii_lowercase();
        }
        let mut vertex = Map::new();
        vertex.insert("type".to_owned(), kind.into());
        let count = match self.tokens.take('=')? {
            true => count(&self.tokens.count()?)?,
            false => json!(1),
        };
        vertex.insert("count".to_owned(), count);
        let has_braces = self.tokens.take('{')?;
        if is_slot {
            let label = self.label(has_braces)?;
            vertex.insert("label".to_owned(), label.into());
            if has_braces && !self.tokens.take('}')? {
                self.expect(',')?;
                self.items(&mut vertex)?;
            }
            self.expect('/')?;
            let with = self.list()?;
            vertex.insert("with".to_owned(), with.into());
            return Ok(Value::Object(vertex));
        }
        if has_braces && !self.tokens.take('}')? {
            self.items(&mut vertex)?;
        }
        if self.tokens.take('/')? {
            let with = self.list()?;
            vertex.insert("with".to_owned(), with.into());
        }
        Ok(Value::Object(vertex))
    }

    /// The label of a slot, which stands first in its braces.
    fn label(&mut self, has_braces: bool) -> Result<String, ShapeSyntax> {
        self.slots += 1;
        if has_braces {
            return Ok(self.text()?.text);
        }
        self.unlabelled += 1;
        Ok(self.label.to_owned())
    }

    /// A word or a quoted text.
    fn text(&mut self) -> Result<Token, ShapeSyntax> {
        match self.tokens.peek()? {
            Kind::Word | Kind::Quoted => self.tokens.next(),
            _ => self.refuse_next(),
        }
    }

    /// `KEY:VALUE`, `[+]KEY` and `-KEY`, up to the brace that closes them.
    fn items(&mut self, into: &mut Map<String, Value>) -> Result<(), ShapeSyntax> {
        let items = self.separated(',', '}', Parser::item)?;
        into.extend(items);
        Ok(())
    }

    fn item(&mut self) -> Result<(String, Value), ShapeSyntax> {
        let token = self.text()?;
        let sign = match token.kind {
            Kind::Word => token.text.chars().next().filter(|c| "+-".contains(*c)),
            _ => None,
        };
        let Some(sign) = sign else {
            let value = match self.tokens.take(':')? {
                true => self.value()?,
                false => json!(true),
            };
            return Ok((key(token), value));
        };
        let rest = token.text[1..].to_owned();
        let token = match rest.is_empty() {
            true => self.text()?,
            false => Token {
                text: rest,
                ..token
            },
        };
        Ok((key(token), json!(sign == '+')))
    }

    /// A value as in JSON, but that texts need no quotes.
    fn value(&mut self) -> Result<Value, ShapeSyntax> {
        self.nested(|parser| {
            if parser.tokens.take('[')? {
                if parser.tokens.take(']')? {
                    return Ok(json!([]));
                }
                return Ok(parser.separated(',', ']', Parser::value)?.into());
            }
            if parser.tokens.take('{')? {
                let mut object = Map::new();
                if !parser.tokens.take('}')? {
                    parser.items(&mut object)?;
                }
                return Ok(object.into());
            }
            let token = parser.text()?;
            Ok(match token.kind {
                Kind::Word => literal(token.text),
                _ => token.text.into(),
            })
        })
    }
}

/// `x` is short for `exclusive`.
fn key(token: Token) -> String {
    match (token.kind, token.text.as_str()) {
        (Kind::Word, "x") => "exclusive".to_owned(),
        _ => token.text,
    }
}

fn literal(word: String) -> Value {
    match word.to_ascii_lowercase().as_str() {
        "true" => json!(true),
        "false" => json!(false),
        "null" => Value::Null,
        _ => match serde_json::from_str::<serde_json::Number>(&word) {
            Ok(number) => number.into(),
            Err(_) => word.into(),
        },
    }
}

/// An integer as one; an idset or a range as its text.
fn count(text: &str) -> Result<Value, ShapeSyntax> {
    let refuse = || ShapeSyntax::Count(text.to_owned());
    if text.is_empty() {
        return Ok(json!(1));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u32 = text.parse().map_err(|_| refuse())?;
        return Ok(json!(number));
    }
    for part in text.split([',', ':']) {
        let ends = part.split_once('-').map(|(first, last)| {
            let ends: (Result<u32, _>, Result<u32, _>) = (first.parse(), last.parse());
            ends
        });
        match ends {
            Some((Ok(first), Ok(last))) if first <= last => {}
            None => {}
            Some(_) => return Err(refuse()),
        }
    }
    Ok(text.into())
}
