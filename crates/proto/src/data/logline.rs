//! Log lines of the broker (protocol/03 section 7): `<56>1 TIMESTAMP RANK APP PROCID - - MSG`.
//!
//! Resembles RFC 5424 but differs: the severity is in the high bits of the leading number.
//! Reads and writes one line, and has the forms shown to users.

use std::fmt;
use std::str::FromStr;

use super::calendar::{at_micros, iso_utc, parse_iso_utc, utc};
use super::limits::{LOG_MESSAGE_BYTES_MAX, LOG_NAME_BYTES_MAX};

/// Severity of a log entry, as in syslog: lower is more severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are those of syslog(3)")]
pub enum LogLevel {
    Emerg = 0,
    Alert = 1,
    Crit = 2,
    Err = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// A text or number that is not a level. The text is that of `log.setattr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid level")]
pub struct InvalidLevel;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Severity.
    pub level: LogLevel,
    /// Syslog facility, low three bits; ours is 0.
    pub facility: u8,
    /// Time, in microseconds since the epoch; `None` if the sender wrote none.
    pub time_us: Option<i64>,
    /// Rank of the broker that logged it, or the value written by a foreign sender.
    pub host: String,
    /// Name of the program or module.
    pub appname: String,
    /// Process id, or `-`.
    pub procid: String,
    /// The text, without a newline.
    pub message: String,
}

/// A line that is not in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed log line")]
pub struct MalformedLine;

impl LogLevel {
    /// Every level, the most severe first.
    pub const ALL: [LogLevel; 8] = [
        Self::Emerg,
        Self::Alert,
        Self::Crit,
        Self::Err,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// The number, 0 to 7.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The level with this number.
    pub fn from_number(number: i64) -> Result<Self, InvalidLevel> {
        let level = usize::try_from(number)
            .ok()
            .and_then(|number| Self::ALL.get(number));
        level.copied().ok_or(InvalidLevel)
    }

    /// The name, such as `err`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LogLevel {
    type Err = InvalidLevel;

    /// Takes a name.
    fn from_str(name: &str) -> Result<Self, InvalidLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or(InvalidLevel)
    }
}

impl LogLine {
    /// A line of ours, at `time_us` microseconds since the epoch. See [`split_message`] for texts
    /// of several lines: here a newline becomes a blank.
    pub fn new(level: LogLevel, time_us: i64, rank: u32, appname: &str, message: &str) -> Self {
        Self {
            level,
            facility: 0,
            time_us: Some(time_us),
            host: rank.to_string(),
            appname: word(appname),
            procid: "-".to_owned(),
            message: one_line(message),
        }
    }

    /// The line as sent, without a newline.
    pub fn encode(&self) -> String {
        let pri = u32::from(self.level.number()) << 3 | u32::from(self.facility & 7);
        let time = self.timestamp();
        let (host, appname, procid) = (word(&self.host), word(&self.appname), word(&self.procid));
        format!(
            "<{pri}>1 {time} {host} {appname} {procid} - - {}",
            one_line(&self.message)
        )
    }

    /// Parses a line as sent; a newline or NUL at its end is dropped, bytes that are not
    /// UTF-8 are replaced.
    pub fn parse(line: &[u8]) -> Result<Self, MalformedLine> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r', '\0']);
        let (pri, rest) = text
            .strip_prefix('<')
            .and_then(|text| text.split_once(">1 "))
            .ok_or(MalformedLine)?;
        let pri: u8 = match pri.bytes().all(|c| c.is_ascii_digit()) {
            true => pri.parse().map_err(|_| MalformedLine)?,
            false => return Err(MalformedLine),
        };
        let mut fields = rest.splitn(7, ' ');
        let mut field = || {
            fields
                .next()
                .filter(|field| !field.is_empty())
                .ok_or(MalformedLine)
        };
        let (time, host, appname, procid) = (field()?, field()?, field()?, field()?);
        let (_msgid, _structured_data) = (field()?, field()?);
        Ok(Self {
            level: LogLevel::from_number(i64::from(pri >> 3)).map_err(|_| MalformedLine)?,
            facility: pri & 7,
            time_us: parse_iso_utc(time),
            host: word(host),
            appname: word(appname),
            procid: word(procid),
            message: one_line(fields.next().unwrap_or_default()),
        })
    }

    /// The time as written, `-` if there is none.
    pub fn timestamp(&self) -> String {
        let written = self.time_us.map(|micros| iso_utc(at_micros(micros)));
        written.unwrap_or_else(|| "-".to_owned())
    }

    /// The form of `flux dmesg`: `TIMESTAMP APP.SEV[RANK]: MSG`.
    pub fn to_dmesg(&self) -> String {
        format!("{} {}", self.timestamp(), self.tagged())
    }

    /// The form on the leader's standard error:
    /// `Nov 22 06:41:30.527664 UTC 2026 app.err[RANK]: msg`.
    pub fn to_leader_stderr(&self) -> String {
        let Some(time_us) = self.time_us else {
            return format!("- {}", self.tagged());
        };
        let time = utc(at_micros(time_us)).strftime("%b %d %H:%M:%S.%6f UTC %Y");
        format!("{time} {}", self.tagged())
    }

    /// The form on a broker's own standard error: `<3>app.err[rank]: msg`.
    pub fn to_local_stderr(&self) -> String {
        format!("<{}>{}", self.level.number(), self.tagged())
    }

    /// `APP.SEV[RANK]: MSG`
    pub fn tagged(&self) -> String {
        let Self {
            level,
            host,
            appname,
            message,
            ..
        } = self;
        format!("{appname}.{level}[{host}]: {message}")
    }
}

/// The lines of a message, each of which becomes a separate entry. Empty lines are left out,
/// but a message is at least one entry.
pub fn split_message(message: &str) -> impl Iterator<Item = &str> {
    let mut lines = message.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    std::iter::once(first).chain(lines)
}

/// A header field: no blanks, no control characters, bounded, `-` if empty.
fn word(text: &str) -> String {
    let clean = |c: char| {
        if c.is_whitespace() || c.is_control() {
            '_'
        } else {
            c
        }
    };
    let text: String = cut(text, LOG_NAME_BYTES_MAX).chars().map(clean).collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// A message on one line, bounded.
fn one_line(text: &str) -> String {
    let text = cut(text, LOG_MESSAGE_BYTES_MAX);
    text.trim_end_matches(['\n', '\r', '\0'])
        .replace(['\n', '\r', '\0'], " ")
}

/// The start of `text`, at most `max` bytes, without splitting a character.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-22 06:41:30.527664 UTC
    const TIME_US: i64 = 1_795_329_690_527_664;

    fn check(level: &str, pri: u32) {
        let level: LogLevel = level.parse().unwrap();
        let line = LogLine::new(level, TIME_US, 3, "kvs", "hello world");
        let text = format!("<{pri}>1 2026-11-22T06:41:30.527664Z 3 kvs - - - hello world");
        assert_eq!(line.encode(), text);
        assert_eq!(LogLine::parse(text.as_bytes()), Ok(line));
    }

    #[test]
    fn the_severity_is_in_the_high_bits() {
        check("emerg", 0);
        check("alert", 8);
        check("crit", 16);
        check("err", 24);
        check("warning", 32);
        check("notice", 40);
        check("info", 48);
        check("debug", 56);
    }

    #[test]
    fn a_line_is_shown_in_three_ways() {
        let line = LogLine::new(LogLevel::Err, TIME_US, 1, "app", "msg");
        assert_eq!(
            line.to_dmesg(),
            "2026-11-22T06:41:30.527664Z app.err[1]: msg"
        );
        assert_eq!(
            line.to_leader_stderr(),
            "Nov 22 06:41:30.527664 UTC 2026 app.err[1]: msg"
        );
        assert_eq!(line.to_local_stderr(), "<3>app.err[1]: msg");
    }

    #[test]
    fn a_foreign_line_is_read_as_it_is() {
        let line = LogLine::parse(b"<26>1 - host app 42 - - a  b\xff\n\0").unwrap();
        assert_eq!(
            (line.level, line.facility, line.time_us),
            (LogLevel::Err, 2, None)
        );
        assert_eq!(
            (&*line.host, &*line.procid, &*line.message),
            ("host", "42", "a  b\u{fffd}")
        );
        assert_eq!(line.to_dmesg(), "- app.err[host]: a  b\u{fffd}");
        assert_eq!(line.encode(), "<26>1 - host app 42 - - a  b\u{fffd}");
    }

    #[test]
    fn a_message_may_be_empty() {
        let line = LogLine::parse(b"<56>1 - 0 app - - -").unwrap();
        assert_eq!(line.message, "");
        assert_eq!(line.encode(), "<56>1 - 0 app - - - ");
    }

    #[test]
    fn other_lines_are_refused() {
        for text in [
            "",
            "hello",
            "<>1 - 0 a - - - x",
            "<64>1 - 0 a - - - x",
            "<300>1 - 0 a - - - x",
            "<+1>1 - 0 a - - - x",
            "<56>2 - 0 a - - - x",
            "<56>1 - 0 a",
            "<56>1 -  a - - - x",
        ] {
            assert_eq!(
                LogLine::parse(text.as_bytes()),
                Err(MalformedLine),
                "{text}"
            );
        }
    }

    #[test]
    fn texts_are_cleaned_and_bounded() {
        let long = "é".repeat(LOG_MESSAGE_BYTES_MAX);
        let line = LogLine::new(LogLevel::Info, 0, 0, "a b\n", &long);
        assert_eq!(
            (&*line.appname, line.message.len()),
            ("a_b_", LOG_MESSAGE_BYTES_MAX)
        );
        let line = LogLine::new(LogLevel::Info, 0, 0, "", "a\nb\n");
        assert_eq!((&*line.appname, &*line.message), ("-", "a b"));
        assert!(word(&"x".repeat(1000)).len() == LOG_NAME_BYTES_MAX);
    }

    #[test]
    fn a_message_of_several_lines_becomes_several_entries() {
        for (message, lines) in [
            ("a", vec!["a"]),
            ("a\nb\n", vec!["a", "b"]),
            ("\na\r\n\n b", vec!["a", " b"]),
            ("", vec![""]),
            ("\n", vec![""]),
        ] {
            assert_eq!(
                split_message(message).collect::<Vec<_>>(),
                lines,
                "{message:?}"
            );
        }
    }

    #[test]
    fn levels_have_numbers_and_names() {
        assert_eq!(LogLevel::from_number(3), Ok(LogLevel::Err));
        for number in [-1, 8] {
            assert_eq!(LogLevel::from_number(number), Err(InvalidLevel));
        }
        assert_eq!(
            "error".parse::<LogLevel>().unwrap_err().to_string(),
            "invalid level"
        );
        assert!(LogLevel::Err < LogLevel::Debug);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(line: Vec<u8>) {
            let _ = LogLine::parse(&line);
        }

        #[test]
        fn a_line_survives_its_text(
            message in "[^\n\r\0]{0,40}",
            appname in ".{0,60}",
            time_us in 0..10_i64.pow(17),
        ) {
            let line = LogLine::new(LogLevel::Info, time_us, 7, &appname, &message);
            prop_assert_eq!(LogLine::parse(line.encode().as_bytes()), Ok(line));
        }
    }
}
