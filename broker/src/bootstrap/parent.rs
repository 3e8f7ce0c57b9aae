//! A broker that is a job reports to the instance whose job it is its URI, and the nodes that
//! it cannot do without (protocol/24 section 7).
//!
//! The answers are waited for before the broker lives; the socket is there already, so that a
//! client that reads the URI can connect.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use broker::attrs::Attrs;
use client::{Handle, Options};
use proto::attr::names;
use proto::data::{IdSet, JobId, TaskMap};
use proto::job_exec::CriticalRanks;
use proto::job_manager::Memo;
use proto::{Errno, Refusal};
use serde_json::json;

/// Reports the URI to the parent, if this is the first broker of an instance that is a
/// job.
///
/// # Errors
/// The parent cannot be reached, or does not take the URI.
pub fn notify(attrs: &Attrs, env: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let level = attrs.value(&names::INSTANCE_LEVEL);
    let (Some(uri), Some(job)) = (attrs.value(&names::PARENT_URI), attrs.value(&names::JOBID))
    else {
        return Ok(());
    };
    if attrs.number(&names::RANK) != 0 || level == Some("0") {
        return Ok(());
    }
    let id: JobId = job.parse().map_err(|_| anyhow!("jobid={job}: no job id"))?;
    let options = Options::from_env(|name| env.get(name).map(String::as_str));
    let handle = options.and_then(|options| Handle::open(Some(uri), &options));
    let mut handle = handle.with_context(|| format!("parent-uri={uri}"))?;
    // First, because it is what has the parent note that the job runs: its log tells things in
    // their order.
    if let Some(ranks) = critical_nodes(attrs)
        && let Err(refusal) = unless_absent(handle.rpc(&CriticalRanks { id, ranks }))
    {
        eprintln!("flux-broker: job-exec.critical-ranks: {refusal}");
    }
    let memo = Memo {
        id,
        memo: json!({ "uri": remote_uri(attrs) }),
        volatile: None,
    };
    unless_absent(handle.rpc(&memo))
        .map_err(|refusal| anyhow!("job-manager.memo uri: {refusal}"))?;
    Ok(())
}

/// A service that the parent does not have is no reason to end.
fn unless_absent<T>(answer: Result<T, Refusal>) -> Result<(), Refusal> {
    match answer {
        Err(refusal) if refusal.errno != Errno::ENOSYS => Err(refusal),
        _ => Ok(()),
    }
}

/// Our socket as others on other hosts reach it.
fn remote_uri(attrs: &Attrs) -> String {
    let uri = attrs.value(&names::LOCAL_URI).unwrap_or_default();
    let path = uri.strip_prefix("local://").unwrap_or(uri);
    let host = attrs.value(&names::HOSTNAME).unwrap_or("localhost");
    format!("ssh://{host}{path}")
}

/// The nodes of the job that have critical brokers; `None` where nobody has said which
/// broker is where.
fn critical_nodes(attrs: &Attrs) -> Option<String> {
    let ranks: IdSet = attrs.value(&names::BROKER_CRITICAL_RANKS)?.parse().ok()?;
    let map: TaskMap = attrs.value(&names::BROKER_MAPPING)?.parse().ok()?;
    let nodes: Option<IdSet> = ranks.iter().map(|rank| map.node_of(rank)).collect();
    Some(nodes?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attrs(pairs: &[(&proto::attr::Attr, &str)]) -> Attrs {
        let mut attrs = Attrs::default();
        for (attr, value) in pairs {
            attrs.put(attr, (*value).to_owned());
        }
        attrs
    }

    #[test]
    fn the_uri_leads_to_our_host() {
        let attrs = attrs(&[
            (&names::HOSTNAME, "n1"),
            (&names::LOCAL_URI, "local:///tmp/x/local-0"),
        ]);
        assert_eq!(remote_uri(&attrs), "ssh://n1/tmp/x/local-0");
    }

    #[test]
    fn critical_brokers_are_told_by_their_nodes() {
        let check = |ranks: &str, map: &str, expect: Option<&str>| {
            let attrs = attrs(&[
                (&names::BROKER_CRITICAL_RANKS, ranks),
                (&names::BROKER_MAPPING, map),
            ]);
            assert_eq!(critical_nodes(&attrs).as_deref(), expect, "{ranks} {map}");
        };
        check("0", "[[0,4,1,1]]", Some("0"));
        check("0-1,3", "[[0,4,1,1]]", Some("0-1,3"));
        check("0-2", "[[0,1,3,1],[1,1,1,1]]", Some("0"));
        check("0-2", "[[0,2,1,1]]", None);
        check("0", "", None);
    }

    #[test]
    fn an_instance_that_is_no_job_tells_nobody() {
        let env = BTreeMap::new();
        assert!(notify(&attrs(&[(&names::RANK, "0")]), &env).is_ok());
        let of_launcher = [
            (&names::RANK, "0"),
            (&names::INSTANCE_LEVEL, "0"),
            (&names::PARENT_URI, "local:///nonexistent"),
            (&names::JOBID, "ƒ1"),
        ];
        assert!(notify(&attrs(&of_launcher), &env).is_ok());
    }
}
