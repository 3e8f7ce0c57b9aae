//! The packed form of an inactive job: the record that the journal sends of it, compressed
//! against a text that most records resemble. Rows are on disk: [`DICTIONARY`] belongs to
//! version 1 of the job log and cannot change without another version.

use bytes::Bytes;
use lz4_flex::block::{compress_with_dict, decompress_with_dict};

use crate::limits::RECORD_BYTES_MAX;

/// Text common to records, the most common last.
const DICTIONARY: &[u8] = br#"{"timestamp":1795330275.0266078,"name":"dependency-add","context":{"description":"after-finish=after-success=begin-time="}},{"timestamp":1795330275.0266078,"name":"dependency-remove","context":{"description":"{"timestamp":1795330275.0266078,"name":"jobspec-update","context":{"attributes.system.duration":{"timestamp":1795330275.0266078,"name":"urgency","context":{"userid":0,"urgency":{"timestamp":1795330275.0266078,"name":"flux-restart"},{"timestamp":1795330275.0266078,"name":"memo","context":{"uri":"ssh://local:///tmp/flux-/local-0"}},{"timestamp":1795330275.0266078,"name":"debug.alloc-request"},"debug.start-request"},{"timestamp":1795330275.0266078,"name":"exception","context":{"type":"timeout","severity":0,"note":"resource allocation expired","userid":1000}},{"timestamp":1795330275.0266078,"name":"exception","context":{"type":"exec","severity":0,"note":"task exited with exit code 1","userid":0}},{"timestamp":1795330275.0266078,"name":"exception","context":{"type":"cancel","severity":0,"note":"","userid":0}},{"timestamp":1795330275.0266078,"name":"finish","context":{"status":256}},"jobspec":{"resources":[{"type":"node","count":1,"exclusive":true,"with":[{"type":"slot","count":1,"with":[{"type":"core","count":1},{"type":"gpu","count":1}],"label":"task"}]}],"tasks":[{"command":["flux","broker","{{tmpdir}}/script"],"slot":"task","count":{"total":1}}],"attributes":{"system":{"duration":3600.0,"cwd":"/home/user","queue":"batch","job":{"name":"test"},"constraints":{"properties":["batch"]},"exec":{"test":{"run_duration":"0.001s"}},"shell":{"options":{"per-resource":{"type":"node"},"mpi":"none","exit-timeout":"none","output":{"stdout":{"type":"file","path":"flux-{{id}}.out"}},"rlimit":{"cpu":-1,"fsize":-1,"data":-1,"stack":8388608,"core":-1,"nofile":1024,"as":-1,"rss":-1,"nproc":-1}}}}}},{"id":3858759680,"events":[{"timestamp":1795330275.0266078,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}},{"timestamp":1795330275.0266078,"name":"validate"},{"timestamp":1795330275.0266078,"name":"depend"},{"timestamp":1795330275.0266078,"name":"priority","context":{"priority":16}},{"timestamp":1795330275.0266078,"name":"alloc","context":{"annotations":{"sched":{"resource_summary":"rank0/core0"}}}},{"timestamp":1795330275.0266078,"name":"start"},{"timestamp":1795330275.0266078,"name":"finish","context":{"status":0}},{"timestamp":1795330275.0266078,"name":"release","context":{"ranks":"all","final":true}},{"timestamp":1795330275.0266078,"name":"free"},{"timestamp":1795330275.0266078,"name":"clean"}],"jobspec":{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0,"cwd":"/tmp","shell":{"options":{"rlimit":{}}}}},"version":1},"R":{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0"}}],"nodelist":["host0"],"nslots":1,"starttime":1795330275.0266078,"expiration":0.0}}}"#;

/// Packs a record.
pub fn pack(record: &[u8]) -> Bytes {
    let mut row = compress_with_dict(record, DICTIONARY);
    row.shrink_to_fit();
    row.into()
}

/// The record of a row that was made of `bytes` bytes.
pub fn unpack(row: &[u8], bytes: u32) -> Option<Bytes> {
    let bytes = bytes as usize;
    if bytes > RECORD_BYTES_MAX {
        return None;
    }
    let record = decompress_with_dict(row, bytes, DICTIONARY).ok()?;
    (record.len() == bytes).then(|| record.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = br#"{"id":31591498218,"events":[{"timestamp":1763833055.5266078,"name":"submit","context":{"userid":1000,"urgency":16,"flags":0,"version":1}},{"timestamp":1763833055.5866078,"name":"validate"},{"timestamp":1763833055.5966078,"name":"depend"},{"timestamp":1763833055.6266078,"name":"priority","context":{"priority":16}},{"timestamp":1763833055.6366078,"name":"alloc","context":{"annotations":{"sched":{"resource_summary":"rank0/core17"}}}},{"timestamp":1763833055.7266078,"name":"start"},{"timestamp":1763833056.0266078,"name":"finish","context":{"status":0}},{"timestamp":1763833056.0366078,"name":"release","context":{"ranks":"all","final":true}},{"timestamp":1763833056.0366078,"name":"free"},{"timestamp":1763833056.0366078,"name":"clean"}],"jobspec":{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["hostname","-f"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0,"cwd":"/home/someone/project","shell":{"options":{"rlimit":{"cpu":-1,"fsize":-1,"data":-1,"stack":8388608,"core":0,"nofile":1048576,"as":-1,"rss":-1,"nproc":-1}}}}},"version":1},"R":{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"17"}}],"nodelist":["node17"],"nslots":1,"starttime":1763833055.6366078,"expiration":0.0}}}"#;

    #[test]
    fn an_ordinary_job_takes_about_half_a_kilobyte() {
        let row = pack(RECORD);
        assert!(row.len() < 600, "{} bytes", row.len());
        assert_eq!(unpack(&row, RECORD.len() as u32).unwrap(), RECORD);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let row = pack(RECORD);
        assert_eq!(unpack(&row, RECORD.len() as u32 + 1), None);
        assert_eq!(unpack(&row, RECORD.len() as u32 - 1), None);
        assert_eq!(unpack(&row[..100], RECORD.len() as u32), None);
        assert_eq!(unpack(b"\xff\xff\xff", 10), None);
        assert_eq!(unpack(&row, u32::MAX), None);
    }
}
