//! `flux modprobe show` and `flux modprobe list-dependencies`.

use std::collections::BTreeSet;

use command::error::CliError;
use command::flux::Flux;

use super::known::Known;
use super::live::{Choices, Live};

/// Print the definition of a module
#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    choices: Choices,
    /// Name of a module or service
    module: String,
}

/// Print the dependencies of a module as a tree
#[derive(clap::Args)]
pub(super) struct ListDependencies {
    #[command(flatten)]
    choices: Choices,
    /// Print repeated modules again
    #[arg(short, long)]
    full: bool,
    /// Name of a module or service
    module: String,
}

impl Show {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let live = Live::open(flux, &self.choices, false)?;
        let module = live
            .known
            .resolve_any(&self.module)
            .map_err(CliError::new)?;
        let mut shown = module.clone();
        // Modules left out by the command line or the environment.
        shown.disabled |= live.known.resolve(&module.name).is_none() && module.is_on(live.rank);
        let json =
            serde_json::to_string(&shown).map_err(|error| CliError::new(error.to_string()))?;
        writeln!(flux.out, "{json}")?;
        Ok(())
    }
}

impl ListDependencies {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let live = Live::open(flux, &self.choices, false)?;
        let mut tree = Tree {
            known: &live.known,
            is_full: self.full,
            seen: BTreeSet::new(),
            path: Vec::new(),
            lines: Vec::new(),
        };
        tree.add(&self.module, "", "").map_err(CliError::new)?;
        for line in tree.lines {
            flux.line(line)?;
        }
        Ok(())
    }
}

/// The tree as far as it is printed.
struct Tree<'a> {
    known: &'a Known,
    is_full: bool,
    seen: BTreeSet<&'a str>,
    /// The modules from the root to here: one that requires itself ends there.
    path: Vec<&'a str>,
    lines: Vec<String>,
}

impl Tree<'_> {
    /// Adds a node and all below it. Its own line begins with `first`, those below `rest`.
    fn add(&mut self, name: &str, first: &str, rest: &str) -> Result<(), String> {
        let module = self.known.resolve_any(name)?;
        let label = match module.name == name {
            true => name.to_owned(),
            false => format!("{name} ({})", module.name),
        };
        self.lines.push(format!("{first}{label}"));
        self.seen.insert(&module.name);
        self.path.push(&module.name);
        let mut below: Vec<(&String, &str)> = Vec::new();
        for name in &module.requires {
            let required = self.known.resolve_any(name)?.name.as_str();
            let is_shown = self.is_full || !self.seen.contains(required);
            if is_shown && !self.path.contains(&required) {
                below.push((name, required));
            }
        }
        for (at, (name, required)) in below.iter().enumerate() {
            // One before it may have shown it.
            if !self.is_full && self.seen.contains(required) {
                continue;
            }
            let later = &below[at + 1..];
            let is_last = later
                .iter()
                .all(|(_, other)| !self.is_full && self.seen.contains(other));
            let (branch, trunk) = match is_last {
                true => ("└── ", "    "),
                false => ("├── ", "│   "),
            };
            self.add(name, &format!("{rest}{branch}"), &format!("{rest}{trunk}"))?;
        }
        self.path.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::Surroundings;
    use super::*;

    fn check(name: &str, is_full: bool, expect: &[&str]) {
        let mut known = Known::stock();
        known.look_around(&Surroundings::default());
        let mut tree = Tree {
            known: &known,
            is_full,
            seen: BTreeSet::new(),
            path: Vec::new(),
            lines: Vec::new(),
        };
        tree.add(name, "", "").unwrap();
        assert_eq!(tree.lines, expect);
    }

    #[test]
    fn a_tree_shows_each_module_once_unless_all_is_wanted() {
        check("cron", false, &["cron", "└── heartbeat"]);
        check(
            "resource",
            false,
            &[
                "resource",
                "└── kvs-watch",
                "    └── kvs",
                "        └── content",
                "            └── heartbeat",
            ],
        );
        check(
            "content-backing",
            false,
            &["content-backing (content)", "└── heartbeat"],
        );
        let kvs = |indent: &str| {
            let lines = ["└── kvs", "    └── content", "        └── heartbeat"];
            lines.map(|line| format!("{indent}{line}"))
        };
        let mut expect = vec!["job-manager".to_owned(), "├── resource".to_owned()];
        expect.push("│   └── kvs-watch".to_owned());
        expect.extend(kvs("│       "));
        expect.extend(kvs(""));
        let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
        check("job-manager", true, &expect);
    }
}
