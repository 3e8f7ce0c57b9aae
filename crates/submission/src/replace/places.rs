//! The options in whose values something may be replaced.

use super::{Fault, Filled, Values, fill, quoted_list, refused};
use crate::environment::Rule;
use crate::options::Options;
use command::error::CliError;

/// The options by the names that messages have for them, in the order of `--dry-run`.
const ORDER: [&str; 31] = [
    "-q",
    "-B",
    "-n",
    "-N",
    "-c",
    "-g",
    "--cores",
    "--tasks-per-node",
    "--tasks-per-core",
    "--gpus-per-node",
    "-t",
    "--env",
    "--urgency",
    "-o",
    "--setattr",
    "--job-name",
    "--input",
    "--output",
    "--error",
    "--cc",
    "--bcc",
    "--log",
    "--log-stderr",
    "--dependency",
    "--taskmap",
    "--requires",
    "--wait-event",
    "--cwd",
    "--flags",
    "--begin-time",
    "--signal",
];

/// The texts of one option.
#[derive(Debug)]
pub struct Place<'o> {
    option: &'static str,
    texts: Vec<&'o mut String>,
    /// Prefix of each when they are shown, if there is one.
    marks: Vec<&'static str>,
    is_list: bool,
}

impl<'o> Place<'o> {
    /// An option with one value, if it is there.
    pub fn one(option: &'static str, text: &'o mut Option<String>) -> Place<'o> {
        Place {
            option,
            texts: text.iter_mut().collect(),
            marks: Vec::new(),
            is_list: false,
        }
    }

    fn list(option: &'static str, texts: &'o mut [String]) -> Place<'o> {
        Place {
            option,
            texts: texts.iter_mut().collect(),
            marks: Vec::new(),
            is_list: true,
        }
    }

    /// The texts as they are now.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.as_str())
    }

    /// Puts values into the texts, and returns true if that changed any.
    pub fn fill(&mut self, values: &Values<'_>) -> Result<bool, CliError> {
        let mut changed = false;
        for place in 0..self.texts.len() {
            let text = self.texts[place].as_str();
            if !text.contains(['{', '}']) {
                continue;
            }
            let filled = match fill(text, values).map_err(|fault| self.refuse(fault))? {
                Filled::Text(text) => text,
                Filled::Words(words) => quoted_list(&words),
            };
            changed |= filled != *self.texts[place];
            *self.texts[place] = filled;
        }
        Ok(changed)
    }

    fn refuse(&self, fault: Fault) -> CliError {
        match fault {
            Fault::Index => refused(format!("Invalid replacement index in {self}'")),
            Fault::Key(key) => refused(format!("Replacement key '{key}' not found in '{self}'")),
            fault => fault.into(),
        }
    }

    /// True if it has any value.
    pub fn is_set(&self) -> bool {
        !self.texts.is_empty()
    }

    /// True if this is the option of this name.
    pub fn is(&self, option: &str) -> bool {
        self.option == option
    }
}

/// As `bulksubmit --dry-run` shows it.
impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = match (self.option.starts_with("--"), self.is_list) {
            (true, _) => "=",
            (false, true) => " ",
            (false, false) => "",
        };
        let value = match (self.is_list, self.texts.first()) {
            (false, Some(text)) => text.to_string(),
            _ => {
                let marks = self.marks.iter().copied().chain(std::iter::repeat(""));
                let texts = marks.zip(&self.texts);
                let texts = texts.map(|(mark, text)| format!("{mark}{text}"));
                quoted_list(&texts.collect::<Vec<_>>())
            }
        };
        write!(f, "{}{separator}{value}", self.option)
    }
}

/// Places in the order of `--dry-run`.
pub fn ordered(mut places: Vec<Place<'_>>) -> Vec<Place<'_>> {
    places.sort_by_key(|place| ORDER.iter().position(|option| *option == place.option));
    places
}

impl Options {
    /// Every place but the command.
    pub fn places(&mut self) -> Vec<Place<'_>> {
        // All rules are shown as those of one option.
        let rules = self.env.0.iter_mut().map(|rule| match rule {
            Rule::Any(text) => ("", text),
            Rule::Remove(text) => ("-", text),
            Rule::File(text) => ("^", text),
        });
        let (marks, texts) = rules.unzip();
        let env = Place {
            option: "--env",
            texts,
            marks,
            is_list: true,
        };
        vec![
            Place::one("-q", &mut self.queue),
            Place::one("-B", &mut self.bank),
            Place::one("-n", &mut self.ntasks),
            Place::one("-N", &mut self.nodes),
            Place::one("-c", &mut self.cores_per_task),
            Place::one("-g", &mut self.gpus_per_task),
            Place::one("--cores", &mut self.cores),
            Place::one("--tasks-per-node", &mut self.tasks_per_node),
            Place::one("--tasks-per-core", &mut self.tasks_per_core),
            Place::one("--gpus-per-node", &mut self.gpus_per_node),
            Place::one("-t", &mut self.time_limit),
            env,
            Place::one("--urgency", &mut self.urgency),
            Place::list("-o", &mut self.setopt),
            Place::list("--setattr", &mut self.setattr),
            Place::one("--job-name", &mut self.job_name),
            Place::one("--input", &mut self.input),
            Place::one("--output", &mut self.output),
            Place::one("--error", &mut self.error),
            Place::list("--dependency", &mut self.dependency),
            Place::one("--taskmap", &mut self.taskmap),
            Place::list("--requires", &mut self.requires),
            Place::one("--cwd", &mut self.cwd),
            Place::list("--flags", &mut self.flags),
            Place::one("--begin-time", &mut self.begin_time),
            Place::one("--signal", &mut self.signal),
        ]
    }

    /// Sets in the job's environment the number of the copy.
    pub fn set_copy(&mut self, id: u32) {
        let rule = Rule::Any(format!("FLUX_JOB_CC={id}"));
        self.env.0.push(rule);
    }
}
