//! The fields of a format of `flux jobs`: the attributes that each needs of job-list, and
//! its value (protocol/14 section 4.2).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use nix::unistd::{Uid, User};
use proto::data::JobIdEncoding;
use serde_json::Value as Json;

use super::instance::{self, InstanceField};
use super::job::Job;
use format::Value;

type Get = for<'j> fn(&'j Job, &'j Facts) -> Value<'j>;

/// A field, resolved from its name once.
#[derive(Clone)]
pub enum Field {
    /// One of the table.
    Known(&'static Row),
    /// The id in one of its spellings.
    Id(JobIdEncoding),
    /// A note by its dotted path.
    Annotation(String),
    /// Field of the instance that the job is.
    Instance(InstanceField),
}

/// Values that rows need besides the job.
pub struct Facts {
    /// Seconds since the epoch.
    pub now: f64,
    names: RefCell<BTreeMap<u32, &'static str>>,
}

impl Facts {
    /// At the time `now`.
    pub fn new(now: f64) -> Facts {
        let names = RefCell::default();
        Facts { now, names }
    }

    /// The user's name, looked up once; the number where there is none.
    pub fn user_name(&self, userid: u32) -> &'static str {
        let mut names = self.names.borrow_mut();
        names.entry(userid).or_insert_with(|| {
            let user = User::from_uid(Uid::from_raw(userid)).ok().flatten();
            let name = user.map_or_else(|| userid.to_string(), |user| user.name);
            // There are few users, and the process ends with the listing.
            Box::leak(name.into_boxed_str())
        })
    }
}

/// One field of the table.
pub struct Row {
    name: &'static str,
    heading: &'static str,
    attrs: &'static [&'static str],
    get: Get,
}

impl Field {
    /// The field and its heading.
    pub fn resolve(name: &str) -> Option<(Field, String)> {
        if let Some(row) = ROWS.iter().find(|row| row.name == name) {
            return Some((Field::Known(row), row.heading.to_owned()));
        }
        if name == "id" {
            return Some((Field::Id(JobIdEncoding::F58), "JOBID".to_owned()));
        }
        if let Some(encoding) = name.strip_prefix("id.") {
            let encoding = encoding.parse().ok()?;
            return Some((Field::Id(encoding), "JOBID".to_owned()));
        }
        if let Some(name) = name.strip_prefix("instance.") {
            let (field, heading) = InstanceField::resolve(name)?;
            return Some((Field::Instance(field), heading.to_owned()));
        }
        let path = name
            .strip_prefix("annotations.")
            .or_else(|| name.starts_with("sched.").then_some(name))
            .or_else(|| name.starts_with("user.").then_some(name))?;
        let last = path.rsplit('.').next().unwrap_or(path);
        let heading = match path {
            "sched.reason_pending" => "REASON".to_owned(),
            "sched.resource_summary" => "RESOURCES".to_owned(),
            _ => last.to_uppercase(),
        };
        Some((Field::Annotation(path.to_owned()), heading))
    }

    /// True if it is queried from an instance.
    pub fn is_of_instance(&self) -> bool {
        self.of_instance().is_some()
    }

    /// Field queried from an instance.
    pub fn of_instance(&self) -> Option<InstanceField> {
        match self {
            Field::Instance(field) => Some(*field),
            _ => None,
        }
    }

    /// True if it is the id or name of a job.
    pub fn is_id_or_name(&self) -> bool {
        match self {
            Field::Id(_) => true,
            Field::Known(row) => row.name == "name",
            _ => false,
        }
    }

    /// The attributes that job-list must give for it.
    pub fn attrs(&self) -> &'static [&'static str] {
        match self {
            Field::Known(row) => row.attrs,
            Field::Id(_) => &[],
            Field::Annotation(_) => &["annotations"],
            Field::Instance(_) => instance::ATTRS,
        }
    }

    /// Value of the field for a job.
    pub fn get<'j>(&self, job: &'j Job, facts: &'j Facts) -> Value<'j> {
        match self {
            Field::Known(row) => (row.get)(job, facts),
            Field::Id(encoding) => Value::Ordered(job.id.encode(*encoding).into(), job.id.get()),
            Field::Annotation(path) => job.annotation(path).map_or(Value::None, json),
            Field::Instance(field) => {
                let instance = job.instance.as_deref();
                instance.map_or(Value::None, |instance| field.get(instance))
            }
        }
    }
}

fn json(value: &Json) -> Value<'_> {
    match value {
        Json::Null => Value::None,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::Text(text.into()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, number) => Value::float(number),
        },
        Json::Array(_) | Json::Object(_) => Value::Text(submission::spaced(value).into()),
    }
}

/// The value of an optional text attribute.
macro_rules! text {
    ($name:literal, $heading:literal, $attr:ident) => {
        Row {
            name: $name,
            heading: $heading,
            attrs: &[stringify!($attr)],
            get: |job, _| Value::text(job.$attr.as_deref()),
        }
    };
}

/// The value of an optional number attribute.
macro_rules! number {
    ($name:literal, $heading:literal, $attr:ident, $kind:ident) => {
        Row {
            name: $name,
            heading: $heading,
            attrs: &[stringify!($attr)],
            get: |job, _| Value::$kind(job.$attr.map(Into::into)),
        }
    };
}

/// Fields computed from several attributes.
macro_rules! derived {
    ($name:literal, $heading:literal, [$($attr:literal),*], $get:expr) => {
        Row {
            name: $name,
            heading: $heading,
            attrs: &[$($attr),*],
            get: $get,
        }
    };
}

fn flag<'a>(flag: Option<bool>) -> Value<'a> {
    flag.map_or(Value::None, Value::Bool)
}

fn fixed<'a>(text: &'static str) -> Value<'a> {
    Value::Text(Cow::Borrowed(text))
}

static ROWS: &[Row] = &[
    number!("userid", "UID", userid, int),
    derived!("username", "USER", ["userid"], |job, facts| {
        job.userid
            .map_or(Value::None, |userid| fixed(facts.user_name(userid)))
    }),
    number!("urgency", "URG", urgency, int),
    number!("priority", "PRI", priority, int),
    derived!("state", "STATE", ["state"], |job, _| fixed(
        job.state().map_or("", |state| state.name())
    )),
    derived!("state_single", "S", ["state"], |job, _| fixed(
        job.state().map_or("", |state| state.short_name())
    )),
    derived!("state_emoji", "STATE", ["state"], |job, _| fixed(
        job.state_emoji()
    )),
    derived!("status", "STATUS", ["state", "result"], |job, _| fixed(
        job.status()
    )),
    derived!("status_abbrev", "ST", ["state", "result"], |job, _| fixed(
        job.status_abbrev()
    )),
    derived!("status_emoji", "STATUS", ["state", "result"], |job, _| {
        fixed(job.status_emoji())
    }),
    text!("name", "NAME", name),
    text!("cwd", "CWD", cwd),
    text!("queue", "QUEUE", queue),
    text!("project", "PROJECT", project),
    text!("bank", "BANK", bank),
    number!("ntasks", "NTASKS", ntasks, int),
    number!("ncores", "NCORES", ncores, int),
    number!("duration", "DURATION", duration, float),
    number!("nnodes", "NNODES", nnodes, int),
    text!("ranks", "RANKS", ranks),
    text!("nodelist", "NODELIST", nodelist),
    derived!("success", "SUCCESS", ["success"], |job, _| flag(
        job.success
    )),
    derived!("result", "RESULT", ["state", "result"], |job, _| fixed(
        job.result().map_or("", |result| result.name())
    )),
    derived!("result_abbrev", "RS", ["state", "result"], |job, _| fixed(
        job.result().map_or("", |result| result.short_name())
    )),
    derived!("result_emoji", "RESULT", ["state", "result"], |job, _| {
        fixed(job.result().map_or("", |_| job.status_emoji()))
    }),
    number!("waitstatus", "WSTATUS", waitstatus, int),
    derived!(
        "returncode",
        "RC",
        ["state", "result", "waitstatus"],
        |job, _| Value::int(job.returncode())
    ),
    derived!(
        "exception.occurred",
        "EXCEPTION-OCCURRED",
        ["exception_occurred"],
        |job, _| flag(job.exception_occurred)
    ),
    number!(
        "exception.severity",
        "EXCEPTION-SEVERITY",
        exception_severity,
        int
    ),
    text!("exception.type", "EXCEPTION-TYPE", exception_type),
    text!("exception.note", "EXCEPTION-NOTE", exception_note),
    number!("t_submit", "T_SUBMIT", t_submit, float),
    number!("t_depend", "T_DEPEND", t_depend, float),
    number!("t_priority", "T_PRIORITY", t_priority, float),
    number!("t_sched", "T_SCHED", t_sched, float),
    number!("t_run", "T_RUN", t_run, float),
    number!("t_cleanup", "T_CLEANUP", t_cleanup, float),
    number!("t_inactive", "T_INACTIVE", t_inactive, float),
    derived!(
        "runtime",
        "RUNTIME",
        ["t_run", "t_cleanup"],
        |job, facts| Value::Float(job.runtime(facts.now))
    ),
    number!("expiration", "EXPIRATION", expiration, float),
    derived!(
        "t_remaining",
        "T_REMAINING",
        ["expiration", "state"],
        |job, facts| Value::float(job.t_remaining(facts.now))
    ),
    derived!("annotations", "ANNOTATIONS", ["annotations"], |job, _| {
        job.annotations.as_ref().map_or(Value::None, json)
    }),
    derived!("sched", "SCHED", ["annotations"], |job, _| {
        job.annotation("sched").map_or(Value::None, json)
    }),
    derived!("user", "USER", ["annotations"], |job, _| {
        job.annotation("user").map_or(Value::None, json)
    }),
    derived!("uri", "URI", ["annotations", "state"], |job, _| {
        job.annotation("user.uri").map_or(Value::None, json)
    }),
    derived!("uri.local", "URI", ["annotations", "state"], |job, _| {
        let uri = job.annotation("user.uri").and_then(Json::as_str);
        let uri = uri.and_then(crate::uri::local_uri);
        uri.map_or(Value::None, |uri| Value::Text(uri.into()))
    }),
    derived!(
        "dependencies",
        "DEPENDENCIES",
        ["dependencies"],
        |job, _| { Value::Text(job.dependencies().join(",").into()) }
    ),
    derived!(
        "contextual_info",
        "INFO",
        [
            "state",
            "dependencies",
            "urgency",
            "priority",
            "annotations",
            "nodelist"
        ],
        |job, facts| Value::Text(job.contextual_info(facts.now).into())
    ),
    derived!(
        "contextual_time",
        "TIME",
        ["state", "t_run", "t_cleanup", "duration"],
        |job, facts| Value::Float(job.contextual_time(facts.now))
    ),
    derived!(
        "inactive_reason",
        "INACTIVE-REASON",
        [
            "state",
            "result",
            "waitstatus",
            "exception_occurred",
            "exception_severity",
            "exception_type",
            "exception_note"
        ],
        |job, _| Value::Text(job.inactive_reason().into())
    ),
];
