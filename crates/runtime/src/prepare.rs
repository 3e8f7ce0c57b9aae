//! What a child process does between fork and exec. Only system calls: nothing here
//! may allocate or take a lock, which another thread might hold for ever.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use node::Spawn;
use proto::data::idset::IdSet;

use crate::channel::Channel;

/// Unblocks signals, which we have blocked for ourselves and children would inherit so;
/// hands over channels, limits and CPUs. What we have raised for ourselves goes back.
pub fn in_child(
    command: &mut Command,
    spawn: &Spawn,
    channels: &[Channel],
    descriptors: Option<(u64, u64)>,
) {
    let fds: Vec<RawFd> = channels.iter().map(Channel::theirs_number).collect();
    let limits: Vec<(Resource, i64)> = spawn
        .rlimits
        .iter()
        .filter_map(|(name, soft)| Some((resource(name)?, *soft)))
        .collect();
    let cpus = spawn.cpus.as_deref().and_then(cpu_set);
    let end_with_us = spawn.end_with_us;
    let end_with_us = end_with_us.and_then(rustix::process::Signal::from_named_raw);
    let prepare = move || -> io::Result<()> {
        SigSet::empty().thread_set_mask()?;
        if end_with_us.is_some() {
            rustix::process::set_parent_process_death_signal(end_with_us)?;
        }
        for fd in &fds {
            // SAFETY: the descriptor is a channel's, open in the parent until the child
            // has been started.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        if let Some((soft, hard)) = descriptors {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        for (resource, soft) in &limits {
            let (_, hard) = getrlimit(*resource)?;
            let soft = u64::try_from(*soft).unwrap_or(u64::MAX).min(hard);
            setrlimit(*resource, soft, hard)?;
        }
        if let Some(cpus) = &cpus {
            // CPUs that are gone, or not ours to use, are no reason not to run.
            let _ = rustix::thread::sched_setaffinity(None, cpus);
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls on data that it owns, nothing else.
    unsafe { command.pre_exec(prepare) };
}

fn cpu_set(text: &str) -> Option<rustix::thread::CpuSet> {
    let ids: IdSet = text.parse().ok()?;
    let mut set = rustix::thread::CpuSet::new();
    for id in ids
        .iter()
        .map(|id| id as usize)
        .take_while(|id| *id < CPUS_MAX)
    {
        set.set(id);
    }
    Some(set)
}

/// CPUs that the kernel's set type can name.
const CPUS_MAX: usize = rustix::thread::CpuSet::MAX_CPU;

/// A limit by its name without `RLIMIT_`, in lower case, as jobspecs have it.
fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "locks" => Resource::RLIMIT_LOCKS,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "msgqueue" => Resource::RLIMIT_MSGQUEUE,
        "nice" => Resource::RLIMIT_NICE,
        "nofile" | "ofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "rss" => Resource::RLIMIT_RSS,
        "rtprio" => Resource::RLIMIT_RTPRIO,
        "rttime" => Resource::RLIMIT_RTTIME,
        "sigpending" => Resource::RLIMIT_SIGPENDING,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}
