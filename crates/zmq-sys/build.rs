//! Compiles libzmq into a static library, with CURVE and with what Linux offers it.
//!
//! Owns the list of platform macros and the optimisation level. Must never look at
//! the system for a library, nor at the network: sources and libsodium come from
//! crates, and a C and C++ compiler and make are all that is needed.
//!
//! zeromq-src has no call to add a macro, so they travel in CXXFLAGS, which the compiler
//! driver under it reads. Reasons against the defaults: lib.rs.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Results of configure on any Linux of the last ten years. Without them libzmq falls
/// back to what every Unix had in 1990.
const LINUX: &[&str] = &[
    // Wake-ups through one eventfd instead of a socket pair.
    "ZMQ_HAVE_EVENTFD",
    // No descriptor of ours may reach a task that we start. accept4 belongs here:
    // without it a new connection is inheritable until the next system call.
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_HAVE_O_CLOEXEC",
    "HAVE_ACCEPT4",
    // Peer credentials of an ipc connection, for accept filters.
    "ZMQ_HAVE_SO_PEERCRED",
    // Options of the links between hosts, ignored in silence when absent.
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "ZMQ_HAVE_SO_PRIORITY",
    "ZMQ_HAVE_SO_BINDTODEVICE",
    // Interface names in tcp:// endpoints and in scoped IPv6 addresses.
    "ZMQ_HAVE_IFADDRS",
    "HAVE_IF_NAMETOINDEX",
    // ipc://* in a fresh folder.
    "HAVE_MKDTEMP",
    // A monotonic clock for timers.
    "HAVE_CLOCK_GETTIME",
    // Queues between our thread and the I/O thread share no cache line.
    "HAVE_POSIX_MEMALIGN",
    "ZMQ_CACHELINE_SIZE=64",
    // A child made by fork does not touch the sockets of its parent.
    "HAVE_FORK",
    // The I/O threads have names in top and gdb, and can be pinned.
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
];

/// Headers of the standard library that nearly every source includes.
const HEADERS: &[&str] = &[
    "algorithm",
    "atomic",
    "chrono",
    "condition_variable",
    "cstdio",
    "cstring",
    "deque",
    "functional",
    "limits",
    "map",
    "mutex",
    "new",
    "set",
    "sstream",
    "string",
    "unordered_map",
    "utility",
    "vector",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CXX");
    let target_os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    assert_eq!(target_os, "linux", "Ferroflux runs on Linux only");

    // The same in all builds: nobody steps through libzmq. It carries the connections
    // between hosts alone, where the network is slower than it, so a third of the time to
    // compile it is saved. Warnings of foreign sources are not ours to mend.
    set("OPT_LEVEL", "1".into());
    set("DEBUG", "false".into());
    let mut flags = env::var_os("CXXFLAGS").unwrap_or_default();
    flags.push(" -w");
    for macro_name in LINUX {
        flags.push(format!(" -D{macro_name}"));
    }
    set("CXXFLAGS", flags.clone());
    if let Some(header) = precompiled(HEADERS) {
        flags.push(" -include ");
        flags.push(header);
        set("CXXFLAGS", flags);
    }
    if has_static_cxx_library() {
        set("CXXSTDLIB_STATIC", "1".into());
    }

    let sodium = zeromq_src::LibLocation::new(sodium_folder("LIB"), sodium_folder("INCLUDE"));
    zeromq_src::Build::new()
        .with_libsodium(Some(sodium))
        .build();
}

/// A header that includes others, compiled for the sources that follow: a third of their time.
/// One that the compiler does not take after all is read as text.
fn precompiled(headers: &[&str]) -> Option<PathBuf> {
    let header = PathBuf::from(env::var_os("OUT_DIR")?).join("standard.hpp");
    let lines = headers.iter().map(|name| format!("#include <{name}>\n"));
    std::fs::write(&header, lines.collect::<String>()).ok()?;
    let compiler = cc::Build::new().cpp(true).std("c++11").get_compiler();
    let mut command = compiler.to_command();
    command.args(["-x", "c++-header", "-o"]);
    command.arg(header.with_extension("hpp.gch")).arg(&header);
    command.status().ok()?.success().then_some(header)
}

/// True if the compiler came with a C++ library to link into the program. Loading the
/// shared one takes half a millisecond at every start, and a host may not have it.
fn has_static_cxx_library() -> bool {
    let compiler = env::var_os("CXX").unwrap_or("c++".into());
    let output = Command::new(compiler)
        .arg("-print-file-name=libstdc++.a")
        .output();
    // A library that is not there is printed as its bare name.
    output.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"/"))
}

/// A folder that the build of libsodium has published to us.
fn sodium_folder(which: &str) -> PathBuf {
    let name = format!("DEP_SODIUM_{which}");
    match env::var_os(&name) {
        Some(folder) => folder.into(),
        None => panic!("{name} is not set: unset SODIUM_LIB_DIR and SODIUM_USE_PKG_CONFIG"),
    }
}

fn set(name: &str, value: OsString) {
    // SAFETY: a build script has one thread until it starts the compilers.
    unsafe { env::set_var(name, value) }
}
