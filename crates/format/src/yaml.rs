//! Settings written as YAML, as far as people write them by hand: mappings and lists by
//! indentation, texts with and without quotes, texts of several lines (`|` and `>`), and
//! `[lists]` and `{mappings}` on one line. Anchors, tags, further documents and quoted texts
//! of several lines are refused in words.

use serde_json::{Map, Value};

/// Levels of nesting.
const DEPTH_MAX: usize = 16;

/// Reads a document. The error has the line and the reason.
pub fn parse(text: &str) -> Result<Value, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reader = Reader { lines, at: 0 };
    if reader.next().is_some_and(|line| line.text == "---") {
        reader.at += 1;
    }
    let Some(first) = reader.next() else {
        return Ok(Value::Null);
    };
    let value = reader.block(first.indent, 0)?;
    match reader.next() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("unexpected indentation")),
    }
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    at: usize,
}

/// A line that says something.
#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    /// Without indentation and comment.
    text: &'t str,
}

impl<'t> Reader<'t> {
    /// The next line that says something, which stays the next one.
    fn next(&mut self) -> Option<Line<'t>> {
        while let Some(line) = self.lines.get(self.at) {
            let text = without_comment(line.trim_start_matches(' ')).trim_end();
            if !text.is_empty() {
                let indent = line.len() - line.trim_start_matches(' ').len();
                return Some(Line { indent, text });
            }
            self.at += 1;
        }
        None
    }

    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.at + 1)
    }

    /// Parses the value that begins on the next line, all of which is indented by
    /// `indent`.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("this is nested too deeply"));
        }
        let Some(first) = self.next() else {
            return Ok(Value::Null);
        };
        if is_item(first.text) {
            return self.list(indent, depth);
        }
        if split_key(first.text).is_some() {
            return self.mapping(indent, depth);
        }
        let value = scalar(first.text).map_err(|what| self.wrong(&what))?;
        self.at += 1;
        Ok(value)
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        while let Some(line) = self.next() {
            if line.indent != indent || !is_item(line.text) {
                break;
            }
            let rest = line.text[1..].trim_start();
            if !rest.is_empty() && split_key(rest).is_some() {
                return Err(self.wrong("mappings in lists are not supported"));
            }
            items.push(self.value(rest, indent + 1, depth)?);
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        let mut map = Map::new();
        while let Some(line) = self.next() {
            if line.indent != indent {
                break;
            }
            let Some((key, rest)) = split_key(line.text) else {
                return Err(self.wrong("expected a line of the form 'key: value'"));
            };
            let key = match scalar(key).map_err(|what| self.wrong(&what))? {
                Value::String(key) => key,
                _ => key.to_owned(),
            };
            // A list may stand as far left as its key.
            let value = self.value(rest, indent, depth)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(self.wrong(&format!("duplicate key {key}")));
            }
        }
        match self.next() {
            Some(line) if line.indent > indent => Err(self.wrong("unexpected indentation")),
            _ => Ok(Value::Object(map)),
        }
    }

    /// The value after a key or dash: `rest`, or the lines below.
    fn value(&mut self, rest: &str, indent: usize, depth: usize) -> Result<Value, String> {
        if let Some(style) = rest.chars().next().filter(|c| "|>".contains(*c)) {
            self.at += 1;
            return self.text(style == '>', &rest[1..], indent);
        }
        if !rest.is_empty() {
            let value = scalar(rest).map_err(|what| self.wrong(&what))?;
            self.at += 1;
            return Ok(value);
        }
        self.at += 1;
        match self.next() {
            Some(line) if line.indent > indent || line.indent == indent && is_item(line.text) => {
                self.block(line.indent, depth + 1)
            }
            _ => Ok(Value::Null),
        }
    }

    /// A text of several lines: all that are indented further than `indent`.
    fn text(&mut self, is_folded: bool, ending: &str, indent: usize) -> Result<Value, String> {
        if !matches!(ending, "" | "-" | "+") {
            return Err(self.wrong("only '|', '|-', '>' and '>-' are supported"));
        }
        let first = self.at;
        let mut own: Option<usize> = None;
        while let Some(line) = self.lines.get(self.at) {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() {
                if spaces < own.unwrap_or(indent + 1) {
                    break;
                }
                own.get_or_insert(spaces);
            }
            self.at += 1;
        }
        let own = own.unwrap_or(0);
        let lines = self.lines[first..self.at].iter();
        let lines: Vec<&str> = lines.map(|line| line.get(own..).unwrap_or("")).collect();
        let text = lines.join("\n");
        let text = text.trim_end_matches('\n');
        let text = if is_folded {
            folded(text)
        } else {
            text.to_owned()
        };
        let end = if ending == "-" || text.is_empty() {
            ""
        } else {
            "\n"
        };
        Ok(Value::String(text + end))
    }
}

/// Lines as one, empty lines as line feeds.
fn folded(text: &str) -> String {
    let paragraphs = text.split("\n\n");
    let paragraphs = paragraphs.map(|lines| lines.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n")
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// The key of `key: value`, and the rest.
fn split_key(text: &str) -> Option<(&str, &str)> {
    let from = match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].find(quote)? + 2,
        '[' | '{' => return None,
        _ => 0,
    };
    let mut rest = &text[from..];
    let mut at = from;
    while let Some(colon) = rest.find(':') {
        let after = &rest[colon + 1..];
        if after.is_empty() || after.starts_with(' ') {
            return Some((text[..at + colon].trim_end(), after.trim_start()));
        }
        at += colon + 1;
        rest = after;
    }
    None
}

/// The text up to a `#` that begins a comment.
fn without_comment(text: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some('"') if is_escaped => is_escaped = false,
            Some('"') if c == '\\' => is_escaped = true,
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if c == '#' && before == ' ' => return &text[..at],
            // Two in a row are one in a text that goes on.
            None if c == '\'' && before == c => quote = Some(c),
            // Quotes inside of a word are part of it.
            None if matches!(c, '"' | '\'') && " [{,:-".contains(before) => quote = Some(c),
            None => {}
        }
        before = c;
    }
    text
}

/// A value that stands on one line.
fn scalar(text: &str) -> Result<Value, String> {
    let mut flow = Flow {
        rest: text,
        depth: 0,
    };
    let value = flow.value("")?;
    match flow.rest.trim().is_empty() {
        true => Ok(value),
        false => Err(format!(
            "unexpected text after a value: {}",
            flow.rest.trim()
        )),
    }
}

struct Flow<'t> {
    rest: &'t str,
    depth: usize,
}

impl Flow<'_> {
    /// The value in front; one without quotes ends at one of `ends`.
    fn value(&mut self, ends: &str) -> Result<Value, String> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote).map(Value::String),
            Some('[') => self.items(']').map(Value::Array),
            Some('{') => {
                let items = self.items('}')?.into_iter();
                let pairs = items.map(|item| match item {
                    Value::Object(pair) => pair,
                    _ => Map::new(),
                });
                Ok(Value::Object(pairs.flatten().collect()))
            }
            Some(mark @ ('&' | '*' | '!' | '%' | '@' | '`' | '|' | '>')) => {
                Err(format!("values that begin with {mark} are not supported"))
            }
            _ => {
                let end = self.rest.find(|c| ends.contains(c));
                let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                Ok(plain(text.trim()))
            }
        }
    }

    /// Up to `close`; in braces each item is an object of one pair.
    fn items(&mut self, close: char) -> Result<Vec<Value>, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("this is nested too deeply".to_owned());
        }
        let mut items = Vec::new();
        self.rest = &self.rest[1..];
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                self.depth -= 1;
                return Ok(items);
            }
            let mut item = self.value(if close == '}' { ":,}" } else { ",]" })?;
            self.rest = self.rest.trim_start();
            if close == '}' {
                let key = item
                    .as_str()
                    .map_or_else(|| item.to_string(), str::to_owned);
                let value = self.rest.strip_prefix(':');
                self.rest = value.ok_or("expected a colon after the key")?;
                let value = self.value(",}")?;
                item = Value::Object(Map::from_iter([(key, value)]));
                self.rest = self.rest.trim_start();
            }
            items.push(item);
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None if self.rest.starts_with(close) => {}
                None => return Err(format!("expected '{close}' on the same line")),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if quote == c && chars.next_if(|(_, next)| *next == c).is_some() => {
                    text.push(c);
                }
                _ if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Ok(text);
                }
                '\\' if quote == '"' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(escaped @ ('"' | '\\' | '/' | ' ')) => text.push(escaped),
                    _ => return Err("unsupported escape in quotes".to_owned()),
                },
                _ => text.push(c),
            }
        }
        Err("quoted text must end on the same line".to_owned())
    }
}

/// A value without quotes.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match serde_json::from_str(text) {
            Ok(Value::Number(number)) => Value::Number(number),
            _ => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let outcome = parse(text).map(|value| value.to_string());
        assert_eq!(outcome.unwrap_or_else(|error| error), expect, "{text}");
    }

    #[test]
    fn mappings_and_lists_nest_by_indentation() {
        check("", "null");
        check("# nothing\n---\n", "null");
        check("a: 1\nb: x y # why\n", r#"{"a":1,"b":"x y"}"#);
        check(
            "formats:\n  x:\n    description: mine\n    format: \"{id:>3}\"\n  y: {}\n",
            r#"{"formats":{"x":{"description":"mine","format":"{id:>3}"},"y":{}}}"#,
        );
        check("a:\n- x\n- 2\nb:\n  - y\n", r#"{"a":["x",2],"b":["y"]}"#);
        check("a: [x, 'y z', 3]\n", r#"{"a":["x","y z",3]}"#);
        check("a: {b: c, d: [e]}\n", r#"{"a":{"b":"c","d":["e"]}}"#);
        check("'a b': true\n", r#"{"a b":true}"#);
    }

    #[test]
    fn texts_have_quotes_or_several_lines() {
        check(r#"a: "x\n#\"y""#, r##"{"a":"x\n#\"y"}"##);
        check("a: 'it''s #1'", r##"{"a":"it's #1"}"##);
        check("a: it's # so\n", r#"{"a":"it's"}"#);
        check("a: {id}:x", "line 1: expected a colon after the key");
        check("a: b:c", r#"{"a":"b:c"}"#);
        check(
            "a: >-\n  {id}\n  {name}\nb: 1",
            r#"{"a":"{id} {name}","b":1}"#,
        );
        check("a: |\n  x\n   y\n\nb: 1", r#"{"a":"x\n y\n","b":1}"#);
    }

    #[test]
    fn the_rest_is_refused_with_its_line() {
        check(
            "a: &x 1",
            "line 1: values that begin with & are not supported",
        );
        check("a: 1\na: 2", "line 3: duplicate key a");
        check("a: 1\n  b: 2", "line 2: unexpected indentation");
        check("a:\n  b: 1\n c: 2", "line 3: unexpected indentation");
        check("a: \"x", "line 1: quoted text must end on the same line");
        check("a: [x", "line 1: expected ']' on the same line");
        check(
            "a: 1\nb",
            "line 2: expected a line of the form 'key: value'",
        );
        check("- a: 1", "line 1: mappings in lists are not supported");
        check(
            &format!("a: {}", "[".repeat(99)),
            "line 1: this is nested too deeply",
        );
    }
}
