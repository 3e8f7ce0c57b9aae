//! From options to a jobspec.

use proto::data::Jobspec;
use proto::data::job::{SubmitFlags, Urgency};
use proto::data::query::{REQUIRES, parse_query};
use serde_json::{Map, Value, json};

use crate::environment::environment;
use crate::files::added_file;
use crate::instance::Instance;
use crate::options::Options;
use crate::plugins::refuse_plugins;
use crate::request::Request;
use crate::rlimit::rlimits;
use crate::values;
use command::clock;
use command::env::Env;
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Seconds that unbuffered output is gathered before it is stored.
const UNBUFFERED_BATCH_S: f64 = 0.05;

impl Options {
    /// The job that the options mean.
    pub fn request(&self, env: &Env) -> Result<Request, CliError> {
        if self.words().is_empty() {
            return Err(CliError::new("job command and arguments are missing"));
        }
        refuse_plugins(env)?;
        let mut jobspec = self.jobspec()?;
        self.add_common(&mut jobspec, env)?;
        self.add_per_resource(&mut jobspec)?;
        self.add_io(&mut jobspec)?;
        if let Some(instance) = &self.instance {
            instance.complete(&mut jobspec, self.nodes()?)?;
        }
        for text in &self.setopt {
            let (key, value) = assignment("--setopt", text)?;
            jobspec.set_shell_option(key, value).map_err(refuse)?;
        }
        for text in &self.setattr {
            set_attribute(&mut jobspec, text)?;
        }
        let flags = self.submit_flags()?;
        if !self.dry_run && !flags.contains(SubmitFlags::NOVALIDATE) {
            // Before it costs a round trip.
            jobspec.check_supported().map_err(refuse)?;
        }
        Ok(Request {
            jobspec,
            urgency: self.urgency()?,
            flags: flags.bits(),
        })
    }

    fn add_common(&self, jobspec: &mut Jobspec, env: &Env) -> Result<(), CliError> {
        let mut set = |path: &str, value| jobspec.set_system(path, value).map_err(refuse);
        if let Some(text) = &self.time_limit {
            let limit = values::time_limit(text).map_err(refuse)?;
            set("duration", values::seconds(limit))?;
        }
        let environment = environment(env, &self.env.0)?;
        set("environment", environment.vars.into())?;
        set("cwd", self.directory()?.into())?;
        if !environment.templates.is_empty() {
            set("shell.options.env-expand", environment.templates.into())?;
        }
        let rlimits = rlimits(&self.rlimit)?;
        if !rlimits.is_empty() {
            set("shell.options.rlimit", rlimits.into())?;
        }
        for (path, text) in [
            ("queue", &self.queue),
            ("bank", &self.bank),
            ("job.name", &self.job_name),
        ] {
            if let Some(text) = text {
                set(path, text.as_str().into())?;
            }
        }
        if let Some(constraint) = self.constraint()? {
            set("constraints", constraint)?;
        }
        let dependencies = self.dependencies(env)?;
        if !dependencies.is_empty() {
            set("dependencies", dependencies.into())?;
        }
        let files = self.files()?;
        if !files.is_empty() {
            // Names may have dots, so they are not part of the path.
            set("files", files.into())?;
        }
        Ok(())
    }

    /// Files that travel with the job, by name.
    fn files(&self) -> Result<Map<String, Value>, CliError> {
        let own = self.instance.as_ref().map(Instance::files);
        let mut files = own.cloned().unwrap_or_default();
        for text in &self.add_file {
            let (name, file) = added_file(text)?;
            if own.is_some_and(|own| own.contains_key(&name)) {
                return Err(CliError::new(format!("--add-file: {name}: reserved name")));
            }
            files.insert(name, file);
        }
        Ok(files)
    }

    fn directory(&self) -> Result<String, CliError> {
        if let Some(cwd) = &self.cwd {
            return Ok(cwd.clone());
        }
        let cwd = std::env::current_dir()
            .map_err(|error| CliError::new(format!("getcwd: {}", io_text(&error))))?;
        Ok(cwd.to_string_lossy().into_owned())
    }

    /// Several constraints must all hold.
    fn constraint(&self) -> Result<Option<Value>, CliError> {
        if self.requires.is_empty() {
            return Ok(None);
        }
        let query = self.requires.join(" ");
        let constraint = parse_query(&query, &REQUIRES);
        let refuse = |error| CliError::new(format!("--requires='{query}': {error}"));
        constraint.map(Some).map_err(refuse)
    }

    fn dependencies(&self, env: &Env) -> Result<Vec<Value>, CliError> {
        let dependencies = self.dependency.iter();
        let mut dependencies: Vec<Value> = dependencies
            .map(|text| values::dependency(text))
            .collect::<Result<_, _>>()?;
        if let Some(text) = &self.begin_time {
            let time = values::begin_time(text, clock::now(), &clock::zone(env))?;
            let value = format!("{time}");
            dependencies.push(json!({ "scheme": "begin-time", "value": value }));
        }
        Ok(dependencies)
    }

    /// Warns of each dependency of a kind that has a better name now.
    pub fn warn_of_deprecated(&self, flux: &mut Flux) -> Result<(), CliError> {
        let schemes = self
            .dependency
            .iter()
            .filter_map(|uri| uri.split(':').next());
        for _ in schemes.filter(|scheme| *scheme == "after") {
            flux.warn("dependency scheme 'after' is deprecated, use 'afterstart'")?;
        }
        Ok(())
    }

    fn add_io(&self, jobspec: &mut Jobspec) -> Result<(), CliError> {
        let mut set = |path: &str, value| jobspec.set_shell_option(path, value).map_err(refuse);
        for (stream, path) in [("stdout", &self.output), ("stderr", &self.error)] {
            let output = self.output_option(path.as_deref());
            if !output.is_empty() {
                set(&format!("output.{stream}"), Value::Object(output))?;
            }
        }
        if let Some(path) = &self.input
            && self.input_ranks().is_none()
        {
            set("input.stdin", json!({ "type": "file", "path": path }))?;
        }
        if self.unbuffered {
            set("output.batch-timeout", json!(UNBUFFERED_BATCH_S))?;
            set("input.batch-timeout", json!(0.0))?;
        }
        if let Some(text) = &self.signal {
            set("signal", values::signal(text)?)?;
        }
        if let Some(array) = &self.array {
            set("array", array.clone())?;
        }
        if let Some(text) = &self.taskmap {
            set("taskmap", values::taskmap(text)?)?;
        }
        Ok(())
    }

    fn output_option(&self, path: Option<&str>) -> Map<String, Value> {
        let mut option = Map::new();
        match path {
            None => {}
            Some("none" | "kvs") => {
                option.insert("type".to_owned(), "kvs".into());
            }
            Some(path) => {
                option.insert("type".to_owned(), "file".into());
                option.insert("path".to_owned(), path.into());
                if self.label_io {
                    option.insert("label".to_owned(), true.into());
                }
            }
        }
        if self.unbuffered {
            option.insert("buffer".to_owned(), json!({ "type": "none" }));
        }
        option
    }

    /// Tasks that receive our own input, if `--input` names them.
    pub fn input_ranks(&self) -> Option<&str> {
        let text = self.input.as_deref()?;
        let is_ranks = text == "all" || text.parse::<proto::data::IdSet>().is_ok();
        is_ranks.then_some(text)
    }

    /// Refuses ranks as the value of `--input`, for commands that have no input to give.
    pub fn refuse_input_ranks(&self, command: &str) -> Result<(), CliError> {
        match self.input_ranks() {
            Some(_) => Err(CliError::new(format!(
                "flux: ERROR: per-task input not supported for {command}"
            ))
            .bare()),
            None => Ok(()),
        }
    }

    fn urgency(&self) -> Result<i64, CliError> {
        let Some(text) = &self.urgency else {
            return Ok(i64::from(Urgency::DEFAULT.get()));
        };
        match text.parse::<Urgency>() {
            Ok(urgency) => Ok(i64::from(urgency.get())),
            // A number that is out of range is the service's to refuse, in its own words.
            Err(_) => text.trim().parse().map_err(|_| {
                CliError::new(format!("invalid literal for int() with base 10: '{text}'"))
            }),
        }
    }

    fn submit_flags(&self) -> Result<SubmitFlags, CliError> {
        let mut flags = match self.debug {
            true => SubmitFlags::DEBUG,
            false => SubmitFlags::NONE,
        };
        let names = self.flags.iter().flat_map(|names| names.split(','));
        for name in names.filter(|name| !name.is_empty()) {
            let flag = name.parse::<SubmitFlags>();
            flags =
                flags | flag.map_err(|_| CliError::new(format!("--flags: Unknown flag {name}")))?;
        }
        Ok(flags)
    }
}

/// The key and the value of `KEY[=VALUE]` or `^KEY=FILE`.
fn assignment<'t>(option: &str, text: &'t str) -> Result<(&'t str, Value), CliError> {
    let Some(rest) = text.strip_prefix('^') else {
        return Ok(values::assignment(text));
    };
    let missing = || CliError::new(format!("{option}: {text}: no file given"));
    let (key, path) = rest.split_once('=').ok_or_else(missing)?;
    let file = std::fs::read_to_string(path)
        .map_err(|error| CliError::new(format!("{}: '{path}'", io_text(&error))))?;
    let value = serde_json::from_str(&file)
        .map_err(|error| CliError::new(format!("{option}: {path}: {error}")))?;
    Ok((key, value))
}

/// Sets the attribute of `--setattr`.
fn set_attribute(jobspec: &mut Jobspec, text: &str) -> Result<(), CliError> {
    let (key, value) = assignment("--setattr", text)?;
    let path = match key.strip_prefix('.') {
        Some(key) => format!("attributes.{key}"),
        None if key.starts_with("attributes.") => key.to_owned(),
        None if key.starts_with("system.") || key.starts_with("user.") => {
            format!("attributes.{key}")
        }
        None => format!("attributes.system.{key}"),
    };
    jobspec.set(&path, value).map_err(refuse)
}

/// A mistake in the job that was asked for.
pub(crate) fn refuse(error: impl std::fmt::Display) -> CliError {
    CliError::new(error.to_string())
}
