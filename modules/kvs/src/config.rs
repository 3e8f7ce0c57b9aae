//! The arguments of `flux module load kvs` and the `[kvs]` table (protocol/04 sections 6
//! and 9).

use std::time::Duration;

use node::Cx;
use proto::attr::names;
use proto::config::{Cache, keys};
use proto::data::{BlobRef, Fsd, HashKind};
use proto::{Errno, Object, Refusal};

use crate::Kvs;
use crate::size::Bounds;

/// Settings of the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Hash of blobrefs.
    pub hash: HashKind,
    /// True if transactions that arrive together become one version.
    pub merge: bool,
    /// Root to begin with when nothing was saved.
    pub initial_root: Option<BlobRef>,
    /// Interval of checkpoints.
    pub checkpoint_period: Option<Duration>,
    /// Limits of work at a time.
    pub bounds: Bounds,
    /// Amount kept in memory.
    pub cache: Cache,
}

impl Settings {
    /// Reads arguments, configuration and `content.hash`.
    pub fn of(cx: &Cx<Kvs>) -> Result<Settings, Refusal> {
        let hash = cx.attr(&names::CONTENT_HASH).unwrap_or("sha1");
        let hash = hash
            .parse()
            .map_err(|_| invalid(format!("{hash}: unknown hash in content.hash")))?;
        let mut settings = Settings {
            hash,
            merge: true,
            initial_root: None,
            checkpoint_period: checkpoint_period(&cx.welcome().conf)?,
            bounds: Bounds::default(),
            cache: cache(&cx.welcome().conf, cx.rank())?,
        };
        for arg in cx.welcome().args.iter().flatten() {
            settings.apply(arg)?;
        }
        Ok(settings)
    }

    fn apply(&mut self, arg: &str) -> Result<(), Refusal> {
        match arg.split_once('=') {
            Some(("transaction-merge", value)) => {
                let number: i64 = value
                    .parse()
                    .map_err(|_| invalid(format!("{arg}: must be 0 or 1")))?;
                self.merge = number != 0;
            }
            Some(("initial-rootref", value)) => {
                let root = value
                    .parse()
                    .map_err(|error| invalid(format!("{arg}: {error}")))?;
                self.initial_root = Some(root);
            }
            Some((name, value)) if let Some(bound) = self.bounds.named(name) => {
                let number = value.parse().ok();
                let lower = number.filter(|number| (1..=*bound).contains(number));
                *bound = lower.ok_or_else(|| invalid(format!("{arg}: must be 1 to {bound}")))?;
            }
            _ => return Err(invalid(format!("Unknown option `{arg}'"))),
        }
        Ok(())
    }
}

/// `kvs.checkpoint-period`.
pub fn checkpoint_period(conf: &Object) -> Result<Option<Duration>, Refusal> {
    let period: Option<Fsd> = keys::KVS_CHECKPOINT_PERIOD.read(conf)?;
    let seconds = period.map_or(0.0, Fsd::secs);
    Ok((seconds > 0.0 && seconds.is_finite())
        .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

/// `kvs.cache-size`, on this rank.
pub fn cache(conf: &Object, rank: u32) -> Result<Cache, Refusal> {
    let cache = Cache::of(conf)?;
    Ok(match rank {
        0 => cache,
        _ => cache.of_follower(),
    })
}

fn invalid(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(table: Value, expect: Result<Option<u64>, &str>) {
        let conf = serde_json::json!({ "kvs": table });
        let conf = Object(conf.as_object().cloned().unwrap_or_default());
        let period = checkpoint_period(&conf).map(|period| period.map(|p| p.as_secs()));
        let period = period.map_err(|refusal| refusal.to_string());
        match (period, expect) {
            (Ok(period), Ok(expect)) => assert_eq!(period, expect),
            (Err(text), Err(expect)) => assert!(text.starts_with(expect), "{text}"),
            (period, expect) => panic!("{period:?}, not {expect:?}"),
        }
    }

    #[test]
    fn an_argument_lowers_a_limit() {
        let check = |arg: &str, expect: &str| {
            let start = node::probe::Probe::<Kvs>::start((), &[arg], "{}");
            let said = start
                .err()
                .map_or("ok".to_owned(), |refusal| refusal.to_string());
            assert_eq!(said, expect, "{arg}");
        };
        check("transaction-ops-max=131072", "ok");
        check("transaction-bytes-max=1", "ok");
        check("batch-ops-max=1000", "ok");
        check("batch-bytes-max=1000", "ok");
        check(
            "transaction-ops-max=131073",
            "transaction-ops-max=131073: must be 1 to 131072",
        );
        check(
            "transaction-bytes-max=67108865",
            "transaction-bytes-max=67108865: must be 1 to 67108864",
        );
        check("batch-ops-max=0", "batch-ops-max=0: must be 1 to 1000");
        check(
            "batch-bytes-max=x",
            "batch-bytes-max=x: must be 1 to 67108864",
        );
        check("batch-jobs-max=1", "Unknown option `batch-jobs-max=1'");
    }

    #[test]
    fn the_period_is_checked() {
        check(serde_json::json!({}), Ok(None));
        check(
            serde_json::json!({"checkpoint-period": "30m"}),
            Ok(Some(1800)),
        );
        check(serde_json::json!({"checkpoint-period": "0"}), Ok(None));
        check(
            serde_json::json!({"checkpoint-period": 1}),
            Err("kvs.checkpoint-period: "),
        );
        check(
            serde_json::json!({"checkpoint-period": "x"}),
            Err("kvs.checkpoint-period: "),
        );
    }
}
