//! Runs seeds from the command line: `seeds FIRST COUNT KILL_PERCENT`, as
//! `cargo xtask sim` calls it. One seed prints its whole trace; many print a line a
//! failure. Checkers speak by panicking.

#![allow(
    clippy::disallowed_methods,
    reason = "a program around the simulator, not a part of it"
)]

use std::process::ExitCode;

use sim::World;

fn main() -> ExitCode {
    let args: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let [first, count, kill_percent] = args[..] else {
        eprintln!("usage: seeds FIRST COUNT KILL_PERCENT");
        return ExitCode::from(2);
    };
    let mut failed = 0;
    let mut totals = [0; 3];
    for seed in first..first.saturating_add(count) {
        match std::panic::catch_unwind(|| World::new(seed, kill_percent).run()) {
            Ok(report) => {
                if count == 1 {
                    println!("{}", report.trace.join("\n"));
                }
                totals[0] += report.answered;
                totals[1] += report.failed;
                totals[2] += report.kills;
            }
            Err(_) => {
                failed += 1;
                println!("cargo xtask sim --seed {seed} --kill-percent {kill_percent}");
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
