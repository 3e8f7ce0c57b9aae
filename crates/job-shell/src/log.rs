//! Log messages of the shell (protocol/23 section 4): their readers and destinations.
//!
//! A message is an event of the job's output. Where standard error goes to a file, it goes
//! there too, and no longer to the log.

use node::Cx;
use proto::data::stdio::Log;

use crate::JobShell;
use crate::limits::LOG_MESSAGE_BYTES_MAX;
use crate::messages::ShellMessage;
use crate::options::Remark;

/// Severity of a message, by its RFC 5424 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The job cannot go on.
    Fatal = 0,
    /// Something went wrong.
    Error = 3,
    /// Something may be wrong.
    Warn = 4,
    /// Shown to users without asking. Shown without a label.
    Notice = 5,
    /// Shown with `-o verbose`.
    Debug = 6,
    /// Shown with `-o verbose=2`.
    Trace = 7,
}

impl Level {
    /// True if a job with this `-o verbose` shows it.
    fn is_shown(self, verbose: i64) -> bool {
        self as i64 <= (Level::Notice as i64).saturating_add(verbose)
    }
}

/// Prefix of a message of this level.
fn label(level: i32) -> &'static str {
    match level {
        ..=2 => "FATAL: ",
        3 => "ERROR: ",
        4 => " WARN: ",
        5 => "",
        6 => "DEBUG: ",
        7.. => "TRACE: ",
    }
}

impl JobShell {
    /// Logs a message for the user. The component is the part of the shell that speaks, by
    /// the name that protocol/23 section 4 has for it; `None` for the shell as a whole.
    pub(crate) fn log(
        &mut self,
        cx: &mut Cx<Self>,
        level: Level,
        component: Option<&str>,
        message: &str,
    ) {
        self.log_at(cx, level, component, message, None);
    }

    /// The same, as a line of a script logs it.
    pub(crate) fn log_at(
        &mut self,
        cx: &mut Cx<Self>,
        level: Level,
        component: Option<&str>,
        message: &str,
        at: Option<(String, i64)>,
    ) {
        let given = self.job.as_ref().map_or(0, |job| job.options.verbose);
        let verbose = self.verbose.unwrap_or(given);
        if !level.is_shown(verbose) {
            return;
        }
        let message = shortened(message);
        let log = Log {
            level: level as i32,
            message,
            rank: Some(i64::from(self.place.rank)),
            component: component.map(str::to_owned),
            line: at.as_ref().map(|(_, line)| *line),
            file: at.map(|(file, _)| file),
            program: None,
        };
        self.send_log(cx, &log);
        self.write_log(cx, log);
    }

    /// Writes a log message of a shell: ours, or one that we lead.
    pub(crate) fn write_log(&mut self, cx: &mut Cx<Self>, log: Log) {
        if let Some(file) = self.output.log_file() {
            let line = line(&log);
            return self.write_file(cx, file, line.into());
        }
        match self.place.is_leader() {
            true => self.store.log(cx.now().wall, &log),
            false => self.send_to_leader(cx, &ShellMessage::Log(log)),
        }
    }

    /// Logs the remarks from reading the options.
    pub(crate) fn remark(&mut self, cx: &mut Cx<Self>, remarks: &[Remark]) {
        for remark in remarks {
            self.log(cx, remark.level, remark.component, &remark.text);
        }
    }

    /// Logs that a part of the shell did not fully do what was asked.
    pub(crate) fn warn(&mut self, cx: &mut Cx<Self>, component: &str, message: &str) {
        self.log(cx, Level::Warn, Some(component), message);
    }

    /// Logs information that the user has asked a part of the shell for.
    pub(crate) fn notice(&mut self, cx: &mut Cx<Self>, component: &str, message: &str) {
        self.log(cx, Level::Notice, Some(component), message);
    }

    /// Logs an action of a part of the shell, for users with `-o verbose`.
    pub(crate) fn debug(&mut self, cx: &mut Cx<Self>, component: &str, message: &str) {
        self.log(cx, Level::Debug, Some(component), message);
    }
}

/// Cuts a long message, which then ends with `+`.
fn shortened(message: &str) -> String {
    if message.len() <= LOG_MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let mut ends = (0..LOG_MESSAGE_BYTES_MAX).rev();
    let end = ends.find(|end| message.is_char_boundary(*end));
    format!("{}+", &message[..end.unwrap_or(0)])
}

/// The line that a file of standard error gets.
fn line(log: &Log) -> String {
    let component = log.component.as_ref().map(|name| format!("{name}: "));
    let component = component.unwrap_or_default();
    let (rank, label) = (log.rank.unwrap_or(0), label(log.level));
    format!("flux-shell[{rank}]: {label}{component}{}\n", log.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_shown_the_more_verbose_the_job_is() {
        let all = [
            Level::Fatal,
            Level::Error,
            Level::Warn,
            Level::Notice,
            Level::Debug,
            Level::Trace,
        ];
        for (verbose, last) in [
            (0, Level::Notice),
            (1, Level::Debug),
            (2, Level::Trace),
            (i64::MAX, Level::Trace),
            (-1, Level::Warn),
        ] {
            let mut shown = all.into_iter().filter(|level| level.is_shown(verbose));
            assert_eq!(shown.next_back(), Some(last), "{verbose}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let fits = "x".repeat(LOG_MESSAGE_BYTES_MAX);
        assert_eq!(shortened(&fits), fits);
        let cut = shortened(&"ƒ".repeat(LOG_MESSAGE_BYTES_MAX));
        assert!(cut.len() <= LOG_MESSAGE_BYTES_MAX && cut.ends_with("ƒ+"));
    }

    #[test]
    fn lines_of_a_file_have_label_and_component() {
        let check = |level, component: Option<&str>, expect: &str| {
            let log = Log {
                level: level as i32,
                message: "text".to_owned(),
                rank: Some(2),
                component: component.map(str::to_owned),
                file: None,
                line: None,
                program: None,
            };
            assert_eq!(line(&log), expect);
        };
        check(Level::Fatal, None, "flux-shell[2]: FATAL: text\n");
        check(
            Level::Warn,
            Some("pty"),
            "flux-shell[2]:  WARN: pty: text\n",
        );
        check(
            Level::Notice,
            Some("sysmon"),
            "flux-shell[2]: sysmon: text\n",
        );
    }
}
