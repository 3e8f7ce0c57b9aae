//! xtask: the project's automation, run as `cargo xtask COMMAND`.
//!
//! One file a sub-command: `check.rs`, `test.rs`, `bench.rs`, `docs.rs`, `book.rs`, `sim.rs`,
//! `crash.rs`, `attack.rs`, `damage.rs`, `install.rs`, `dist.rs`. Instances that are killed or
//! damaged from outside live in `site.rs`; `parts.rs` lists what is installed, and where. The
//! rules that hold the tree together (dependencies between crates, the length of files) are the
//! unit tests in `tidy/`: `cargo test -p xtask tidy` runs them alone. It must stay cheap to
//! build: it is the first thing that `cargo xtask test`
//! compiles. `cargo build` leaves it out.

use std::process::ExitCode;

use clap::Parser;

mod attack;
mod bench;
mod book;
mod check;
mod crash;
mod damage;
mod dist;
mod docs;
mod install;
mod licences;
mod parts;
mod proc;
mod run;
mod rustc;
mod sim;
mod site;
mod test;
#[cfg(test)]
mod tidy;
mod tools;
mod workspace;

/// The project's automation
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Bench(bench::BenchArgs),
    Docs(docs::DocsArgs),
    Book(book::BookArgs),
    Sim(sim::SimArgs),
    Crash(crash::CrashArgs),
    Attack(attack::AttackArgs),
    Damage(damage::DamageArgs),
    Install(install::InstallArgs),
    Dist(dist::DistArgs),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Check(args) => check::check(&args),
        Command::Test(args) => test::test(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Docs(args) => docs::docs(&args),
        Command::Book(args) => book::book(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Crash(args) => crash::crash(&args),
        Command::Attack(args) => attack::attack(&args),
        Command::Damage(args) => damage::damage(&args),
        Command::Install(args) => install::install(&args),
        Command::Dist(args) => dist::dist(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
