//! Splitting a text into fixed parts and fields.

use super::Fault;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Stays as it is.
    Literal(String),
    /// Is replaced.
    Field(Field),
}

/// `{FIRST.METHOD!CONVERSION:SPEC}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Source of the value.
    pub first: First,
    /// Steps applied to it.
    pub steps: Vec<Step>,
    /// `s`, `r` or `a`.
    pub conversion: Option<char>,
    /// Width, base and the like.
    pub spec: String,
}

/// Beginning of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// The list of inputs, by number.
    Index(usize),
    /// A name.
    Key(String),
}

/// Step applied to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.NAME`
    Method(String),
    /// `[KEY]`
    Item,
}

/// Numbering of fields in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Unknown,
    Automatic(usize),
    Manual,
}

/// The parts of a text.
pub fn pieces(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut numbering = Numbering::Unknown;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push_str(&rest[..2]);
            rest = &rest[2..];
            continue;
        }
        let Some(inner) = rest.strip_prefix('{') else {
            return Err(other("Single '}' encountered in format string"));
        };
        if inner.is_empty() {
            return Err(other("Single '{' encountered in format string"));
        }
        let end = closing(inner).ok_or_else(|| other("expected '}' before end of string"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Field(field(&inner[..end], &mut numbering)?));
        rest = &inner[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Position of the brace that closes a field.
fn closing(inner: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn field(text: &str, numbering: &mut Numbering) -> Result<Field, Fault> {
    let at = text.find(['!', ':']).unwrap_or(text.len());
    let (name, rest) = text.split_at(at);
    let (conversion, spec) = match rest.strip_prefix('!') {
        Some(rest) => {
            let mut chars = rest.chars();
            let conversion = chars.next();
            conversion
                .ok_or_else(|| other("end of string while looking for conversion specifier"))?;
            match chars.as_str() {
                "" => (conversion, ""),
                rest => {
                    let spec = rest.strip_prefix(':');
                    let spec = spec.ok_or_else(|| other("expected ':' after conversion specifier"));
                    (conversion, spec?)
                }
            }
        }
        None => (None, rest.strip_prefix(':').unwrap_or_default()),
    };
    let at = name.find(['.', '[']).unwrap_or(name.len());
    let (first, path) = name.split_at(at);
    Ok(Field {
        first: first_of(first, numbering)?,
        steps: steps(path)?,
        conversion,
        spec: spec.to_owned(),
    })
}

fn first_of(text: &str, numbering: &mut Numbering) -> Result<First, Fault> {
    if !text.is_empty() && !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(First::Key(text.to_owned()));
    }
    let (index, now) = match (text.parse(), *numbering) {
        (Ok(_), Numbering::Automatic(_)) => {
            let text = "cannot switch from automatic field numbering to manual field specification";
            return Err(other(text));
        }
        (Ok(index), _) => (index, Numbering::Manual),
        (Err(_), Numbering::Manual) if text.is_empty() => {
            let text = "cannot switch from manual field specification to automatic field numbering";
            return Err(other(text));
        }
        (Err(_), Numbering::Automatic(next)) if text.is_empty() => {
            (next, Numbering::Automatic(next + 1))
        }
        (Err(_), _) if text.is_empty() => (0, Numbering::Automatic(1)),
        (Err(_), _) => return Err(other("Too many decimal digits in format string")),
    };
    *numbering = now;
    Ok(First::Index(index))
}

fn steps(path: &str) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            if name.is_empty() {
                return Err(other("Empty attribute in format string"));
            }
            steps.push(Step::Method(name.to_owned()));
            rest = after;
        } else if let Some(item) = rest.strip_prefix('[') {
            let (_, after) = item
                .split_once(']')
                .ok_or_else(|| other("expected '}' before end of string"))?;
            steps.push(Step::Item);
            rest = after;
        } else {
            let text = "Only '.' or '[' may follow ']' in format field specifier";
            return Err(other(text));
        }
    }
    Ok(steps)
}

fn other(text: &str) -> Fault {
    Fault::Other(text.to_owned())
}
