//! Runs trees of brokers from the command line, as `cargo xtask sim tree` calls it: `tree
//! seeds FIRST COUNT FAULT_PERCENT` runs seeds and prints the trace of a single one; `tree
//! count SCHEME SIZE EVENTS CUTS` prints how many messages brokers take in from each other.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program around the simulator, not a part of it"
)]

use std::process::ExitCode;
use std::time::Instant;

use proto::data::topology::Scheme;
use sim::tree::Plan;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    let done = match args[..] {
        ["seeds", first, count, percent] => number(first)
            .zip(number(count))
            .zip(number(percent))
            .map(|((first, count), percent)| seeds(first, count, percent)),
        ["count", scheme, size, events, cuts] => (scheme.parse().ok())
            .zip(size.parse().ok())
            .zip(number(events).zip(number(cuts)))
            .map(|((scheme, size), (events, cuts))| count(scheme, size, events, cuts)),
        _ => None,
    };
    match done {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("usage: tree seeds FIRST COUNT FAULT_PERCENT");
            eprintln!("       tree count SCHEME SIZE EVENTS CUTS");
            ExitCode::from(2)
        }
    }
}

fn seeds(first: u64, count: u64, percent: u64) -> bool {
    let (mut passed, mut answered, mut failed, mut faults) = (0, 0, 0, 0);
    for seed in first..first.saturating_add(count) {
        // Where nothing comes again there is soon nobody left.
        let restarts = !seed.is_multiple_of(3);
        let often = if restarts { percent } else { percent / 8 };
        let plan = Plan::of_seed(seed, often, restarts);
        let Ok(report) = std::panic::catch_unwind(|| plan.run()) else {
            println!("cargo xtask sim tree --seed {seed} --kill-percent {percent}");
            continue;
        };
        if count == 1 {
            println!("{}", report.trace.join("\n"));
        }
        passed += 1;
        answered += report.answered;
        failed += report.failed;
        faults += report.faults;
    }
    println!("{answered} pings answered, {failed} of them in vain, {faults} faults");
    println!("{passed} passed, {} failed", count - passed);
    passed == count
}

fn count(scheme: Scheme, size: u32, events: u64, cuts: u64) -> bool {
    println!("{size} brokers, {scheme}, {events} events, {cuts} links lost");
    println!(
        "{:8} {:>10} {:>8} {:>8} {:>16} {:>10}",
        "", "messages", "a broker", "at most", "pulses/broker/s", "real time"
    );
    let mut began = Instant::now();
    let plan = Plan::of_size(scheme, size);
    plan.count(events as usize, cuts as usize, |part, counts| {
        let (all, most) = counts.summary();
        let size = f64::from(size);
        let average = all as f64 / size;
        let pulses = counts.pulses as f64 / size / counts.time.as_secs_f64().max(1.0);
        let real = began.elapsed().as_secs_f64();
        began = Instant::now();
        println!("{part:8} {all:10} {average:8.1} {most:8} {pulses:16.2} {real:8.2} s");
    });
    true
}
