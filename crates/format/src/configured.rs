//! Formats of the user's and the site's own: `flux-LISTING.{json,toml}` in the folders that
//! XDG_CONFIG_DIRS and XDG_CONFIG_HOME name (protocol/14 section 4.3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::options::Named;
use command::env::Env;
use command::error::{CliError, io_text};

/// Where sites keep files when XDG_CONFIG_DIRS is not set.
const SITE_FOLDERS: &str = "/etc/xdg";

/// A format with a name, built in or from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFormat {
    /// What the user calls it.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The format.
    pub text: String,
}

/// A file: `[formats.NAME]` with a description and a format.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    formats: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    description: String,
    format: String,
}

/// The formats that are built in and those in the files of the listing whose default
/// format `variable` names; what is read later takes the place of what has the same name.
pub fn configured(
    env: &Env,
    variable: &str,
    named: &[Named],
) -> Result<Vec<NamedFormat>, CliError> {
    let stem = file_stem(variable);
    let mut all: Vec<NamedFormat> = named
        .iter()
        .map(|named| NamedFormat {
            name: named.name.to_owned(),
            about: named.about.to_owned(),
            text: named.text.to_owned(),
        })
        .collect();
    for folder in folders(env) {
        for extension in ["json", "toml"] {
            let path = folder.join(format!("{stem}.{extension}"));
            for (name, entry) in read(&path, extension)?.formats {
                let format = NamedFormat {
                    name,
                    about: entry.description,
                    text: entry.format,
                };
                match all.iter_mut().find(|known| known.name == format.name) {
                    Some(known) => *known = format,
                    None => all.push(format),
                }
            }
        }
    }
    Ok(all)
}

/// `flux-jobs` for `FLUX_JOBS_FORMAT_DEFAULT`.
fn file_stem(variable: &str) -> String {
    let listing = variable.trim_end_matches("_FORMAT_DEFAULT");
    listing.to_lowercase().replace('_', "-")
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

fn read(path: &Path, extension: &str) -> Result<Configuration, CliError> {
    let about = |why: String| CliError::new(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Configuration {
                formats: BTreeMap::new(),
            });
        }
        Err(error) => return Err(about(io_text(&error))),
    };
    match extension {
        "json" => serde_json::from_str(&text).map_err(|error| about(error.to_string())),
        _ => toml::from_str(&text).map_err(|error| about(error.message().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT_IN: &[Named] = &[Named {
        name: "default",
        about: "built in",
        text: "{id}",
    }];

    fn check(files: &[(&str, &str)], expect: &str) {
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
        let outcome = match configured(&env, "FLUX_JOBS_FORMAT_DEFAULT", BUILT_IN) {
            Ok(formats) => {
                let formats = formats.iter();
                let formats = formats.map(|f| format!("{}={}={}", f.name, f.text, f.about));
                formats.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.text().replace(root.path().to_str().unwrap(), ""),
        };
        assert_eq!(outcome, expect, "{files:?}");
    }

    #[test]
    fn users_come_before_sites_and_sites_before_what_is_built_in() {
        check(&[], "default={id}=built in");
        let site = "[formats.default]\nformat = \"{name}\"\n[formats.x]\nformat = \"{id} x\"";
        check(
            &[("more/flux/flux-jobs.toml", site)],
            "default={name}= x={id} x=",
        );
        let own = r#"{"formats": {"x": {"description": "mine", "format": "{state}"}}}"#;
        check(
            &[
                ("site/flux/flux-jobs.toml", site),
                ("home/.config/flux/flux-jobs.json", own),
            ],
            "default={name}= x={state}=mine",
        );
        check(
            &[("site/flux/flux-queue-list.toml", site)],
            "default={id}=built in",
        );
    }

    #[test]
    fn a_file_that_makes_no_sense_is_named() {
        check(
            &[("site/flux/flux-jobs.toml", "formats = 1")],
            "/site/flux/flux-jobs.toml: invalid type: integer `1`, expected a map",
        );
    }
}
