//! Nodes that there are none of, for trying out schedulers and queues: `[fake-resources]`. Pure.

use proto::config::keys;
use proto::data::Rset;
use proto::{Errno, Object, Refusal};
use serde_json::json;

/// Resources of an instance configured to invent its nodes; `None` for any other.
pub fn invented(conf: &Object) -> Result<Option<Rset>, Refusal> {
    let nnodes: Option<u32> = keys::FAKE_RESOURCES_NNODES.read(conf)?;
    let cores: Option<u32> = keys::FAKE_RESOURCES_CORES_PER_NODE.read(conf)?;
    let gpus: Option<u32> = keys::FAKE_RESOURCES_GPUS_PER_NODE.read(conf)?;
    let prefix: Option<String> = keys::FAKE_RESOURCES_HOST_PREFIX.read(conf)?;
    let Some(nnodes) = nnodes else {
        return match keys::FAKE_RESOURCES_NNODES.table(conf) {
            Some(_) => Err(bad("fake-resources.nnodes must be set")),
            None => Ok(None),
        };
    };
    if keys::RESOURCE_CONFIG.value(conf).is_some() {
        return Err(bad("fake-resources cannot go with resource.config"));
    }
    let below = |n: u32| match n {
        1 => "0".to_owned(),
        n => format!("0-{}", n - 1),
    };
    let prefix = prefix.as_deref().unwrap_or("fake");
    let mut entry = json!({
        "hosts": format!("{prefix}[{}]", below(nnodes)),
        "cores": below(cores.unwrap_or(CORES)),
    });
    if let Some(gpus) = gpus.filter(|gpus| *gpus > 0) {
        entry["gpus"] = below(gpus).into();
    }
    let set = Rset::of_config(&json!([entry]), "").map_err(|error| bad(&error))?;
    Ok(Some(set))
}

/// Cores of a node if nothing is said.
const CORES: u32 = 64;

fn bad(text: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(conf: &str, expect: &str) {
        let conf = Object(serde_json::from_str(conf).unwrap());
        let said = match invented(&conf) {
            Ok(None) => "none".to_owned(),
            Ok(Some(set)) => {
                let (ncores, ngpus) = (set.ncores(), set.ngpus());
                format!("{} {ncores} cores {ngpus} gpus", set.nodelist())
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expect, "{conf:?}");
    }

    #[test]
    fn nodes_are_invented_where_that_is_wanted() {
        check("{}", "none");
        check(
            r#"{"fake-resources":{"nnodes":2}}"#,
            "fake[0-1] 128 cores 0 gpus",
        );
        check(
            r#"{"fake-resources":{"nnodes":1,"cores-per-node":1,"gpus-per-node":2,"host-prefix":"n"}}"#,
            "n0 1 cores 2 gpus",
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        check(
            r#"{"fake-resources":{"cores-per-node":1}}"#,
            "fake-resources.nnodes must be set",
        );
        check(
            r#"{"fake-resources":{"nnodes":2},"resource":{"config":[]}}"#,
            "fake-resources cannot go with resource.config",
        );
        check(
            r#"{"fake-resources":{"nnodes":0}}"#,
            "fake-resources.nnodes: must be an integer from 1 to 131072",
        );
    }
}
