//! Positions on a command line at which values of an instance are completed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Arg, Command};

/// Values of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ids of jobs.
    Ids,
    /// Ids of jobs that are not over.
    Active,
    /// Queues by name.
    Queues,
    /// Modules by name.
    Modules,
    /// Keys of the key-value store.
    Keys,
    /// Ranks of brokers.
    Ranks,
    /// Attributes of the broker.
    Attributes,
    /// Something else.
    Other,
}

impl Kind {
    /// Name in the scripts.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ids => "ids",
            Kind::Active => "active",
            Kind::Queues => "queues",
            Kind::Modules => "modules",
            Kind::Keys => "keys",
            Kind::Ranks => "ranks",
            Kind::Attributes => "attributes",
            Kind::Other => "other",
        }
    }
}

/// A value on the command line.
#[derive(Debug, Clone)]
pub struct Place {
    /// `job attach` for `flux job attach`.
    pub path: String,
    /// The option before it; a positional one has its place, counted from 1.
    pub word: Word,
    /// Kind of value.
    pub kind: Kind,
}

/// Word before a value.
#[derive(Debug, Clone)]
pub enum Word {
    /// An option, by its letter and its name.
    Option(Option<char>, Option<String>),
    /// Nothing: it is the Nth, and maybe all that follow.
    Positional(usize, bool),
}

/// Commands that raise or change something only a job that is not over has.
const ACTIVE: [&str; 6] = [
    "cancel",
    "update",
    "job kill",
    "job raise",
    "job urgency",
    "job attach",
];

/// All values that options and words may have.
pub fn places(tree: &Command) -> Vec<Place> {
    let mut places = Vec::new();
    for command in tree.get_subcommands() {
        places_below("", command, &mut places);
    }
    places
}

fn places_below(above: &str, command: &Command, places: &mut Vec<Place>) {
    let path = format!("{above}{}", command.get_name());
    for arg in command.get_arguments() {
        let range = arg.get_num_args().unwrap_or_default();
        if !range.takes_values() {
            continue;
        }
        let kind = kind(&path, arg);
        let word = match arg.get_index() {
            Some(at) => Word::Positional(at, range.max_values() > 1),
            // The value is part of the word, or there may be none.
            None if arg.is_require_equals_set() || range.min_values() == 0 => continue,
            None => Word::Option(arg.get_short(), arg.get_long().map(str::to_owned)),
        };
        if matches!(word, Word::Option(..)) || kind != Kind::Other {
            let path = path.clone();
            places.push(Place { path, word, kind });
        }
    }
    for sub in command.get_subcommands() {
        places_below(&format!("{path} "), sub, places);
    }
}

fn kind(path: &str, arg: &Arg) -> Kind {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map_or("", |name| name.as_str());
    let is_of = |command: &str| path.split(' ').next() == Some(command);
    match (name, arg.get_id().as_str()) {
        ("JOBID", _) => ids(path),
        ("ID" | "ID|MAP", _) if is_of("job") || is_of("housekeeping") => ids(path),
        ("QUEUE" | "QUEUES", _) | (_, "queue") => Kind::Queues,
        ("RANK" | "RANKS" | "HOSTS|RANKS" | "RANKS|HOSTS", _) => Kind::Ranks,
        (_, "targets") if is_of("resource") => Kind::Ranks,
        ("KEY" | "KEY=VALUE" | "DIR", _) if is_of("kvs") => Kind::Keys,
        (_, "name" | "names" | "path") if is_module(path) && arg.is_positional() => Kind::Modules,
        (_, "name") if is_of("getattr") || is_of("setattr") => Kind::Attributes,
        _ => Kind::Other,
    }
}

fn ids(path: &str) -> Kind {
    match ACTIVE.contains(&path) {
        true => Kind::Active,
        false => Kind::Ids,
    }
}

/// True if a command is about a module that is loaded.
fn is_module(path: &str) -> bool {
    let verb = path.strip_prefix("module ");
    verb.is_some_and(|verb| ["remove", "reload", "stats", "debug", "trace"].contains(&verb))
}

/// The cases of a shell's `case`, by kind.
pub fn cases(places: &[Place]) -> String {
    let mut by_kind: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for Place { path, word, kind } in places {
        let words = match word {
            Word::Option(short, long) => {
                let short = short.map(|short| format!("-{short}"));
                let long = long.as_ref().map(|long| format!("--{long}"));
                [short, long].into_iter().flatten().collect()
            }
            Word::Positional(at, false) => vec![at.to_string()],
            Word::Positional(at, true) => vec![at.to_string(), "+".to_owned()],
        };
        let patterns = words.into_iter().map(|word| format!("\"{path}:{word}\""));
        by_kind.entry(*kind).or_default().extend(patterns);
    }
    let mut cases = String::new();
    for (kind, patterns) in by_kind {
        let patterns = patterns.join(" | \\\n        ");
        // Writing to a String does not fail.
        let _ = writeln!(cases, "    {patterns})\n        echo {} ;;", kind.name());
    }
    cases
}

/// The commands that have sub-commands, as patterns.
pub fn parents(tree: &Command) -> Vec<String> {
    let mut parents = Vec::new();
    for command in tree.get_subcommands() {
        parents_below("", command, &mut parents);
    }
    parents
}

fn parents_below(above: &str, command: &Command, parents: &mut Vec<String>) {
    let path = format!("{above}{}", command.get_name());
    if command.has_subcommands() {
        parents.push(format!("\"{path}\""));
    }
    for sub in command.get_subcommands() {
        parents_below(&format!("{path} "), sub, parents);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the kind of value after a command and perhaps an option.
    fn check(path: &str, word: &str, expect: Option<Kind>) {
        let mut tree = crate::docs::tree();
        tree.build();
        let places = places(&tree);
        let found = places.iter().find(|place| {
            let is_here = match &place.word {
                Word::Option(short, long) => {
                    let short = short.map(|short| format!("-{short}"));
                    let long = long.as_ref().map(|long| format!("--{long}"));
                    short.as_deref() == Some(word) || long.as_deref() == Some(word)
                }
                Word::Positional(at, _) => at.to_string() == word,
            };
            place.path == path && is_here
        });
        assert_eq!(found.map(|place| place.kind), expect, "{path} {word}");
    }

    #[test]
    fn values_of_the_instance_are_known_by_their_names() {
        check("cancel", "1", Some(Kind::Active));
        check("jobs", "1", Some(Kind::Ids));
        check("jobs", "-q", Some(Kind::Queues));
        check("submit", "--queue", Some(Kind::Queues));
        check("queue start", "1", Some(Kind::Queues));
        check("job attach", "1", Some(Kind::Active));
        check("job wait-event", "1", Some(Kind::Ids));
        check("job wait-event", "2", None);
        check("module remove", "1", Some(Kind::Modules));
        check("module load", "1", None);
        check("kvs get", "1", Some(Kind::Keys));
        check("resource drain", "1", Some(Kind::Ranks));
        check("resource drain", "2", None);
        check("exec", "--rank", Some(Kind::Ranks));
        check("getattr", "1", Some(Kind::Attributes));
        check("jobs", "--format", Some(Kind::Other));
        check("jobs", "--json", None);
        check("jobs", "--color", None);
    }
}
