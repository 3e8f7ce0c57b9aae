//! Loading and removing policies: when the configuration asks for it (`[job-manager]
//! plugins`, read at the start) and at any time with `job-manager.jobtap` (protocol/25 section 6.1).

use proto::config::keys;
use proto::data::Jobspec;
use proto::{Errno, Object, Refusal};
use serde_json::{Map, Value};

use super::registry::{Make, Policies};
use super::{
    Policy, alloc_bypass, alloc_check, limit_active, perilog, priority_factor, remote, submit_hold,
};
use crate::limits::POLICIES_MAX;

/// Policies that a site can load, by name.
const LOADABLE: &[(&str, Make)] = &[
    ("alloc-bypass", || Box::new(alloc_bypass::AllocBypass)),
    ("alloc-check", || Box::<alloc_check::AllocCheck>::default()),
    ("limit-active", || {
        Box::<limit_active::LimitActive>::default()
    }),
    ("perilog", || Box::new(perilog::Perilog::default())),
    ("priority-factor", || {
        Box::<priority_factor::PriorityFactor>::default()
    }),
    ("remote", || Box::<remote::Remote>::default()),
    ("submit-hold", || Box::new(submit_hold::SubmitHold)),
];

/// Tables of `[job-manager]`, and the policy that each is for.
const TABLES: [(&str, &str); 4] = [
    ("prolog", "perilog"),
    ("epilog", "perilog"),
    ("limit-active", "limit-active"),
    ("priority-factor", "priority-factor"),
];

/// Attributes of a job's system, and the policy that each is for.
const ATTRIBUTES: [(&str, &str); 1] = [("alloc-bypass", "alloc-bypass")];

/// A name without the suffix of a shared object.
fn bare(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".so").unwrap_or(file)
}

/// Policy of this name; a built-in one may be loaded again after it was removed.
fn make(name: &str) -> Option<Box<dyn Policy>> {
    let name = bare(name);
    let row = LOADABLE.iter().find(|(known, _)| *known == name);
    if let Some((_, make)) = row {
        return Some(make());
    }
    let builtin = super::registry::builtin().into_iter().map(|make| make());
    builtin.into_iter().find(|policy| policy.name() == name)
}

impl Policies {
    /// Loads a policy behind all others, with the present configuration and its own
    /// settings; returns its number.
    pub fn load(&mut self, name: &str, own: Option<&Value>, conf: &Object) -> Result<u64, Refusal> {
        let own = match own {
            None => &Map::new(),
            Some(Value::Object(own)) => own,
            Some(_) => return Err(refused("jobptap: plugin conf must be a JSON object")),
        };
        let unknown = || Refusal::new(Errno::ENOENT, format!("{name}: No such plugin found"));
        let mut policy = make(name).ok_or_else(unknown)?;
        self.check_absent(policy.name(), name)?;
        if self.names().count() >= POLICIES_MAX {
            return Err(refused(&format!("more than {POLICIES_MAX} plugins")));
        }
        let rejected = |text: String| match text.is_empty() {
            true => refused(&format!("config rejected by {name} jobtap plugin")),
            false => refused(&text),
        };
        policy.set_conf(own).map_err(rejected)?;
        // It may have its name from what was said.
        self.check_absent(policy.name(), policy.name())?;
        policy.configure(conf).map_err(rejected)?;
        Ok(self.add(policy))
    }

    fn check_absent(&self, name: &str, said: &str) -> Result<(), Refusal> {
        match self.has(name) {
            true => Err(Refusal::new(
                Errno::EEXIST,
                format!("{said} already loaded"),
            )),
            false => Ok(()),
        }
    }

    /// Removes those whose name is `pattern` or fits it. Names that begin with a dot fit no
    /// pattern that does not.
    pub fn remove(&mut self, pattern: &str) -> Result<(), Refusal> {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        let is_hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
        let fits = |name: &str| match pattern {
            "all" => true,
            _ => fits(pattern.as_bytes(), name.as_bytes()) || bare(pattern) == name,
        };
        let mut meant = names.iter().filter(|name| !is_hidden(name) && fits(name));
        let mut was_there = pattern == "all";
        for name in &mut meant {
            self.take_out(name);
            was_there = true;
        }
        match was_there {
            true => Ok(()),
            false => Err(Refusal::new(
                Errno::ENOENT,
                "Failed to find plugin to remove",
            )),
        }
    }

    /// Applies `[job-manager] plugins`.
    pub fn load_configured(&mut self, conf: &Object) -> Result<(), Refusal> {
        let Some(value) = keys::JOB_MANAGER_PLUGINS.value(conf) else {
            return Ok(());
        };
        let Some(entries) = value.as_array() else {
            return Err(refused("[job-manager.plugins] config must be an array"));
        };
        for (n, entry) in entries.iter().enumerate() {
            let done = self.load_entry(entry, conf);
            done.map_err(|text| refused(&format!("[job-manager.plugins][{n}]: {text}")))?;
        }
        Ok(())
    }

    /// Warns of tables of the configuration without effect: their policy is not there, or
    /// nobody reads them.
    pub fn warn_of_idle(&self, conf: &Object) {
        for (table, policy) in TABLES {
            let job_manager = conf.0.get("job-manager");
            let is_set = job_manager.is_some_and(|tables| tables.get(table).is_some());
            if is_set && !self.has(policy) {
                tracing::warn!(
                    "[job-manager.{table}] does nothing: the policy {policy} is not loaded"
                );
            }
        }
        if keys::POLICY_SCHEDULER.value(conf).is_some() {
            tracing::warn!("[policy.scheduler] has no effect: our schedulers do not read it");
        }
    }

    /// Refuses a job with an attribute that would do nothing: its policy is not there.
    pub fn check_attributes(&self, jobspec: &Jobspec) -> Result<(), String> {
        for (attribute, policy) in ATTRIBUTES {
            let value = jobspec.system(attribute);
            if value.is_some_and(|value| !value.is_null()) && !self.has(policy) {
                return Err(format!(
                    "attributes.system.{attribute}: the plugin {policy} is not loaded"
                ));
            }
        }
        Ok(())
    }

    fn load_entry(&mut self, entry: &Value, conf: &Object) -> Result<(), String> {
        use proto::data::shape::mismatch;
        let table = entry.as_object();
        let table = table.ok_or_else(|| mismatch("object", entry))?;
        let known = |key: &&String| ["load", "remove", "conf"].contains(&key.as_str());
        let unknown: Vec<&String> = table.keys().filter(|key| !known(key)).collect();
        if let Some(first) = unknown.first() {
            let n = unknown.len();
            return Err(format!("{n} object item(s) left unpacked: {first}"));
        }
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(value) => Err(mismatch("string", value)),
        };
        let (remove, load) = (text("remove")?, text("load")?);
        if let Some(pattern) = remove {
            let removed = self.remove(pattern);
            removed.map_err(|refusal| format!("remove {pattern}: {refusal}"))?;
        }
        if let Some(name) = load {
            let loaded = self.load(name, table.get("conf"), conf);
            loaded.map_err(|refusal| format!("load: {refusal}"))?;
        }
        Ok(())
    }
}

fn refused(text: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, text.to_owned())
}

/// True if a name matches a pattern of the shell: `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|n| fits(rest, &name[n..])),
        (Some((b'?', rest)), Some((_, name))) => fits(rest, name),
        (Some((one, rest)), Some((other, name))) if one == other => fits(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plugins: &str, expect: Result<&str, &str>) {
        let conf = format!(r#"{{"job-manager":{{"plugins":{plugins}}}}}"#);
        let conf = Object(serde_json::from_str(&conf).unwrap());
        let mut policies = Policies::default();
        let done = policies.load_configured(&conf).map_err(|it| it.to_string());
        let names = policies.names().filter(|name| !name.starts_with('.'));
        let names: Vec<&str> = names.collect();
        let done = done.map(|()| names.join(" "));
        assert_eq!(
            done,
            expect.map(str::to_owned).map_err(str::to_owned),
            "{plugins}"
        );
    }

    #[test]
    fn policies_are_loaded_and_removed_in_order() {
        check("[]", Ok(""));
        check(
            r#"[{"load":"submit-hold.so"},{"load":"alloc-check"}]"#,
            Ok("submit-hold alloc-check"),
        );
        check(
            r#"[{"load":"/usr/lib/x/submit-hold.so"}]"#,
            Ok("submit-hold"),
        );
        check(
            r#"[{"load":"submit-hold"},{"remove":"submit-hold"}]"#,
            Ok(""),
        );
        check(r#"[{"load":"submit-hold"},{"remove":"sub*"}]"#, Ok(""));
        check(
            r#"[{"load":"submit-hold"},{"remove":"all","load":"alloc-check"}]"#,
            Ok("alloc-check"),
        );
        check(
            r#"[{"load":".history"}]"#,
            Err("[job-manager.plugins][0]: load: .history already loaded"),
        );
        check(r#"[{"remove":".history"},{"load":".history"}]"#, Ok(""));
        check(
            r#"[{"load":"submit-hold"},{"remove":".*"}]"#,
            Ok("submit-hold"),
        );
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let bad = |entry: &str, text: &str| {
            let text = format!("[job-manager.plugins][1]: {text}");
            check(&format!("[{{}},{entry}]"), Err(&text));
        };
        check("{}", Err("[job-manager.plugins] config must be an array"));
        bad("7", "Expected object, got integer");
        bad(r#"{"load":7}"#, "Expected string, got integer");
        bad(r#"{"foo":7}"#, "1 object item(s) left unpacked: foo");
        bad(r#"{"load":"foo.so"}"#, "load: foo.so: No such plugin found");
        bad(
            r#"{"remove":"foo"}"#,
            "remove foo: Failed to find plugin to remove",
        );
        let conf = "load: jobptap: plugin conf must be a JSON object";
        bad(r#"{"load":"submit-hold","conf":7}"#, conf);
    }
}
