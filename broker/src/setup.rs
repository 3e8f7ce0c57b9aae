//! From arguments and environment to a running broker, and tidying up after it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the edge: what the core may not read is read here and passed in"
)]

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use broker::attrs::Attrs;
use broker::files::Files;
use broker::{BrokerNode, Ids, Setup, config, membership};
use nix::sys::signal::Signal;
use proto::Object;
use proto::attr::names;
use runtime::{Descriptors, Overlay, Reactor, Signals};

use crate::folders::{self, Folder};
use crate::{Args, bootstrap};

/// Signals that the broker takes as input.
const SIGNALS: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGPIPE,
    Signal::SIGCHLD,
];

/// Names the folders in which a site adds settings of modules.
const MODPROBE_PATH: &str = "FLUX_MODPROBE_PATH";

/// Runs the broker to its end; gives its exit code.
pub fn run(args: Args) -> anyhow::Result<i32> {
    let signals = Signals::take_over(&SIGNALS)?;
    let descriptors = Descriptors::raise()?;
    let mut env = environment();
    if let (None, Some(path)) = (env.get(MODPROBE_PATH), modprobe_path()) {
        env.insert(MODPROBE_PATH.to_owned(), path);
    }
    let mut attrs = given_attrs(&args)?;
    let config_path = args
        .config_path
        .or_else(|| attrs.value(&names::CONFIG_PATH).map(str::to_owned))
        .or_else(|| env.get("FLUX_CONF_DIR").cloned());
    let config = read_config(config_path.as_deref(), &args.conf)?;
    attrs.set_from_config(&config);
    let interface = env.get("FLUX_IPADDR_INTERFACE").map(String::as_str);
    membership::hint_from_environment(
        &mut attrs,
        interface,
        env.contains_key("FLUX_IPADDR_HOSTNAME"),
    );
    let interrupt = signals.as_fd().try_clone_to_owned()?;
    let assumed = membership::assumed_quorum(&attrs);
    let begun = bootstrap::begin(told(&mut attrs, &config, &env), Some(interrupt))?;
    let rank = begun.rank;
    if let (0, Some(n)) = (rank, assumed) {
        eprintln!("flux-broker: warning: broker.quorum is now a size - assuming {n}");
    }
    check_sinks(&attrs)?;
    let program = match rank {
        0 => initial_program(&args.command, &attrs, &env)?,
        _ => Vec::new(),
    };
    let (rundir, statedir) = open_folders(&attrs, rank)?;
    let result = (|| {
        let mut ids = Ids::from_system(random_word);
        let uuid = ids.next_uuid();
        let met = begun.meet(told(&mut attrs, &config, &env), &rundir.path, &uuid)?;
        fill_in(&mut attrs, &env, &rundir, statedir.as_ref(), rank)?;
        folders::note_uri(statedir.as_ref().unwrap_or(&rundir), rank, &attrs);
        if let Some(path) = &config_path {
            attrs.put(&names::CONFIG_PATH, path.clone());
        }
        let files = Files {
            known: BTreeMap::new(),
            module_folders: module_folders(),
            config: config_path.map(PathBuf::from),
            config_arguments: args.conf,
            notify: env.get("NOTIFY_SOCKET").cloned(),
            rc_folders: rc_folders(env.get("FLUX_RC_EXTRA")),
        };
        let cleanup_folders = folders::to_clean_up(&rundir, statedir.as_ref());
        let setup = Setup {
            endpoint: format!("ipc://{}/modules-{rank}", rundir.path.display()),
            attrs,
            config,
            env,
            owner: nix::unistd::Uid::effective().as_raw(),
            ids,
            uuid,
            links: met.links,
            program,
            cleanup_folders,
        };
        serve(setup, files, signals, descriptors, met.overlay)
    })();
    folders::leave(&rundir, statedir.as_ref(), rank, result.is_ok());
    result
}

/// Rundir, and statedir: only rank 0 has something that must last.
fn open_folders(attrs: &Attrs, rank: u32) -> anyhow::Result<(Folder, Option<Folder>)> {
    let mut rundir = folders::rundir(attrs.value(&names::RUNDIR), rank)?;
    let statedir = (rank == 0).then(|| folders::statedir(attrs.value(&names::STATEDIR)));
    let mut statedir = match statedir.transpose() {
        Ok(statedir) => statedir,
        Err(error) => {
            folders::remove(&rundir);
            return Err(error);
        }
    };
    if attrs.value(&names::RUNDIR_CLEANUP).is_some() {
        rundir.cleanup = attrs.is_on(&names::RUNDIR_CLEANUP);
    }
    if let Some(statedir) = &mut statedir
        && attrs.value(&names::STATEDIR_CLEANUP).is_some()
    {
        statedir.cleanup = attrs.is_on(&names::STATEDIR_CLEANUP);
    }
    Ok((rundir, statedir))
}

/// The attributes that the command line sets, and those that go with its options.
fn given_attrs(args: &Args) -> anyhow::Result<Attrs> {
    let mut attrs = Attrs::default();
    match args.verbose {
        0 => {}
        1 => attrs.put(&names::LOG_STDERR_LEVEL, "6"),
        _ => attrs.put(&names::LOG_STDERR_LEVEL, "7"),
    }
    if args.verbose > 0 {
        attrs.put(&names::LOG_STDERR_MODE, "local");
    }
    let hostname = nix::unistd::gethostname()?;
    attrs.put(&names::HOSTNAME, hostname.to_string_lossy().into_owned());
    for text in &args.setattr {
        attrs.set_from_command_line(text)?;
    }
    Ok(attrs)
}

/// Found out now, with a clear word: a log that is asked for can be written.
fn check_sinks(attrs: &Attrs) -> anyhow::Result<()> {
    if let Some(path) = attrs
        .value(&names::LOG_FILENAME)
        .filter(|path| !path.is_empty())
    {
        match runtime::sinks::open_log(Path::new(path)) {
            // A named pipe may be read later.
            Err(error) if runtime::sinks::is_unread(&error) => {}
            open => {
                open.with_context(|| format!("log-filename={path}: cannot be written"))?;
            }
        }
    }
    if attrs.is_on(&names::LOG_SYSLOG_ENABLE) {
        let connected = runtime::sinks::connect_syslog();
        connected.context("log-syslog-enable=1: syslog cannot be reached")?;
    }
    Ok(())
}

fn told<'a>(
    attrs: &'a mut Attrs,
    config: &'a Object,
    env: &'a BTreeMap<String, String>,
) -> bootstrap::Inputs<'a> {
    bootstrap::Inputs { attrs, config, env }
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
    overlay: Option<Overlay>,
) -> anyhow::Result<i32> {
    runtime::logging::start("broker", setup.attrs.number(&names::RANK) as u32);
    let uri = setup.attrs.value(&names::LOCAL_URI).unwrap_or_default();
    let Some(path) = uri.strip_prefix("local://").map(PathBuf::from) else {
        bail!("local-uri={uri}: only local:// sockets can be served");
    };
    let endpoint = setup.endpoint.clone();
    let memory = setup.attrs.number(&names::FERROFLUX_MESSAGE_BYTES);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let owner = setup.owner;
    // Access is decided by who connects, not by the mode of the socket.
    let clients = listen("local", &path, 0o777)?;
    let modules = Path::new(endpoint.trim_start_matches("ipc://"));
    let modules = listen("module", modules, 0o700)?;
    bootstrap::parent::notify(&setup.attrs, &setup.env)?;
    let mut node = BrokerNode::new(setup, runtime::rusage);
    let mut reactor = Reactor::new(&mut node)?
        .with_signals(signals)?
        .with_memory(memory, owner)
        .with_descriptors(descriptors, owner)
        .as_broker(modules, clients)?
        .with_worker(move || files);
    if let Some(overlay) = overlay {
        reactor = reactor.with_overlay(overlay)?;
    }
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

/// Initial program; empty for none.
fn initial_program(
    command: &[String],
    attrs: &Attrs,
    env: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<String>> {
    if attrs.is_present(&names::BROKER_RC2_NONE) {
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
    let config = config::read_all(path.map(Path::new), arguments).context("Config file error")?;
    proto::config::check(&config).map_err(|complaint| complaint.refusal)?;
    Ok(config)
}

/// Sets values that only the running process knows.
fn fill_in(
    attrs: &mut Attrs,
    env: &BTreeMap<String, String>,
    rundir: &Folder,
    statedir: Option<&Folder>,
    rank: u32,
) -> anyhow::Result<()> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    if attrs.value(&names::FERROFLUX_MESSAGE_BYTES).is_none() {
        let bytes = runtime::memory::message_bytes();
        attrs.put(&names::FERROFLUX_MESSAGE_BYTES, bytes.to_string());
    }
    attrs.put(&names::VERSION, proto::attr::CORE_VERSION);
    attrs.put(&names::BROKER_PID, std::process::id().to_string());
    attrs.put(&names::BROKER_STARTTIME, format!("{started:.2}"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let flag = |cleanup: bool| if cleanup { "1" } else { "0" };
    attrs.put(&names::RUNDIR, text(&rundir.path));
    attrs.put(&names::RUNDIR_CLEANUP, flag(rundir.cleanup));
    if let Some(statedir) = statedir {
        attrs.put(&names::STATEDIR, text(&statedir.path));
        attrs.put(&names::STATEDIR_CLEANUP, flag(statedir.cleanup));
    }
    if attrs.value(&names::LOCAL_URI).is_none() {
        attrs.put(
            &names::LOCAL_URI,
            format!("local://{}/local-{rank}", rundir.path.display()),
        );
    }
    if attrs.value(&names::HOSTLIST).is_none() {
        attrs.put(
            &names::HOSTLIST,
            attrs
                .value(&names::HOSTNAME)
                .unwrap_or("localhost")
                .to_owned(),
        );
    }
    // Only an instance that is itself a job has a parent. A launcher that is no Flux
    // instance has said so.
    let has_parent = attrs.value(&names::INSTANCE_LEVEL) != Some("0");
    let job = env.get("FLUX_JOB_ID").filter(|_| has_parent);
    match (job, env.get("FLUX_URI")) {
        (Some(_), Some(uri)) => attrs.put(&names::PARENT_URI, uri.clone()),
        _ => attrs.put_null(&names::PARENT_URI),
    }
    if let Some(job) = job {
        attrs.put(&names::JOBID, job.clone());
        if let Some(namespace) = env.get("FLUX_KVS_NAMESPACE") {
            attrs.put(&names::PARENT_KVS_NAMESPACE, namespace.clone());
        }
    }
    let path = env.get("FLUX_JOB_ID_PATH").filter(|_| job.is_some());
    attrs.put(
        &names::JOBID_PATH,
        path.cloned().unwrap_or_else(|| "/".to_owned()),
    );
    if attrs.value(&names::INSTANCE_LEVEL).is_none() {
        let level = if job.is_some() { "1" } else { "0" };
        attrs.put(&names::INSTANCE_LEVEL, level);
    }
    Ok(())
}

/// Where programs, data and configuration of this installation are.
fn prefix() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    let beside = exe.parent()?;
    match beside.ends_with("libexec/flux") {
        true => Some(beside.parent()?.parent()?.to_owned()),
        false => Some(beside.parent()?.to_owned()),
    }
}

/// The folder of its configuration.
fn conf_folder(prefix: &Path) -> PathBuf {
    match prefix.to_str() {
        Some("/usr") => PathBuf::from("/etc/flux"),
        _ => prefix.join("etc/flux"),
    }
}

/// Folders in which there may be scripts for the start and the end: that of the installation,
/// then those that the user names.
fn rc_folders(extra: Option<&String>) -> Vec<PathBuf> {
    let ours = prefix().map(|prefix| conf_folder(&prefix));
    let extra = extra.map_or("", String::as_str).split(':');
    let extra = extra.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    ours.into_iter().chain(extra).collect()
}

/// The folders of the installation in which a site adds settings of modules, if there are
/// files.
fn modprobe_path() -> Option<String> {
    let prefix = prefix()?;
    let folders = [
        prefix.join("share/flux/modprobe"),
        conf_folder(&prefix).join("modprobe"),
    ];
    let has_files = folders
        .iter()
        .any(|folder| folder.join("modprobe.d").is_dir());
    let folders = folders.iter().map(|folder| folder.to_str());
    let folders: Option<Vec<&str>> = folders.collect();
    folders
        .filter(|_| has_files)
        .map(|folders| folders.join(":"))
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
