//! Configuration files: TOML or JSON, one file or all of a folder.

use std::path::{Path, PathBuf};

use proto::data::dotted;
use serde_json::{Map, Value};

use command::error::{CliError, io_text};

/// A configuration.
pub type Table = Map<String, Value>;

/// Reads a file, or all `*.toml` of a folder in order of name, as one.
pub fn read(path: &Path) -> Result<Table, CliError> {
    let cannot = |error: std::io::Error| CliError::new(io_text(&error)).about(path.display());
    if !path.is_dir() {
        return read_file(path);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in path.read_dir().map_err(cannot)? {
        files.push(entry.map_err(cannot)?.path());
    }
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    let mut table = Table::new();
    for file in files {
        dotted::merge(&mut table, &read_file(&file)?);
    }
    Ok(table)
}

fn read_file(path: &Path) -> Result<Table, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::new(io_text(&error)).about(path.display()))?;
    parse(&text).map_err(|error| error.about(path.display()))
}

/// Reads a text, which is JSON if it begins as an object does.
pub fn parse(text: &str) -> Result<Table, CliError> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| CliError::new(format!("JSON parse error: {error}")));
    }
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| text[..span.start.min(text.len())].lines().count());
        let text = match line {
            Some(line) => format!(
                "TOML parse error: line {}: {}",
                line.max(1),
                error.message()
            ),
            None => format!("TOML parse error: {}", error.message()),
        };
        CliError::new(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let outcome = match parse(text) {
            Ok(table) => Value::Object(table).to_string(),
            Err(error) => error.text().to_owned(),
        };
        assert!(outcome.starts_with(expect), "{text:?}: {outcome}");
    }

    #[test]
    fn both_languages_are_read() {
        check("[a]\nb = 1\n", r#"{"a":{"b":1}}"#);
        check(" {\"a\": {\"b\": 1}}", r#"{"a":{"b":1}}"#);
        check("", "{}");
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        check("a = 1\nb = = 2\n", "TOML parse error: line 2: ");
        check("{\"a\": ", "JSON parse error: ");
    }

    #[test]
    fn the_files_of_a_folder_are_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("b.toml", "[t]\ny = 2\nx = 3\n").unwrap();
        write("a.toml", "[t]\nx = 1\n").unwrap();
        write("c.txt", "= no TOML").unwrap();
        let table = read(folder.path()).unwrap();
        assert_eq!(Value::Object(table).to_string(), r#"{"t":{"x":3,"y":2}}"#);
    }
}
