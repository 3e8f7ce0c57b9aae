//! Rules on single source files: length, head, forbidden leftovers, and that each one
//! is compiled at all.

use std::fs;
use std::path::{Path, PathBuf};

use super::lexer::{code_only, without_tests};
use super::members::members;
use super::{assert_none, short};
use crate::workspace::files_below;

const LINES_MAX: usize = 600;

/// Words that mean "not finished" or "may panic", looked for in code without tests.
const LEFTOVERS: &[&str] = &[".unwrap()", "todo!(", "unimplemented!(", "dbg!("];

/// Words that mean "not finished" in comments.
const NOTES: &[&str] = &["FIXME", "TODO", "XXX"];

/// Every source file below `src/` of every member, with its text.
pub fn own_sources() -> Vec<(PathBuf, String)> {
    let members = members();
    let folders = members.into_iter().map(|(_, folder)| folder.join("src"));
    let files = folders.flat_map(|folder| files_below(&folder, "rs").expect("sources can be read"));
    files
        .map(|path| {
            (
                path.clone(),
                fs::read_to_string(path).expect("sources are text"),
            )
        })
        .collect()
}

/// The sources that end up in a program: without files of tests.
pub fn shipped_sources() -> Vec<(PathBuf, String)> {
    let is_tests = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        stem == "tests" || stem.ends_with("_tests") || path.iter().any(|folder| folder == "tests")
    };
    own_sources()
        .into_iter()
        .filter(|(path, _)| !is_tests(path))
        .collect()
}

#[test]
fn no_file_is_too_long_to_have_one_purpose() {
    let mut breaches = Vec::new();
    for (path, source) in shipped_sources() {
        let lines = without_tests(&source).lines().count();
        if lines > LINES_MAX {
            breaches.push(format!(
                "{} has {lines} lines without tests, more than {LINES_MAX}",
                short(&path)
            ));
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_file_begins_with_its_purpose() {
    let sources = shipped_sources();
    let breaches: Vec<String> = sources
        .iter()
        .filter(|(_, source)| !source.starts_with("//!"))
        .map(|(path, _)| format!("{} does not begin with //! and its purpose", short(path)))
        .collect();
    assert_none(&breaches);
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let mut breaches = Vec::new();
    for (path, source) in shipped_sources() {
        let source = without_tests(&source);
        let code = code_only(source);
        for (number, (line, code)) in source.lines().zip(code.lines()).enumerate() {
            let leftover = LEFTOVERS.iter().find(|word| code.contains(**word));
            // A note is in a comment: on the line, but not in its code.
            let comment = line.get(code.trim_end().len()..).unwrap_or_default();
            let note = NOTES
                .iter()
                .find(|word| comment.trim_start().starts_with("//") && comment.contains(**word));
            if let Some(word) = leftover.or(note) {
                breaches.push(format!("{}:{}: {word}", short(&path), number + 1));
            }
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_source_file_is_compiled() {
    let sources = own_sources();
    let mut breaches = Vec::new();
    for (path, _) in &sources {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let in_bin = path.parent().is_some_and(|folder| folder.ends_with("bin"));
        if in_bin || ["main", "lib", "build"].contains(&stem.as_ref()) {
            continue;
        }
        let name = if stem == "mod" {
            folder_name(path)
        } else {
            stem.into_owned()
        };
        let at_a_path = format!("#[path = \"{}\"]", file_name(path));
        let declared = sources.iter().any(|(other, text)| {
            let by_name = may_declare(other, path) && declares(&code_only(text), &name);
            by_name || (other.parent() == path.parent() && text.contains(&at_a_path))
        });
        if !declared {
            breaches.push(format!(
                "{} is in no `mod` line: nobody compiles it",
                short(path)
            ));
        }
    }
    assert_none(&breaches);
}

fn folder_name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// True if the file `parent` may declare the module in the file `child`.
fn may_declare(parent: &Path, child: &Path) -> bool {
    let Some(mut folder) = child.parent() else {
        return false;
    };
    if child.file_name().is_some_and(|name| name == "mod.rs") {
        let Some(above) = folder.parent() else {
            return false;
        };
        folder = above;
    }
    let root = ["main.rs", "lib.rs", "mod.rs"]
        .iter()
        .any(|name| parent == folder.join(name));
    root || parent == folder.with_extension("rs")
}

fn declares(code: &str, name: &str) -> bool {
    let (plain, raw) = (format!("mod {name};"), format!("mod r#{name};"));
    code.contains(&plain) || code.contains(&raw)
}
