//! One job with its attributes from job-list, and values computed from them (protocol/12
//! section 3, protocol/14 section 4.2).

use proto::data::Fsd;
use proto::data::JobId;
use proto::data::job::{JobResult, State, WaitStatus, signal_description};
use serde::Deserialize;
use serde_json::Value;

use super::instance::Instance;

/// The attributes that were asked for; those of the job that are not set are `None`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Job {
    pub id: JobId,
    pub userid: Option<u32>,
    pub urgency: Option<i64>,
    pub priority: Option<i64>,
    pub t_submit: Option<f64>,
    pub t_depend: Option<f64>,
    pub t_priority: Option<f64>,
    pub t_sched: Option<f64>,
    pub t_run: Option<f64>,
    pub t_cleanup: Option<f64>,
    pub t_inactive: Option<f64>,
    pub state: Option<u32>,
    pub name: Option<String>,
    pub cwd: Option<String>,
    pub queue: Option<String>,
    pub project: Option<String>,
    pub bank: Option<String>,
    pub ntasks: Option<i64>,
    pub ncores: Option<i64>,
    pub duration: Option<f64>,
    pub nnodes: Option<i64>,
    pub ranks: Option<String>,
    pub nodelist: Option<String>,
    pub success: Option<bool>,
    pub exception_occurred: Option<bool>,
    pub exception_type: Option<String>,
    pub exception_severity: Option<i64>,
    pub exception_note: Option<String>,
    pub result: Option<u32>,
    pub expiration: Option<f64>,
    pub annotations: Option<Value>,
    pub waitstatus: Option<i32>,
    pub dependencies: Option<Vec<String>>,
    /// Data of the instance that it is, if shown.
    #[serde(skip)]
    pub instance: Option<Box<Instance>>,
}

/// Return codes that are no exit codes.
const CANCELED_CODE: i64 = -128;
const FAILED_CODE: i64 = 1;

impl Job {
    /// From an object of job-list; attributes that make no sense are not set.
    pub fn of_object(object: &serde_json::Map<String, Value>) -> Job {
        serde_json::from_value(Value::Object(object.clone())).unwrap_or_default()
    }

    /// State of the job.
    pub fn state(&self) -> Option<State> {
        State::from_bit(self.state?)
    }

    /// Result of the job.
    pub fn result(&self) -> Option<JobResult> {
        JobResult::from_bit(self.result?)
    }

    /// Where the instance is that it runs, if it does.
    pub fn running_uri(&self) -> Option<&str> {
        let is_running = self.state() == Some(State::Run);
        let uri = self.annotation("user.uri").filter(|_| is_running);
        uri?.as_str()
    }

    /// The state, or of an inactive job the result.
    pub fn status(&self) -> &'static str {
        match (self.state(), self.result()) {
            (Some(State::Inactive), Some(result)) => result.name(),
            (Some(state), _) => state.name(),
            (None, _) => "",
        }
    }

    /// The same in one or two letters.
    pub fn status_abbrev(&self) -> &'static str {
        match (self.state(), self.result()) {
            (Some(State::Inactive), Some(result)) => result.short_name(),
            (Some(state), _) => state.short_name(),
            (None, _) => "",
        }
    }

    /// The same as a picture.
    pub fn status_emoji(&self) -> &'static str {
        match (self.state(), self.result()) {
            (Some(State::Inactive), Some(JobResult::Completed)) => "😀",
            (Some(State::Inactive), Some(JobResult::Failed)) => "😭",
            (Some(State::Inactive), Some(JobResult::Canceled)) => "💔",
            (Some(State::Inactive), Some(JobResult::Timeout)) => "⌛",
            (Some(state), _) => state_emoji(state),
            (None, _) => "",
        }
    }

    /// Terminal colour of its line; empty for the default.
    pub fn colour(&self) -> &'static str {
        match (self.state(), self.result()) {
            (Some(State::Inactive), Some(JobResult::Completed)) => "\x1b[32m",
            (Some(State::Inactive), Some(JobResult::Failed | JobResult::Timeout)) => "\x1b[31m",
            (Some(State::Inactive), Some(JobResult::Canceled)) => "\x1b[90m",
            (Some(State::Run | State::Cleanup), _) => "\x1b[1m",
            _ => "",
        }
    }

    /// The state as a picture.
    pub fn state_emoji(&self) -> &'static str {
        self.state().map_or("", state_emoji)
    }

    /// Seconds it has run, or did.
    pub fn runtime(&self, now: f64) -> f64 {
        match (self.t_run, self.t_cleanup) {
            (Some(start), Some(end)) if end > 0.0 => (end - start).max(0.0),
            (Some(start), _) if start > 0.0 => (now - start).max(0.0),
            _ => 0.0,
        }
    }

    /// Seconds it may still run; `None` when it does not run or has no limit.
    pub fn t_remaining(&self, now: f64) -> Option<f64> {
        let is_running = matches!(self.state(), Some(State::Run | State::Cleanup));
        let expiration = self.expiration.filter(|end| is_running && *end > 0.0)?;
        Some((expiration - now).max(0.0))
    }

    /// The run time, or its time limit if it does not run yet.
    pub fn contextual_time(&self, now: f64) -> f64 {
        match self.state() {
            Some(State::New | State::Depend | State::Priority | State::Sched) => {
                self.duration.unwrap_or(0.0)
            }
            _ => self.runtime(now),
        }
    }

    /// Most relevant information: the reason for waiting, or the nodes it runs on.
    pub fn contextual_info(&self, now: f64) -> String {
        match self.state() {
            Some(State::Priority) => "priority-wait".to_owned(),
            Some(State::Depend) => {
                format!("depends:{}", self.dependencies().join(","))
            }
            Some(State::Sched) if self.urgency == Some(0) => "held".to_owned(),
            Some(State::Sched) if self.priority == Some(0) => "priority-hold".to_owned(),
            Some(State::Sched) => self.eta(now).unwrap_or_default(),
            _ => self.nodelist.clone().unwrap_or_default(),
        }
    }

    fn eta(&self, now: f64) -> Option<String> {
        let estimate = self.annotation("sched.t_estimate")?.as_f64()?;
        let left = Fsd::from_secs(estimate - now).unwrap_or(Fsd::ZERO);
        Some(match left.secs() < 1.0 {
            true => "eta:now".to_owned(),
            false => format!("eta:{}", left.to_listing()),
        })
    }

    /// Outstanding dependencies.
    pub fn dependencies(&self) -> &[String] {
        self.dependencies.as_deref().unwrap_or_default()
    }

    /// A note of the scheduler or of users by its dotted path.
    pub fn annotation(&self, path: &str) -> Option<&Value> {
        proto::data::dotted::get(self.annotations.as_ref()?.as_object()?, path)
    }

    /// The exit code, minus the signal, or the code for neither.
    pub fn returncode(&self) -> Option<i64> {
        if self.state()? != State::Inactive {
            return None;
        }
        match self.waitstatus.map(WaitStatus) {
            Some(status) => Some(match (status.exit_code(), status.signal()) {
                (Some(code), _) => i64::from(code),
                (None, Some(signal)) => -i64::from(signal),
                (None, None) => FAILED_CODE,
            }),
            None if self.result() == Some(JobResult::Canceled) => Some(CANCELED_CODE),
            None => Some(FAILED_CODE),
        }
    }

    /// Reason for its end.
    pub fn inactive_reason(&self) -> String {
        if self.state() != Some(State::Inactive) {
            return String::new();
        }
        let note = self.exception_note.as_deref().unwrap_or_default();
        match self.result() {
            Some(JobResult::Canceled) if note.is_empty() => return "Canceled".to_owned(),
            Some(JobResult::Canceled) => return format!("Canceled: {note}"),
            Some(JobResult::Timeout) => return "Timeout".to_owned(),
            _ => {}
        }
        if self.exception_occurred == Some(true) && self.exception_severity == Some(0) {
            let kind = self.exception_type.as_deref().unwrap_or_default();
            return match note.is_empty() {
                true => format!("Exception: type={kind}"),
                false => format!("Exception: type={kind} note={note}"),
            };
        }
        self.waitstatus
            .map(WaitStatus)
            .map_or_else(String::new, end)
    }
}

/// End of a job that was not ended by an exception.
fn end(status: WaitStatus) -> String {
    match status.shell_code() {
        126 => "Command invoked cannot execute".to_owned(),
        127 => "command not found".to_owned(),
        128 => "Invalid argument to exit".to_owned(),
        code if code > 128 => signal_description(code - 128).into_owned(),
        code => format!("Exit {code}"),
    }
}

fn state_emoji(state: State) -> &'static str {
    match state {
        State::New => "📄",
        State::Depend => "🔗",
        State::Priority => "🕔",
        State::Sched => "📅",
        State::Run => "🏃",
        State::Cleanup => "🧹",
        State::Inactive => "💤",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(json: &str) -> Job {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_reason_of_the_end_is_a_sentence() {
        for (json, expect) in [
            (r#""result":1,"waitstatus":0"#, "Exit 0"),
            (r#""result":2,"waitstatus":256"#, "Exit 1"),
            (r#""result":2,"waitstatus":32512"#, "command not found"),
            (r#""result":2,"waitstatus":35584"#, "Segmentation fault"),
            (r#""result":4"#, "Canceled"),
            (r#""result":4,"exception_note":"no""#, "Canceled: no"),
            (r#""result":8"#, "Timeout"),
            (
                r#""result":2,"exception_occurred":true,"exception_severity":0,"exception_type":"exec","exception_note":"x""#,
                "Exception: type=exec note=x",
            ),
        ] {
            let job = job(&format!(r#"{{"id":1,"state":64,{json}}}"#));
            assert_eq!(job.inactive_reason(), expect, "{json}");
        }
    }

    #[test]
    fn codes_tell_signals_and_what_never_ran() {
        for (json, expect) in [
            (r#""state":16"#, None),
            (r#""state":64,"result":2,"waitstatus":512"#, Some(2)),
            (r#""state":64,"result":2,"waitstatus":9"#, Some(-9)),
            (r#""state":64,"result":4"#, Some(-128)),
            (r#""state":64,"result":2"#, Some(1)),
        ] {
            let job = job(&format!(r#"{{"id":1,{json}}}"#));
            assert_eq!(job.returncode(), expect, "{json}");
        }
    }

    #[test]
    fn pending_jobs_say_why_they_wait() {
        for (json, expect) in [
            (r#""state":4"#, "priority-wait"),
            (r#""state":2,"dependencies":["a","b"]"#, "depends:a,b"),
            (r#""state":8,"urgency":0,"priority":0"#, "held"),
            (r#""state":8,"urgency":16,"priority":0"#, "priority-hold"),
            (
                r#""state":8,"annotations":{"sched":{"t_estimate":160.0}}"#,
                "eta:1m",
            ),
            (
                r#""state":8,"annotations":{"sched":{"t_estimate":1}}"#,
                "eta:now",
            ),
            (r#""state":8"#, ""),
            (r#""state":16,"nodelist":"n1""#, "n1"),
        ] {
            let job = job(&format!(r#"{{"id":1,{json}}}"#));
            assert_eq!(job.contextual_info(100.0), expect, "{json}");
        }
    }

    #[test]
    fn times_depend_on_where_the_job_is() {
        let running = job(r#"{"id":1,"state":16,"t_run":90.0,"expiration":130.0,"duration":40.0}"#);
        assert_eq!(running.contextual_time(100.0), 10.0);
        assert_eq!(running.t_remaining(100.0), Some(30.0));
        let over = job(r#"{"id":1,"state":64,"t_run":90.0,"t_cleanup":95.0}"#);
        assert_eq!(over.contextual_time(100.0), 5.0);
        assert_eq!(over.t_remaining(100.0), None);
        let waiting = job(r#"{"id":1,"state":8,"duration":40.0}"#);
        assert_eq!(waiting.contextual_time(100.0), 40.0);
    }
}
