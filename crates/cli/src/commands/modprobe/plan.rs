//! In which order things are done: each after those that come before it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Definition;
use super::known::Known;

/// Names with those that come before each, all of them among the names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    before: BTreeMap<String, BTreeSet<String>>,
    /// The order in which the names were given.
    names: Vec<String>,
}

impl Order {
    /// The order of modules.
    pub fn of(modules: &[&Definition]) -> Order {
        let mut order = Order::default();
        for module in modules {
            order.add(&module.name);
        }
        for module in modules {
            let meant = |name: &String| {
                let is_meant = |other: &&&Definition| other.is(name);
                let meant = modules.iter().filter(is_meant);
                meant.map(|other| other.name.clone()).collect::<Vec<_>>()
            };
            for earlier in module.after.iter().flat_map(meant) {
                order.put_before(&earlier, &module.name);
            }
            for later in module.before.iter().flat_map(meant) {
                order.put_before(&module.name, &later);
            }
        }
        order
    }

    /// Adds a name that comes at any time.
    pub fn add(&mut self, name: &str) {
        if self
            .before
            .insert(name.to_owned(), BTreeSet::new())
            .is_none()
        {
            self.names.push(name.to_owned());
        }
    }

    /// Has one come before another, if both are there.
    pub fn put_before(&mut self, earlier: &str, later: &str) {
        if self.before.contains_key(earlier)
            && let Some(before) = self.before.get_mut(later)
        {
            before.insert(earlier.to_owned());
        }
    }

    /// Adds a name that comes after all others.
    pub fn add_last(&mut self, name: &str) {
        let all: BTreeSet<String> = self.names.iter().cloned().collect();
        self.add(name);
        self.before.insert(name.to_owned(), all);
    }

    /// Direct predecessors of each.
    pub fn before(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.before
    }

    /// Names that can be done together, step by step.
    pub fn steps(&self) -> Result<Vec<Vec<String>>, String> {
        let (mut steps, mut done) = (Vec::new(), BTreeSet::new());
        while done.len() < self.names.len() {
            let is_due = |name: &&String| {
                !done.contains(*name) && self.before[*name].iter().all(|name| done.contains(name))
            };
            let step: Vec<String> = self.names.iter().filter(is_due).cloned().collect();
            if step.is_empty() {
                let left: Vec<&str> = self.names.iter().map(String::as_str).collect();
                let left = left.into_iter().filter(|name| !done.contains(*name));
                let left = left.collect::<Vec<_>>().join(", ");
                return Err(format!("nodes are in a cycle: {left}"));
            }
            done.extend(step.iter().cloned());
            steps.push(step);
        }
        Ok(steps)
    }

    /// All names, the first one first.
    pub fn line(&self) -> Result<Vec<String>, String> {
        self.steps()
            .map(|steps| steps.into_iter().flatten().collect())
    }
}

/// Modules with all that they require.
pub fn with_requirements<'a>(
    known: &'a Known,
    names: &[String],
) -> Result<Vec<&'a Definition>, String> {
    let mut found: Vec<&Definition> = Vec::new();
    let mut names: Vec<String> = names.to_vec();
    while let Some(name) = names.pop() {
        let module = known.resolve_any(&name)?;
        if !found.iter().any(|other| other.name == module.name) {
            found.push(module);
            names.extend(module.requires.iter().cloned());
        }
    }
    let is_found = |module: &&Definition| found.iter().any(|other| other.name == module.name);
    Ok(known.all().filter(is_found).collect())
}

/// The loaded modules that require one of them.
pub fn users<'a>(known: &'a Known, loaded: &BTreeSet<String>, name: &str) -> Vec<&'a str> {
    let requires = |module: &&Definition| {
        let mut requires = module
            .requires
            .iter()
            .filter_map(|name| known.resolve(name));
        requires.any(|required| required.name == name)
    };
    let users = known.all().filter(|module| loaded.contains(&module.name));
    let mut users: Vec<&str> = users.filter(requires).map(|m| m.name.as_str()).collect();
    users.sort_unstable();
    users
}

/// The loaded modules that go when these go, the last one to be loaded first.
pub fn removal(
    known: &Known,
    loaded: &BTreeSet<String>,
    names: &[String],
) -> Result<Vec<String>, String> {
    let mut going: BTreeSet<String> = BTreeSet::new();
    for name in names {
        let name = known.resolve_any(name).map_or(name, |module| &module.name);
        if !loaded.contains(name) {
            return Err(format!("module {name} is not loaded"));
        }
        going.insert(name.clone());
    }
    for name in &going {
        let users = users(known, loaded, name);
        let staying: Vec<&str> = users
            .into_iter()
            .filter(|user| !going.contains(*user))
            .collect();
        if !staying.is_empty() {
            return Err(format!("{name} still in use by {}", staying.join(", ")));
        }
    }
    // Modules required only by removed ones are removed too.
    let meant: Vec<String> = going.iter().cloned().collect();
    let required = with_requirements(known, &meant).unwrap_or_default();
    let is_idle = |name: &str, going: &BTreeSet<String>| {
        let users = users(known, loaded, name);
        loaded.contains(name)
            && !going.contains(name)
            && users.iter().all(|user| going.contains(*user))
    };
    while let Some(idle) = required.iter().find(|module| is_idle(&module.name, &going)) {
        going.insert(idle.name.clone());
    }
    reversed(known, &going)
}

/// These modules, the last one to be loaded first. Those that are not known come first.
pub fn reversed(known: &Known, going: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let ours = known.all().filter(|module| going.contains(&module.name));
    let mut line = Order::of(&ours.collect::<Vec<_>>()).line()?;
    line.reverse();
    let strangers = going.iter().filter(|name| known.named(name).is_none());
    Ok(strangers.cloned().chain(line).collect())
}

#[cfg(test)]
mod tests {
    use super::super::known::Surroundings;
    use super::*;

    fn stock() -> Known {
        let mut known = Known::stock();
        known.look_around(&Surroundings::default());
        known
    }

    fn all() -> BTreeSet<String> {
        stock().wanted().map(|module| module.name.clone()).collect()
    }

    fn check_removal(names: &[&str], expect: Result<&str, &str>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = removal(&stock(), &all(), &names).map(|line| line.join(" "));
        assert_eq!(found.as_deref().map_err(String::as_str), expect);
    }

    #[test]
    fn modules_are_loaded_with_what_they_require_and_in_order() {
        let known = stock();
        let modules = with_requirements(&known, &["sched".to_owned()]).unwrap();
        let steps = Order::of(&modules).steps().unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.join("+")).collect();
        assert_eq!(
            steps.join(" "),
            "content+heartbeat kvs kvs-watch+resource job-manager sched-simple"
        );
        let unknown = with_requirements(&known, &["zz".to_owned()]);
        assert_eq!(unknown.err().as_deref(), Some("no such task or module zz"));
    }

    #[test]
    fn modules_are_removed_unless_others_use_them() {
        check_removal(&["cron"], Ok("cron"));
        check_removal(&["zz"], Err("module zz is not loaded"));
        check_removal(
            &["kvs"],
            Err("kvs still in use by job-exec, job-info, job-ingest, job-manager, kvs-watch"),
        );
        check_removal(&["sched"], Ok("sched-simple"));
    }

    #[test]
    fn what_nobody_else_requires_goes_too() {
        let known = stock();
        let loaded = ["content", "heartbeat", "kvs", "kvs-watch", "own"];
        let mut loaded: BTreeSet<String> = loaded.map(str::to_owned).into();
        let line = removal(&known, &loaded, &["kvs-watch".to_owned()]).unwrap();
        assert_eq!(line.join(" "), "kvs-watch kvs heartbeat content");
        let line = reversed(&known, &loaded).unwrap();
        assert_eq!(line.join(" "), "own kvs-watch kvs heartbeat content");
        loaded.insert("cron".to_owned());
        let line = removal(&known, &loaded, &["kvs-watch".to_owned()]).unwrap();
        assert_eq!(line.join(" "), "kvs-watch kvs content");
    }

    #[test]
    fn a_cycle_is_told() {
        let mut order = Order::default();
        for name in ["a", "b", "c"] {
            order.add(name);
        }
        order.put_before("a", "b");
        order.put_before("b", "a");
        assert_eq!(order.line(), Err("nodes are in a cycle: a, b".to_owned()));
    }
}
