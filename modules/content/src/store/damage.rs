//! Record of damage found, in a file beside the store: each finding goes to the log and
//! stays in the file, for `flux fsck` and `flux startlog`, until it is acknowledged.
//!
//! The file is an event log (RFC 18): `damage` with the names of damaged or lost things,
//! `accept` when an operator has taken note of all before.
#![allow(clippy::disallowed_types, reason = "this is where a file is kept")]

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use proto::content::Finding;
use proto::data::Entry;
use serde_json::json;

use super::failure::Failure;
use super::files_beside::beside;
use crate::limits::FINDINGS_MAX;

const DAMAGE: &str = "damage";
const ACCEPT: &str = "accept";

/// The findings.
#[derive(Debug)]
pub struct Damage {
    path: PathBuf,
    findings: Vec<Finding>,
}

impl Damage {
    /// Opens the record of the store at `store`. A line that cannot be read is a finding
    /// too.
    pub fn open(store: &Path) -> Damage {
        let path = beside(store, ".damage");
        let mut findings = Vec::new();
        match std::fs::read(&path) {
            Ok(bytes) => findings = read(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::error!("{}: {error}", path.display()),
        }
        Damage { path, findings }
    }

    /// Everything that was found, the oldest first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Notes a finding, unless the same one waits to be noticed already. Findings beyond
    /// the limit are in the log only.
    pub fn note(&mut self, what: &str) {
        tracing::error!("{what}");
        let open = self.findings.iter().filter(|finding| !finding.accepted);
        let (mut n_open, mut is_known) = (0, false);
        for finding in open {
            n_open += 1;
            is_known |= finding.what == what;
        }
        if is_known || n_open >= FINDINGS_MAX {
            return;
        }
        let finding = Finding {
            timestamp: now(),
            what: what.to_owned(),
            accepted: false,
        };
        let entry = Entry::new(finding.timestamp, DAMAGE);
        let entry = entry.and_then(|entry| entry.with(&json!({ "what": what })));
        self.findings.push(finding);
        if let Ok(entry) = entry
            && let Err(error) = self.append(&entry.encode())
        {
            tracing::error!("{}: {error}", self.path.display());
        }
    }

    /// Someone has taken note of everything so far.
    pub fn accept(&mut self) -> Result<(), Failure> {
        if self.findings.iter().all(|finding| finding.accepted) {
            return Ok(());
        }
        let entry = Entry::new(now(), ACCEPT)
            .map_err(|error| Failure::Damaged(format!("the time of day: {error}")))?;
        let appended = self.append(&entry.encode());
        appended.map_err(|error| Failure::File(self.path.clone(), error))?;
        for finding in &mut self.findings {
            finding.accepted = true;
        }
        Ok(())
    }

    fn append(&self, line: &str) -> std::io::Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

fn read(bytes: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::<Finding>::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(line);
        let entry = Entry::decode(&text).ok();
        let name = entry.as_ref().map(Entry::name);
        if name == Some(ACCEPT) {
            for finding in &mut findings {
                finding.accepted = true;
            }
            continue;
        }
        let what = entry.as_ref().and_then(|entry| entry.get_str("what"));
        findings.push(Finding {
            timestamp: entry.as_ref().map_or(0.0, Entry::timestamp),
            what: what.unwrap_or(&text).to_owned(),
            accepted: false,
        });
    }
    findings
}

/// Only shown: the worker has no `Now`.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(damage: &Damage) -> Vec<(&str, bool)> {
        let findings = damage.findings().iter();
        findings
            .map(|finding| (finding.what.as_str(), finding.accepted))
            .collect()
    }

    #[test]
    fn findings_stay_until_they_are_accepted_and_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let mut damage = Damage::open(&store);
        damage.accept().unwrap();
        assert!(!beside(&store, ".damage").exists());
        damage.note("one");
        damage.note("one");
        damage = Damage::open(&store);
        assert_eq!(shown(&damage), [("one", false)]);
        damage.accept().unwrap();
        damage.note("one");
        let mut file = File::options()
            .append(true)
            .open(beside(&store, ".damage"))
            .unwrap();
        file.write_all(b"noise").unwrap();
        damage = Damage::open(&store);
        assert_eq!(
            shown(&damage),
            [("one", true), ("one", false), ("noise", false)]
        );
    }

    #[test]
    fn findings_beyond_the_limit_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut damage = Damage::open(&folder.path().join("store"));
        for number in 0..FINDINGS_MAX + 1 {
            damage.note(&number.to_string());
        }
        assert_eq!(damage.findings().len(), FINDINGS_MAX);
    }
}
