//! Widths, precisions and alignment: Python's format specification as far as listings use
//! it, with the suffixes `h` (a dash for an empty value) and `+` (a mark for a truncated
//! one).

/// Columns that one field may be padded to; more is no specification.
const WIDTH_MAX: usize = 4096;

/// On which side padding goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Padding on the right.
    Left,
    /// Padding on the left.
    Right,
    /// Padding on both sides.
    Centre,
}

/// Padding and truncation of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Fill character.
    pub fill: char,
    /// `None` is left for text and right for numbers.
    pub align: Option<Align>,
    /// At least N columns.
    pub width: usize,
    /// Text: at most N characters. Numbers: digits.
    pub precision: Option<usize>,
    /// `d`, `f`, `g`, `s` or `x`.
    pub kind: Option<char>,
    /// A dash for an empty value.
    pub dash_empty: bool,
    /// A plus for a truncated value.
    pub mark_cut: bool,
}

impl Spec {
    /// Nothing said.
    pub const NONE: Spec = Spec {
        fill: ' ',
        align: None,
        width: 0,
        precision: None,
        kind: None,
        dash_empty: false,
        mark_cut: false,
    };

    /// Reads a specification; `None` if it is none.
    pub fn parse(text: &str) -> Option<Spec> {
        let mut spec = Spec::NONE;
        let mut text = text;
        loop {
            if let Some(rest) = text.strip_suffix('h').filter(|_| !spec.dash_empty) {
                spec.dash_empty = true;
                text = rest;
            } else if let Some(rest) = text.strip_suffix('+').filter(|_| !spec.mark_cut) {
                spec.mark_cut = true;
                text = rest;
            } else {
                break;
            }
        }
        let text = spec.read_alignment(text);
        let text = text.strip_prefix(['+', '-', ' ']).unwrap_or(text);
        let (width, text) = split_number(text)?;
        spec.width = width.unwrap_or(0);
        let text = text.strip_prefix(',').unwrap_or(text);
        let text = match text.strip_prefix('.') {
            Some(text) => {
                let (precision, text) = split_number(text)?;
                spec.precision = Some(precision?);
                text
            }
            None => text,
        };
        spec.kind = text.chars().next();
        let is_known = matches!(text, "" | "d" | "f" | "g" | "s" | "x");
        is_known.then_some(spec)
    }

    fn read_alignment<'a>(&mut self, text: &'a str) -> &'a str {
        let align = |c: char| match c {
            '<' => Some(Align::Left),
            '>' => Some(Align::Right),
            '^' => Some(Align::Centre),
            _ => None,
        };
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        if let (Some(fill), Some(side)) = (first, second.and_then(align)) {
            (self.fill, self.align) = (fill, Some(side));
            return chars.as_str();
        }
        match first.and_then(align) {
            Some(side) => {
                self.align = Some(side);
                &text[1..]
            }
            None => text,
        }
    }

    /// At least and, if it cuts, at most `width` columns.
    pub fn widened(mut self, width: usize) -> Spec {
        self.width = self.width.max(width);
        self.precision = self.precision.map(|precision| precision.max(width));
        self
    }

    /// The text cut to the precision.
    pub fn cut(&self, text: &str) -> String {
        let Some(max) = self.precision else {
            return text.to_owned();
        };
        let Some((end, _)) = text.char_indices().nth(max) else {
            return text.to_owned();
        };
        let mut cut = text[..end].to_owned();
        if self.mark_cut && cut.pop().is_some() {
            cut.push('+');
        }
        cut
    }

    /// Appends the text, padded. `is_number` decides the side when nothing is said.
    pub fn pad(&self, text: &str, is_number: bool, line: &mut String) {
        let missing = self.width.saturating_sub(text.chars().count());
        let align = self.align.unwrap_or(match is_number {
            true => Align::Right,
            false => Align::Left,
        });
        let left = match align {
            Align::Left => 0,
            Align::Right => missing,
            Align::Centre => missing / 2,
        };
        line.extend(std::iter::repeat_n(self.fill, left));
        line.push_str(text);
        line.extend(std::iter::repeat_n(self.fill, missing - left));
    }
}

/// The digits in front as a number, and the rest; `None` when the number is too large.
fn split_number(text: &str) -> Option<(Option<usize>, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Some((None, rest));
    }
    let number = digits.parse().ok().filter(|n| *n <= WIDTH_MAX)?;
    Some((Some(number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, text: &str, expect: &str) {
        let spec = Spec::parse(spec).unwrap();
        let mut line = String::new();
        spec.pad(&spec.cut(text), false, &mut line);
        assert_eq!(line, expect);
    }

    #[test]
    fn text_is_padded_and_cut() {
        check("", "abc", "abc");
        check("5", "abc", "abc  ");
        check(">5", "abc", "  abc");
        check("^6", "abc", " abc  ");
        check("*^7", "abc", "**abc**");
        check("<2.2", "abc", "ab");
        check("<2.2+", "abc", "a+");
        check(".3+", "abc", "abc");
        check(">6h", "ƒabc", "  ƒabc");
        check("<4.4h+", "abcdef", "abc+");
    }

    #[test]
    fn nonsense_is_no_specification() {
        for text in ["q", ">q", "5.", "99999999999999999999", "5000", ">5ss"] {
            assert_eq!(Spec::parse(text), None, "{text}");
        }
    }
}
