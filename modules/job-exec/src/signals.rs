//! Signals by name, as configuration files write them.

/// The gentle request to end.
pub const SIGTERM: i32 = 15;
/// The end.
pub const SIGKILL: i32 = 9;
/// Time is up.
pub const SIGALRM: i32 = 14;

/// Names on Linux, in the order of their numbers from 1 on.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The number of `SIGTERM`, `TERM` or `15`.
pub fn number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(name);
    let index = NAMES.iter().position(|known| *known == name)?;
    i32::try_from(index + 1).ok()
}

/// The name of a signal, or its number.
pub fn name(number: i32) -> String {
    let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    match index.and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_one_another() {
        for signum in 1..=31 {
            assert_eq!(super::number(&name(signum)), Some(signum));
        }
        assert_eq!(number("TERM"), Some(SIGTERM));
        assert_eq!(number("40"), Some(40));
        assert_eq!(number("SIGNOPE"), None);
        assert_eq!(name(40), "40");
    }
}
