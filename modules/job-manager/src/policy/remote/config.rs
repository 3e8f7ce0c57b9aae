//! Settings given when the policy is loaded: `service`, `points`, `timeout` and
//! `on-failure`.

use proto::data::{Fsd, JobId};
use serde_json::{Map, Value, json};

/// Settings of the site.
pub(super) struct Settings {
    /// The name of the module's service.
    pub service: String,
    /// The module is asked which jobs may be submitted.
    pub validates: bool,
    /// The module is asked for priorities.
    pub ranks: bool,
    /// Time limit of an answer.
    pub timeout: Fsd,
    /// A job for which there is no answer is accepted, and ranked by other policies.
    pub allows: bool,
}

const KEYS: [&str; 4] = ["service", "points", "timeout", "on-failure"];
const TIMEOUT: Fsd = Fsd::from_whole_secs(30);
/// Bytes of the name of a service.
const SERVICE_BYTES_MAX: usize = 64;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            service: "remote".to_owned(),
            validates: false,
            ranks: false,
            timeout: TIMEOUT,
            allows: false,
        }
    }
}

impl Settings {
    /// Reads them; an error names the key.
    pub fn read(conf: &Map<String, Value>) -> Result<Settings, String> {
        let is_unknown = |key: &&String| !KEYS.contains(&key.as_str());
        if let Some(key) = conf.keys().find(is_unknown) {
            return Err(format!("remote: {key}: unknown key"));
        }
        let service = conf.get("service").and_then(Value::as_str);
        let service = service.filter(|service| is_service(service));
        let service = service.ok_or("remote: service: must be the name of a module's service")?;
        let mut settings = Settings {
            service: service.to_owned(),
            ..Settings::default()
        };
        let points = conf.get("points").and_then(Value::as_array);
        for point in points.into_iter().flatten() {
            match point.as_str() {
                Some("validate") => settings.validates = true,
                Some("priority") => settings.ranks = true,
                _ => return Err(wrong_points()),
            }
        }
        if !settings.validates && !settings.ranks {
            return Err(wrong_points());
        }
        if let Some(timeout) = conf.get("timeout") {
            let timeout = seconds(timeout);
            settings.timeout =
                timeout.ok_or_else(|| wrong("timeout", "a duration of more than 0"))?;
        }
        match conf.get("on-failure").map(Value::as_str) {
            None | Some(Some("refuse")) => {}
            Some(Some("allow")) => settings.allows = true,
            Some(_) => return Err(wrong("on-failure", "refuse or allow")),
        }
        Ok(settings)
    }

    /// The jobs that are refused because nothing was said of them.
    pub fn on_failure(&self, ids: impl Iterator<Item = JobId>, text: &str) -> Vec<(JobId, String)> {
        match self.allows {
            true => Vec::new(),
            false => ids.map(|id| (id, text.to_owned())).collect(),
        }
    }

    /// As they are shown.
    pub fn shown(&self) -> Map<String, Value> {
        let points = [("validate", self.validates), ("priority", self.ranks)];
        let points = points.into_iter().filter(|(_, is_asked)| *is_asked);
        let points: Vec<&str> = points.map(|(point, _)| point).collect();
        Map::from_iter([
            ("points".to_owned(), json!(points)),
            ("timeout".to_owned(), json!(self.timeout.secs())),
            (
                "on-failure".to_owned(),
                json!(if self.allows { "allow" } else { "refuse" }),
            ),
        ])
    }
}

/// True if a text may be the name of a service: one word of a topic, and not our own.
fn is_service(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=SERVICE_BYTES_MAX).contains(&name.len())
        && name.chars().all(is_word)
        && name != "job-manager"
}

fn seconds(value: &Value) -> Option<Fsd> {
    let fsd = match value {
        Value::String(text) => text.parse().ok(),
        value => Fsd::from_secs(value.as_f64()?).ok(),
    };
    fsd.filter(|fsd| *fsd > Fsd::ZERO && !fsd.is_infinite())
}

fn wrong_points() -> String {
    wrong("points", "an array of validate or priority, or both")
}

fn wrong(key: &str, must_be: &str) -> String {
    format!("remote: {key}: must be {must_be}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(conf: Value, expect: &str) {
        let read = Settings::read(conf.as_object().unwrap());
        let read = read.map(|it| Value::Object(it.shown()).to_string());
        assert_eq!(read.unwrap_or_else(|text| text), expect, "{conf}");
    }

    #[test]
    fn settings_are_read_or_refused_by_their_name() {
        check(
            json!({"service": "x", "points": ["validate"]}),
            r#"{"points":["validate"],"timeout":30.0,"on-failure":"refuse"}"#,
        );
        check(
            json!({"service": "x", "points": ["priority", "validate"], "timeout": "1m", "on-failure": "allow"}),
            r#"{"points":["validate","priority"],"timeout":60.0,"on-failure":"allow"}"#,
        );
        let service = "remote: service: must be the name of a module's service";
        for name in [
            json!("a.b"),
            json!(""),
            json!(7),
            json!("job-manager"),
            json!("x".repeat(65)),
        ] {
            check(json!({"service": name, "points": ["validate"]}), service);
        }
        check(json!({}), service);
        let with = |key: &str, value: Value| {
            let mut conf = json!({"service": "x", "points": ["validate"]});
            conf[key] = value;
            conf
        };
        check(with("foo", json!(1)), "remote: foo: unknown key");
        let points = "remote: points: must be an array of validate or priority, or both";
        for value in [json!([]), json!("validate"), json!(["depend"]), json!([1])] {
            check(with("points", value), points);
        }
        let timeout = "remote: timeout: must be a duration of more than 0";
        for value in [json!(0), json!(-1), json!("soon"), json!("inf"), json!([])] {
            check(with("timeout", value), timeout);
        }
        let word = "remote: on-failure: must be refuse or allow";
        check(with("on-failure", json!("wait")), word);
        check(with("on-failure", json!(true)), word);
    }
}
