//! Comparison of the expected resources of a rank with those found: `[resource.verify]`
//! of flux-config-resource(5). Pure.

use proto::data::rset::Node;
use proto::data::{IdSet, Rset};
use serde_json::Value;

/// Differences that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Strict,
    /// More may be found.
    AllowExtra,
    /// Less may be found.
    AllowMissing,
    /// Anything.
    Ignore,
}

/// The modes in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    cores: Mode,
    gpus: Mode,
    hostname: Mode,
}

impl Default for Verify {
    /// GPUs are found on few machines only, unless their drivers are there.
    fn default() -> Verify {
        Verify {
            cores: Mode::AllowExtra,
            gpus: Mode::Ignore,
            hostname: Mode::Strict,
        }
    }
}

impl Verify {
    /// Everything in one mode.
    pub fn all(mode: Mode) -> Verify {
        Verify {
            cores: mode,
            gpus: mode,
            hostname: mode,
        }
    }

    /// The same for any host name.
    pub fn without_hostname(self) -> Verify {
        Verify {
            hostname: Mode::Ignore,
            ..self
        }
    }

    /// Reads `resource.verify`: a table, or `true` for strict and `false` for ignore.
    pub fn of(value: &Value) -> Result<Verify, String> {
        let table = match value {
            Value::Bool(true) => return Ok(Verify::all(Mode::Strict)),
            Value::Bool(false) => return Ok(Verify::all(Mode::Ignore)),
            value => value
                .as_object()
                .ok_or("verify: must be a table, true or false")?,
        };
        let default = table.get("default").map(|value| mode("default", value));
        let mut verify = Verify::all(default.transpose()?.unwrap_or(Mode::Strict));
        for (key, value) in table {
            match key.as_str() {
                "default" => {}
                "core" => verify.cores = mode(key, value)?,
                "gpu" => verify.gpus = mode(key, value)?,
                "hostname" => verify.hostname = mode(key, value)?,
                _ => return Err(format!("verify: unknown key {key}")),
            }
        }
        Ok(verify)
    }

    /// Difference between R and the resources of a rank, if any.
    pub fn complaint(&self, rank: u32, wanted: &Node, found: &Node) -> Option<String> {
        let host = &wanted.host;
        let (has, should) = (&found.host, &wanted.host);
        if self.hostname != Mode::Ignore && !should.is_empty() && has != should {
            return Some(format!(
                "rank {rank} got hostname '{has}', expected '{should}'"
            ));
        }
        let parts = [
            ("core", self.cores, &wanted.cores, &found.cores),
            ("gpu", self.gpus, &wanted.gpus, &found.gpus),
        ];
        let differing = |strict: Mode, more: bool| -> Vec<String> {
            let looked_at = parts
                .iter()
                .filter(|(_, mode, ..)| *mode == Mode::Strict || *mode == strict);
            let named = looked_at.map(|(kind, _, wanted, found)| match more {
                true => named(kind, &found.difference(wanted)),
                false => named(kind, &wanted.difference(found)),
            });
            named.flatten().collect()
        };
        let missing = differing(Mode::AllowExtra, false);
        if !missing.is_empty() {
            let missing = missing.join(",");
            return Some(format!("rank {rank} ({host}) missing resources: {missing}"));
        }
        let extra = differing(Mode::AllowMissing, true);
        (!extra.is_empty()).then(|| {
            let extra = extra.join(",");
            format!("rank {rank} ({host}) has extra resources: {extra}")
        })
    }
}

/// Difference between `set` and the resources found on `rank`; `None` if there is none,
/// or nothing was found.
pub fn complaint(verify: &Verify, set: &Rset, rank: u32, found: &Rset) -> Option<String> {
    let found = found.node(rank)?;
    match set.node(rank) {
        _ if *verify == Verify::all(Mode::Ignore) => None,
        Some(wanted) => verify.complaint(rank, wanted, found),
        None => Some(format!("rank {rank} not found in expected ranks")),
    }
}

fn named(kind: &str, ids: &IdSet) -> Option<String> {
    (!ids.is_empty()).then(|| format!("{kind}{}", ids.bracketed()))
}

fn mode(key: &str, value: &Value) -> Result<Mode, String> {
    match value.as_str() {
        Some("strict") => Ok(Mode::Strict),
        Some("allow-extra") => Ok(Mode::AllowExtra),
        Some("allow-missing") => Ok(Mode::AllowMissing),
        Some("ignore") => Ok(Mode::Ignore),
        _ => Err(format!(
            "verify: {key} must be strict, allow-extra, allow-missing or ignore"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        let words: Vec<&str> = text.split(' ').collect();
        let mut node = Node::with_cores(words[0], words[1].parse().unwrap());
        node.gpus = words[2].parse().unwrap();
        node
    }

    /// `HOST CORES GPUS` as it should be and as it is, under this setting (JSON).
    fn check(setting: &str, wanted: &str, found: &str, expect: &str) {
        let verify = match setting {
            "" => Verify::default(),
            json => Verify::of(&serde_json::from_str(json).unwrap()).unwrap(),
        };
        let said = verify.complaint(1, &node(wanted), &node(found));
        assert_eq!(
            said.unwrap_or_default(),
            expect,
            "{setting} {wanted}: {found}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        check("", "fox 0-3 0", "fox 0-7 ", "");
        check(
            "",
            "fox 0-2 ",
            "fox 0-1 ",
            "rank 1 (fox) missing resources: core2",
        );
        check(
            "",
            "fox 0-3 ",
            "fox 1 ",
            "rank 1 (fox) missing resources: core[0,2-3]",
        );
        check(
            "",
            "fox 0 ",
            "hen 0 ",
            "rank 1 got hostname 'hen', expected 'fox'",
        );
    }

    #[test]
    fn each_kind_has_a_mode() {
        check(
            "true",
            "fox 0-1 0",
            "fox 0 ",
            "rank 1 (fox) missing resources: core1,gpu0",
        );
        check(
            "true",
            "fox 0 ",
            "fox 0-2 0",
            "rank 1 (fox) has extra resources: core[1-2],gpu0",
        );
        check("false", "fox 0 ", "hen 1 7", "");
        check(
            r#"{"default":"ignore","gpu":"allow-missing"}"#,
            "a 0 0-1",
            "b 1 2",
            "rank 1 (a) has extra resources: gpu2",
        );
        check(
            r#"{"core":"allow-extra"}"#,
            "a 0 ",
            "a 0-1 0",
            "rank 1 (a) has extra resources: gpu0",
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for (setting, expect) in [
            ("7", "verify: must be a table, true or false"),
            (
                r#"{"core":"lax"}"#,
                "verify: core must be strict, allow-extra, allow-missing or ignore",
            ),
            (r#"{"disk":"strict"}"#, "verify: unknown key disk"),
        ] {
            let read = Verify::of(&serde_json::from_str(setting).unwrap());
            assert_eq!(read, Err(expect.to_owned()));
        }
    }
}
