//! The texts of strsignal(3) on Linux, used by messages about killed tasks.

use std::borrow::Cow;

/// Descriptions of signals 1 to 31.
const DESCRIPTIONS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

/// First and last real-time signal.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// Description of a signal in messages: `Terminated` for 15.
pub fn signal_description(signal: i32) -> Cow<'static, str> {
    let index = usize::try_from(signal)
        .ok()
        .and_then(|signal| signal.checked_sub(1));
    match index.and_then(|index| DESCRIPTIONS.get(index)) {
        Some(text) => Cow::Borrowed(*text),
        None if REAL_TIME.contains(&signal) => {
            format!("Real-time signal {}", signal - REAL_TIME.start()).into()
        }
        None => format!("Unknown signal {signal}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_of_the_system() {
        for (signal, text) in [
            (1, "Hangup"),
            (9, "Killed"),
            (15, "Terminated"),
            (31, "Bad system call"),
            (34, "Real-time signal 0"),
            (64, "Real-time signal 30"),
            (0, "Unknown signal 0"),
            (32, "Unknown signal 32"),
            (65, "Unknown signal 65"),
            (-1, "Unknown signal -1"),
        ] {
            assert_eq!(signal_description(signal), text);
        }
    }
}
