//! Start of processes: a module that the broker started, or a program that connects to
//! the local socket.

use std::env;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use node::{Module, ModuleNode, ProgramNode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use crate::limits::LIFELINE_WAIT_S;
use crate::reactor::Reactor;
use crate::signals::Signals;

/// Environment variable with the endpoint of a module's broker.
pub const MODULE_URI: &str = "FLUX_MODULE_ENDPOINT";
/// The identity that the broker gave a module.
pub const MODULE_UUID: &str = "FLUX_MODULE_UUID";
/// Folders, separated by colons, that go when the broker died without removing them.
pub const MODULE_CLEANUP: &str = "FLUX_MODULE_CLEANUP";

/// `main` of a module. `make_worker` makes the state of its worker thread.
pub fn module_main<M: Module>(
    make_worker: impl FnOnce() -> M::Worker + Send + 'static,
) -> ExitCode {
    report(M::NAME, run_module::<M>(make_worker))
}

fn run_module<M: Module>(
    make_worker: impl FnOnce() -> M::Worker + Send + 'static,
) -> anyhow::Result<i32> {
    let (Ok(endpoint), Ok(uuid)) = (env::var(MODULE_URI), env::var(MODULE_UUID)) else {
        anyhow::bail!(
            "this is a module: start it with `flux module load {}`",
            M::NAME
        );
    };
    // A terminal sends these to everybody; the broker decides what they mean.
    let ignored = [
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
    ];
    let signals = Signals::take_over(&[&ignored[..], &[Signal::SIGTERM]].concat())?;
    crate::logging::start(M::NAME, 0);
    let path = endpoint
        .strip_prefix("ipc://")
        .with_context(|| format!("{MODULE_URI}={endpoint}: only ipc:// is supported here"))?;
    let stream = UnixStream::connect(path)
        .with_context(|| format!("cannot connect to the broker at {endpoint}"))?;
    let mut node = ModuleNode::<M>::with_rusage(crate::usage::rusage);
    let code = Reactor::new(&mut node)?
        .with_signals(signals)?
        .as_module(stream, &uuid)?
        .with_lifeline()?
        .with_worker(make_worker)
        .run()?;
    if node.lost_its_broker() && lifeline_is_cut() {
        clean_up_after_broker();
    }
    Ok(code)
}

/// True if the process that started us has exited, and not only our connection to it.
fn lifeline_is_cut() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = Timespec {
        tv_sec: LIFELINE_WAIT_S,
        tv_nsec: 0,
    };
    matches!(poll(&mut fds, Some(&wait)), Ok(1..))
}

/// A broker that was killed leaves its folders; who notices removes them.
fn clean_up_after_broker() {
    for folder in env::var(MODULE_CLEANUP).unwrap_or_default().split(':') {
        if !folder.is_empty() {
            // Several of us try at once, and one of us wins.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// `main` of a program that is a component: the job shell.
pub fn program_main<M: Module>(
    args: Vec<String>,
    make_worker: impl FnOnce() -> M::Worker + Send + 'static,
) -> ExitCode {
    report(M::NAME, run_program::<M>(args, make_worker))
}

fn run_program<M: Module>(
    args: Vec<String>,
    make_worker: impl FnOnce() -> M::Worker + Send + 'static,
) -> anyhow::Result<i32> {
    let uri = env::var("FLUX_URI").context(
        "FLUX_URI is not set: there is no broker to connect \
        to",
    )?;
    let path = uri
        .strip_prefix("local://")
        .with_context(|| format!("FLUX_URI={uri}: only local:// is supported here"))?;
    let taken = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGALRM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGPIPE,
    ];
    let signals = Signals::take_over(&taken)?;
    let stream = connect(path).with_context(|| format!("cannot connect to {path}"))?;
    crate::logging::start(M::NAME, 0);
    let mut node = ProgramNode::<M>::new(args);
    let code = Reactor::new(&mut node)?
        .with_signals(signals)?
        .as_client(stream)?
        .with_worker(make_worker)
        .run()?;
    Ok(code)
}

/// Connects to a local socket and takes the broker's one byte (protocol/02 section 2).
pub fn connect(path: &str) -> std::io::Result<UnixStream> {
    use std::io::Read;
    let mut stream = UnixStream::connect(path)?;
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    match byte[0] {
        0 => Ok(stream),
        errno => Err(std::io::Error::from_raw_os_error(i32::from(errno))),
    }
}

/// Ends a process the way a user can read.
pub fn report(name: &str, result: anyhow::Result<i32>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)),
        Err(error) => {
            eprintln!("flux-{name}: {}", without_numbers(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Leaves out the ` (os error 2)` that the standard library puts behind the system's
/// text: a user reads the sentence.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.parse::<i32>().is_ok() => plain.push_str(rest),
            _ => plain.extend([" (os error ", part]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_are_left_out_of_what_a_user_reads() {
        let check = |text: &str, want: &str| assert_eq!(without_numbers(text), want);
        check(
            "/x: No such file or directory (os error 2)",
            "/x: No such file or directory",
        );
        check("a (os error 2): b (os error 13) c", "a: b c");
        check("no error (os error x)", "no error (os error x)");
        check("(os error", "(os error");
    }
}
