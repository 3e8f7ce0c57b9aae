//! Sentinel of a directive.

use std::fmt;

/// A prefix without letters, digits and underscores, and a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentinel<'s> {
    prefix: &'s str,
    /// `flux:` or `FLUX:`.
    pub tag: &'s str,
}

impl<'s> Sentinel<'s> {
    /// The sentinel of a line and the text after it, if the line has one.
    pub fn find(line: &'s str) -> Option<(Sentinel<'s>, &'s str)> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let (prefix, rest) = line.split_at(line.find(is_word)?);
        let tag = rest.get(..TAG_LENGTH)?;
        let sentinel = Sentinel { prefix, tag };
        matches!(tag, "flux:" | "FLUX:").then(|| (sentinel, &rest[TAG_LENGTH..]))
    }

    /// True if directives may follow after this line, which is none.
    pub fn continues_with(&self, line: &str) -> bool {
        line.trim().is_empty() || line.starts_with(self.prefix.trim_end())
    }
}

const TAG_LENGTH: usize = "flux:".len();

impl fmt::Display for Sentinel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.tag)
    }
}

/// The blanks that a line begins with.
pub fn indent(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}
