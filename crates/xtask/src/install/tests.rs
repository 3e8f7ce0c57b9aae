//! An installation leaves nothing behind when it is removed.

use std::fs;
use std::path::Path;

use super::{put, read_list, uninstall};
use crate::parts::{Content, Part};

fn part(path: &str, text: &str) -> Part {
    Part {
        path: path.into(),
        content: Content::Text(text.to_owned()),
        is_program: path.starts_with("bin"),
    }
}

/// The files and folders below `prefix`, on one line.
fn found(prefix: &Path) -> String {
    let mut found = Vec::new();
    let mut folders = vec![prefix.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path.strip_prefix(prefix).unwrap().display().to_string());
        }
    }
    found.sort();
    found.join(" ")
}

#[test]
fn only_what_was_installed_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path();
    fs::create_dir(prefix.join("bin")).unwrap();
    fs::write(prefix.join("bin/theirs"), "").unwrap();
    put(
        &[part("bin/flux", "1"), part("share/man/flux.1", "")],
        prefix,
    )
    .unwrap();
    fs::write(prefix.join("share/theirs"), "").unwrap();
    uninstall(prefix).unwrap();
    assert_eq!(found(prefix), "bin bin/theirs share share/theirs");
    assert!(uninstall(prefix).is_err());
}

#[test]
fn an_installation_takes_the_place_of_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = &folder.path().join("prefix");
    put(&[part("bin/flux", "1"), part("share/old/page", "")], prefix).unwrap();
    put(&[part("bin/flux", "2")], prefix).unwrap();
    assert_eq!(fs::read_to_string(prefix.join("bin/flux")).unwrap(), "2");
    assert!(!prefix.join("share/old/page").exists());
    uninstall(prefix).unwrap();
    assert!(!prefix.exists());
}

#[test]
fn a_list_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path();
    put(&[part("bin/flux", "")], prefix).unwrap();
    for line in ["../x", "/etc/passwd", "bin/../../x"] {
        fs::write(prefix.join("lib/flux/installed"), format!("{line}\n")).unwrap();
        let refusal = read_list(prefix).unwrap_err().to_string();
        assert!(refusal.ends_with("is not below the prefix"), "{refusal}");
    }
}
