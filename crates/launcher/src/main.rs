//! `flux-launcher`: the program that `flux start --test-size` runs.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use launcher::{ExitMode, LauncherNode, Plan, StartMode};
use nix::sys::signal::Signal;
use runtime::{Reactor, Signals};

/// Start several brokers on this host as one instance
///
/// `flux start --test-size=N` is the way to run it.
#[derive(Debug, Parser)]
#[command(name = "flux-launcher", disable_version_flag = true)]
struct Args {
    /// Start N brokers
    #[arg(long)]
    size: u32,
    /// Folder for sockets; one of its own, which goes with it, unless given
    #[arg(long)]
    rundir: Option<PathBuf>,
    /// Remove the folder at the end even if it was given
    #[arg(long)]
    rundir_cleanup: bool,
    /// Host names to pretend, one for each rank
    #[arg(long = "host")]
    hosts: Vec<String>,
    /// Assign ranks to hosts, in the form of PMI
    #[arg(long)]
    mapping: Option<String>,
    /// End the instance when this exits
    #[arg(long, value_enum, default_value = "any")]
    exit_mode: ExitMode,
    /// Seconds that the others may take then; for ever unless given
    #[arg(long)]
    exit_timeout: Option<f64>,
    /// Start these brokers at once
    #[arg(long, value_enum, default_value = "all")]
    start_mode: StartMode,
    /// Print command lines
    #[arg(long)]
    verbose: bool,
    /// Print command lines, and do nothing else
    #[arg(long)]
    noexec: bool,
    /// Word of the initial program, which rank 0 runs
    #[arg(long = "command", allow_hyphen_values = true)]
    command: Vec<String>,
    /// The broker and its options
    #[arg(last = true, required = true)]
    broker: Vec<String>,
}

fn main() -> ExitCode {
    runtime::report("start", run(Args::parse()))
}

fn run(args: Args) -> anyhow::Result<i32> {
    if args.noexec {
        return show(&args);
    }
    let ours = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGPIPE,
    ];
    let signals = Signals::take_over(&ours)?;
    let made = match &args.rundir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("flux-").tempdir()?),
    };
    let rundir = args.rundir.clone();
    let rundir = rundir.unwrap_or_else(|| {
        made.as_ref()
            .map(|m| m.path().to_owned())
            .unwrap_or_default()
    });
    let socket = rundir.join("start");
    // One that was left behind would be in the way.
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket);
    let listener =
        listener.with_context(|| format!("{}: cannot make the socket", socket.display()))?;
    let plan = plan(&args, &rundir, &socket)?;
    let mut node = LauncherNode::new(plan, nix::unistd::geteuid().as_raw());
    let mut reactor = Reactor::new(&mut node)?
        .with_signals(signals)?
        .as_server(listener)?;
    let result = reactor.run();
    let _ = std::fs::remove_file(&socket);
    if args.rundir_cleanup && made.is_none() {
        let _ = std::fs::remove_dir_all(&rundir);
    }
    Ok(result?)
}

/// Shows how brokers would be started, in a folder that is not made.
fn show(args: &Args) -> anyhow::Result<i32> {
    let made = || std::env::temp_dir().join("flux-XXXXXX");
    let rundir = args.rundir.clone().unwrap_or_else(made);
    let plan = plan(args, &rundir, &rundir.join("start"))?;
    for rank in 0..plan.size {
        eprintln!("{}", plan.shown(rank));
    }
    Ok(0)
}

fn plan(args: &Args, rundir: &Path, socket: &Path) -> anyhow::Result<Plan> {
    let exit_timeout = args.exit_timeout.map(Duration::try_from_secs_f64);
    let mut broker = args.broker.clone();
    broker.push(format!("--setattr=rundir={}", rundir.display()));
    Ok(Plan {
        size: args.size,
        broker,
        hosts: args.hosts.clone(),
        command: args.command.clone(),
        mapping: args.mapping.clone(),
        uri: format!("local://{}", socket.display()),
        exit_mode: args.exit_mode,
        exit_timeout: exit_timeout.transpose().context("--exit-timeout")?,
        start_mode: args.start_mode,
        verbose: args.verbose,
    })
}
