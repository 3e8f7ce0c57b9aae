//! Lines of a job's log in numbered streams, with their numbers.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;
use proto::RawJson;
use proto::data::JobId;
use serde::Deserialize;

use super::Filter;
use crate::job::{live_record, name_of};
use crate::jobs::Slot;

/// A job's log, cut into pieces that are sent at once.
#[derive(Debug, Default, PartialEq)]
pub struct Numbered {
    /// Each line with its newline.
    pub log: String,
    /// Number and place of each group of lines, in the order of the log.
    pub groups: Vec<(f64, Range<usize>)>,
}

impl Numbered {
    /// Cuts a log. Events before `validate` are sent with it: they were posted before, and
    /// other jobs' events may have been stored between. Lines of the same time belong together.
    pub fn of(log: String) -> Numbered {
        #[derive(Deserialize)]
        struct Stamped<'a> {
            timestamp: f64,
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        let mut groups: Vec<(f64, Range<usize>)> = Vec::new();
        let mut end = 0;
        for line in log.split_inclusive('\n') {
            let start = end;
            end += line.len();
            let Ok(stamped) = serde_json::from_str::<Stamped<'_>>(line) else {
                continue;
            };
            if stamped.name == "validate" {
                groups.clear();
                groups.push((stamped.timestamp, 0..end));
                continue;
            }
            match groups.last_mut() {
                Some((number, place)) if *number == stamped.timestamp => place.end = end,
                _ => groups.push((stamped.timestamp, start..end)),
            }
        }
        Numbered { log, groups }
    }

    /// The log of a job.
    pub fn of_slot(id: JobId, slot: &Slot) -> Numbered {
        Numbered::of(match slot {
            Slot::Active(job) => job.log().into_owned(),
            Slot::Inactive(packed) => {
                let mut log = String::new();
                for event in packed.parts(id).into_iter().flat_map(|parts| parts.events) {
                    log.push_str(event.as_str());
                    log.push('\n');
                }
                log
            }
            // A caller that needs it has it brought first.
            Slot::Away(_) => String::new(),
        })
    }

    /// The lines with this number.
    pub fn group(&self, number: f64) -> Option<&str> {
        let (_, place) = self.groups.iter().find(|(known, _)| *known == number)?;
        self.log.get(place.clone())
    }
}

/// The record of some lines of a job's log, unless the filter lets none through.
pub fn record_of(
    id: JobId,
    slot: &Slot,
    lines: &str,
    filter: &Filter,
    number: f64,
) -> Option<Bytes> {
    let kept = filter.kept(lines);
    if kept.is_empty() {
        return None;
    }
    let has = |name: &str| kept.lines().any(|line| name_of(line) == name);
    let (jobspec, r) = parts_of(id, slot, has("submit"), has("alloc"));
    let record = live_record(id, &kept, jobspec.as_ref(), r.as_ref());
    Some(with_number(&record, number, false))
}

/// The record of a job in a snapshot of the events with numbers up to `until`.
pub fn snapshot_of(id: JobId, slot: &Slot, filter: &Filter, until: f64) -> Option<Bytes> {
    let keep = |line: &str| filter.passes(&name_of(line));
    let (record, number) = match slot {
        Slot::Active(job) if job.is_admitting() => return None,
        Slot::Active(job) if job.last <= until => match filter.is_open() {
            true => (job.record(|_| true), job.last),
            false => (job.record(keep), job.last),
        },
        Slot::Inactive(packed) if packed.t_clean <= until => match filter.is_open() {
            true => (packed.record(id), packed.t_clean),
            false => (packed.filtered(id, keep), packed.t_clean),
        },
        slot => part_until(id, slot, filter, until)?,
    };
    Some(with_number(&record, number, true))
}

/// The record of a job to which something has happened since `until`, without that.
fn part_until(id: JobId, slot: &Slot, filter: &Filter, until: f64) -> Option<(Bytes, f64)> {
    let numbered = Numbered::of_slot(id, slot);
    let before = |(number, _): &&(f64, Range<usize>)| *number <= until;
    let groups = numbered.groups.iter().filter(before);
    let number = groups.clone().map(|(number, _)| *number).reduce(f64::max)?;
    let lines = groups.filter_map(|(_, place)| numbered.log.get(place.clone()));
    let lines: String = lines.collect();
    let (jobspec, r) = parts_of(id, slot, true, true);
    let record = live_record(id, &filter.kept(&lines), jobspec.as_ref(), r.as_ref());
    Some((record, number))
}

/// The jobspec and R of a job, as far as they are wanted.
fn parts_of(
    id: JobId,
    slot: &Slot,
    wants_jobspec: bool,
    wants_r: bool,
) -> (Option<RawJson>, Option<RawJson>) {
    if !wants_jobspec && !wants_r {
        return (None, None);
    }
    let (jobspec, r) = match slot {
        Slot::Active(job) => {
            let jobspec = wants_jobspec.then(|| RawJson::clone(&job.jobspec()));
            (jobspec, job.r.as_deref().cloned())
        }
        Slot::Inactive(packed) => match packed.parts(id) {
            Some(parts) => (parts.jobspec, parts.r),
            None => (None, None),
        },
        Slot::Away(_) => (None, None),
    };
    (jobspec.filter(|_| wants_jobspec), r.filter(|_| wants_r))
}

/// A record with its number at the end.
fn with_number(record: &Bytes, number: f64, is_snapshot: bool) -> Bytes {
    let record = record.strip_suffix(b"}\0").unwrap_or(record);
    let mut text = String::from_utf8_lossy(record).into_owned();
    // Writing to a String cannot fail, and JSON has the shortest form that is read back as it was.
    let _ = write!(text, r#","seq":{}"#, serde_json::Value::from(number));
    if is_snapshot {
        text.push_str(r#","snapshot":true"#);
    }
    text.push_str("}\0");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[(f64, &str)]) -> String {
        let line = |(timestamp, name): &(f64, &str)| {
            format!("{{\"timestamp\":{timestamp:?},\"name\":\"{name}\"}}\n")
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_log_is_cut_into_what_is_told_at_once() {
        let check = |lines: &[(f64, &str)], expect: &[(f64, usize)]| {
            let numbered = Numbered::of(log(lines));
            let groups = numbered.groups.iter();
            let groups: Vec<(f64, usize)> = groups
                .map(|(number, place)| (*number, numbered.log[place.clone()].lines().count()))
                .collect();
            assert_eq!(groups, expect, "{lines:?}");
        };
        check(&[], &[]);
        // When a job was submitted is told by another clock.
        check(&[(9.0, "submit"), (1.0, "validate")], &[(1.0, 2)]);
        check(
            &[
                (0.5, "submit"),
                (1.0, "dependency-add"),
                (2.0, "validate"),
                (3.0, "depend"),
            ],
            &[(2.0, 3), (3.0, 1)],
        );
        // A log that another job manager has written.
        check(
            &[
                (1.0, "submit"),
                (2.0, "depend"),
                (2.0, "priority"),
                (3.0, "alloc"),
            ],
            &[(1.0, 1), (2.0, 2), (3.0, 1)],
        );
    }

    #[test]
    fn lines_are_found_by_their_number() {
        let numbered = Numbered::of(log(&[(1.0, "submit"), (2.0, "depend")]));
        assert_eq!(numbered.group(2.0), Some(log(&[(2.0, "depend")]).as_str()));
        assert_eq!(numbered.group(1.5), None);
    }

    #[test]
    fn a_number_is_read_back_as_it_was() {
        for number in [0.0, 1000.0, 1_795_880_899.25_f64.next_up()] {
            let record = with_number(&Bytes::from_static(b"{\"id\":1}\0"), number, false);
            let record: serde_json::Value =
                serde_json::from_slice(record.strip_suffix(b"\0").unwrap()).unwrap();
            assert_eq!(record["seq"].as_f64(), Some(number));
        }
    }
}
