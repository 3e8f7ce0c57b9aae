//! The attributes of a job: their names, and how they are written (protocol/12 section 3).

use std::io::Write as _;

use job_fold::Job;
use proto::data::job::State;
use proto::job_list::ListError;
use serde_json::Value;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "protocol/12 section 3 has a table of them")]
pub enum Attr {
    Userid,
    Urgency,
    Priority,
    TSubmit,
    TDepend,
    TPriority,
    TSched,
    TRun,
    TCleanup,
    TInactive,
    State,
    Name,
    Cwd,
    Queue,
    Project,
    Bank,
    Ntasks,
    Ncores,
    Duration,
    Nnodes,
    Ranks,
    Nodelist,
    Success,
    ExceptionOccurred,
    ExceptionType,
    ExceptionSeverity,
    ExceptionNote,
    Result,
    Expiration,
    Annotations,
    Waitstatus,
    Dependencies,
}

impl Attr {
    /// Every attribute and its name, in the order in which they are listed.
    pub const ALL: [(Attr, &'static str); 32] = [
        (Attr::Userid, "userid"),
        (Attr::Urgency, "urgency"),
        (Attr::Priority, "priority"),
        (Attr::TSubmit, "t_submit"),
        (Attr::TDepend, "t_depend"),
        (Attr::TPriority, "t_priority"),
        (Attr::TSched, "t_sched"),
        (Attr::TRun, "t_run"),
        (Attr::TCleanup, "t_cleanup"),
        (Attr::TInactive, "t_inactive"),
        (Attr::State, "state"),
        (Attr::Name, "name"),
        (Attr::Cwd, "cwd"),
        (Attr::Queue, "queue"),
        (Attr::Project, "project"),
        (Attr::Bank, "bank"),
        (Attr::Ntasks, "ntasks"),
        (Attr::Ncores, "ncores"),
        (Attr::Duration, "duration"),
        (Attr::Nnodes, "nnodes"),
        (Attr::Ranks, "ranks"),
        (Attr::Nodelist, "nodelist"),
        (Attr::Success, "success"),
        (Attr::ExceptionOccurred, "exception_occurred"),
        (Attr::ExceptionType, "exception_type"),
        (Attr::ExceptionSeverity, "exception_severity"),
        (Attr::ExceptionNote, "exception_note"),
        (Attr::Result, "result"),
        (Attr::Expiration, "expiration"),
        (Attr::Annotations, "annotations"),
        (Attr::Waitstatus, "waitstatus"),
        (Attr::Dependencies, "dependencies"),
    ];

    /// The attribute of this name.
    pub fn of(name: &str) -> Option<Attr> {
        let found = Attr::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(attr, _)| *attr)
    }
}

/// Names of all attributes as `list-attrs` returns them: `all` is the last.
pub fn names() -> Vec<String> {
    let names = Attr::ALL.iter().map(|(_, name)| *name);
    names.chain(["all"]).map(str::to_owned).collect()
}

/// The attributes that a request wants, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Attrs(Vec<(Attr, &'static str)>);

impl Attrs {
    /// Reads the names in a request. A name given twice counts where it came first.
    pub fn new(names: &[Value]) -> Result<Attrs, ListError> {
        let mut attrs = Vec::new();
        for name in names {
            let name = name.as_str().ok_or(ListError::AttrNotAString)?;
            let wanted = match name {
                "all" => &Attr::ALL[..],
                // It is there anyway.
                "id" => &[],
                _ => {
                    let at = Attr::ALL.iter().position(|(_, known)| *known == name);
                    let at = at.ok_or_else(|| ListError::UnknownAttr(name.to_owned()))?;
                    &Attr::ALL[at..=at]
                }
            };
            for attr in wanted {
                if !attrs.contains(attr) {
                    attrs.push(*attr);
                }
            }
        }
        Ok(Attrs(attrs))
    }

    /// Writes a job as a JSON object; attributes that are not set are left out.
    pub fn write(&self, job: &Job, out: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = write!(out, "{{\"id\":{}", job.id);
        for (attr, name) in &self.0 {
            let before = out.len();
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            if write_attr(job, *attr, out).is_none() {
                out.truncate(before);
            }
        }
        out.push(b'}');
    }
}

/// Writes one value; `None` when it is not set.
fn write_attr(job: &Job, attr: Attr, out: &mut Vec<u8>) -> Option<()> {
    match attr {
        Attr::Userid => int(out, job.userid),
        Attr::Urgency => int(out, job.urgency),
        Attr::Priority => int(out, job.has_reached(State::Sched).then_some(job.priority)?),
        Attr::TSubmit
        | Attr::TDepend
        | Attr::TPriority
        | Attr::TSched
        | Attr::TRun
        | Attr::TCleanup
        | Attr::TInactive => real(out, time(job, attr)?),
        Attr::State => int(out, job.state.bit()),
        Attr::Name => text(out, job.name()?),
        Attr::Cwd => text(out, job.asked().cwd?),
        Attr::Queue => text(out, job.queue()?),
        Attr::Project => text(out, job.asked().project?),
        Attr::Bank => text(out, job.asked().bank?),
        Attr::Ntasks => int(out, job.ntasks()?),
        Attr::Ncores => int(out, job.ncores()?),
        Attr::Duration => real(out, job.asked().duration?),
        Attr::Nnodes => int(out, job.nnodes()?),
        Attr::Ranks => text(out, job.given()?.ranks),
        Attr::Nodelist => text(out, job.given()?.nodelist),
        Attr::Expiration => {
            job.given.as_ref()?;
            real(out, job.expiration);
        }
        Attr::Annotations => out.extend_from_slice(job.annotations()?.as_bytes()),
        Attr::Waitstatus => int(out, job.waitstatus?),
        Attr::Dependencies => list(out, job.dependencies()?),
        Attr::Success
        | Attr::Result
        | Attr::ExceptionOccurred
        | Attr::ExceptionType
        | Attr::ExceptionSeverity
        | Attr::ExceptionNote => write_end(job, attr, out)?,
    }
    Some(())
}

/// Values known only of inactive jobs.
fn write_end(job: &Job, attr: Attr, out: &mut Vec<u8>) -> Option<()> {
    let result = job.result?;
    let raised = job.raised();
    match attr {
        Attr::Result => int(out, result.bit()),
        Attr::Success => int(out, result == proto::data::job::JobResult::Completed),
        Attr::ExceptionOccurred => int(out, raised.is_some()),
        Attr::ExceptionType => text(out, raised?.kind),
        Attr::ExceptionSeverity => int(out, raised?.severity),
        Attr::ExceptionNote => text(out, raised?.note),
        _ => return None,
    }
    Some(())
}

/// One of the times, once its state has been reached.
pub fn time(job: &Job, attr: Attr) -> Option<f64> {
    let times = &job.times;
    let (time, state) = match attr {
        Attr::TSubmit => (times.submit, State::New),
        Attr::TDepend => (times.depend, State::Depend),
        Attr::TPriority => (times.priority, State::Priority),
        // A job that was thrown back keeps it.
        Attr::TSched => return (times.sched > 0.0).then_some(times.sched),
        Attr::TRun => (times.run, State::Run),
        Attr::TCleanup => (times.cleanup, State::Cleanup),
        Attr::TInactive => (times.inactive, State::Inactive),
        _ => return None,
    };
    job.has_reached(state).then_some(time)
}

/// A number, or a truth value, as it prints.
fn int(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// The shortest form that reads back the same, with a point or an exponent.
fn real(out: &mut Vec<u8>, value: f64) {
    let _ = write!(out, "{value:?}");
}

fn text(out: &mut Vec<u8>, value: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        let _ = serde_json::to_writer(out, value);
    }
}

fn list(out: &mut Vec<u8>, values: &[Box<str>]) {
    out.push(b'[');
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        text(out, value);
    }
    out.push(b']');
}
