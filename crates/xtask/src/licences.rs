//! Owners and terms of the code in our programs: the page `THIRD-PARTY` of every package.
//!
//! Cargo knows the crates that programs are made of, and each brings its licence as a file. Sources
//! in other languages come within crates; they are listed here by hand. `deny.toml` says which
//! licences there may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::parts::MORE;
use crate::workspace::Metadata;

/// Sources in other languages within a crate.
struct Foreign {
    name: &'static str,
    terms: &'static str,
    from: &'static str,
    /// The crate that has them.
    in_crate: &'static str,
    text: Text,
}

/// Where the terms are within a crate.
enum Text {
    /// In this file.
    File(&'static str),
    /// In a file of an archive.
    Archived(&'static str, &'static str),
    /// In a comment of a file, between two phrases.
    Comment(&'static str, &'static str, &'static str),
    /// There are none to be repeated.
    None,
}

const FOREIGN: &[Foreign] = &[
    Foreign {
        name: "libzmq",
        terms: "MPL-2.0",
        from: "its source, unchanged, is in the crate zeromq-src of https://crates.io",
        in_crate: "zeromq-src",
        text: Text::File("vendor/LICENSE"),
    },
    Foreign {
        name: "libsodium",
        terms: "ISC",
        from: "https://libsodium.org",
        in_crate: "libsodium-sys-stable",
        text: Text::Archived("LATEST.tar.gz", "libsodium-stable/LICENSE"),
    },
    Foreign {
        name: "SQLite",
        terms: "public domain",
        from: "https://sqlite.org",
        in_crate: "libsqlite3-sys",
        text: Text::None,
    },
    Foreign {
        name: "Lua",
        terms: "MIT",
        from: "https://lua.org",
        in_crate: "lua-src",
        text: Text::Comment("lua-5.4.9/lua.h", "* Copyright (C) 1994", "*****"),
    },
];

/// Code that the compilers put into every program.
const RUNTIMES: &str = "\
The standard library of Rust: MIT OR Apache-2.0, https://www.rust-lang.org
The standard library of C++ of GCC: GPL-3.0 with the GCC Runtime Library Exception,
  which lets programs that contain it have terms of their own, https://gcc.gnu.org
";

/// Crates that bring no file, and the crate of the same authors whose file is theirs too.
const SIBLINGS: &[(&str, &str)] = &[("mlua-sys", "mlua")];

/// First letters of the names of files with terms.
const NAMES: &[&str] = &["licen", "copying", "copyright", "unlicense", "notice"];

/// The page: every crate and foreign source with its terms, and then the terms themselves.
pub fn third_parties(root: &Path) -> Result<String> {
    let metadata = Metadata::resolved(root)?;
    let crates: Vec<&Value> = metadata.shipped(MORE);
    let all: Vec<&Value> = metadata.packages().collect();
    let mut page = "Ferroflux contains the work of others, under the terms below.\n\n".to_owned();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in &crates {
        let name = format!(
            "{} {}",
            text_of(package, "name"),
            text_of(package, "version")
        );
        let terms = text_of(package, "license");
        let from = text_of(package, "repository");
        writeln!(page, "{name}: {terms}, {from}")?;
        for text in terms_of(package, &all)? {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    for foreign in FOREIGN {
        writeln!(
            page,
            "{}: {}, {}",
            foreign.name, foreign.terms, foreign.from
        )?;
        let text = foreign.text(&all)?;
        texts
            .entry(text)
            .or_default()
            .insert(foreign.name.to_owned());
    }
    page.push_str(RUNTIMES);
    texts.remove("");
    let mut texts: Vec<_> = texts
        .into_iter()
        .map(|(text, names)| (names, text))
        .collect();
    texts.sort();
    for (names, text) in texts {
        let names: Vec<String> = names.into_iter().collect();
        write!(
            page,
            "\n{}\n{}\n\n{text}\n",
            "-".repeat(72),
            names.join(", ")
        )?;
    }
    Ok(page)
}

impl Foreign {
    fn text(&self, crates: &[&Value]) -> Result<String> {
        let Some(package) = crates
            .iter()
            .find(|package| package["name"] == self.in_crate)
        else {
            bail!(
                "{}: there is no crate {} any more",
                self.name,
                self.in_crate
            );
        };
        let folder = folder_of(package)?;
        let text = match self.text {
            Text::None => String::new(),
            Text::File(file) => read(&folder.join(file))?,
            Text::Archived(archive, file) => {
                let mut tar = Command::new("tar");
                let tar = tar.arg("-xzOf").arg(folder.join(archive)).arg(file);
                let output = tar.output().context("cannot run tar")?;
                ensure!(output.status.success(), "{archive}: has no {file}");
                String::from_utf8(output.stdout)?
            }
            Text::Comment(file, first, last) => {
                let source = read(&folder.join(file))?;
                let text = source
                    .split_once(first)
                    .and_then(|(_, rest)| rest.split_once(last));
                let (text, _) = text.with_context(|| format!("{file}: has no {first}"))?;
                format!("{first}{text}")
                    .replace("\n* ", "\n")
                    .replace("\n*", "\n")
            }
        };
        Ok(text.trim().to_owned())
    }
}

/// The texts of a crate's terms. Where it gives a choice, that of MIT.
fn terms_of(package: &Value, crates: &[&Value]) -> Result<Vec<String>> {
    let name = text_of(package, "name");
    let sibling = SIBLINGS.iter().find(|(lacking, _)| *lacking == name);
    let owner = sibling.and_then(|(_, has)| crates.iter().find(|other| other["name"] == *has));
    let folder = folder_of(owner.unwrap_or(&package))?;
    let mut files = Vec::new();
    for entry in folder
        .read_dir()
        .with_context(|| folder.display().to_string())?
    {
        let path = entry?.path();
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if path.is_file() && NAMES.iter().any(|begin| file.starts_with(begin)) {
            files.push((file, path));
        }
    }
    ensure!(
        !files.is_empty(),
        "{name}: its crate has no file with its licence"
    );
    files.sort();
    let is_choice = !text_of(package, "license").contains("AND");
    let mit = files.iter().position(|(file, _)| file.contains("mit"));
    if let Some(mit) = mit.filter(|_| is_choice) {
        files = vec![files.swap_remove(mit)];
    }
    let texts = files.iter().map(|(_, path)| read(path));
    texts
        .map(|text| Ok(text?.replace('\r', "").trim().to_owned()))
        .collect()
}

fn folder_of(package: &Value) -> Result<PathBuf> {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    let folder = manifest.parent().context("a manifest without a folder")?;
    Ok(folder.to_path_buf())
}

fn text_of<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
