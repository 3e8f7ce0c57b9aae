//! State that must not change under attack: a job and a key of the owner, every process,
//! and the answers to others meanwhile.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use client::Handle;

use crate::proc::{children_of, program_of, proportional_kib};
use crate::site::Site;

/// The key, which nobody but the owner may write.
const KEY: &str = "attack.canary=whole";

/// State at the beginning.
pub struct Watch {
    broker: u32,
    /// Programs by process.
    modules: BTreeMap<u32, String>,
    job: String,
    handle: Handle,
    n_looks: u64,
}

impl Watch {
    /// Lets guests in, and prepares the things that are to stay.
    pub fn begin(site: &Site, broker: u32) -> Result<Watch> {
        let config = "[access]\nallow-guest-user = true\n";
        let mut load = site.flux(&["config", "load"]);
        let mut load = load.stdin(std::process::Stdio::piped()).spawn()?;
        let mut input = load.stdin.take().context("no way to the command")?;
        std::io::Write::write_all(&mut input, config.as_bytes())?;
        drop(input);
        load.wait()?;
        said(site, &["kvs", "put", KEY])?;
        let job = said(site, &["submit", "tail", "-f", "/dev/null"])?;
        said(site, &["job", "wait-event", &job, "start"])?;
        Ok(Watch {
            broker,
            modules: modules_of(broker)?,
            job,
            handle: site.open()?,
            n_looks: 0,
        })
    }

    /// Checks that the owner is answered, and now and then that everything is in place.
    pub fn look(&mut self, site: &Site, wrong: &mut Vec<String>) {
        if let Err(refusal) = self.handle.rpc(&proto::module::List) {
            wrong.push(format!("the owner is not answered: {refusal}"));
        }
        self.n_looks += 1;
        if self.n_looks.is_multiple_of(20)
            && let Err(error) = self.compare(site, wrong)
        {
            wrong.push(format!("{error:#}"));
        }
    }

    fn compare(&self, site: &Site, wrong: &mut Vec<String>) -> Result<()> {
        let (name, value) = KEY.split_once('=').unwrap_or_default();
        let found = said(site, &["kvs", "get", name])?;
        if found != value {
            wrong.push(format!("the key of the owner is {found}"));
        }
        let state = said(site, &["jobs", "-no", "{state}", &self.job])?;
        if state != "RUN" {
            wrong.push(format!("the job of the owner is {state}"));
        }
        let now = modules_of(self.broker)?;
        let gone = self
            .modules
            .iter()
            .filter(|(pid, _)| !now.contains_key(pid));
        wrong.extend(gone.map(|(_, program)| format!("{program} has died")));
        Ok(())
    }

    /// The last look, and the memory of all processes in MiB.
    pub fn end(self, site: &Site, most: u64, wrong: &mut Vec<String>) -> Result<u64> {
        self.compare(site, wrong)?;
        let processes = self.modules.keys().chain([&self.broker]);
        let kib: u64 = processes
            .filter_map(|pid| proportional_kib(*pid).ok())
            .sum();
        let mib = kib / 1024;
        if mib > most {
            wrong.push(format!("{mib} MiB, and not {most} at most"));
        }
        said(site, &["cancel", &self.job])?;
        Ok(mib)
    }
}

fn modules_of(broker: u32) -> Result<BTreeMap<u32, String>> {
    let children = children_of(broker)?.into_iter();
    let named = children.map(|child| (child, program_of(child)));
    Ok(named
        .filter(|(_, program)| program.starts_with("flux-module-"))
        .collect())
}

/// Output of a command; a failure is an error.
fn said(site: &Site, args: &[&str]) -> Result<String> {
    let output = site.flux(args).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    anyhow::ensure!(
        output.status.success(),
        "flux {}: {complaint}",
        args.join(" ")
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
