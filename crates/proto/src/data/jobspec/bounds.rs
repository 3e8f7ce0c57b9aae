//! Bounds of a submission: numbers that no instance could ever satisfy, and attributes of
//! a type that their readers do not expect. Checked after the rules of `validate.rs`.

use serde_json::{Map, Value};

use super::nesting::check_nesting;
use super::validate::{Check, ensure, invalid};
use super::{CountError, Counts, Jobspec};
use crate::data::array::ArraySpec;
use crate::data::limits::{
    JOBSPEC_COUNT_MAX, JOBSPEC_DEPENDENCIES_MAX, JOBSPEC_DURATION_S_MAX,
    JOBSPEC_ENVIRONMENT_BYTES_MAX, JOBSPEC_FILES_MAX,
};
use crate::data::{job_attribute, shell_option};

/// The largest `st_mode`: a type of file and its permissions.
const FILE_MODE_MAX: u64 = 0o177_777;

impl Jobspec {
    /// Checks attributes that a shell relies on: a job that was not validated fails by this
    /// check only.
    pub fn check_attributes(&self) -> Check {
        job_attribute::check_shapes(self).map_err(invalid)?;
        let files = self.system("files").and_then(Value::as_object);
        files.map_or(Ok(()), check_files)?;
        self.environment().map_or(Ok(()), check_environment)
    }

    /// Refuses settings that this version would ignore, among attributes and shell options,
    /// and an array that could not run.
    pub fn check_supported(&self) -> Check {
        job_attribute::check_supported(self).map_err(invalid)?;
        let options = self.system("shell.options").and_then(Value::as_object);
        options.map_or(Ok(()), |options| {
            shell_option::check_supported(options).map_err(invalid)?;
            ArraySpec::read(options).map(drop).map_err(invalid)
        })
    }

    /// Checks all bounds.
    pub(super) fn check_bounds(&self, resources: &[Value], tasks: &[Value]) -> Check {
        check_nesting(resources, tasks)?;
        let mut labels = Vec::new();
        check_vertices(resources, &mut labels)?;
        for task in tasks {
            check_task(task, &labels)?;
        }
        self.check_totals()?;
        at_most(
            "attributes.system.duration",
            self.duration(),
            JOBSPEC_DURATION_S_MAX,
        )?;
        self.check_attributes()?;
        self.check_supported()?;
        let n_files = self.system("files").and_then(Value::as_object);
        for (path, n, max) in [
            (
                "dependencies",
                self.dependencies().len(),
                JOBSPEC_DEPENDENCIES_MAX,
            ),
            ("files", n_files.map_or(0, Map::len), JOBSPEC_FILES_MAX),
        ] {
            let text = format!("attributes.system.{path} must have <= {max} entries");
            ensure(n <= max, &text)?;
        }
        Ok(())
    }

    /// The products of the counts. Other uncountable requests are left to the scheduler,
    /// which has the error texts for them.
    fn check_totals(&self) -> Check {
        let total =
            |what: &str, n: u64| at_most(&format!("total {what} count"), n, JOBSPEC_COUNT_MAX);
        let check = |counts: Counts| {
            total("node", counts.nnodes)?;
            total("slot", counts.nslots)?;
            total("core", counts.ncores())?;
            total("gpu", counts.ngpus())
        };
        match self.counts() {
            Ok(counts) => check(counts)?,
            Err(CountError::TooLarge) => total("resource", u64::MAX)?,
            Err(_) => return Ok(()),
        }
        match self.ntasks() {
            Ok(ntasks) => total("task", ntasks),
            Err(CountError::TooLarge) => total("task", u64::MAX),
            Err(_) => Ok(()),
        }
    }
}

/// Refuses a number above `max`.
fn at_most<N: PartialOrd + std::fmt::Display>(what: &str, number: N, max: N) -> Check {
    match number <= max {
        true => Ok(()),
        false => Err(invalid(format!("{what} must be <= {max}"))),
    }
}

/// Checks the counts of resources, and gathers the labels of slots.
fn check_vertices<'a>(vertices: &'a [Value], labels: &mut Vec<&'a str>) -> Check {
    for vertex in vertices {
        let text = |key: &str| vertex.get(key).and_then(Value::as_str);
        let kind = text("type").unwrap_or_default();
        // Beyond what fits is beyond the bound.
        let count = vertex.get("count").and_then(Value::as_u64);
        let what = format!("resource count for type '{kind}'");
        at_most(&what, count.unwrap_or(u64::MAX), JOBSPEC_COUNT_MAX)?;
        if kind == "slot" {
            labels.extend(text("label"));
        }
        if let Some(Value::Array(with)) = vertex.get("with") {
            check_vertices(with, labels)?;
        }
    }
    Ok(())
}

fn check_task(task: &Value, labels: &[&str]) -> Check {
    let slot = task.get("slot").and_then(Value::as_str).unwrap_or_default();
    if !labels.contains(&slot) {
        return Err(invalid(format!(
            "task slot '{slot}' is not the label of a slot"
        )));
    }
    for key in ["per_slot", "total"] {
        let count = task.get("count").and_then(|count| count.get(key)?.as_u64());
        at_most(
            &format!("count {key}"),
            count.unwrap_or(0),
            JOBSPEC_COUNT_MAX,
        )?;
    }
    Ok(())
}

/// Checks the parts of each file (RFC 37).
fn check_files(files: &Map<String, Value>) -> Check {
    for (name, file) in files {
        let must = |key: &str, what: &str| {
            invalid(format!(
                "attributes.system.files.{name}{key} must be {what}"
            ))
        };
        let file = file.as_object().ok_or_else(|| must("", "a mapping"))?;
        let mode = file.get("mode").map(Value::as_u64);
        if mode.is_some_and(|mode| mode.is_none_or(|mode| mode > FILE_MODE_MAX)) {
            return Err(must(".mode", "a file mode"));
        }
        match file.get("encoding").map(Value::as_str) {
            None => {}
            Some(Some("utf-8" | "base64")) if file.get("data").is_some_and(Value::is_string) => {}
            Some(Some("utf-8" | "base64")) => return Err(must(".data", "a string")),
            Some(_) => return Err(must(".encoding", "utf-8 or base64")),
        }
    }
    Ok(())
}

fn check_environment(environment: &Map<String, Value>) -> Check {
    let mut bytes = 0;
    for (name, value) in environment {
        bytes += name.len() + value.as_str().map_or(0, str::len);
        if !value.is_string() && !value.is_null() {
            let text = format!("attributes.system.environment.{name} must be a string");
            return Err(invalid(text));
        }
    }
    let text =
        format!("attributes.system.environment must be <= {JOBSPEC_ENVIRONMENT_BYTES_MAX} bytes");
    ensure(bytes <= JOBSPEC_ENVIRONMENT_BYTES_MAX, &text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MAX: u64 = JOBSPEC_COUNT_MAX;

    /// A valid jobspec with values at JSON pointers replaced.
    fn check(changes: &[(&str, Value)], expect: &str) {
        let mut jobspec = json!({
            "resources": [{"type": "node", "count": 1, "with": [
                {"type": "slot", "count": 1, "label": "task", "with": [
                    {"type": "core", "count": 1}, {"type": "gpu", "count": 1}]}]}],
            "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
            "attributes": {"system": {"duration": 0, "cwd": "/", "environment": {"A": "b"},
                "queue": "q", "dependencies": [], "files": {}, "job": {"name": "n"},
                "shell": {"options": {"per-resource": {"type": "node", "count": 1}}}}},
            "version": 1
        });
        for (pointer, value) in changes {
            *jobspec.pointer_mut(pointer).unwrap() = value.clone();
        }
        let jobspec = Jobspec::from_object(jobspec.as_object().unwrap().clone());
        let outcome = jobspec
            .validate()
            .map_or_else(|e| e.to_string(), |()| "ok".to_owned());
        assert_eq!(outcome, expect, "{changes:?}");
    }

    const NODE: &str = "/resources/0/count";
    const SLOT: &str = "/resources/0/with/0/count";
    const CORE: &str = "/resources/0/with/0/with/0/count";
    const GPU: &str = "/resources/0/with/0/with/1/count";
    const TASKS: &str = "/tasks/0/count";
    const SYSTEM: &str = "/attributes/system";

    #[test]
    fn every_number_has_its_bound() {
        let beyond = [MAX + 1, 1 << 32, 1 << 63, u64::MAX];
        for (pointer, kind) in [(NODE, "node"), (SLOT, "slot"), (CORE, "core"), (GPU, "gpu")] {
            check(&[(pointer, json!(MAX))], "ok");
            for count in beyond {
                let text = format!("resource count for type '{kind}' must be <= {MAX}");
                check(&[(pointer, json!(count))], &text);
            }
        }
        let per_slot = json!({"per_slot": MAX + 1});
        check(
            &[(TASKS, per_slot)],
            &format!("count per_slot must be <= {MAX}"),
        );
        check(&[(TASKS, json!({"total": MAX}))], "ok");
        let total = json!({"total": 1_u64 << 62});
        check(&[(TASKS, total)], &format!("count total must be <= {MAX}"));
        check(
            &[(TASKS, json!({"total": u64::MAX}))],
            "count total must be an int",
        );
    }

    #[test]
    fn products_have_the_same_bound() {
        let half = json!(1 << 16);
        for (one, other, what) in [
            (NODE, SLOT, "slot"),
            (SLOT, CORE, "core"),
            (NODE, CORE, "core"),
            (SLOT, GPU, "gpu"),
        ] {
            let text = format!("total {what} count must be <= {MAX}");
            check(&[(one, half.clone()), (other, half.clone())], &text);
        }
        let all = [NODE, SLOT, CORE].map(|pointer| (pointer, json!(MAX)));
        check(&all, &format!("total resource count must be <= {MAX}"));
        let text = format!("total task count must be <= {MAX}");
        let options = "/attributes/system/shell/options";
        let per_slot = json!({"per_slot": 1 << 16});
        check(
            &[
                (SLOT, half.clone()),
                (TASKS, per_slot),
                (options, json!({})),
            ],
            &text,
        );
        let count = "/attributes/system/shell/options/per-resource/count";
        check(&[(NODE, half.clone()), (count, half)], &text);
        check(&[(NODE, json!(2)), (count, json!(u64::MAX))], &text);
    }

    #[test]
    fn a_time_limit_has_its_bound() {
        let duration = "/attributes/system/duration";
        check(&[(duration, json!(JOBSPEC_DURATION_S_MAX))], "ok");
        for seconds in [1e308, JOBSPEC_DURATION_S_MAX * 2.0] {
            let text = "attributes.system.duration must be <= 1000000000000";
            check(&[(duration, json!(seconds))], text);
        }
    }

    #[test]
    fn a_task_names_a_slot_that_is_there() {
        let text = "task slot 'other' is not the label of a slot";
        check(&[("/tasks/0/slot", json!("other"))], text);
    }

    #[test]
    fn attributes_have_their_types() {
        let with = |key: &str, value: &Value| {
            let mut system = json!({"duration": 0});
            system[key] = value.clone();
            system
        };
        for (key, is_text) in [
            ("cwd", true),
            ("queue", true),
            ("bank", true),
            ("project", true),
            ("environment", false),
            ("files", false),
            ("job", false),
            ("shell", false),
        ] {
            let what = if is_text { "a string" } else { "a mapping" };
            for value in [json!(1), json!([]), json!(true), json!(1e308)] {
                let text = format!("attributes.system.{key} must be {what}");
                check(&[(SYSTEM, with(key, &value))], &text);
            }
            check(&[(SYSTEM, with(key, &Value::Null))], "ok");
        }
        check(
            &[("/attributes/system/job/name", json!(1))],
            "attributes.system.job.name must be a string",
        );
        let environment = "/attributes/system/environment";
        check(&[(environment, json!({"A": null}))], "ok");
        for value in [json!(1), json!(["x"]), json!({})] {
            let text = "attributes.system.environment.A must be a string";
            check(&[(environment, json!({"A": value}))], text);
        }
    }

    #[test]
    fn files_have_their_parts() {
        let with = |file: Value, text: &str| {
            let text = match text {
                "ok" => text.to_owned(),
                text => format!("attributes.system.files.f{text}"),
            };
            check(&[("/attributes/system/files", json!({ "f": file }))], &text);
        };
        with(
            json!({"mode": 33152, "data": "x", "encoding": "utf-8"}),
            "ok",
        );
        with(json!({"data": {"a": 1}}), "ok");
        with(json!(1), " must be a mapping");
        for mode in [json!(-1), json!(1.5), json!("x"), json!(1 << 16)] {
            with(json!({"mode": mode}), ".mode must be a file mode");
        }
        let text = ".encoding must be utf-8 or base64";
        with(json!({"encoding": "x", "data": ""}), text);
        with(json!({"encoding": 1, "data": ""}), text);
        with(
            json!({"encoding": "base64", "data": {}}),
            ".data must be a string",
        );
        with(json!({"encoding": "base64"}), ".data must be a string");
    }

    #[test]
    fn what_is_listed_has_its_bound() {
        let large = "x".repeat(JOBSPEC_ENVIRONMENT_BYTES_MAX);
        check(
            &[("/attributes/system/environment", json!({"A": large}))],
            "attributes.system.environment must be <= 6291456 bytes",
        );
        let files = (0..=JOBSPEC_FILES_MAX).map(|n| (n.to_string(), json!({})));
        let files: Map<String, Value> = files.collect();
        check(
            &[("/attributes/system/files", files.into())],
            "attributes.system.files must have <= 4096 entries",
        );
        let dependency = json!({"scheme": "after", "value": "f1"});
        let dependencies = vec![dependency; JOBSPEC_DEPENDENCIES_MAX + 1];
        check(
            &[("/attributes/system/dependencies", dependencies.into())],
            "attributes.system.dependencies must have <= 16384 entries",
        );
    }
}
