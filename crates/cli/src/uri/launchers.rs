//! Instances that were started by another resource manager, by its job.

use std::process::{Command, Stdio};

use proto::data::Hostlist;

use super::process;
use command::error::CliError;
use command::flux::Flux;

/// Default program for CSM allocations.
const CSM_QUERY_DEFAULT: &str = "/opt/ibm/csm/bin/csm_allocation_query";

/// The columns of `scontrol listpids`.
const PID: usize = 0;
const LOCALID: usize = 3;

/// Finds the instance of a job of Slurm: on this host by its processes, else on its first one.
pub fn slurm(flux: &Flux, id: &str) -> Result<String, CliError> {
    let unresolved = || CliError::new(format!("Unable to resolve Flux URI for Slurm job {id}"));
    if let Some(text) = output(flux, "scontrol", &["listpids", id], &[]) {
        let rows = text.lines().map(|line| line.split_whitespace().collect());
        let rows = rows.filter(|row: &Vec<&str>| row.get(LOCALID) == Some(&"0"));
        let mut uris = rows.filter_map(|row| process::find(row.get(PID)?).ok());
        let uri = uris.next().ok_or_else(unresolved)?;
        return Ok(super::remote_uri(&uri, &super::hostname()));
    }
    let nodes = output(flux, "squeue", &["-h", "-o", "%N", "-j", id], &[]);
    let unable = || CliError::new(format!("unable to query nodelist for Slurm job {id}"));
    let nodes = nodes.ok_or_else(unable)?;
    let hosts: Hostlist = nodes.trim().parse().unwrap_or_default();
    let empty = || CliError::new(format!("empty nodelist returned for Slurm job {id}"));
    let host = hosts.iter().next().ok_or_else(empty)?.to_string();
    let job = format!("--jobid={id}");
    let target = format!("slurm:{id}");
    let words = [
        "--overlap",
        &job,
        "-w",
        &host,
        "-n1",
        "-N1",
        "flux",
        "uri",
        &target,
    ];
    let uri = output(flux, "srun", &words, &["FLUX_URI"]).ok_or_else(unresolved)?;
    first_line(&uri).ok_or_else(unresolved)
}

/// Finds the instance of a job of LSF, from the host that launches or from one that computes.
pub fn lsf(flux: &Flux, id: &str, is_compute: bool) -> Result<String, CliError> {
    let none = || CliError::new(format!("LSF Job {id} doesn't seem to have a FLUX_URI"));
    if is_compute {
        let wanted = format!("LSB_JOBID={id}");
        let is_meant = |environ: &str| environ.split('\0').any(|pair| pair == wanted);
        return process::find_all(is_meant).next().ok_or_else(none);
    }
    let query = flux
        .env
        .get("CSM_ALLOCATION_QUERY")
        .unwrap_or(CSM_QUERY_DEFAULT);
    let allocation = output(flux, query, &["-j", id], &[]).ok_or_else(none)?;
    let host = first_node(&allocation).ok_or_else(none)?;
    let ssh = flux.env.get("FLUX_SSH").unwrap_or("ssh");
    let remote = flux.env.get("FLUX_SSH_RCMD").unwrap_or("flux");
    let target = format!("lsf:{id}?is_compute");
    let words = [host, remote, "uri", "--remote", &target];
    let uri = output(flux, ssh, &words, &[]).ok_or_else(none)?;
    first_line(&uri).ok_or_else(none)
}

/// The first entry of `compute_nodes` in a document of YAML.
fn first_node(document: &str) -> Option<&str> {
    let mut lines = document.lines().map(str::trim);
    lines.find(|line| *line == "compute_nodes:")?;
    lines.next()?.strip_prefix("- ").map(str::trim)
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next().map(str::trim);
    line.filter(|line| !line.is_empty()).map(str::to_owned)
}

/// Output of a program, if it succeeds.
fn output(flux: &Flux, program: &str, words: &[&str], without: &[&str]) -> Option<String> {
    let is_passed = |name: &std::ffi::OsStr| without.iter().all(|other| name != *other);
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .envs(flux.env.iter().filter(|(name, _)| is_passed(name)))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_node_of_an_allocation() {
        let document = "---\nallocation_id: 1\ncompute_nodes:\n - a1\n - a2\n";
        assert_eq!(first_node(document), Some("a1"));
        assert_eq!(first_node("compute_nodes: []"), None);
    }
}
