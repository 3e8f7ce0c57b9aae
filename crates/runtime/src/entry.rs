//! How processes begin: a module that the broker started, or a program that connects
//! to the local socket.

use std::env;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use node::{Module, ModuleNode, ProgramNode};

use crate::bus::BrokerBus;
use crate::link::Context;
use crate::reactor::Reactor;
use crate::signals::Signals;

/// Where a module finds its broker: a ZeroMQ endpoint.
pub const MODULE_URI: &str = "FLUX_MODULE_ENDPOINT";
/// The identity that the broker gave a module.
pub const MODULE_UUID: &str = "FLUX_MODULE_UUID";
/// Folders, separated by colons, that go when the broker died without removing them.
pub const MODULE_CLEANUP: &str = "FLUX_MODULE_CLEANUP";

/// `main` of a module. `make_worker` makes what its worker thread owns.
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
    let context = Context::new().context("cannot start ZeroMQ")?;
    let bus = BrokerBus::connect(&context, &endpoint, &uuid)
        .with_context(|| format!("cannot connect to the broker at {endpoint}"))?;
    let node = ModuleNode::<M>::with_rusage(crate::usage::rusage);
    let mut reactor = Reactor::new(node)?
        .with_signals(signals)?
        .with_bus(bus)?
        .with_lifeline()?
        .with_worker(make_worker);
    let code = reactor.run()?;
    if reactor.node().lost_its_broker() {
        clean_up_after_broker();
    }
    Ok(code)
}

/// A broker that was killed leaves its folders; whoever notices removes them.
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
    let uri = env::var("FLUX_URI").context("FLUX_URI is not set: there is no broker to talk to")?;
    let path = uri.strip_prefix("local://").with_context(|| {
        format!("FLUX_URI={uri}: only local:// sockets can be reached from here")
    })?;
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
    let mut reactor = Reactor::new(ProgramNode::<M>::new(args))?
        .with_signals(signals)?
        .with_stream(stream)?
        .with_worker(make_worker);
    Ok(reactor.run()?)
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
            eprintln!("flux-{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
