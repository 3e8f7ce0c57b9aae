//! Plugins of the commands that submit jobs: their list, and their help.
//!
//! One is built in. Plugins of sites are in Python, which this version does not load: a request for
//! one is refused, because a job without its changes is another job.

use std::path::Path;

use crate::options::Options;
use command::env::Env;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Searched before all other folders.
const PATH: &str = "FLUX_CLI_PLUGINPATH";
/// Searched in the place of all folders.
const PATH_OVERRIDE: &str = "FLUX_CLI_PLUGINPATH_OVERRIDE";

/// The built-in plugin: its name, its purpose, and its options.
const SHAPE: (&str, &str, [(&str, &str); 2]) = (
    "resources-shape",
    "Replaces the resources of a job as a whole, by the shape language of RFC 46 or by a\n\
    list in a file of JSON. Other options of resources do not count then.",
    [
        ("--resources-shape", "resources by their shape"),
        ("--resources-json", "resources from a file of JSON"),
    ],
);

impl Options {
    /// Prints which plugins there are, if that is asked for.
    pub fn notify_plugins(&self, flux: &mut Flux) -> Result<bool, CliError> {
        if !self.list_plugins {
            return Ok(false);
        }
        let (name, _, options) = SHAPE;
        let path = search_path(&flux.env);
        writeln!(flux.out, "Options provided by plugins:")?;
        flux.line(format_args!("  Search path: {path}"))?;
        writeln!(flux.out, "  (plus flux.cli.plugins namespace)\n")?;
        writeln!(flux.out, "{name} loaded from flux")?;
        for (option, help) in options {
            writeln!(flux.out, "  {option:<20} {help}")?;
        }
        writeln!(flux.out)?;
        Ok(true)
    }
}

/// The text of `--help=TOPIC`, where the topic is an option of a plugin.
pub fn help_topic(topic: &str) -> Option<String> {
    let (name, text, options) = SHAPE;
    let bare = topic.trim_start_matches('-');
    let option = options.iter().map(|(option, _)| option);
    let option = option
        .into_iter()
        .find(|option| option.trim_start_matches('-') == bare)?;
    Some(format!(
        "Documentation for plugin providing option `{option}':\n\n{name}\n\n{text}\n"
    ))
}

/// Refuses folders that hold plugins.
pub fn refuse_plugins(env: &Env) -> Result<(), CliError> {
    let (name, path) = match (env.get(PATH_OVERRIDE), env.get(PATH)) {
        (Some(path), _) => (PATH_OVERRIDE, path),
        (None, Some(path)) => (PATH, path),
        (None, None) => return Ok(()),
    };
    for folder in path.split(':').filter(|folder| !folder.is_empty()) {
        if let Some(file) = plugin_in(Path::new(folder))
            .map_err(|error| CliError::new(format!("{name}: {folder}: {}", io_text(&error))))?
        {
            let text = "plugins in Python are not supported in this version";
            return Err(CliError::new(format!("{name}: {folder}/{file}: {text}")));
        }
    }
    Ok(())
}

/// The first plugin of a folder, by name.
fn plugin_in(folder: &Path) -> std::io::Result<Option<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let plugins = names.filter(|name| name.ends_with(".py") && !name.starts_with('_'));
    Ok(plugins.min())
}

fn search_path(env: &Env) -> String {
    match (env.get(PATH_OVERRIDE), env.get(PATH)) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) => path.to_owned(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(env: &[(&str, &str)], expect: &str) {
        let env = env.iter().copied().collect();
        let outcome = match refuse_plugins(&env) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{env:?}");
    }

    #[test]
    fn folders_with_plugins_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        check(&[], "ok");
        check(&[(PATH, "/nonexistent")], "ok");
        check(&[(PATH, path)], "ok");
        std::fs::write(folder.path().join("x.py"), "").unwrap();
        let text = |name| {
            format!("{name}: {path}/x.py: plugins in Python are not supported in this version")
        };
        check(&[(PATH, &format!("/no:{path}"))], &text(PATH));
        check(&[(PATH_OVERRIDE, path)], &text(PATH_OVERRIDE));
        check(&[(PATH, path), (PATH_OVERRIDE, "")], "ok");
    }

    #[test]
    fn options_of_plugins_are_topics() {
        for topic in ["resources-shape", "--resources-shape"] {
            let text = help_topic(topic).unwrap();
            let first = "Documentation for plugin providing option `--resources-shape':";
            assert_eq!(text.lines().next(), Some(first));
        }
        assert_eq!(help_topic("zz"), None);
    }
}
