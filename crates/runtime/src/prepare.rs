//! Steps of a child process between fork and exec. Only system calls: nothing here may
//! allocate or take a lock, which another thread might hold for ever.
//!
//! Every process that is started begins the same, no matter who started the
//! broker: signals have their default effect, none is blocked, and no descriptor is open but
//! those that were meant for it. Resource limits and the umask are the parent's.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use node::Spawn;
use proto::data::idset::IdSet;

use crate::channel::Channel;
use crate::direct::Direct;
use crate::signals::reset_to_default;
use crate::trace;

/// The first descriptor that is no standard stream.
const FIRST_DESCRIPTOR: libc::c_int = 3;

/// Steps of a child before it becomes its program.
pub struct Start {
    fds: Vec<RawFd>,
    limits: Vec<(Resource, i64)>,
    cpus: Option<rustix::thread::CpuSet>,
    end_with_us: Option<rustix::process::Signal>,
    has_terminal: bool,
    stop_at_exec: bool,
    descriptors: Option<(u64, u64)>,
}

impl Start {
    /// A clean start, which hands over channels, limits and CPUs. Limits raised for
    /// ourselves are restored.
    pub fn new(spawn: &Spawn, channels: &[Channel], descriptors: Option<(u64, u64)>) -> Start {
        let limits = spawn.rlimits.iter();
        let limits = limits.filter_map(|(name, soft)| Some((resource(name)?, *soft)));
        let end_with_us = spawn.end_with_us;
        Start {
            fds: channels.iter().map(Channel::theirs_number).collect(),
            limits: limits.collect(),
            cpus: spawn.cpus.as_deref().and_then(cpu_set),
            end_with_us: end_with_us.and_then(rustix::process::Signal::from_named_raw),
            has_terminal: spawn.terminal.is_some(),
            stop_at_exec: spawn.stop_at_exec,
            descriptors,
        }
    }

    /// Makes it, in the child.
    pub fn make(&self) -> io::Result<()> {
        // Ours are ignored or blocked; so may be those of who started us.
        reset_to_default(&[]);
        SigSet::empty().thread_set_mask()?;
        keep_descriptors_to_ourselves();
        if self.end_with_us.is_some() {
            rustix::process::set_parent_process_death_signal(self.end_with_us)?;
        }
        if self.has_terminal {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdout())?;
        }
        for fd in &self.fds {
            // SAFETY: the descriptor is a channel's, open in the parent until the child
            // has been started.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        if let Some((soft, hard)) = self.descriptors {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        for (resource, soft) in &self.limits {
            let (_, hard) = getrlimit(*resource)?;
            let soft = u64::try_from(*soft).unwrap_or(u64::MAX).min(hard);
            setrlimit(*resource, soft, hard)?;
        }
        if let Some(cpus) = &self.cpus {
            // CPUs that are offline, or not ours to use, are no reason not to run.
            let _ = rustix::thread::sched_setaffinity(None, cpus);
        }
        if self.stop_at_exec {
            trace::begin()?;
        }
        Ok(())
    }
}

/// Has a command begin with `start`. With `direct` it becomes the program right here.
pub fn in_child(command: &mut Command, start: Start, direct: Option<Direct>) {
    let prepare = move || -> io::Result<()> {
        start.make()?;
        match &direct {
            Some(direct) => Err(direct.exec()),
            None => Ok(()),
        }
    };
    // SAFETY: the closure makes system calls on data that it owns, nothing else.
    unsafe { command.pre_exec(prepare) };
}

/// Has all descriptors but the standard streams closed by exec: those that are ours are
/// anyway, those that we were started with may not be.
fn keep_descriptors_to_ourselves() {
    // SAFETY: a system call on numbers, of which none need be open.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST_DESCRIPTOR,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // Before Linux 5.11.
    let max = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let max = libc::c_int::try_from(max).unwrap_or(libc::c_int::MAX);
    for fd in FIRST_DESCRIPTOR..max {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
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
