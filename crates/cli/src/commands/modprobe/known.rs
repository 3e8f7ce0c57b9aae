//! All modules that are known, which of them are wanted, and which one stands for a service. Pure.

use std::collections::BTreeSet;

use proto::{Object, rc};
use serde_json::{Map, Value};

use super::definition::Definition;

/// All modules, in the order in which they became known.
#[derive(Debug, Clone)]
pub struct Known {
    modules: Vec<Definition>,
    /// Modules that are left out here.
    left_out: BTreeSet<String>,
}

/// Facts about the instance on which modules depend.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Rank of the broker.
    pub rank: u32,
    /// Attributes that are set, of those that are asked for.
    pub attrs: BTreeSet<String>,
    /// Variables that are set, of those that are asked for.
    pub env: BTreeSet<String>,
    /// The configuration.
    pub conf: Object,
}

/// Error text for an unknown name.
pub fn no_such_module(name: &str) -> String {
    format!("no such task or module {name}")
}

impl Known {
    /// Definitions that every instance has.
    pub fn stock() -> Known {
        Known {
            modules: rc::MODULES.iter().map(Definition::stock).collect(),
            left_out: BTreeSet::new(),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Definition> {
        self.modules.iter()
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Definition> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// Adds a file: an array `modules`, a table `alternatives`, and tables of modules.
    pub fn add_file(&mut self, tables: &Map<String, Value>) -> Result<(), String> {
        let entries = tables.get("modules").map(|modules| {
            let entries = modules
                .as_array()
                .map(|all| all.iter().map(Value::as_object));
            let entries: Option<Vec<_>> = entries.and_then(Iterator::collect);
            entries.ok_or("must be an array of tables".to_owned())
        });
        for entry in entries.transpose().map_err(in_modules)?.unwrap_or_default() {
            let name = entry.get("name").and_then(Value::as_str);
            let missing = || "Missing required config key 'name'".to_owned();
            let name = name.ok_or_else(missing).map_err(in_modules)?;
            let at = self.modules.iter().position(|module| module.name == name);
            let at = at.unwrap_or_else(|| {
                self.modules.push(Definition::new(name));
                self.modules.len() - 1
            });
            self.modules[at].update(entry).map_err(in_modules)?;
        }
        let others = tables.iter().filter(|(name, _)| *name != "modules");
        self.add_tables(others)
    }

    /// Adds tables of modules, and one of alternatives.
    pub fn add_tables<'a>(
        &mut self,
        tables: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Result<(), String> {
        for (name, value) in tables {
            let keys = value
                .as_object()
                .ok_or(format!("{name}: must be a table"))?;
            if name == "alternatives" {
                for (service, module) in keys {
                    let module = module
                        .as_str()
                        .ok_or(format!("{service}: must be a string"))?;
                    self.set_alternative(service, module)?;
                }
                continue;
            }
            let module = self.modules.iter_mut().find(|module| module.name == *name);
            let module = module.ok_or_else(|| no_such_module(name))?;
            module
                .update(keys)
                .map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }

    /// Has a module stand for a service, and for all others that it provides.
    pub fn set_alternative(&mut self, service: &str, module: &str) -> Result<(), String> {
        let of = self.modules.iter().filter(|known| known.is(service));
        let highest = of.map(|known| known.priority).max();
        let highest = highest.ok_or(format!("no such service {service}"))?;
        let chosen = self.modules.iter_mut().find(|known| known.name == module);
        let chosen = chosen.filter(|known| known.is(service));
        let chosen = chosen.ok_or(format!("no module {module} provides {service}"))?;
        chosen.priority = highest.saturating_add(1);
        Ok(())
    }

    /// Leaves out a module, or all that provide a service. `false` if there is none.
    pub fn disable(&mut self, name: &str) -> bool {
        let mut is_known = false;
        for module in self.modules.iter_mut().filter(|module| module.is(name)) {
            module.disabled = true;
            is_known = true;
        }
        is_known
    }

    /// Leaves out modules that lack something, and those that depend on them.
    pub fn look_around(&mut self, around: &Surroundings) {
        let has_key = |path: &str| {
            let mut words = path.split('.');
            let first = words.next().and_then(|word| around.conf.0.get(word));
            words
                .try_fold(first, |at, word| Some(at?.get(word)))
                .flatten()
                .is_some()
        };
        let is_out = |module: &&Definition| {
            module.disabled
                || !module.is_on(around.rank)
                || lacks(&module.needs_attrs, |name| around.attrs.contains(name))
                || lacks(&module.needs_env, |name| around.env.contains(name))
                || lacks(&module.needs_config, has_key)
        };
        let left_out = self.modules.iter().filter(is_out);
        self.left_out = left_out.map(|module| module.name.clone()).collect();
        // Each round leaves out one more, or is the last.
        loop {
            let needy = |module: &&Definition| {
                !self.left_out.contains(&module.name)
                    && module.needs.iter().any(|need| self.resolve(need).is_none())
            };
            let Some(name) = self.modules.iter().find(needy).map(|m| m.name.clone()) else {
                return;
            };
            self.left_out.insert(name);
        }
    }

    /// The module that stands for a name: of those that are not left out, the one of the highest
    /// priority, and of equals the last.
    pub fn resolve(&self, name: &str) -> Option<&Definition> {
        let is_here = |module: &&Definition| !self.left_out.contains(&module.name);
        let of = self.modules.iter().filter(|module| module.is(name));
        of.filter(is_here).max_by_key(|module| module.priority)
    }

    /// The same, including modules that were left out: they are better than nothing.
    pub fn resolve_any(&self, name: &str) -> Result<&Definition, String> {
        let of = self.modules.iter().filter(|module| module.is(name));
        let found = self.named(name).or_else(|| self.resolve(name));
        let found = found.or_else(|| of.max_by_key(|module| module.priority));
        found.ok_or_else(|| no_such_module(name))
    }

    /// Modules that an instance starts with: of several for a service, one.
    pub fn wanted(&self) -> impl Iterator<Item = &Definition> {
        let stands = |module: &Definition, service: &String| {
            self.resolve(service)
                .is_some_and(|found| found.name == module.name)
        };
        let here = self
            .modules
            .iter()
            .filter(|module| !self.left_out.contains(&module.name));
        here.filter(move |module| {
            module
                .provides
                .iter()
                .all(|service| stands(module, service))
        })
    }
}

fn in_modules(error: String) -> String {
    format!("invalid modules entry: {error}")
}

/// True if one of the names is missing, or exists and must not.
fn lacks(names: &[String], has: impl Fn(&str) -> bool) -> bool {
    names.iter().any(|name| match name.strip_prefix('!') {
        Some(name) => has(name),
        None => !has(name),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(files: &[Value]) -> Result<Known, String> {
        let mut known = Known::stock();
        for file in files {
            known.add_file(file.as_object().unwrap())?;
        }
        Ok(known)
    }

    #[test]
    fn the_last_of_the_highest_priority_stands_for_a_service() {
        let mut known = known(&[json!({"modules": [
            {"name": "sched-x", "provides": ["sched"], "priority": 50},
            {"name": "sched-y", "provides": ["sched"], "priority": 1},
        ]})])
        .unwrap();
        let named = |known: &Known| known.resolve("sched").map(|module| module.name.clone());
        assert_eq!(named(&known).as_deref(), Some("sched-x"));
        known.set_alternative("sched", "sched-fifo").unwrap();
        assert_eq!(named(&known).as_deref(), Some("sched-fifo"));
        assert!(known.disable("sched-fifo"));
        known.look_around(&Surroundings::default());
        assert_eq!(named(&known).as_deref(), Some("sched-x"));
        assert!(known.disable("sched") && !known.disable("zz"));
        known.look_around(&Surroundings::default());
        assert_eq!(named(&known), None);
        assert_eq!(known.resolve_any("sched").unwrap().name, "sched-fifo");
    }

    #[test]
    fn one_module_a_service_is_wanted_and_those_of_the_rank() {
        let wanted = |rank| {
            let mut known = Known::stock();
            known.look_around(&Surroundings {
                rank,
                ..Surroundings::default()
            });
            let names: Vec<String> = known.wanted().map(|module| module.name.clone()).collect();
            names.join(" ")
        };
        let stock = "content kvs kvs-watch heartbeat cron resource job-manager job-info job-list \
                     job-ingest job-exec sched-simple";
        assert_eq!(wanted(0), stock);
        let others = "content kvs kvs-watch heartbeat resource job-info job-ingest job-exec";
        assert_eq!(wanted(3), others);
    }

    #[test]
    fn what_a_module_lacks_leaves_it_out_and_those_that_need_it() {
        let mut known = known(&[json!({"modules": [
            {"name": "a", "needs-config": ["x.y"], "needs-env": ["!E"]},
            {"name": "b", "needs": ["a"]},
            {"name": "c", "needs-attrs": ["t"]},
        ]})])
        .unwrap();
        let mut around = Surroundings::default();
        let mut check = |around: &Surroundings, expect: [bool; 3]| {
            known.look_around(around);
            assert_eq!(
                ["a", "b", "c"].map(|name| known.resolve(name).is_some()),
                expect
            );
        };
        check(&around, [false, false, false]);
        around.conf = Object(json!({"x": {"y": 1}}).as_object().cloned().unwrap());
        check(&around, [true, true, false]);
        around.env.insert("E".to_owned());
        around.attrs.insert("t".to_owned());
        check(&around, [false, false, true]);
    }

    #[test]
    fn files_are_refused_in_words() {
        for (file, expect) in [
            (
                json!({"modules": [{"name": "a", "bar": 1}]}),
                "invalid modules entry: invalid config key bar",
            ),
            (
                json!({"modules": [{"module": "a"}]}),
                "invalid modules entry: Missing required config key 'name'",
            ),
            (
                json!({"modules": {}}),
                "invalid modules entry: must be an array of tables",
            ),
            (json!({"foo": {"args": []}}), "no such task or module foo"),
            (
                json!({"kvs": {"ranks": "zz"}}),
                "kvs: ranks: invalid idset: zz",
            ),
            (json!({"kvs": 1}), "kvs: must be a table"),
            (
                json!({"alternatives": {"sched": "zz"}}),
                "no module zz provides sched",
            ),
            (json!({"alternatives": {"zz": "kvs"}}), "no such service zz"),
        ] {
            assert_eq!(known(&[file]).err().as_deref(), Some(expect));
        }
    }
}
