//! A job log that nobody has lived: as many inactive jobs as one likes, for measurements of
//! the start.

use std::collections::BTreeMap;

use job_fold::{Folder, row_of};
use proto::data::Tree;
use proto::kvs::Dirent;

use super::{Blob, JobLog, Record, Row};
use crate::row;

/// Jobs whose rows come in one commit.
const COMMIT_JOBS: u64 = 4096;

/// Milliseconds between two jobs, and from a job's submission to its end.
const EACH_MS: u64 = 3;
const TAKES_MS: u64 = 2_000;

/// The keys and values of a log of this many inactive jobs of user `userid`, which end at
/// `last`, in seconds since the epoch.
pub fn made_log(jobs: u64, userid: u32, last: u64) -> BTreeMap<String, Vec<u8>> {
    let mut log = JobLog::default();
    let mut values = BTreeMap::new();
    let mut folder = Folder::default();
    let mut next = 0;
    while next < jobs {
        let until = jobs.min(next + COMMIT_JOBS);
        let mut records: Vec<Record> = (next..until)
            .map(|n| {
                let end_ms = last * 1000 - (jobs - n) * EACH_MS;
                Record::Retired(made_row(n, userid, end_ms, &mut folder))
            })
            .collect();
        if until == jobs {
            records.push(Record::Complete);
        }
        apply(&mut values, &mut log, records);
        next = until;
    }
    values
}

fn apply(values: &mut BTreeMap<String, Vec<u8>>, log: &mut JobLog, records: Vec<Record>) {
    for op in log.write(records) {
        match op.dirent {
            Some(Dirent::Tree(Tree::Val(value))) if op.flags != 0 => {
                values.entry(op.key).or_default().extend(value);
            }
            Some(Dirent::Tree(Tree::Val(value))) => drop(values.insert(op.key, value.into())),
            _ => drop(values.remove(&op.key)),
        }
    }
}

/// Job number `n`, which ended at this time.
fn made_row(n: u64, userid: u32, end_ms: u64, folder: &mut Folder) -> Row {
    // As FLUIDs are: the time since the instance began, and a sequence number.
    let id = ((1_000 + n * EACH_MS) << 24) | (n % 3);
    let core = n % 64;
    // Clocks have more digits than a millisecond has.
    let at = |ms: u64| (end_ms - TAKES_MS + ms) as f64 / 1e3 + (n % 997) as f64 * 1e-6;
    let line = |ms: u64, rest: &str| format!(r#"{{"timestamp":{},{rest}}}"#, at(ms));
    let events = [
        line(
            0,
            &format!(
                r#""name":"submit","context":{{"userid":{userid},"urgency":16,"flags":0,"version":1}}"#
            ),
        ),
        line(12, r#""name":"validate""#),
        line(13, r#""name":"depend""#),
        line(14, r#""name":"priority","context":{"priority":16}"#),
        line(
            20,
            &format!(
                r#""name":"alloc","context":{{"annotations":{{"sched":{{"resource_summary":"rank0/core{core}"}}}}}}"#
            ),
        ),
        line(31, r#""name":"start""#),
        line(TAKES_MS - 9, r#""name":"finish","context":{"status":0}"#),
        line(
            TAKES_MS - 2,
            r#""name":"release","context":{"ranks":"all","final":true}"#,
        ),
        line(TAKES_MS - 1, r#""name":"free""#),
        line(TAKES_MS, r#""name":"clean""#),
    ];
    let record = format!(
        r#"{{"id":{id},"events":[{}],"jobspec":{{"resources":[{{"type":"slot","count":1,"with":[{{"type":"core","count":1}}],"label":"task"}}],"tasks":[{{"command":["./step","--part={n}"],"slot":"task","count":{{"per_slot":1}}}}],"attributes":{{"system":{{"duration":0,"cwd":"/home/someone/project","shell":{{"options":{{"rlimit":{{"cpu":-1,"fsize":-1,"data":-1,"stack":8388608,"core":0,"nofile":1048576,"as":-1,"rss":-1,"nproc":-1}}}}}}}}}},"version":1}},"R":{{"version":1,"execution":{{"R_lite":[{{"rank":"0","children":{{"core":"{core}"}}}}],"nodelist":["node0"],"nslots":1,"starttime":{},"expiration":0.0}}}}}}"#,
        events.join(","),
        at(20)
    ) + "\0";
    Row {
        id,
        userid,
        t_clean: at(TAKES_MS),
        bytes: u32::try_from(record.len()).unwrap_or(u32::MAX),
        packed: Blob(row::pack(record.as_bytes())),
        // It had resources, it ran, and it ended well.
        outcome: Some(7),
        listed: row_of(folder, record.as_bytes()).map(|row| Blob(row.into())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::job::Packed;
    use crate::joblog::{HEAD_KEY, Head};
    use proto::data::JobId;

    #[test]
    fn a_made_log_has_the_jobs_that_were_asked_for() {
        let values = made_log(5000, 100, 1_795_000_000);
        let head = Head::decode(&values[HEAD_KEY]).unwrap().sum.unwrap();
        assert_eq!(head.inactive, 5000);
        let made = made_row(7, 100, 1_795_000_000_000, &mut Folder::default());
        let id = JobId(made.id);
        let packed = Packed::of_row(made.clone());
        let parts = packed.parts(id).expect("a record");
        assert_eq!(parts.events.len(), 10);
        assert!(packed.is_listed());
    }

    #[test]
    fn what_another_version_has_listed_is_made_again() {
        let mut made = made_row(7, 100, 1_795_000_000_000, &mut Folder::default());
        let id = JobId(made.id);
        let listed = made.listed.replace(Blob(Bytes::from_static(b"\xffother")));
        let packed = Packed::of_row(made);
        assert!(!packed.is_listed());
        let again = packed.listed(id, &mut Folder::default());
        assert_eq!(again, listed.as_ref().map(|row| &row.0[..]));
    }
}
