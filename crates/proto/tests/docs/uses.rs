//! Finds uses of a setting in code: the rows of `proto::attr::names` and
//! `proto::config::keys` are constants, so uses are words of the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that declare the rows.
const TABLES: [&str; 2] = ["src/attr/names.rs", "src/config/keys.rs"];

/// The code of the workspace, without its tests.
pub struct Sources {
    /// Name of the crate, and the text of one of its files.
    files: Vec<(String, String)>,
}

impl Sources {
    /// Reads all of it.
    pub fn read() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for folder in ["broker", "crates", "modules"] {
            for path in sources_below(&root.join(folder)) {
                let shown = path.strip_prefix(&root).unwrap_or(&path);
                let shown = shown.display().to_string();
                if TABLES.iter().any(|table| shown.ends_with(table)) || is_test(&shown) {
                    continue;
                }
                let name = shown.split("/src/").next().unwrap_or_default();
                let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                let text = fs::read_to_string(&path).unwrap_or_default();
                let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
                files.push((name, text[..end].to_owned()));
            }
        }
        Sources { files }
    }

    /// The crates whose code reads the row of this name; with `set`, or sets it.
    pub fn users(&self, constant: &str, set: bool) -> BTreeSet<&str> {
        let uses = |text: &str| {
            let mut words = text.match_indices(constant);
            words.any(|(at, _)| {
                let is_row = is_qualified(text, at) || is_imported(text, constant);
                is_word(text, at, constant.len()) && is_row && is_use(text, at, set)
            })
        };
        let files = self.files.iter().filter(|(_, text)| uses(text));
        files.map(|(name, _)| name.as_str()).collect()
    }
}

/// All files with Rust code in a folder.
fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the tree is readable");
    let paths = entries.map(|entry| entry.expect("the tree is readable").path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let is_source = |path: &PathBuf| path.extension().is_some_and(|found| found == "rs");
    let below = folders.iter().flat_map(|folder| sources_below(folder));
    files.into_iter().filter(is_source).chain(below).collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs") || path.starts_with("crates/xtask")
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).is_some_and(|at| is_part(bytes[at]));
    !before && !bytes.get(at + length).copied().is_some_and(is_part)
}

/// True if the word at `at` is qualified as a row.
fn is_qualified(text: &str, at: usize) -> bool {
    text[..at].ends_with("names::") || text[..at].ends_with("keys::")
}

/// True if the file imports a row of this name: others may have a constant of the same name.
fn is_imported(text: &str, constant: &str) -> bool {
    let rows = |statement: &str| statement.contains("names::{") || statement.contains("keys::{");
    let imports = text
        .split(';')
        .filter(|statement| is_import(statement) && rows(statement));
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let mut words = imports.flat_map(|import| import.split(|c| !is_part(c)));
    words.any(|word| word == constant)
}

/// True if a statement, with the comments before it, is an import.
fn is_import(statement: &str) -> bool {
    statement.lines().any(|line| line.starts_with("use "))
}

/// True if the word at `at` is more than an import or, without `set`, than a value that is
/// set.
fn is_use(text: &str, at: usize, set: bool) -> bool {
    let statement = text[..at].rfind(';').map_or(0, |end| end + 1);
    let before = text[..at].trim_end_matches("names::");
    let is_set = before.trim_end_matches(['&', ' ', '\n']).ends_with("put(");
    !is_import(&text[statement..at]) && (set || !is_set)
}

fn check(text: &str, set: bool, want: bool) {
    let sources = Sources {
        files: vec![("x".to_owned(), text.to_owned())],
    };
    assert_eq!(!sources.users("RANK", set).is_empty(), want, "{text}");
}

#[test]
fn imports_and_other_words_are_no_uses_and_setting_is_one_only_if_asked() {
    check("let r = attrs.number(&names::RANK);", false, true);
    check("const RANK: u32 = 1; attrs.number(&RANK);", true, false);
    check(
        "use proto::attr::names::{RANK, SIZE};\nattrs.number(&RANK);",
        true,
        true,
    );
    check("use proto::attr::names::{RANK, SIZE};\n", true, false);
    check("attrs.number(&RANKS) + attrs.number(&MY_RANK)", true, false);
    check("attrs.put(&names::RANK, \"1\");", false, false);
    check("attrs.put(&names::RANK, \"1\");", true, true);
    check("attrs.put(\n    &names::RANK, \"1\");", false, false);
}
