//! `cargo xtask sim`: broker and modules on one thread, for many seeds or for one.
//!
//! The simulator is run as a program of its own crate, not linked in: it brings the
//! broker, and xtask is to stay cheap to build.

use anyhow::Result;

use crate::run::{cargo, run};

/// All plays.
const PLAYS: [&str; 7] = [
    "echo",
    "kvs",
    "kvs-files",
    "jobs",
    "jobs-policy",
    "jobs-tree",
    "tree",
];

/// Simulate an instance under faults, a run a seed
#[derive(clap::Args)]
pub struct SimArgs {
    /// Play this: echo (requests and answers get through), kvs and kvs-files (nothing that was
    /// acknowledged is lost), jobs and jobs-tree (each runs and ends once, and is reported as
    /// it was, on one node and on four), jobs-policy (each runs when it may, and no sooner,
    /// while queues, limits and jobspecs change), or tree (many brokers agree). All if not said
    #[arg(value_parser = PLAYS)]
    play: Option<String>,
    /// Run this seed alone and print its trace: how a failure is looked at
    #[arg(long, value_name = "N", requires = "play")]
    seed: Option<u64>,
    /// Run N seeds, from 0
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        conflicts_with = "seed"
    )]
    seeds: u64,
    /// In how many of 100 stretches a module is killed, or something between brokers breaks
    #[arg(long, value_name = "N", default_value_t = 50)]
    kill_percent: u64,
    /// Start, use and stop a tree of N brokers instead, and count their messages
    #[arg(long, value_name = "N", conflicts_with_all = ["play", "seeds"])]
    brokers: Option<u32>,
}

/// Parameters of the counted tree of brokers: its shape, events, and links lost.
const COUNTED: [&str; 3] = ["kary:32", "1000", "100"];

/// Runs the seeds; true when no checker spoke. Not optimised: assertions are the point.
pub fn sim(args: &SimArgs) -> Result<bool> {
    if let Some(size) = args.brokers {
        let [scheme, events, links] = COUNTED;
        let mut command = example("tree");
        return run(command.args(["count", scheme, &size.to_string(), events, links]));
    }
    let (first, count) = match args.seed {
        Some(seed) => (seed, 1),
        None => (0, args.seeds),
    };
    let plays = match &args.play {
        Some(play) => vec![play.as_str()],
        None => PLAYS.to_vec(),
    };
    let mut passed = true;
    for play in plays {
        let (program, what) = match play {
            "tree" => ("tree", "seeds"),
            play => ("seeds", play),
        };
        let mut command = example(program);
        command.arg(what);
        command.args([first, count, args.kill_percent].map(|number| number.to_string()));
        passed &= run(&mut command)?;
    }
    Ok(passed)
}

fn example(name: &str) -> std::process::Command {
    cargo(["run", "--quiet", "-p", "sim", "--example", name, "--"])
}
