//! Lines of the broker's log: `<PRI>1 TIME RANK APP PID - - TEXT` (protocol/03 section 7).

use jiff::Timestamp;

/// Names of the severities, by number.
pub const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// A line, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// 0 emerg to 7 debug.
    pub severity: u8,
    /// When, in UTC.
    pub time: &'a str,
    /// Rank, in decimal.
    pub rank: &'a str,
    /// Name of the component.
    pub app: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl<'a> LogLine<'a> {
    /// Takes a line apart; `None` when it is not one.
    pub fn parse(line: &'a str) -> Option<LogLine<'a>> {
        let (pri, rest) = line.strip_prefix('<')?.split_once('>')?;
        // Severity is in the high bits.
        let severity = u8::try_from(pri.parse::<u32>().ok()? >> 3).ok()?;
        let mut words = rest.strip_prefix("1 ")?.splitn(7, ' ');
        let (time, rank, app) = (words.next()?, words.next()?, words.next()?);
        let text = words.nth(3)?;
        (usize::from(severity) < SEVERITIES.len()).then_some(LogLine {
            severity,
            time,
            rank,
            app,
            text,
        })
    }

    /// The severity's name.
    pub fn severity_name(&self) -> &'static str {
        SEVERITIES[usize::from(self.severity)]
    }

    /// Seconds since the epoch; 0 when the time is not readable.
    pub fn seconds(&self) -> f64 {
        let time: Result<Timestamp, _> = self.time.parse();
        time.map_or(0.0, |time| time.as_duration().as_secs_f64())
    }

    /// The line, written now by process `pid`.
    pub fn compose(severity: u8, rank: u32, app: &str, pid: u32, text: &str) -> String {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
        format!("<{}>1 {now} {rank} {app} {pid} - - {text}", severity << 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_being_composed() {
        let line = LogLine::compose(3, 7, "me", 42, "a  b <c>");
        let parsed = LogLine::parse(&line).unwrap();
        assert_eq!((parsed.severity, parsed.severity_name()), (3, "err"));
        assert_eq!(
            (parsed.rank, parsed.app, parsed.text),
            ("7", "me", "a  b <c>")
        );
        assert!(parsed.seconds() > 0.0);
    }

    #[test]
    fn other_texts_are_no_lines() {
        for text in [
            "",
            "x",
            "<6>1 t r a p - -",
            "<640>1 t r a p - - x",
            "<x>1 t r a p - - x",
        ] {
            assert_eq!(LogLine::parse(text), None, "{text}");
        }
    }
}
