//! From the text of a format to columns.

use crate::spec::Spec;
use crate::value::Conversion;

/// A format: columns with fields of the command's own kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Format<F> {
    /// The columns, from left to right.
    pub columns: Vec<Column<F>>,
    /// Text after the last column.
    pub tail: String,
    /// Sort keys of rows.
    pub sort: Vec<SortKey<F>>,
}

/// One column and the text before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<F> {
    /// Text before it, dropped with it.
    pub before: String,
    /// Field to show.
    pub field: F,
    /// Text of the header.
    pub heading: String,
    /// Conversion of the value.
    pub conversion: Conversion,
    /// Padding.
    pub spec: Spec,
    /// `?:`: dropped when no row has a value.
    pub hide_empty: bool,
    /// `+:`: as wide as the longest value.
    pub widen: bool,
}

/// One key to sort by.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey<F> {
    /// Field to compare.
    pub field: F,
    /// Largest first.
    pub descending: bool,
}

/// Errors of parsing a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no such field.
    #[error("Unknown format field: {0}")]
    UnknownField(String),
    /// There is no such conversion.
    #[error("Unknown conversion specifier {0}")]
    UnknownConversion(String),
    /// A `{` without its `}`.
    #[error("expected '}}' before end of string")]
    Unclosed,
    /// A `}` without its `{`.
    #[error("Single '}}' encountered in format string")]
    Unopened,
    /// The text after the colon makes no sense.
    #[error("Invalid format specifier '{0}'")]
    Spec(String),
}

impl<F> Format<F> {
    /// Reads a format. `resolve` gives the field and the heading for a name.
    pub fn parse(
        text: &str,
        resolve: impl Fn(&str) -> Option<(F, String)>,
    ) -> Result<Format<F>, FormatError> {
        let (sort, text) = split_sort(text);
        let mut format = Format {
            columns: Vec::new(),
            tail: String::new(),
            sort: sort_keys(sort, &resolve)?,
        };
        let mut before = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            before.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                before.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(FormatError::Unopened);
            }
            let (field, after) = rest.split_once('}').ok_or(FormatError::Unclosed)?;
            let column = column(std::mem::take(&mut before), field, &resolve)?;
            format.columns.push(column);
            rest = after;
        }
        before.push_str(rest);
        format.tail = before;
        Ok(format)
    }
}

/// The keys of `k1,-k2`.
pub fn sort_keys<F>(
    text: &str,
    resolve: impl Fn(&str) -> Option<(F, String)>,
) -> Result<Vec<SortKey<F>>, FormatError> {
    let names = text.split(',').filter(|name| !name.is_empty());
    let keys = names.map(|name| {
        let (descending, name) = match name.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let unknown = || FormatError::UnknownField(name.to_owned());
        let (field, _) = resolve(name).ok_or_else(unknown)?;
        Ok(SortKey { field, descending })
    });
    keys.collect()
}

/// The keys of a `sort:KEYS ` in front, and the rest.
fn split_sort(text: &str) -> (&str, &str) {
    match text.strip_prefix("sort:") {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => ("", text),
    }
}

/// A column from the text before it and the text in its braces.
fn column<F>(
    before: String,
    inside: &str,
    resolve: impl Fn(&str) -> Option<(F, String)>,
) -> Result<Column<F>, FormatError> {
    let end = inside.find(['!', ':']).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let (conversion, spec) = match rest.strip_prefix('!') {
        Some(rest) => rest
            .split_once(':')
            .map_or((Some(rest), ""), |(c, s)| (Some(c), s)),
        None => (None, rest.strip_prefix(':').unwrap_or_default()),
    };
    let unknown = || FormatError::UnknownField(name.to_owned());
    let (field, heading) = resolve(name).ok_or_else(unknown)?;
    let (conversion, spec) = Conversion::parse(conversion, spec)?;
    let (before, hide_empty, widen) = split_filter(before);
    Ok(Column {
        before,
        field,
        heading,
        conversion,
        spec: Spec::parse(spec).ok_or_else(|| FormatError::Spec(spec.to_owned()))?,
        hide_empty,
        widen,
    })
}

/// Takes `?:`, `+:` or `?+:` off the end of the text before a column.
fn split_filter(before: String) -> (String, bool, bool) {
    for (filter, hide_empty, widen) in [
        ("?+:", true, true),
        ("+?:", true, true),
        ("?:", true, false),
        ("+:", false, true),
    ] {
        if let Some(text) = before.strip_suffix(filter) {
            return (text.to_owned(), hide_empty, widen);
        }
    }
    (before, false, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a format whose fields are `a` and `b.c`; columns as `before|field|flags`.
    fn check(text: &str, expect: &str) {
        let resolve = |name: &str| match name {
            "a" | "b.c" => Some((name.to_owned(), name.to_uppercase())),
            _ => None,
        };
        let outcome = match Format::parse(text, resolve) {
            Ok(format) => {
                let columns = format.columns.iter().map(|column| {
                    let hide = if column.hide_empty { "?" } else { "" };
                    let widen = if column.widen { "+" } else { "" };
                    format!("{}|{}|{hide}{widen};", column.before, column.field)
                });
                let sort = format.sort.iter().map(|key| {
                    let sign = if key.descending { "-" } else { "" };
                    format!(" {sign}{}", key.field)
                });
                let columns: String = columns.collect();
                format!("{columns}{}{}", format.tail, sort.collect::<String>())
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect, "{text}");
    }

    #[test]
    fn columns_have_text_before_them_and_filters() {
        check("{a}", "|a|;");
        check("x {a:>3} ?:{b.c:<8.8} y", "x |a|; |b.c|?; y");
        check("+:{a}?+:{b.c}", "|a|+;|b.c|?+;");
        check("{{{a}}}", "{|a|;}");
        check("sort:a,-b.c {a!d:%b%d %R::>12}", "|a|; a -b.c");
        check("plain", "plain");
    }

    #[test]
    fn what_is_wrong_is_said() {
        check("{x}", "Unknown format field: x");
        check("sort:x {a}", "Unknown format field: x");
        check("{a!z}", "Unknown conversion specifier z");
        check("{a", "expected '}' before end of string");
        check("a}", "Single '}' encountered in format string");
        check("{a:>q}", "Invalid format specifier '>q'");
    }
}
