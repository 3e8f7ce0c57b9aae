//! Files with help on commands of others: JSON that matches the patterns of
//! FLUX_CMDHELP_PATTERN, or lies in `PREFIX/etc/flux/help.d`.
//!
//! A file is a list of groups with their commands, or of commands with their groups.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use command::env::Env;
use command::plain::Plain;
use serde::Deserialize;

use super::Section;
use crate::layout::Layout;
use crate::limits::{HELP_FILE_BYTES_MAX, HELP_FILES_MAX};

/// One element of a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Group {
        #[serde(default)]
        name: String,
        description: String,
        commands: Vec<Command>,
    },
    Command {
        category: String,
        command: String,
        description: String,
    },
}

#[derive(Deserialize)]
struct Command {
    name: String,
    #[serde(default)]
    description: String,
}

/// The groups of all files, those of one title together.
pub fn sections(env: &Env) -> Vec<Section> {
    let own = Layout::find().map(|layout| layout.prefix.join("etc/flux/help.d/*.json"));
    let patterns: Vec<PathBuf> = match env.get_os("FLUX_CMDHELP_PATTERN") {
        Some(patterns) => std::env::split_paths(patterns).collect(),
        None => own.into_iter().collect(),
    };
    let mut sections = Vec::new();
    let paths = patterns.iter().flat_map(|pattern| matching(pattern));
    for path in paths.take(HELP_FILES_MAX) {
        // Help on one command is no reason to refuse all other help.
        for element in read(&path).unwrap_or_default() {
            add(element, Plain::new(env), &mut sections);
        }
    }
    sections
}

fn add(element: Element, plain: Plain, sections: &mut Vec<Section>) {
    let (title, commands) = match element {
        Element::Group {
            name,
            description,
            commands,
        } => {
            let title = if description.is_empty() {
                name
            } else {
                description
            };
            let commands = commands
                .into_iter()
                .map(|command| (command.name, command.description));
            (title, commands.collect())
        }
        Element::Command {
            category,
            command,
            description,
        } => (category, vec![(command, description)]),
    };
    let line = |text: &str| plain.line(text).into_owned();
    let title = line(&title);
    let commands = commands
        .iter()
        .map(|(name, about)| (line(name), line(about)));
    match sections.iter_mut().find(|section| section.title == title) {
        Some(section) => section.commands.extend(commands),
        None => sections.push(Section {
            title,
            commands: commands.collect(),
        }),
    }
}

/// The files whose names match the last part of a path.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(glob)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let (Ok(entries), Some(glob)) = (folder.read_dir(), glob.to_str()) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| !name.starts_with('.') && wire::topic::glob_matches(glob, name))
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_meant).collect();
    paths.sort_unstable();
    paths
}

fn read(path: &Path) -> Option<Vec<Element>> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(HELP_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_all_files_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write(
            "a.json",
            r#"[{"name": "x", "description": "Site", "commands":
                [{"name": "one", "description": "does\none"}]}]"#,
        )
        .unwrap();
        write(
            "b.json",
            r#"[{"category": "Site", "command": "two", "description": "does two"}]"#,
        )
        .unwrap();
        write("c.json", "no json").unwrap();
        write(
            "d.txt",
            r#"[{"category": "no", "command": "x", "description": "y"}]"#,
        )
        .unwrap();
        let pattern = format!("/nonexistent/*:{}/*.json", folder.path().display());
        let env = Env::from_iter([("FLUX_CMDHELP_PATTERN", pattern.as_str())]);
        let shown: Vec<String> = sections(&env)
            .iter()
            .map(|section| format!("{}: {:?}", section.title, section.commands))
            .collect();
        assert_eq!(
            shown,
            [r#"Site: [("one", "does\\none"), ("two", "does two")]"#]
        );
    }
}
