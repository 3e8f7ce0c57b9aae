//! Policies that are there only when a site wants them: `[job-manager] plugins`, read when the
//! job manager starts.

use proto::config::keys;
use proto::{Errno, Object, Refusal};
use serde_json::Value;

use super::registry::{Make, Policies};
use super::{Policy, perilog};

/// Those that can be loaded, by the name that each has.
const LOADABLE: &[(&str, Make)] = &[("perilog", || Box::new(perilog::Perilog::default()))];

/// One that can be loaded; its name may be that of a shared object.
fn find(name: &str) -> Option<Box<dyn Policy>> {
    let name = name.strip_suffix(".so").unwrap_or(name);
    let row = LOADABLE.iter().find(|(known, _)| *known == name);
    row.map(|(_, make)| make())
}

impl Policies {
    /// Loads what the configuration asks for.
    pub fn load_configured(&mut self, conf: &Object) -> Result<(), Refusal> {
        let key = &keys::JOB_MANAGER_PLUGINS;
        let Some(value) = key.value(conf) else {
            return Ok(());
        };
        let refused = |text: String| Refusal::new(Errno::EINVAL, text);
        let Some(entries) = value.as_array() else {
            let text = "[job-manager.plugins] config must be an array";
            return Err(refused(text.to_owned()));
        };
        for (n, entry) in entries.iter().enumerate() {
            let loaded = self.load_entry(entry);
            loaded.map_err(|text| refused(format!("[job-manager.plugins][{n}]: {text}")))?;
        }
        Ok(())
    }

    fn load_entry(&mut self, entry: &Value) -> Result<(), String> {
        let entry = entry.as_object().ok_or("must be a table")?;
        if let Some(other) = entry.keys().find(|key| *key != "load") {
            return Err(format!("{other}: not supported in this version"));
        }
        let Some(name) = entry.get("load") else {
            return Ok(());
        };
        let name = name.as_str().ok_or("load: must be a text")?;
        let policy = find(name).ok_or_else(|| format!("load: {name}: No such plugin found"))?;
        if self.has(policy.name()) {
            return Err(format!("load: {name} already loaded"));
        }
        self.add(policy);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plugins: &str, expect: Option<&str>) {
        let conf = format!(r#"{{"job-manager":{{"plugins":{plugins}}}}}"#);
        let conf = Object(serde_json::from_str(&conf).unwrap());
        let mut policies = Policies::default();
        let loaded = policies.load_configured(&conf).map_err(|it| it.to_string());
        assert_eq!(loaded.as_ref().err().map(String::as_str), expect);
        assert_eq!(policies.has("perilog"), plugins.contains("perilog"));
    }

    #[test]
    fn policies_are_loaded_by_name() {
        check("[]", None);
        check(r#"[{"load":"perilog.so"}]"#, None);
        check(r#"[{},{"load":"perilog"}]"#, None);
    }

    #[test]
    fn what_cannot_be_loaded_is_named() {
        let entry = |n, text: &str| format!("[job-manager.plugins][{n}]: {text}");
        check("{}", Some("[job-manager.plugins] config must be an array"));
        check("[7]", Some(&entry(0, "must be a table")));
        check(r#"[{"load":7}]"#, Some(&entry(0, "load: must be a text")));
        let unknown = entry(1, "load: foo.so: No such plugin found");
        check(r#"[{},{"load":"foo.so"}]"#, Some(&unknown));
        let twice = entry(1, "load: perilog already loaded");
        check(
            r#"[{"load":"perilog.so"},{"load":"perilog"}]"#,
            Some(&twice),
        );
        let other = entry(0, "remove: not supported in this version");
        check(r#"[{"remove":"all"}]"#, Some(&other));
    }
}
