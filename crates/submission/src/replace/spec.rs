//! Format of values: `[[FILL]ALIGN][SIGN][#][0][WIDTH][GROUPING][.PRECISION][TYPE]`, as
//! in Python.

use super::Fault;
use crate::limits::FIELD_COLUMNS_MAX;

/// A specification that has been read.
#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    has_base: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn other(text: impl Into<String>) -> Fault {
    Fault::Other(text.into())
}

impl Spec {
    fn parse(text: &str) -> Result<Spec, Fault> {
        let mut spec = Spec::default();
        let mut rest: &[char] = &text.chars().collect::<Vec<_>>();
        match rest {
            [fill, align @ ('<' | '>' | '=' | '^'), ..] => {
                (spec.fill, spec.align) = (Some(*fill), Some(*align));
                rest = &rest[2..];
            }
            [align @ ('<' | '>' | '=' | '^'), ..] => {
                spec.align = Some(*align);
                rest = &rest[1..];
            }
            _ => {}
        }
        if let [sign @ ('+' | '-' | ' '), ..] = rest {
            spec.sign = Some(*sign);
            rest = &rest[1..];
        }
        if let ['#', ..] = rest {
            spec.has_base = true;
            rest = &rest[1..];
        }
        if let ['0', ..] = rest {
            spec.fill = spec.fill.or(Some('0'));
            spec.align = spec.align.or(Some('='));
            rest = &rest[1..];
        }
        spec.width = number(&mut rest)?.unwrap_or(0);
        if let [grouping @ (',' | '_'), ..] = rest {
            spec.grouping = Some(*grouping);
            rest = &rest[1..];
        }
        if let ['.', ..] = rest {
            rest = &rest[1..];
            let precision = number(&mut rest)?;
            let missing = || other("Format specifier missing precision");
            spec.precision = Some(precision.ok_or_else(missing)?);
        }
        match rest {
            [] => {}
            [kind] => spec.kind = Some(*kind),
            _ => return Err(other("Invalid format specifier")),
        }
        Ok(spec)
    }

    /// With blanks around, where `sign` stays in front of them.
    fn pad(&self, sign: &str, text: &str, align: char) -> String {
        let columns = sign.chars().count() + text.chars().count();
        let blanks = self.width.saturating_sub(columns);
        let fill = |count| String::from_iter(std::iter::repeat_n(self.fill.unwrap_or(' '), count));
        match self.align.unwrap_or(align) {
            '<' => format!("{sign}{text}{}", fill(blanks)),
            '^' => {
                let left = blanks / 2;
                format!("{}{sign}{text}{}", fill(left), fill(blanks - left))
            }
            '=' => format!("{sign}{}{text}", fill(blanks)),
            _ => format!("{}{sign}{text}", fill(blanks)),
        }
    }
}

fn number(rest: &mut &[char]) -> Result<Option<usize>, Fault> {
    let digits = rest.iter().take_while(|c| c.is_ascii_digit());
    let digits: String = digits.collect();
    if digits.is_empty() {
        return Ok(None);
    }
    *rest = &rest[digits.len()..];
    let number = digits.parse().ok();
    let number = number.filter(|number| *number <= FIELD_COLUMNS_MAX);
    let many = || other("Too many decimal digits in format string");
    number.map(Some).ok_or_else(many)
}

/// A number that is not negative.
pub fn integer(number: u64, spec: &str) -> Result<String, Fault> {
    if spec.is_empty() {
        return Ok(number.to_string());
    }
    let spec = Spec::parse(spec)?;
    if spec.precision.is_some() {
        return Err(other("Precision not allowed in integer format specifier"));
    }
    let (base, digits, group) = match spec.kind {
        None | Some('d' | 'n') => ("", number.to_string(), 3),
        Some('x') => ("0x", format!("{number:x}"), 4),
        Some('X') => ("0X", format!("{number:X}"), 4),
        Some('o') => ("0o", format!("{number:o}"), 4),
        Some('b') => ("0b", format!("{number:b}"), 4),
        Some(kind) => {
            let text = format!("Unknown format code '{kind}' for object of type 'int'");
            return Err(other(text));
        }
    };
    let digits = match spec.grouping {
        Some(mark) => grouped(&digits, mark, group),
        None => digits,
    };
    let sign = spec.sign.filter(|sign| *sign != '-');
    let sign = sign.map(String::from).unwrap_or_default();
    let base = if spec.has_base { base } else { "" };
    Ok(spec.pad(&format!("{sign}{base}"), &digits, '>'))
}

fn grouped(digits: &str, mark: char, group: usize) -> String {
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(group) {
            grouped.push(mark);
        }
        grouped.push(digit);
    }
    grouped
}

/// A text.
pub fn text(text: &str, spec: &str) -> Result<String, Fault> {
    if spec.is_empty() {
        return Ok(text.to_owned());
    }
    let spec = Spec::parse(spec)?;
    if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
        let text = format!("Unknown format code '{kind}' for object of type 'str'");
        return Err(other(text));
    }
    if spec.align == Some('=') && spec.fill != Some('0') {
        return Err(other(
            "'=' alignment not allowed in string format specifier",
        ));
    }
    let text: String = match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let align = Spec {
        align: spec.align.filter(|align| *align != '='),
        ..spec
    };
    Ok(align.pad("", &text, '<'))
}

/// A text as Python shows it in a list.
pub fn quoted(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c == quote => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// A list of texts as Python shows it.
pub fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}
