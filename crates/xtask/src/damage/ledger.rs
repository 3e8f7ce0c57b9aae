//! State acknowledged by an instance, and the state found by another one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use client::Handle;
use proto::Errno;
use proto::kvs::{Commit, Lookup, PRIMARY};

use crate::site::Site;

/// Keys that are committed one by one.
const KEYS: usize = 60;

/// Jobs that run to their end.
const JOBS: usize = 8;

/// Result of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything is there, and nobody complains.
    Right,
    /// The damage is reported: by a finding, by the log, or by the error of a read.
    Told,
    /// The instance does not start, and prints the reason.
    Refused,
    /// Something differs from the acknowledged data, and nothing reports it.
    Silent,
}

/// Acknowledged state.
pub struct Ledger {
    values: BTreeMap<String, String>,
    /// Ids of jobs and how they ended.
    jobs: Vec<String>,
}

impl Ledger {
    /// Has the instance at `site` acknowledge something.
    pub fn fill(site: &Site) -> Result<Ledger> {
        let mut handle = site.open()?;
        let mut values = BTreeMap::new();
        for n in 0..KEYS {
            let key = format!("damage.d{}.k{n}", n % 7);
            // Some are long enough to be blobs, and some fill pages.
            let value = format!("{n} ").repeat([1, 60, 2500][n % 3]);
            handle.rpc(&Commit::new(PRIMARY).put(&key, value.clone()))?;
            values.insert(key, value);
            if n == KEYS / 2 {
                run_jobs(site)?;
                ensure!(
                    site.flux(&["kvs", "sync"]).status()?.success(),
                    "flux kvs sync"
                );
            }
        }
        Ok(Ledger {
            values,
            jobs: jobs(site)?,
        })
    }

    /// Starts an instance and compares its answers with the ledger. Its messages for the
    /// operator are in `log`.
    pub fn judge(&self, site: &Site, log: &Path) -> Result<Verdict> {
        let Ok(broker) = site.start() else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            return Ok(match said.contains("content") {
                true => Verdict::Refused,
                false => Verdict::Silent,
            });
        };
        let mut handle = site.open()?;
        let wrong = self.values.iter().filter(|(key, value)| {
            match read(&mut handle, key) {
                Ok(found) => found != **value,
                // Any other error says that it should be there.
                Err(errno) => errno == Errno::ENOENT,
            }
        });
        let is_wrong = wrong.count() > 0 || jobs(site).ok().as_ref() != Some(&self.jobs);
        let findings = handle.rpc(&proto::content::Damage)?.findings;
        site.end(broker).ok();
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let complains = |line: &str| {
            ["content.err", "kvs.err", "job-manager.err", "job-list.err"]
                .iter()
                .any(|name| line.contains(name))
        };
        let is_told = !findings.is_empty() || said.lines().any(complains);
        Ok(match (is_told, is_wrong) {
            (true, _) => Verdict::Told,
            (false, true) => Verdict::Silent,
            (false, false) => Verdict::Right,
        })
    }
}

fn read(handle: &mut Handle, key: &str) -> Result<String, Errno> {
    let found = handle.rpc(&Lookup::new(PRIMARY, key, 0));
    let found = found.map_err(|refusal| refusal.errno)?;
    let bytes = found.bytes().unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn run_jobs(site: &Site) -> Result<()> {
    for n in 0..JOBS {
        let command = ["true", "false"][n % 2];
        let submitted = site.flux(&["submit", command]).output()?;
        ensure!(submitted.status.success(), "flux submit: {submitted:?}");
    }
    let drained = site.flux(&["queue", "drain"]).output()?;
    ensure!(drained.status.success(), "flux queue drain: {drained:?}");
    Ok(())
}

/// All jobs, and how they ended.
fn jobs(site: &Site) -> Result<Vec<String>> {
    let format = "{id.f58} {result} {status}";
    let listed = site.flux(&["jobs", "-nac0", "-o", format]).output()?;
    ensure!(listed.status.success(), "flux jobs: {listed:?}");
    let text = String::from_utf8(listed.stdout).context("flux jobs")?;
    let mut jobs: Vec<String> = text.lines().map(str::to_owned).collect();
    jobs.sort();
    Ok(jobs)
}
