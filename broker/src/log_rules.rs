//! Where a line of the log goes (protocol/03 section 7, protocol/21 section 5). Pure.
//!
//! The ring of a rank holds the messages of that rank. Important messages go up the tree
//! as well, to the standard error and the file of rank 0.

use proto::attr::{Attr, names};

use crate::attrs::Attrs;
use crate::logbook::Line;

/// Origin of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This rank.
    Here,
    /// A rank below.
    Below,
}

/// One way for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Into the ring, and to those who follow it.
    Ring,
    /// To the broker above.
    Parent,
    /// To standard error, as this text.
    Stderr(String),
    /// To the end of a file, as this text.
    File(String, String),
    /// To the log of the system, as this text.
    Syslog(String),
}

/// The ways for a line on this rank.
pub fn ways(attrs: &Attrs, origin: Origin, line: &Line<'_>) -> Vec<Way> {
    let is_within = |attr: &Attr| i64::from(line.severity) <= attrs.number(attr);
    let (is_own, is_leader) = (origin == Origin::Here, attrs.number(&names::RANK) == 0);
    let mut ways = Vec::new();
    if !is_within(&names::LOG_LEVEL) {
        return ways;
    }
    if is_own {
        ways.push(Way::Ring);
    }
    if !is_leader && is_within(&names::LOG_FORWARD_LEVEL) {
        ways.push(Way::Parent);
    }
    let long = || format!("{} {}", long_time(line.time), line.short());
    let local = || format!("<{}>{}", line.severity, line.short());
    let speaks_for_itself = attrs.value(&names::LOG_STDERR_MODE) == Some("local");
    let is_loud = is_within(&names::LOG_STDERR_LEVEL);
    if is_loud && is_leader && !speaks_for_itself {
        ways.push(Way::Stderr(long()));
    } else if is_own && (is_loud && speaks_for_itself || is_within(&names::LOG_CRITICAL_LEVEL)) {
        ways.push(Way::Stderr(local()));
    }
    let file = attrs.value(&names::LOG_FILENAME);
    if let Some(path) = file.filter(|path| is_leader && !path.is_empty()) {
        ways.push(Way::File(path.to_owned(), long()));
    }
    if is_own && attrs.is_on(&names::LOG_SYSLOG_ENABLE) && is_within(&names::LOG_SYSLOG_LEVEL) {
        let priority = SYSLOG_USER | line.severity;
        ways.push(Way::Syslog(format!("<{priority}>flux: {}", line.short())));
    }
    ways
}

/// Text to print of a line for a parent that is offline: as rank 0 would have printed it,
/// unless this rank has already.
pub fn in_place_of_parent(attrs: &Attrs, line: &Line<'_>) -> Option<String> {
    let is_within = |attr: &Attr| i64::from(line.severity) <= attrs.number(attr);
    let is_own = line.host.parse() == Ok(attrs.number(&names::RANK));
    let speaks_for_itself = attrs.value(&names::LOG_STDERR_MODE) == Some("local");
    let is_printed = is_own && (speaks_for_itself || is_within(&names::LOG_CRITICAL_LEVEL));
    let is_wanted = is_within(&names::LOG_STDERR_LEVEL) && !is_printed;
    is_wanted.then(|| format!("{} {}", long_time(line.time), line.short()))
}

/// Facility "user" of syslog, as the number in front of a line has it (RFC 3164).
const SYSLOG_USER: u8 = 1 << 3;

/// `2026-11-22T06:41:30.527664Z` as `Nov 22 06:41:30.527664 UTC 2026`; other text as
/// it is.
fn long_time(time: &str) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let long = || {
        let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
        let mut parts = date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{month} {day} {clock} UTC {year}"))
    };
    long().unwrap_or_else(|| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of this severity on a rank with these settings goes these ways.
    fn check(rank: u32, settings: &[&str], origin: Origin, severity: u8, expect: &str) {
        let mut attrs = Attrs::default();
        attrs.put(&names::RANK, rank.to_string());
        for setting in settings {
            attrs.set_from_command_line(setting).expect(setting);
        }
        let (time, app, text) = ("-", "app", "x");
        let line = Line {
            severity,
            time,
            host: "1",
            app,
            text,
        };
        let ways = ways(&attrs, origin, &line);
        let shown = ways.into_iter().map(|way| match way {
            Way::Ring => "ring".to_owned(),
            Way::Parent => "parent".to_owned(),
            Way::Stderr(text) => format!("stderr:{text}"),
            Way::File(path, text) => format!("{path}:{text}"),
            Way::Syslog(text) => format!("syslog:{text}"),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        assert_eq!(shown, expect, "{rank} {settings:?} {origin:?} {severity}");
    }

    #[test]
    fn the_ring_has_what_the_rank_says_and_errors_go_up() {
        use Origin::{Below, Here};
        check(1, &[], Here, 7, "ring");
        check(1, &[], Here, 3, "ring, parent");
        check(1, &[], Below, 3, "parent");
        check(1, &[], Below, 4, "");
        check(1, &["log-forward-level=7"], Below, 7, "parent");
        check(
            1,
            &["log-forward-level=-1"],
            Here,
            0,
            "ring, stderr:<0>app.emerg[1]: x",
        );
        check(1, &["log-level=2"], Here, 3, "");
    }

    #[test]
    fn the_leader_shows_what_matters_of_all_ranks() {
        use Origin::{Below, Here};
        check(0, &[], Here, 3, "ring, stderr:- app.err[1]: x");
        check(0, &[], Below, 3, "stderr:- app.err[1]: x");
        check(0, &[], Below, 4, "");
        check(
            0,
            &["log-stderr-level=6"],
            Below,
            6,
            "stderr:- app.info[1]: x",
        );
        let file = ["log-filename=/f", "log-stderr-level=0"];
        check(0, &file, Below, 3, "/f:- app.err[1]: x");
        check(0, &file, Here, 7, "ring, /f:- app.debug[1]: x");
        check(1, &file, Here, 7, "ring");
    }

    #[test]
    fn a_rank_speaks_for_itself_in_local_mode_and_when_it_is_critical() {
        use Origin::{Below, Here};
        let local = ["log-stderr-mode=local"];
        check(0, &local, Here, 3, "ring, stderr:<3>app.err[1]: x");
        check(0, &local, Below, 3, "");
        check(0, &local, Below, 0, "");
        check(1, &local, Here, 3, "ring, parent, stderr:<3>app.err[1]: x");
        check(1, &[], Here, 2, "ring, parent, stderr:<2>app.crit[1]: x");
        check(1, &[], Below, 2, "parent");
        check(
            0,
            &["log-stderr-level=1"],
            Here,
            2,
            "ring, stderr:<2>app.crit[1]: x",
        );
    }

    #[test]
    fn the_system_hears_of_its_own_rank() {
        let syslog = ["log-syslog-enable=1", "log-stderr-level=0"];
        check(
            0,
            &syslog,
            Origin::Here,
            3,
            "ring, syslog:<11>flux: app.err[1]: x",
        );
        check(0, &syslog, Origin::Below, 3, "");
    }

    #[test]
    fn times_are_shown_as_the_leader_does() {
        let long = long_time("2026-11-22T06:41:30.527664Z");
        assert_eq!(long, "Nov 22 06:41:30.527664 UTC 2026");
        assert_eq!(long_time("-"), "-");
    }

    #[test]
    fn what_the_parent_cannot_print_is_printed_here_once() {
        for (settings, host, severity, want) in [
            (&[][..], "1", 3, true),
            (&[], "1", 6, false),
            (&["log-stderr-level=6"], "1", 6, true),
            (&[], "1", 2, false),
            (&[], "2", 2, true),
            (&["log-stderr-mode=local"], "1", 3, false),
        ] {
            let mut attrs = Attrs::default();
            attrs.put(&names::RANK, "1");
            for setting in settings {
                attrs.set_from_command_line(setting).expect(setting);
            }
            let (time, app, text) = ("-", "app", "x");
            let line = Line {
                severity,
                time,
                host,
                app,
                text,
            };
            let printed = in_place_of_parent(&attrs, &line);
            let name = crate::logbook::SEVERITIES[usize::from(severity)];
            let expect = want.then(|| format!("- app.{name}[{host}]: x"));
            assert_eq!(printed, expect, "{settings:?} {host} {severity}");
        }
    }
}
