//! Simulated execution: the settings of a job under `attributes.system.exec` (protocol/13
//! section 7). Pure.

use std::time::Duration;

use proto::data::Fsd;
use serde_json::Value;

/// A job that only pretends to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mock {
    /// Simulated run time; `None` if the finish is ordered.
    pub run_duration: Option<Duration>,
    /// The wait status.
    pub wait_status: i32,
    /// Fails before it starts.
    pub fails_at_init: bool,
    /// Fails once it runs.
    pub fails_at_run: bool,
    /// Starts and finishes only by order.
    pub is_override: bool,
    /// Ends as soon as it is found again after a restart.
    pub reattach_finish: bool,
}

/// A fault that a real job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Before its shell is started.
    Init,
    /// While its shell is started.
    Starting,
}

impl Mock {
    /// The simulation requested by a jobspec, or the reason for refusing it.
    pub fn of(jobspec: &Value) -> Option<Result<Mock, String>> {
        let test = jobspec.pointer("/attributes/system/exec/test")?;
        Some(Mock::read(test, jobspec))
    }

    /// True if it ends within this time, as far as is known.
    pub fn is_over_within(&self, time: Duration) -> bool {
        let is_plain = !self.is_override && !self.fails_at_init && !self.fails_at_run;
        is_plain && self.run_duration.is_some_and(|own| own <= time)
    }

    fn read(test: &Value, jobspec: &Value) -> Result<Mock, String> {
        if !test.is_object() {
            return Err("attributes.system.exec.test: not an object".to_owned());
        }
        let int = |key: &str| match test.get(key) {
            None => Ok(0),
            Some(value) => value
                .as_i64()
                .or_else(|| value.as_bool().map(i64::from))
                .ok_or_else(|| format!("attributes.system.exec.test.{key}: not an integer")),
        };
        let exception = test.get("mock_exception").and_then(Value::as_str);
        let is_override = int("override")? != 0;
        Ok(Mock {
            run_duration: match is_override {
                true => None,
                false => Some(duration(test, jobspec)?),
            },
            wait_status: i32::try_from(int("wait_status")?)
                .map_err(|_| "attributes.system.exec.test.wait_status: out of range".to_owned())?,
            fails_at_init: exception == Some("init"),
            fails_at_run: exception == Some("run"),
            is_override,
            reattach_finish: int("reattach_finish")? != 0,
        })
    }
}

/// The time to run: its own, or the job's, or none at all.
fn duration(test: &Value, jobspec: &Value) -> Result<Duration, String> {
    let own = test.get("run_duration");
    let asked = own.or_else(|| jobspec.pointer("/attributes/system/duration"));
    let Some(value) = asked else {
        return Ok(Duration::ZERO);
    };
    let fsd: Fsd = serde_json::from_value(value.clone())
        .map_err(|_| "attributes.system.exec.test.run_duration: invalid FSD".to_owned())?;
    // Longer than the clock can count is as good as for ever.
    Ok(Duration::try_from_secs_f64(fsd.secs()).unwrap_or(Duration::from_secs(u64::from(u32::MAX))))
}

impl Fault {
    /// The fault that a jobspec asks for.
    pub fn of(jobspec: &Value) -> Option<Fault> {
        match jobspec
            .pointer("/attributes/system/exec/bulkexec/mock_exception")?
            .as_str()?
        {
            "init" => Some(Fault::Init),
            "starting" => Some(Fault::Starting),
            _ => None,
        }
    }

    /// The note of the exception.
    pub fn note(self) -> &'static str {
        match self {
            Fault::Init => "mock initialization exception generated",
            Fault::Starting => "mock starting exception generated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a jobspec with this `exec` table and duration; prints the resulting
    /// settings.
    fn check(exec: &str, duration: &str, expect: &str) {
        let text =
            format!(r#"{{"attributes":{{"system":{{"duration":{duration},"exec":{exec}}}}}}}"#);
        let jobspec: Value = serde_json::from_str(&text).unwrap();
        let outcome = match Mock::of(&jobspec) {
            None => format!("{:?}", Fault::of(&jobspec)),
            Some(Err(why)) => why,
            Some(Ok(mock)) => format!(
                "{:?} {} init={} run={} override={}",
                mock.run_duration,
                mock.wait_status,
                mock.fails_at_init,
                mock.fails_at_run,
                mock.is_override
            ),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn a_simulation_runs_its_own_time_or_the_jobs() {
        check(
            r#"{"test":{}}"#,
            "0",
            "Some(0ns) 0 init=false run=false override=false",
        );
        check(
            r#"{"test":{}}"#,
            "2.5",
            "Some(2.5s) 0 init=false run=false override=false",
        );
        check(
            r#"{"test":{"run_duration":"1ms","wait_status":256}}"#,
            "60",
            "Some(1ms) 256 init=false run=false override=false",
        );
    }

    #[test]
    fn a_simulation_may_fail_or_wait_for_a_word() {
        check(
            r#"{"test":{"mock_exception":"run"}}"#,
            "0",
            "Some(0ns) 0 init=false run=true override=false",
        );
        check(
            r#"{"test":{"override":1}}"#,
            "9",
            "None 0 init=false run=false override=true",
        );
    }

    #[test]
    fn a_malformed_simulation_says_so() {
        check(
            r#"{"test":{"run_duration":"soon"}}"#,
            "0",
            "attributes.system.exec.test.run_duration: invalid FSD",
        );
        check(
            r#"{"test":{"wait_status":"x"}}"#,
            "0",
            "attributes.system.exec.test.wait_status: not an integer",
        );
    }

    #[test]
    fn a_real_job_may_ask_for_a_fault() {
        check(
            r#"{"bulkexec":{"mock_exception":"starting"}}"#,
            "0",
            "Some(Starting)",
        );
        check("{}", "0", "None");
    }
}
