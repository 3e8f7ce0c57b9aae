//! From arguments and environment to a running broker, and tidying up after it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the edge: what the core may not read is read here and passed in"
)]

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use broker::attrs::Attrs;
use broker::files::Files;
use broker::{BrokerNode, Ids, Setup, config};
use nix::sys::signal::Signal;
use proto::Object;
use runtime::{Descriptors, Reactor, Signals};

use crate::Args;
use crate::folders::{self, Folder};

/// Signals that the broker takes as input.
const SIGNALS: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGPIPE,
];

/// Runs the broker to its end; gives its exit code.
pub fn run(args: Args) -> anyhow::Result<i32> {
    let signals = Signals::take_over(&SIGNALS)?;
    let descriptors = Descriptors::raise()?;
    let mut attrs = Attrs::default();
    match args.verbose {
        0 => {}
        1 => attrs.put("log-stderr-level", "6"),
        _ => attrs.put("log-stderr-level", "7"),
    }
    if args.verbose > 0 {
        attrs.put("log-stderr-mode", "local");
    }
    attrs.put(
        "hostname",
        nix::unistd::gethostname()?.to_string_lossy().into_owned(),
    );
    for text in &args.setattr {
        attrs.set_from_command_line(text)?;
    }
    let env = environment();
    let program = initial_program(&args.command, &attrs, &env)?;
    let config_path = args
        .config_path
        .or_else(|| env.get("FLUX_CONF_DIR").cloned());
    let config = read_config(config_path.as_deref(), &args.conf)?;
    let rundir = folders::rundir(attrs.value("rundir"))?;
    let statedir = match folders::statedir(attrs.value("statedir")) {
        Ok(statedir) => statedir,
        Err(error) => {
            folders::remove(&rundir);
            return Err(error);
        }
    };
    let result = (|| {
        fill_in(&mut attrs, &env, &rundir, &statedir)?;
        if let Some(path) = &config_path {
            attrs.put("config.path", path.clone());
        }
        let files = Files {
            known: BTreeMap::new(),
            module_folders: module_folders(),
            config: config_path.map(PathBuf::from),
            rc_folder: env.get("FLUX_RC_EXTRA").map(PathBuf::from),
        };
        let folders: Vec<String> = [&rundir, &statedir]
            .into_iter()
            .filter(|folder| folder.cleanup)
            .map(|folder| folder.path.to_string_lossy().into_owned())
            .collect();
        let setup = Setup {
            endpoint: format!("ipc://{}/modules-0", rundir.path.display()),
            attrs,
            config,
            env,
            owner: nix::unistd::Uid::effective().as_raw(),
            ids: Ids::from_system(random_word),
            program,
            cleanup_folders: folders.join(":"),
        };
        serve(setup, files, signals, descriptors)
    })();
    folders::remove(&rundir);
    folders::remove(&statedir);
    result
}

/// Random bits that nobody can guess: those of a UUID that are not random are at fixed
/// places, where the words of two make none.
fn random_word() -> u64 {
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    one.as_u64_pair().0 ^ other.as_u64_pair().1.rotate_left(32)
}

fn serve(
    setup: Setup,
    files: Files,
    signals: Signals,
    descriptors: Descriptors,
) -> anyhow::Result<i32> {
    runtime::logging::start("broker", 0);
    let uri = setup.attrs.value("local-uri").unwrap_or_default();
    let Some(path) = uri.strip_prefix("local://").map(PathBuf::from) else {
        bail!("local-uri={uri}: only local:// sockets can be served");
    };
    let endpoint = setup.endpoint.clone();
    let memory = setup.attrs.number("ferroflux.message-bytes", 0);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let owner = setup.owner;
    // Access is decided by who connects, not by the mode of the socket.
    let clients = listen("local", &path, 0o777)?;
    let modules = Path::new(endpoint.trim_start_matches("ipc://"));
    let modules = listen("module", modules, 0o700)?;
    let mut reactor = Reactor::new(BrokerNode::new(setup, runtime::rusage))?
        .with_signals(signals)?
        .with_memory(memory, owner)
        .with_descriptors(descriptors, owner)
        .as_broker(modules, clients)?
        .with_worker(move || files);
    let result = reactor.run();
    let _ = std::fs::remove_file(&path);
    Ok(result?)
}

/// Makes a socket, in place of one that was left behind.
fn listen(name: &str, path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    let _ = std::fs::remove_file(path);
    // Nobody connects between this and the next line but one.
    let umask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(umask);
    let listener =
        listener.with_context(|| format!("{}: cannot make the {name} socket", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

fn environment() -> BTreeMap<String, String> {
    let vars = std::env::vars_os();
    vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What to run as the initial program; empty for none.
fn initial_program(
    command: &[String],
    attrs: &Attrs,
    env: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<String>> {
    if attrs.is_present("broker.rc2_none") {
        return Ok(Vec::new());
    }
    let shell = env
        .get("SHELL")
        .cloned()
        .unwrap_or_else(|| "/bin/bash".to_owned());
    match command {
        [] if std::io::stdin().is_terminal() => Ok(vec![shell]),
        [] => bail!("stdin is not a tty - can't run interactive shell"),
        [line] if !is_executable(line) => Ok(vec![shell, "-c".to_owned(), line.clone()]),
        argv => Ok(argv.to_vec()),
    }
}

fn is_executable(path: &str) -> bool {
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn read_config(path: Option<&str>, arguments: &[String]) -> anyhow::Result<Object> {
    let mut config = match path {
        Some(path) => config::read(Path::new(path)).context("Config file error")?,
        None => Object::default(),
    };
    for text in arguments {
        config::merge(
            &mut config.0,
            config::argument(text).context("Config file error")?,
        );
    }
    config::check_access(&config)?;
    Ok(config)
}

/// Sets what only the running process knows.
fn fill_in(
    attrs: &mut Attrs,
    env: &BTreeMap<String, String>,
    rundir: &Folder,
    statedir: &Folder,
) -> anyhow::Result<()> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    if attrs.value("ferroflux.message-bytes").is_none() {
        let bytes = runtime::memory::message_bytes();
        attrs.put("ferroflux.message-bytes", bytes.to_string());
    }
    attrs.put("version", proto::attr::CORE_VERSION);
    attrs.put("broker.pid", std::process::id().to_string());
    attrs.put("broker.starttime", format!("{started:.2}"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let flag = |cleanup: bool| if cleanup { "1" } else { "0" };
    attrs.put("rundir", text(&rundir.path));
    attrs.put("rundir-cleanup", flag(rundir.cleanup));
    attrs.put("statedir", text(&statedir.path));
    attrs.put("statedir-cleanup", flag(statedir.cleanup));
    if attrs.value("local-uri").is_none() {
        attrs.put(
            "local-uri",
            format!("local://{}/local-0", rundir.path.display()),
        );
    }
    if attrs.value("hostlist").is_none() {
        attrs.put(
            "hostlist",
            attrs.value("hostname").unwrap_or("localhost").to_owned(),
        );
    }
    // Only an instance that is itself a job has a parent.
    let job = env.get("FLUX_JOB_ID");
    match (job, env.get("FLUX_URI")) {
        (Some(_), Some(uri)) => attrs.put("parent-uri", uri.clone()),
        _ => attrs.put_null("parent-uri"),
    }
    if let Some(job) = job {
        attrs.put("jobid", job.clone());
        if let Some(namespace) = env.get("FLUX_KVS_NAMESPACE") {
            attrs.put("parent-kvs-namespace", namespace.clone());
        }
    }
    let path = env.get("FLUX_JOB_ID_PATH").filter(|_| job.is_some());
    attrs.put(
        "jobid-path",
        path.cloned().unwrap_or_else(|| "/".to_owned()),
    );
    attrs.put("instance-level", if job.is_some() { "1" } else { "0" });
    Ok(())
}

/// Folders with module executables: beside us, or where an installation puts them.
fn module_folders() -> Vec<PathBuf> {
    let exe = std::env::current_exe().ok();
    let beside = exe.as_deref().and_then(Path::parent);
    let Some(beside) = beside else {
        return Vec::new();
    };
    vec![
        beside.to_owned(),
        beside.join("../libexec/flux"),
        beside.join("../libexec/flux/modules"),
    ]
}
