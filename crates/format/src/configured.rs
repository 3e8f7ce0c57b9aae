//! Formats of the user's and the site's own: `flux-LISTING.{toml,json,yaml}` in the folders that
//! XDG_CONFIG_DIRS and XDG_CONFIG_HOME name (protocol/24 section 14).

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::options::{Formats, Named};
use crate::yaml;
use command::env::Env;
use command::error::{CliError, io_text};

/// Directories of site files when XDG_CONFIG_DIRS is not set.
const SITE_FOLDERS: &str = "/etc/xdg";

/// Extensions of files; the contents of a later one take precedence.
const EXTENSIONS: [&str; 3] = ["toml", "json", "yaml"];

/// A file of settings, which several listings may share.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// `flux-jobs` for `flux-jobs.toml`.
    pub stem: &'static str,
    /// The listings that have a table of their own in it; none when it is one listing's alone.
    pub tables: &'static [&'static str],
}

/// A format with a name, built in or from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFormat {
    /// Name for the user.
    pub name: String,
    /// Purpose.
    pub about: String,
    /// The format.
    pub text: String,
}

/// The formats of a listing: those that are built in, then those in files.
pub fn configured(env: &Env, formats: &Formats) -> Result<Vec<NamedFormat>, CliError> {
    let built_in = formats.named.iter().map(NamedFormat::from);
    let mut all: Vec<NamedFormat> = built_in.collect();
    for table in tables(env, formats)? {
        for (name, entry) in table.mapping("formats")? {
            if formats.named.iter().any(|named| named.name == name) {
                let text = format!("override of builtin format '{name}' not permitted");
                return Err(table.wrong(text));
            }
            let format = table.format(&name, &entry)?;
            match all.iter_mut().find(|known| known.name == name) {
                Some(known) => *known = format,
                None => all.push(format),
            }
        }
    }
    Ok(all)
}

/// The texts of another key of the listing's table, which must be one of [`Formats::lists`].
pub fn configured_list(env: &Env, formats: &Formats, key: &str) -> Result<Vec<String>, CliError> {
    let mut texts = Vec::new();
    for mut table in tables(env, formats)? {
        let Some(value) = table.map.remove(key) else {
            continue;
        };
        let refuse = || table.wrong(format!("the '{key}' key must be a list of strings"));
        let items = value.as_array().ok_or_else(refuse)?.iter();
        let items = items.map(|item| item.as_str().map(str::to_owned).ok_or_else(refuse));
        // The last occurrence counts.
        texts = items.collect::<Result<_, _>>()?;
    }
    Ok(texts)
}

/// The listing's table in one file.
struct Table {
    path: PathBuf,
    map: Map<String, Value>,
}

impl Table {
    fn wrong(&self, what: impl std::fmt::Display) -> CliError {
        CliError::new(format!("{}: {what}", self.path.display()))
    }

    /// Takes the mapping under `key` out; an empty one if there is none.
    fn mapping(&self, key: &str) -> Result<Map<String, Value>, CliError> {
        match self.map.get(key) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(self.wrong(format!("the '{key}' key must be a mapping"))),
        }
    }

    fn check_keys(&self, known: &[&str]) -> Result<(), CliError> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.wrong(format!("invalid key {key}"))),
            None => Ok(()),
        }
    }

    fn format(&self, name: &str, entry: &Value) -> Result<NamedFormat, CliError> {
        let Value::Object(entry) = entry else {
            return Err(self.wrong(format!("'formats.{name}' must be a mapping")));
        };
        let text = |key: &str| match entry.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(format!("formats.{name}: '{key}' must be a string"))),
        };
        let is_known = |key: &String| matches!(key.as_str(), "description" | "format");
        if let Some(key) = entry.keys().find(|key| !is_known(key)) {
            return Err(self.wrong(format!("formats.{name}: invalid key {key}")));
        }
        let missing = || self.wrong(format!("formats.{name}: required key 'format' missing"));
        Ok(NamedFormat {
            name: name.to_owned(),
            about: text("description")?.unwrap_or_default(),
            text: text("format")?.ok_or_else(missing)?,
        })
    }
}

impl From<&Named> for NamedFormat {
    fn from(named: &Named) -> NamedFormat {
        NamedFormat {
            name: named.name.to_owned(),
            about: named.about.to_owned(),
            text: named.text.to_owned(),
        }
    }
}

/// The listing's tables in all files that there are, the most important last.
fn tables(env: &Env, formats: &Formats) -> Result<Vec<Table>, CliError> {
    let own_keys = || [&["formats"], formats.lists].concat();
    let mut tables = Vec::new();
    for folder in folders(env) {
        for extension in EXTENSIONS {
            let path = folder.join(format!("{}.{extension}", formats.file.stem));
            let Some(map) = read(&path, extension)? else {
                continue;
            };
            let mut table = Table { path, map };
            if let Some(name) = formats.table {
                table.check_keys(formats.file.tables)?;
                table.map = table.mapping(name)?;
            }
            table.check_keys(&own_keys())?;
            tables.push(table);
        }
    }
    Ok(tables)
}

/// The site's folders, the most important last, then the user's own.
fn folders(env: &Env) -> Vec<PathBuf> {
    let site = env.get("XDG_CONFIG_DIRS").filter(|dirs| !dirs.is_empty());
    let site = site.unwrap_or(SITE_FOLDERS).split(':').rev();
    let mut folders: Vec<PathBuf> = site.map(PathBuf::from).collect();
    let own = env.get("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
    let home = || Some(Path::new(env.get("HOME")?).join(".config"));
    folders.extend(own.map(PathBuf::from).or_else(home));
    folders.retain(|folder| folder.is_absolute());
    folders
        .into_iter()
        .map(|folder| folder.join("flux"))
        .collect()
}

/// The mapping that a file is; `None` if there is no such file.
fn read(path: &Path, extension: &str) -> Result<Option<Map<String, Value>>, CliError> {
    let about = |why: String| CliError::new(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(about(io_text(&error))),
    };
    let parsed = match extension {
        "json" => serde_json::from_str(&text).map_err(|error| error.to_string()),
        "yaml" => yaml::parse(&text),
        _ => toml::from_str(&text).map_err(|error| error.message().to_owned()),
    };
    match parsed.map_err(about)? {
        Value::Object(map) => Ok(Some(map)),
        // A file of comments only.
        Value::Null => Ok(None),
        _ => Err(about("must be a mapping".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: Formats = Formats {
        named: &[Named {
            name: "default",
            about: "built in",
            text: "{id}",
        }],
        variable: "FLUX_JOBS_FORMAT_DEFAULT",
        file: File {
            stem: "flux-jobs",
            tables: &[],
        },
        table: None,
        lists: &[],
    };

    const TABLE: Formats = Formats {
        file: File {
            stem: "flux-resource",
            tables: &["list", "status"],
        },
        table: Some("list"),
        lists: &["hidden"],
        ..FORMATS
    };

    /// Checks the formats from files, by their paths below a directory.
    fn check(formats: &Formats, files: &[(&str, &str)], expect: &str) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let folder = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let site = format!("{}:{}", folder("site"), folder("more"));
        let home = folder("home");
        let pairs = [("XDG_CONFIG_DIRS", site.as_str()), ("HOME", home.as_str())];
        let env: Env = pairs.into_iter().collect();
        let read = || -> Result<String, CliError> {
            let formats_read = configured(&env, formats)?.into_iter();
            let texts = formats_read.map(|f| format!("{}={}={}", f.name, f.text, f.about));
            let lists = formats.lists.iter();
            let lists = lists.map(|key| configured_list(&env, formats, key));
            let lists = lists.collect::<Result<Vec<_>, _>>()?.concat();
            Ok(texts.chain(lists).collect::<Vec<_>>().join(" "))
        };
        let outcome = read().unwrap_or_else(|error| {
            let text = error.text();
            text.replace(root.path().to_str().unwrap(), "")
        });
        assert_eq!(outcome, expect, "{files:?}");
    }

    #[test]
    fn files_add_formats_and_later_ones_count() {
        check(&FORMATS, &[], "default={id}=built in");
        let site = "[formats.y]\nformat = \"{name}\"\n[formats.x]\nformat = \"{id} x\"";
        let own = r#"{"formats": {"x": {"description": "mine", "format": "{state}"}}}"#;
        let more = "formats:\n  z:\n    format: '{id:>3}'\n";
        check(
            &FORMATS,
            &[
                ("site/flux/flux-jobs.toml", site),
                ("more/flux/flux-jobs.yaml", "formats: {x: {format: no}}"),
                ("home/.config/flux/flux-jobs.json", own),
                ("home/.config/flux/flux-jobs.yaml", more),
                ("home/.config/flux/flux-pgrep.toml", "nonsense"),
            ],
            "default={id}=built in x={state}=mine y={name}= z={id:>3}=",
        );
    }

    #[test]
    fn mistakes_are_told_with_the_file() {
        let check = |text: &str, expect: &str| {
            let expect = format!("/site/flux/flux-jobs.toml: {expect}");
            check(&FORMATS, &[("site/flux/flux-jobs.toml", text)], &expect);
        };
        check("foo = 1", "invalid key foo");
        check("formats = 1", "the 'formats' key must be a mapping");
        check("formats.x = 1", "'formats.x' must be a mapping");
        check("[formats.x]", "formats.x: required key 'format' missing");
        let text = "override of builtin format 'default' not permitted";
        check("[formats.default]\nformat = 'x'", text);
        check(
            "[formats.x]\nformat = 1",
            "formats.x: 'format' must be a string",
        );
        check("[formats.x]\nform = 1", "formats.x: invalid key form");
        check("formats", "key with no value, expected `=`");
    }

    #[test]
    fn a_listing_may_have_a_table_of_its_own() {
        let path = "home/.config/flux/flux-resource.toml";
        let check = |text: &str, expect: &str| check(&TABLE, &[(path, text)], expect);
        let built_in = "default={id}=built in";
        check("[status.formats.x]\nformat = '{up}'", built_in);
        let own = format!("{built_in} x={{state}}= a b");
        check(
            "list = {formats = {x = {format = '{state}'}}, hidden = ['a', 'b']}",
            &own,
        );
        let about = |text: &str| format!("/{path}: {text}");
        check("formats = {}", &about("invalid key formats"));
        check("list = 1", &about("the 'list' key must be a mapping"));
        check("list.foo = 1", &about("invalid key foo"));
        let text = "the 'hidden' key must be a list of strings";
        check("list.hidden = 'a'", &about(text));
    }
}
