//! Resources requested by a job, as far as they are listed: derived from the jobspec once
//! for jobs whose jobspecs are the same text.

use std::rc::Rc;

use proto::data::Jobspec;
use proto::data::job::Asked;
use rustc_hash::FxHashMap;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::SHAPES_MAX;
use crate::parts::{Part, Parts};

/// Cache of derived requests: many jobs have the same, under other names.
#[derive(Debug, Default)]
pub struct AskedBefore {
    last: Option<(Rc<str>, Part)>,
    /// By the text that the numbers depend on. Never iterated.
    numbers: FxHashMap<Box<str>, Numbers>,
}

/// The part that takes a walk through the resources.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    ntasks: Option<u64>,
    ncores: Option<u64>,
    nnodes: Option<u64>,
    per_core: Option<u64>,
    per_node: Option<u64>,
}

/// The parts of a jobspec that are listed, read in place. Anything unusual, such as a
/// text with escapes, does not fit and is read the long way.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    resources: &'a RawValue,
    #[serde(borrow)]
    tasks: Vec<TaskView<'a>>,
    #[serde(borrow)]
    attributes: AttributesView<'a>,
}

#[derive(Deserialize)]
struct TaskView<'a> {
    #[serde(borrow)]
    command: First<'a>,
    #[serde(borrow)]
    count: &'a RawValue,
}

#[derive(Deserialize)]
struct AttributesView<'a> {
    #[serde(borrow)]
    system: SystemView<'a>,
}

#[derive(Deserialize)]
struct SystemView<'a> {
    duration: f64,
    cwd: Option<&'a str>,
    queue: Option<&'a str>,
    project: Option<&'a str>,
    bank: Option<&'a str>,
    job: Option<JobView<'a>>,
    #[serde(borrow)]
    shell: Option<ShellView<'a>>,
}

#[derive(Deserialize)]
struct JobView<'a> {
    name: Option<&'a str>,
}

#[derive(Deserialize)]
struct ShellView<'a> {
    #[serde(borrow)]
    options: Option<OptionsView<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct OptionsView<'a> {
    #[serde(borrow)]
    per_resource: Option<&'a RawValue>,
}

/// The first text of a list.
struct First<'a>(&'a str);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<First<'a>, D::Error> {
        struct Seq;
        impl<'de> Visitor<'de> for Seq {
            type Value = &'de str;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of texts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<&'de str, A::Error> {
                let first = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                first.ok_or_else(|| serde::de::Error::invalid_length(0, &self))
            }
        }
        deserializer.deserialize_seq(Seq).map(First)
    }
}

impl AskedBefore {
    /// Request in the jobspec with this text, or the error of reading it. With the text,
    /// which is kept once for jobs that have it in common and come one after the other.
    pub fn of(&mut self, text: &str, parts: &mut Parts) -> Result<(Rc<str>, Part), String> {
        if let Some(last) = &self.last
            && *last.0 == *text
        {
            return Ok(last.clone());
        }
        let asked = match serde_json::from_str::<View<'_>>(text) {
            Ok(view) if view.tasks.len() == 1 => self.of_view(&view),
            _ => {
                let jobspec = Jobspec::decode(text).map_err(|error| error.to_string())?;
                derive(&jobspec)
            }
        };
        let last = (text.into(), parts.get(&asked));
        self.last = Some(last.clone());
        Ok(last)
    }

    fn of_view(&mut self, view: &View<'_>) -> Vec<u8> {
        let task = &view.tasks[0];
        let system = &view.attributes.system;
        let explicit = system.job.as_ref().and_then(|job| job.name);
        let asked = Asked {
            name: explicit.or_else(|| Some(basename(task.command.0))),
            cwd: system.cwd,
            queue: system.queue,
            project: system.project,
            bank: system.bank,
            duration: Some(system.duration),
            ..self.numbers_of(view, task).asked()
        };
        asked.encode()
    }

    fn numbers_of(&mut self, view: &View<'_>, task: &TaskView<'_>) -> Numbers {
        let options = view.attributes.system.shell.as_ref();
        let per = options.and_then(|shell| shell.options.as_ref()?.per_resource);
        let per = per.map_or("null", RawValue::get);
        let (resources, count) = (view.resources.get(), task.count.get());
        // Exactly what the numbers depend on, as a jobspec of its own.
        let text = format!(
            r#"{{"resources":{resources},"tasks":[{{"count":{count}}}],"attributes":{{"system":{{"duration":0,"shell":{{"options":{{"per-resource":{per}}}}}}}}}}}"#
        );
        if let Some(numbers) = self.numbers.get(&*text) {
            return *numbers;
        }
        let numbers =
            Jobspec::decode(&text).map_or(Numbers::default(), |jobspec| numbers(&jobspec));
        if self.numbers.len() >= SHAPES_MAX {
            self.numbers.clear();
        }
        self.numbers.insert(text.into(), numbers);
        numbers
    }
}

impl Numbers {
    fn asked(self) -> Asked<'static> {
        Asked {
            ntasks: self.ntasks,
            ncores: self.ncores,
            nnodes: self.nnodes,
            per_core: self.per_core,
            per_node: self.per_node,
            ..Asked::default()
        }
    }
}

fn numbers(jobspec: &Jobspec) -> Numbers {
    let counts = jobspec.counts().ok();
    let wants_whole_nodes = counts.is_some_and(|c| c.nnodes > 0 && c.exclusive);
    let per = jobspec.per_resource();
    let per_node = per.filter(|(kind, _)| *kind == "node");
    let per_core = per.filter(|(kind, _)| *kind != "node");
    Numbers {
        ntasks: jobspec.ntasks().ok(),
        ncores: counts
            .filter(|_| !wants_whole_nodes)
            .map(|counts| counts.ncores()),
        nnodes: counts.map(|counts| counts.nnodes).filter(|n| *n > 0),
        per_core: per_core.map(|(_, n)| n),
        per_node: per_node.map(|(_, n)| n),
    }
}

fn derive(jobspec: &Jobspec) -> Vec<u8> {
    let asked = Asked {
        name: name(jobspec),
        cwd: jobspec.cwd(),
        queue: jobspec.queue(),
        project: jobspec.project(),
        bank: jobspec.bank(),
        duration: Some(jobspec.duration()),
        ..numbers(jobspec).asked()
    };
    asked.encode()
}

/// The name given, else that of the command.
fn name(jobspec: &Jobspec) -> Option<&str> {
    jobspec
        .explicit_name()
        .or_else(|| jobspec.command().first().copied().map(basename))
}

/// The last part of a path, or all of one that ends in a slash.
fn basename(path: &str) -> &str {
    match path.rsplit('/').next() {
        Some(last) if !last.is_empty() => last,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resources: &str, system: &str, command: &str, expect: &str) {
        let text = format!(
            r#"{{"resources":[{resources}],"tasks":[{{"command":["{command}"],"slot":"task","count":{{"per_slot":1}}}}],"attributes":{{"system":{{"duration":0{system}}}}},"version":1}}"#
        );
        let part = AskedBefore::default()
            .of(&text, &mut Parts::default())
            .unwrap()
            .1;
        let long_way = derive(&Jobspec::decode(&text).unwrap());
        assert_eq!(*part, long_way);
        let asked = Asked::decode(&part).unwrap();
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let outcome = format!(
            "{} tasks={} cores={} nodes={}",
            asked.name.unwrap(),
            number(asked.ntasks),
            number(asked.ncores),
            number(asked.nnodes)
        );
        assert_eq!(outcome, expect);
    }

    const SLOT: &str =
        r#"{"type":"slot","count":2,"label":"task","with":[{"type":"core","count":3}]}"#;

    #[test]
    fn names_come_from_the_job_or_from_its_command() {
        check(SLOT, "", "/bin/true", "true tasks=2 cores=6 nodes=-");
        check(SLOT, "", "a/b/", "a/b/ tasks=2 cores=6 nodes=-");
        let named = r#","job":{"name":"mine"}"#;
        check(SLOT, named, "true", "mine tasks=2 cores=6 nodes=-");
    }

    #[test]
    fn texts_with_escapes_are_read_the_long_way() {
        check(SLOT, "", r"a\/b\u0063", "bc tasks=2 cores=6 nodes=-");
    }

    #[test]
    fn tasks_may_be_counted_by_what_the_job_gets() {
        let per = r#","shell":{"options":{"per-resource":{"type":"core","count":2}}}"#;
        check(SLOT, per, "x", "x tasks=12 cores=6 nodes=-");
    }

    #[test]
    fn cores_of_whole_nodes_are_not_known_before_the_nodes() {
        let node = format!(r#"{{"type":"node","count":2,"with":[{SLOT}]}}"#);
        check(&node, "", "x", "x tasks=4 cores=12 nodes=2");
        let node = format!(r#"{{"type":"node","count":2,"exclusive":true,"with":[{SLOT}]}}"#);
        check(&node, "", "x", "x tasks=4 cores=- nodes=2");
    }
}
