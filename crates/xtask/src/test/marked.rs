//! Finds the processes that a test script has started, by the mark in its environment.
//!
//! `t/sharness.sh` exports `FLUX_TEST_MARK=NAME.PID`; brokers, modules, shells and
//! tasks inherit it, also those that left the script's process group.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Signals every process that carries the mark; returns their number.
pub fn signal(mark: &str, signal: Signal) -> usize {
    let entry = format!("FLUX_TEST_MARK={mark}");
    let carriers = pids().filter(|pid| carries(*pid, entry.as_bytes()));
    let mut count = 0;
    for process in carriers.filter_map(Pid::from_raw) {
        // One that has gone meanwhile is as good as signalled.
        let _ = kill_process(process, signal);
        count += 1;
    }
    count
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn carries(pid: i32, entry: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .any(|found| found == entry)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_marked_process_is_found_and_no_other() {
        let mark = format!("xtask-test.{}", std::process::id());
        // It says when it is there, and ends by itself should this test fail.
        let mut marked = Command::new("sh")
            .args(["-c", "echo here; read line"])
            .env("FLUX_TEST_MARK", &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut line = String::new();
        let stdout = marked.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it can be read");
        assert_eq!(line, "here\n");

        assert_eq!(signal(&format!("{mark}0"), Signal::TERM), 0);
        assert_eq!(signal(&mark, Signal::TERM), 1);
        let status = marked.wait().expect("sh ends");
        assert_eq!(status.signal(), Some(15));
    }
}
