//! Dependencies point one way. A new edge is a design decision: it changes this table
//! and `doc/architecture.md` in the same commit.

use super::lexer::{code_only, without_tests};
use super::members::{edges, members};
use super::sources::shipped_sources;
use super::{assert_none, short};

/// Workspace crates that each crate may depend on, besides in its own tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("no-schema", &[]),
    ("proto", &["wire", "no-schema"]),
    ("node", &["wire", "proto"]),
    ("zmq-sys", &[]),
    ("pmi", &[]),
    ("libpmi", &["pmi"]),
    ("libpmi2", &["pmi"]),
    ("rexec", &["wire", "proto", "node"]),
    ("terminus", &["wire", "proto", "node", "runtime"]),
    ("keys", &[]),
    ("ingest", &["proto"]),
    ("job-fold", &["proto"]),
    ("ahead", &[]),
    ("runtime", &["wire", "proto", "node", "zmq-sys"]),
    ("client", &["wire", "proto"]),
    ("python", &["wire", "proto", "client", "submission"]),
    ("sim", &["wire", "proto", "node", "broker", "ahead"]),
    ("launcher", &["wire", "proto", "node", "runtime", "pmi"]),
    (
        "job-shell",
        &[
            "wire", "proto", "node", "runtime", "pmi", "rexec", "filemap", "terminus", "initrc",
        ],
    ),
    ("initrc", &["wire"]),
    ("command", &["proto", "client"]),
    ("format", &["proto", "command"]),
    ("submission", &["proto", "client", "command"]),
    ("attach", &["wire", "proto", "client", "command"]),
    ("snapshot", &["proto", "client", "command"]),
    ("filemap", &["proto"]),
    (
        "cli",
        &[
            "wire",
            "proto",
            "client",
            "pmi",
            "keys",
            "ingest",
            "command",
            "format",
            "submission",
            "attach",
            "snapshot",
            "filemap",
        ],
    ),
    ("xtask", &["wire", "proto", "client", "cli"]),
    (
        "broker",
        &[
            "wire", "proto", "node", "runtime", "client", "pmi", "keys", "rexec",
        ],
    ),
    // It runs the plugins, which `flux job-validator` and `flux job-frobnicator` run too.
    (
        "job-ingest",
        &["wire", "proto", "node", "runtime", "ingest"],
    ),
    // Events folded by job-list are folded once by job-manager for an inactive job.
    (
        "job-list",
        &["wire", "proto", "node", "runtime", "job-fold"],
    ),
    (
        "job-manager",
        &["wire", "proto", "node", "runtime", "job-fold", "ahead"],
    ),
    ("job-exec", &["wire", "proto", "node", "runtime", "ahead"]),
    // Its worker asks the parent instance what the job that we are has.
    ("resource", &["wire", "proto", "node", "runtime", "client"]),
    // Its threads ask the instance as any program does.
    ("web", &["wire", "proto", "node", "runtime", "client"]),
];

/// Crates that every module may depend on: never another module. `runtime` is for
/// `main.rs`.
const ALLOWED_TO_MODULES: &[&str] = &["wire", "proto", "node", "runtime"];

/// Further crates for tests: the simulator, and through it a broker.
const ALLOWED_IN_TESTS: &[&str] = &["sim", "broker", "client", "job-shell"];

#[test]
fn crates_depend_only_as_drawn() {
    let modules: Vec<String> = modules();
    let mut breaches = Vec::new();
    for edge in edges() {
        let row = ALLOWED.iter().find(|(name, _)| *name == edge.from);
        let allowed = match row {
            Some((_, allowed)) => allowed,
            None if modules.contains(&edge.from) => ALLOWED_TO_MODULES,
            // The simulator runs the real module cores.
            None => &[],
        };
        let simulated = edge.from == "sim" && modules.contains(&edge.to);
        let tested = edge.dev && ALLOWED_IN_TESTS.contains(&edge.to.as_str());
        if !allowed.contains(&edge.to.as_str()) && !simulated && !tested {
            breaches.push(format!(
                "{} -> {} is not drawn in doc/architecture.md",
                edge.from, edge.to
            ));
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_crate_is_in_the_table() {
    let modules = modules();
    let breaches: Vec<String> = members()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !modules.contains(name) && ALLOWED.iter().all(|(known, _)| known != name))
        .map(|name| format!("{name} is not in the table of tidy/edges.rs"))
        .collect();
    assert_none(&breaches);
}

/// Components: their cores know nothing of the loop that runs them.
const COMPONENTS: &[&str] = &[
    "modules/",
    "broker/",
    "crates/job-shell/",
    "crates/terminus/",
];

/// The files of a component that connect its core with the loop.
const CONNECTIONS: &[&str] = &[
    "src/main.rs",
    "modules/sched-simple/src/bin/fifo.rs",
    "modules/sched-simple/src/bin/backfill.rs",
    "broker/src/setup.rs",
    "broker/src/bootstrap/mod.rs",
    "broker/src/bootstrap/launched.rs",
];

/// Files that start processes: modules, run levels, job shells, tasks, terminal sessions.
const STARTERS: &[&str] = &[
    "broker/src/modules/supervisor.rs",
    "broker/src/commands.rs",
    "broker/src/rexec/mod.rs",
    "modules/job-exec/src/hand/shell.rs",
    "crates/job-shell/src/array/run.rs",
    "crates/job-shell/src/coprocess.rs",
    "crates/job-shell/src/launch.rs",
    "crates/terminus/src/sessions.rs",
];

/// The code of components without their tests, by path.
fn code_of_components() -> Vec<(String, String)> {
    let sources = shipped_sources().into_iter();
    let code = sources.map(|(path, source)| (short(&path), code_only(without_tests(&source))));
    code.filter(|(path, _)| COMPONENTS.iter().any(|folder| path.starts_with(folder)))
        .collect()
}

#[test]
fn only_the_connections_name_the_runtime() {
    let mut breaches = Vec::new();
    for (path, code) in code_of_components() {
        let may = CONNECTIONS.iter().any(|file| path.ends_with(file));
        if !may && code.contains("runtime::") {
            breaches.push(format!("{path} names runtime, which only main.rs may"));
        }
    }
    assert_none(&breaches);
}

#[test]
fn processes_are_started_in_the_places_that_are_drawn() {
    let mut breaches = Vec::new();
    for (path, code) in code_of_components() {
        if code.contains("cx.spawn(") && !STARTERS.contains(&path.as_str()) {
            breaches.push(format!(
                "{path} starts a process: doc/architecture.md lists who does"
            ));
        }
    }
    assert_none(&breaches);
}

#[test]
fn only_the_runtime_knows_zeromq() {
    let mut breaches = Vec::new();
    for (name, folder) in members() {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
        let knows = manifest.lines().any(|line| line.starts_with("zmq"));
        if knows && name != "runtime" {
            breaches.push(format!("{name} depends on zmq, which only runtime may"));
        }
    }
    assert_none(&breaches);
}

fn modules() -> Vec<String> {
    let members = members().into_iter();
    members
        .filter(|(_, folder)| short(folder).starts_with("modules/"))
        .map(|(name, _)| name)
        .collect()
}
