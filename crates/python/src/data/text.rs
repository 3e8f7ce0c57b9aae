//! Job ids, durations, host lists, queries, shapes, directives and jobspecs: texts in, values or
//! JSON out. All refuse what is malformed with `ValueError`.

use proto::data::jobspec::Jobspec;
use proto::data::query::{self, Dialect};
use proto::data::{Fsd, Hostlist, JobId, JobIdEncoding, sign as signed};
use pyo3::prelude::*;

use super::malformed;

/// The number of a job that is written in any encoding.
#[pyfunction]
pub fn id_parse(text: &str) -> PyResult<u64> {
    let id: Result<JobId, _> = text.parse();
    id.map(u64::from)
        .map_err(|_| malformed(format_args!("{text} is not a valid Flux jobid")))
}

/// The number of a job in one encoding.
#[pyfunction]
pub fn id_encode(jobid: u64, encoding: &str) -> PyResult<String> {
    let encoding: JobIdEncoding = encoding.parse().map_err(malformed)?;
    Ok(JobId(jobid).encode(encoding))
}

/// A duration in seconds; `inf` is one.
#[pyfunction]
pub fn parse_fsd(text: &str) -> PyResult<f64> {
    let duration: Result<Fsd, _> = text.parse();
    duration.map(Fsd::secs).map_err(malformed)
}

/// A duration in the short form of listings.
#[pyfunction]
pub fn format_fsd(seconds: f64) -> PyResult<String> {
    let duration = Fsd::from_secs(seconds).map_err(malformed)?;
    Ok(duration.to_listing())
}

/// The hosts of a host list, in its order.
#[pyfunction]
pub fn hostlist_decode(text: &str) -> PyResult<Vec<String>> {
    let list: Hostlist = text.parse().map_err(malformed)?;
    Ok(list.iter().map(str::to_owned).collect())
}

/// Hosts as a host list.
#[pyfunction]
pub fn hostlist_encode(hosts: Vec<String>) -> PyResult<String> {
    let list = Hostlist::from_names(hosts).map_err(malformed)?;
    Ok(list.to_string())
}

/// Hosts in the order of their names and numbers.
#[pyfunction]
pub fn hostlist_sorted(hosts: Vec<String>) -> PyResult<Vec<String>> {
    let mut list = Hostlist::from_names(hosts).map_err(malformed)?;
    list.sort();
    Ok(list.iter().map(str::to_owned).collect())
}

/// A request to submit a job, signed with the mechanism `none`.
#[pyfunction]
pub fn sign(userid: u32, jobspec: &str) -> String {
    signed::wrap_none(userid, jobspec.as_bytes())
}

/// Refuses a jobspec that would be refused when submitted; `version` 1 asks for what only
/// that version does.
#[pyfunction]
#[pyo3(signature = (jobspec, version=None))]
pub fn jobspec_check(jobspec: &str, version: Option<i64>) -> PyResult<()> {
    let jobspec = Jobspec::decode(jobspec).map_err(malformed)?;
    match version {
        None => jobspec.validate_any_version(),
        Some(1) => jobspec.validate(),
        Some(other) => return Err(malformed(format_args!("version {other} is not supported"))),
    }
    .map_err(malformed)
}

/// A query (RFC 35) as the JSON of its constraint (RFC 31).
#[pyfunction]
#[pyo3(signature = (text, default=None, aliases=Vec::new()))]
pub fn constraint_parse(
    text: &str,
    default: Option<&str>,
    aliases: Vec<(String, String)>,
) -> PyResult<String> {
    let aliases: Vec<(&str, &str)> = aliases.iter().map(|(a, b)| (&**a, &**b)).collect();
    let dialect = Dialect {
        default_operator: default,
        aliases: &aliases,
        lists: &[],
    };
    let value = query::parse_query(text, &dialect).map_err(malformed)?;
    Ok(value.to_string())
}

/// The directives of a script: the line and the words of each.
#[pyfunction]
pub fn directives(script: &str) -> PyResult<Vec<(usize, Vec<String>)>> {
    let directives = submission::directives::parse(script).map_err(malformed)?;
    let pairs = directives.into_iter();
    Ok(pairs.map(|found| (found.line, found.words)).collect())
}

/// A shape (RFC 46) as the JSON of the resources of a jobspec. `label` is that of a slot that
/// has none.
#[pyfunction]
pub fn shape_parse(shape: &str, label: &str) -> PyResult<String> {
    let resources = submission::shape::parse_shape_labelled(shape, label).map_err(malformed)?;
    serde_json::to_string(&resources).map_err(malformed)
}
