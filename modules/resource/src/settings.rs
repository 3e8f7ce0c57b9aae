//! What the operator can set: arguments of the module and `[resource]`
//! (protocol/13 section 3). Pure.

use proto::config::keys;
use proto::data::rset::Node;
use proto::data::{Hostlist, IdSet, Rset};
use proto::{Errno, Object, Refusal};
use serde::Deserialize;

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Where R is to be read from.
    pub path: Option<String>,
    /// R as `[[resource.config]]` has it, ranks in order of appearance.
    pub config: Option<Rset>,
    /// Targets that are never used, as written.
    pub exclude: String,
    /// Take all of the machine, not only what this process is bound to.
    pub norestrict: bool,
    /// Do not compare R with what is found.
    pub noverify: bool,
    /// Take every rank of R for online; an argument for tests with invented ranks.
    pub force_up: bool,
}

/// `[resource.config]` or `[[resource.config]]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Entry>),
    One(Entry),
}

/// What some hosts have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    hosts: Option<Hostlist>,
    #[serde(default)]
    cores: IdSet,
    #[serde(default)]
    gpus: IdSet,
    #[serde(default)]
    properties: Vec<String>,
}

impl Settings {
    /// Reads arguments and configuration. `hostname` is what an entry without hosts
    /// means.
    pub fn new(args: &[String], conf: &Object, hostname: &str) -> Result<Settings, Refusal> {
        let config = match keys::RESOURCE_CONFIG.value(conf) {
            None => None,
            Some(value) => match serde_json::from_value(value.clone()) {
                Ok(OneOrMany::Many(entries)) => Some(rset(entries, hostname)?),
                Ok(OneOrMany::One(entry)) => Some(rset(vec![entry], hostname)?),
                Err(error) => return Err(bad(format!("config: {error}"))),
            },
        };
        let mut settings = Settings {
            path: keys::RESOURCE_PATH.read(conf)?,
            config,
            exclude: keys::RESOURCE_EXCLUDE.read(conf)?.unwrap_or_default(),
            norestrict: keys::RESOURCE_NORESTRICT.read(conf)?.unwrap_or_default(),
            noverify: keys::RESOURCE_NOVERIFY.read(conf)?.unwrap_or_default(),
            force_up: false,
        };
        for arg in args {
            match arg.as_str() {
                "noverify" => settings.noverify = true,
                "norestrict" => settings.norestrict = true,
                "monitor-force-up" => settings.force_up = true,
                _ => {
                    let text = format!("{arg}: unknown option");
                    return Err(Refusal::new(Errno::EINVAL, text));
                }
            }
        }
        Ok(settings)
    }
}

fn bad(text: String) -> Refusal {
    let text = format!("error parsing [resource] configuration: {text}");
    Refusal::new(Errno::EINVAL, text)
}

/// Entries that name the same host add up.
fn rset(entries: Vec<Entry>, hostname: &str) -> Result<Rset, Refusal> {
    let mut order = Hostlist::new();
    let mut ranks = std::collections::BTreeMap::<String, u32>::new();
    let mut set = Rset::new();
    for entry in entries {
        let own = Hostlist::from_names([hostname]).map_err(|e| bad(e.to_string()))?;
        let hosts = entry.hosts.unwrap_or(own);
        let mut with = Vec::new();
        for host in &hosts {
            let next = order.len() as u32;
            let rank = *ranks.entry(host.to_owned()).or_insert(next);
            if rank == next {
                order.push(host).map_err(|e| bad(e.to_string()))?;
            }
            let mut node = Node::with_cores(host, entry.cores.clone());
            node.gpus = entry.gpus.clone();
            set.add_rank(rank, node).map_err(|e| bad(e.to_string()))?;
            with.push(rank);
        }
        let with: IdSet = with.into_iter().collect();
        for property in &entry.properties {
            set.add_property(property, &with)
                .map_err(|e| bad(e.to_string()))?;
        }
    }
    for (_, node) in set.nodes() {
        if node.cores.is_empty() {
            return Err(bad(format!("config: host {} has no cores", node.host)));
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints R and what is switched on, or why not.
    fn check(args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let outcome = match Settings::new(&args, &conf, "fox0") {
            Err(error) => error.to_string(),
            Ok(s) => {
                let set = s.config.unwrap_or_default();
                let (hosts, on) = (set.nodelist(), (s.norestrict, s.noverify, s.force_up));
                format!("{set} {hosts} {:?} {:?} {on:?}", s.path, s.exclude)
            }
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn nothing_set_means_to_look_around() {
        check(&[], "{}", r#"  None "" (false, false, false)"#);
    }

    #[test]
    fn entries_add_up_by_host() {
        let conf = r#"{"resource":{"noverify":true,"exclude":"a1","config":[
            {"hosts":"a[0-1]","cores":"0-3"},{"hosts":"b","cores":"0-1","properties":["big"]},
            {"hosts":"a1","gpus":"0"}]}}"#;
        let set = "rank0/core[0-3] rank1/core[0-3],gpu0 rank2/core[0-1]";
        check(
            &["monitor-force-up"],
            conf,
            &format!(r#"{set} a[0-1],b None "a1" (false, true, true)"#),
        );
    }

    #[test]
    fn one_entry_without_hosts_is_this_machine() {
        let conf = r#"{"resource":{"config":{"cores":"0-63"}}}"#;
        let expect = r#"rank0/core[0-63] fox0 None "" (false, false, false)"#;
        check(&[], conf, expect);
    }

    #[test]
    fn bad_settings_say_what_is_wrong() {
        let prefix = "error parsing [resource] configuration: ";
        let conf = r#"{"resource":{"config":[{"hosts":"a"}]}}"#;
        check(&[], conf, &format!("{prefix}config: host a has no cores"));
        let conf = r#"{"resource":{"norestrict":7}}"#;
        let text = "norestrict: must be true or false";
        check(&[], conf, &format!("{prefix}{text}"));
        check(&["x=1"], "{}", "x=1: unknown option");
    }
}
