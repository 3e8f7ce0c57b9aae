//! What a job asked for, as far as it is listed: derived from the jobspec once for jobs
//! whose jobspecs are the same text.

use std::rc::Rc;

use proto::data::Jobspec;

use crate::words::{Word, Words};

/// What was derived from a jobspec. `None` where it does not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wish {
    /// Job name.
    pub name: Option<Word>,
    /// Working directory.
    pub cwd: Option<Word>,
    /// Queue.
    pub queue: Option<Word>,
    /// Project.
    pub project: Option<Word>,
    /// Bank.
    pub bank: Option<Word>,
    /// Tasks.
    pub ntasks: Option<u64>,
    /// Cores, unless whole nodes are wanted.
    pub ncores: Option<u64>,
    /// Nodes, if any number is wanted.
    pub nnodes: Option<u64>,
    /// Time limit in seconds.
    pub duration: Option<f64>,
    /// So many tasks for each core, or node, of what the job gets.
    pub per: Option<Per>,
}

/// What tasks are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// So many for each core.
    Core(u64),
    /// So many for each node.
    Node(u64),
}

/// The last jobspec and what came out: submitting many alike is common.
#[derive(Debug, Default)]
pub struct Wishes {
    last: Option<(Box<str>, Rc<Wish>)>,
}

impl Wishes {
    /// What the jobspec with this text says, or why it says nothing.
    pub fn of(&mut self, text: &str, words: &mut Words) -> Result<Rc<Wish>, String> {
        if let Some((last, wish)) = &self.last
            && **last == *text
        {
            return Ok(Rc::clone(wish));
        }
        let jobspec = Jobspec::decode(text).map_err(|error| error.to_string())?;
        let wish = Rc::new(derive(&jobspec, words));
        self.last = Some((text.into(), Rc::clone(&wish)));
        Ok(wish)
    }
}

fn derive(jobspec: &Jobspec, words: &mut Words) -> Wish {
    let counts = jobspec.counts().ok();
    let per = jobspec.per_resource().map(|(kind, n)| match kind {
        "node" => Per::Node(n),
        _ => Per::Core(n),
    });
    let wants_whole_nodes = counts.is_some_and(|c| c.nnodes > 0 && c.exclusive);
    let mut word = |text: Option<&str>| text.map(|text| words.get(text));
    Wish {
        name: word(name(jobspec)),
        cwd: word(jobspec.cwd()),
        queue: word(jobspec.queue()),
        project: word(jobspec.project()),
        bank: word(jobspec.bank()),
        ntasks: jobspec.ntasks().ok(),
        ncores: counts
            .filter(|_| !wants_whole_nodes)
            .map(|counts| counts.ncores()),
        nnodes: counts.map(|counts| counts.nnodes).filter(|n| *n > 0),
        duration: Some(jobspec.duration()),
        per,
    }
}

/// The name given, else the last part of the command's path, or all of a path that ends
/// in a slash.
fn name(jobspec: &Jobspec) -> Option<&str> {
    if let Some(name) = jobspec.explicit_name() {
        return Some(name);
    }
    let program = jobspec.command().first().copied()?;
    match program.rsplit('/').next() {
        Some(last) if !last.is_empty() => Some(last),
        _ => Some(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resources: &str, system: &str, command: &str, expect: &str) {
        let text = format!(
            r#"{{"resources":[{resources}],"tasks":[{{"command":["{command}"],"slot":"task","count":{{"per_slot":1}}}}],"attributes":{{"system":{{"duration":0{system}}}}},"version":1}}"#
        );
        let mut words = Words::default();
        let wish = Wishes::default().of(&text, &mut words).unwrap();
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let outcome = format!(
            "{} tasks={} cores={} nodes={}",
            wish.name.as_ref().unwrap(),
            number(wish.ntasks),
            number(wish.ncores),
            number(wish.nnodes)
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
    fn cores_of_whole_nodes_are_not_known_before_the_nodes() {
        let node = format!(r#"{{"type":"node","count":2,"with":[{SLOT}]}}"#);
        check(&node, "", "x", "x tasks=4 cores=12 nodes=2");
        let node = format!(r#"{{"type":"node","count":2,"exclusive":true,"with":[{SLOT}]}}"#);
        check(&node, "", "x", "x tasks=4 cores=- nodes=2");
    }
}
