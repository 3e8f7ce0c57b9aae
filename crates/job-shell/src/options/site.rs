//! Options `stage-in`, `hwloc` and `sysmon` (protocol/23 section 13).

use std::time::Duration;

use proto::data::shell_option as option;
use serde_json::{Map, Value};

use super::fsd;
use super::reader::{Failure, Problem, Reader};
use crate::log::Level;

/// Archives whose files a job gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageIn {
    /// The names.
    pub names: Vec<String>,
    /// Only files whose path matches.
    pub pattern: Option<String>,
    /// Destination directory; `None` for the job's temporary directory.
    pub destination: Option<String>,
    /// Only the leading shell gets them: all shells see the same directory.
    pub is_global: bool,
}

/// True if tasks get a topology file, and the part that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hwloc {
    /// There is to be a file.
    pub xmlfile: bool,
    /// With the processors of the job only.
    pub restrict: bool,
}

/// Report of the memory and time used by a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sysmon {
    /// Interval of reports while the job runs; `None` for each heartbeat of the instance.
    pub period: Option<Duration>,
}

/// The archive that is staged when none is named.
const MAIN: &str = "main";

/// Reads `stage-in`. Any value but a mapping asks for the default.
pub fn stage_in(reader: &mut Reader) -> Result<Option<StageIn>, Problem> {
    let nothing = Map::new();
    let section = match reader.value(option::STAGE_IN) {
        None => return Ok(None),
        Some(Value::Object(section)) => section,
        Some(_) => &nothing,
    };
    let malformed = "Error parsing stage_in shell option";
    let keys = ["names", "tags", "pattern", "destination"];
    if section.keys().any(|key| !keys.contains(&key.as_str())) {
        return Err(malformed.into());
    }
    let mut texts = [None; 4];
    for (text, key) in texts.iter_mut().zip(keys) {
        *text = match section.get(key) {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_str().ok_or(malformed)?),
        };
    }
    let [mut names, tags, pattern, destination] = texts;
    if let Some(tags) = tags {
        let text = "Setting stage-in.names to the value of deprecated option stage-in.tags.";
        reader.warn("stage-in", text);
        names = Some(tags);
    }
    let names = names.unwrap_or(MAIN).split(',');
    let (destination, is_global) = match destination.and_then(|it| it.split_once(':')) {
        None => (destination, false),
        Some(("local", folder)) => (Some(folder), false),
        Some(("global", folder)) => (Some(folder), true),
        Some(_) => return Err("destination prefix must be local: or global:".into()),
    };
    Ok(Some(StageIn {
        names: names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        pattern: pattern.map(str::to_owned),
        destination: destination.map(str::to_owned),
        is_global,
    }))
}

/// Reads `hwloc`.
pub fn hwloc(reader: &mut Reader) -> Hwloc {
    let mut is_on = |row| Some(reader.int(row).ok()?.unwrap_or(0) != 0);
    let read = is_on(option::HWLOC_XMLFILE).zip(is_on(option::HWLOC_RESTRICT));
    let Some((xmlfile, restrict)) = read.filter(|_| reader.section("hwloc").is_ok()) else {
        reader.remark(Level::Error, Some(HWLOC), "failed to unpack hwloc options");
        reader.give_up(hwloc_failed());
        return Hwloc::default();
    };
    Hwloc { xmlfile, restrict }
}

/// The part of the shell that passes the topology to tasks.
pub const HWLOC: &str = "hwloc";

/// The end of a job whose topology cannot be described.
pub fn hwloc_failed() -> Failure {
    Failure {
        remarks: vec![super::Remark {
            level: Level::Error,
            component: None,
            text: "plugin 'hwloc': shell.post-init failed".to_owned(),
        }],
        component: None,
        fatal: "shell_post_init".to_owned(),
    }
}

/// Reads `sysmon`. Any value but a mapping asks for the default.
pub fn sysmon(reader: &mut Reader) -> Result<Option<Sysmon>, Problem> {
    let section = match reader.value(option::SYSMON) {
        None => return Ok(None),
        Some(Value::Object(section)) => section,
        Some(_) => return Ok(Some(Sysmon::default())),
    };
    if let Some(other) = reader.strict("sysmon", &["period"])? {
        return Err(format!("option parse error: {other}").into());
    }
    let period = section.get("period").filter(|value| !value.is_null());
    let period = period.map(|value| {
        let period = fsd(value).filter(|period| !period.is_zero() && *period < Duration::MAX);
        period.ok_or("sysmon.period is not a valid FSD")
    });
    Ok(Some(Sysmon {
        period: period.transpose()?,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, expect: Result<[&str; 3], &str>) {
        let options = json!({ "stage-in": value });
        let mut reader = Reader::new(options.as_object().unwrap());
        let read = stage_in(&mut reader).map(Option::unwrap);
        let shown = read.map(|it| {
            let prefix = if it.is_global { "global:" } else { "" };
            let destination = it.destination.unwrap_or_default();
            [
                it.names.join(" "),
                it.pattern.unwrap_or_default(),
                format!("{prefix}{destination}"),
            ]
        });
        let expect = expect.map(|it| it.map(str::to_owned));
        assert_eq!(shown, expect.map_err(Problem::from), "{value}");
    }

    #[test]
    fn archives_are_named_and_go_somewhere() {
        check(json!(1), Ok(["main", "", ""]));
        check(json!({}), Ok(["main", "", ""]));
        check(json!({"names": "a,,b"}), Ok(["a b", "", ""]));
        check(json!({"tags": "old"}), Ok(["old", "", ""]));
        let all = json!({"names": "a", "pattern": "*.c", "destination": "global:/x:y"});
        check(all, Ok(["a", "*.c", "global:/x:y"]));
        check(json!({"destination": "local:d"}), Ok(["main", "", "d"]));
        check(json!({"destination": "/d"}), Ok(["main", "", "/d"]));
        let prefix = "destination prefix must be local: or global:";
        check(json!({"destination": "wrong:/x"}), Err(prefix));
        let malformed = "Error parsing stage_in shell option";
        check(json!({"badopt": 1}), Err(malformed));
        check(json!({"names": 1}), Err(malformed));
    }
}
