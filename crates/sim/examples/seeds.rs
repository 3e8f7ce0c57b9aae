//! Runs seeds from the command line: `seeds PLAY FIRST COUNT KILL_PERCENT`, as
//! `cargo xtask sim` calls it. One seed prints its whole trace; many print a line a
//! failure. Checkers speak by panicking.

#![allow(
    clippy::disallowed_methods,
    reason = "a program around the simulator, not a part of it"
)]

use std::process::ExitCode;

use sim::{Play, World};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let play = args.first().and_then(|name| Play::of_name(name));
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (Some(play), [first, count, kill_percent]) = (play, &numbers[..]) else {
        eprintln!(
            "usage: seeds echo|kvs|kvs-files|jobs|jobs-policy|jobs-tree FIRST COUNT KILL_PERCENT"
        );
        return ExitCode::from(2);
    };
    let mut failed = 0;
    let mut totals = [0; 3];
    for seed in *first..first.saturating_add(*count) {
        let run = || {
            let world = World::new(play, seed, *kill_percent);
            match *count {
                1 => world.telling().run(),
                _ => world.run(),
            }
        };
        match std::panic::catch_unwind(run) {
            Ok(report) => {
                if *count == 1 {
                    println!("{}", report.trace.join("\n"));
                }
                totals[0] += report.answered;
                totals[1] += report.failed;
                totals[2] += report.kills;
            }
            Err(_) => {
                failed += 1;
                println!(
                    "cargo xtask sim {} --seed {seed} --kill-percent {kill_percent}",
                    args[0]
                );
            }
        }
    }
    let [answered, refused, kills] = totals;
    println!(
        "{answered} requests answered, {refused} of them with an error, {kills} modules killed"
    );
    println!("{} passed, {failed} failed", count - failed);
    ExitCode::from(u8::from(failed > 0))
}
