//! Attributes of processes that the kernel keeps: resource limits, and how soon the kernel ends one
//! when memory runs out. Called by the worker.
#![allow(
    clippy::disallowed_types,
    reason = "called by the worker, which touches files"
)]

use std::{fs, io};

use rustix::process::{Resource, getrlimit};

/// True if a soft limit, -1 for none, is above the hard limit.
pub fn is_above_hard_limit(name: &str, soft: i64) -> bool {
    let hard = resource(name).and_then(|resource| getrlimit(resource).maximum);
    hard.is_some_and(|hard| u64::try_from(soft).unwrap_or(u64::MAX) > hard)
}

/// Writes to `oom_score_adj` of a process. An error has the old and the requested value.
pub fn adjust_oom(pid: i32, to: i64) -> Result<(), String> {
    let path = |name: &str| format!("/proc/{pid}/{name}");
    let read = |name: &str| -> io::Result<String> {
        Ok(fs::read_to_string(path(name))?.trim().to_owned())
    };
    let from = read("oom_score_adj");
    fs::write(path("oom_score_adj"), to.to_string()).map_err(|error| {
        let shown = |value: io::Result<String>| value.unwrap_or_else(|_| "?".to_owned());
        let (from, score) = (shown(from), shown(read("oom_score")));
        let why = crate::worker::text_of(&error);
        format!("pid {pid} score_adj {from}->{to} score {score}: {why}")
    })
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" | "ofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_above_a_limit() {
        assert!(!is_above_hard_limit("nofile", 0));
        let hard = getrlimit(Resource::Nofile).maximum;
        assert_eq!(is_above_hard_limit("nofile", -1), hard.is_some());
        assert!(!is_above_hard_limit("moons", -1));
    }

    #[test]
    fn a_process_that_is_gone_has_no_score() {
        let why = adjust_oom(i32::MAX, 5).unwrap_err();
        let pid = i32::MAX;
        assert_eq!(
            why,
            format!("pid {pid} score_adj ?->5 score ?: No such file or directory")
        );
    }
}
