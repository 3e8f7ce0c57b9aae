//! Messages of the shells of a job to its leading shell. job-exec carries them unread.

use proto::RawJson;
use proto::data::job::WaitStatus;
use proto::data::stdio::{Data, Log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One word of a following shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShellMessage {
    /// A task wrote something, or closed a stream, whose place is with the leading shell.
    Data(Data),
    /// The shell has a log message itself.
    Log(Log),
    /// The first of its tasks has ended.
    Exit(TaskExit),
    /// There is more to send than these messages. The last of them.
    More,
    /// All of its tasks have ended, and nothing more follows.
    Complete,
}

/// Exit of a task (protocol/23 section 6, `task.info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskExit {
    /// Place on its node.
    pub localid: u32,
    /// Rank in the job.
    pub rank: u32,
    /// Process id there.
    pub pid: i32,
    /// The wait status.
    pub status: i32,
}

impl ShellMessage {
    /// The word as it travels. Every word can be written.
    pub fn encode(&self) -> Option<RawJson> {
        RawJson::of(self).ok()
    }
}

impl TaskExit {
    /// Exit status.
    pub fn status(&self) -> WaitStatus {
        WaitStatus(self.status)
    }

    /// The context of event `shell.task-exit`.
    pub fn context(&self) -> Value {
        let status = self.status();
        json!({
            "localid": self.localid,
            "rank": self.rank,
            "state": "Exited",
            "pid": self.pid,
            "wait_status": self.status,
            "signaled": status.signal().unwrap_or(0),
            "exitcode": status.exit_code().unwrap_or(-1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_travel_and_come_back() {
        let exit = TaskExit {
            localid: 1,
            rank: 5,
            pid: 77,
            status: 256,
        };
        for (word, text) in [
            (ShellMessage::Complete, r#""complete""#),
            (ShellMessage::More, r#""more""#),
            (
                ShellMessage::Exit(exit),
                r#"{"exit":{"localid":1,"rank":5,"pid":77,"status":256}}"#,
            ),
            (
                ShellMessage::Data(Data::new("stdout", "5", Some(b"a\n"), false)),
                r#"{"data":{"stream":"stdout","rank":"5","data":"a\n"}}"#,
            ),
        ] {
            let raw = word.encode().unwrap();
            assert_eq!(raw.as_str(), text);
            assert_eq!(raw.parse::<ShellMessage>().unwrap(), word);
        }
    }
}
