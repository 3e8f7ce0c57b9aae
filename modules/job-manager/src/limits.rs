//! Every limit of the job manager in one place.

use std::time::Duration;

/// Streams of the journal that may be open. When full, a further one is answered ENOBUFS.
pub const LISTENERS_MAX: usize = 1024;

/// Bytes of history sent to one listener before other work gets its turn.
pub const HISTORY_SLICE_BYTES: usize = 256 * 1024;

/// Jobs looked at in one slice of history, sent or not.
pub const HISTORY_SLICE_JOBS: usize = 2048;

/// Cost of making a row in such a slice, in bytes.
pub const FOLD_BYTES: usize = 512;

/// Live records that wait for one listener's history. When full, the stream ends with
/// ENOBUFS: its client asks again and gets everything.
pub const HISTORY_WAITING_MAX: usize = 1 << 20;

/// Streams of the journal that guests may have open together, so that there is room for the
/// owner's. When full, a further one is answered ENOBUFS.
pub const GUEST_LISTENERS_MAX: usize = LISTENERS_MAX / 2;

/// Streams of the journal that one guest may have open. A further one is answered ENOBUFS.
pub const LISTENERS_OF_GUEST_MAX: usize = 16;

/// Events that numbered streams of the journal can go back. A consumer further behind
/// gets a snapshot.
pub const JOURNAL_EVENTS_MAX: usize = if cfg!(test) { 256 } else { 1 << 16 };

/// Bytes of such events that are kept besides the jobs' logs. The text of others is looked up
/// there.
pub const JOURNAL_TEXT_BYTES_MAX: usize = if cfg!(test) { 512 } else { 4 << 20 };

/// Inactive jobs whose logs are read after a restart for such streams.
pub const JOURNAL_JOBS_MAX: usize = 1 << 14;

/// Cost of visiting a job or an event in a slice of a numbered stream, in bytes.
pub const LOOK_BYTES: usize = HISTORY_SLICE_BYTES / HISTORY_SLICE_JOBS;

/// Lookups in flight while jobs are read at the start.
pub const REPLAY_LOOKUPS_MAX: usize = 512;

/// Jobs that one purge may forget (protocol/11 section 13).
pub const PURGE_JOBS_MAX: usize = 100;

/// Waitable jobs that have ended and that nobody has waited for. When there are more, the
/// one with the lowest id cannot be waited for any more.
pub const UNWAITED_MAX: usize = 65_536;

/// Bytes of `job.update.KEY`. A longer key is refused.
pub const UPDATE_TOPIC_BYTES_MAX: usize = 127;

/// Time that an event that nobody waits for may wait for others to be stored with it.
pub const COMPANY_WAIT: Duration = Duration::from_millis(20);

/// Interval of commits for jobs that ended soon, when they come one after the other: jobs in
/// between join the next.
pub const SOON_GAP: Duration = Duration::from_millis(5);

/// N such commits are made at once before that.
pub const SOON_BURST: u32 = 4;

/// Submissions that wait for the next try to store something where there was no room. A further
/// one is refused at once.
pub const HELD_SUBMISSIONS_MAX: usize = 1024;

/// Bytes of an R that is written beside the content store before it is in the KVS. A job
/// with a longer one starts when that is stored.
pub const EARLY_R_BYTES_MAX: usize = 64 * 1024;

/// Bytes of guest logs that are written there. Resources of a job with longer ones go to
/// the next job when they are stored.
pub const EARLY_LINES_BYTES_MAX: usize = 16 * 1024;

/// Operations of one commit. The rest waits for the next.
pub const COMMIT_OPS_MAX: usize = 4096;

/// Bytes of one commit, about. The rest waits for the next.
pub const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one job's journal record: as much as a value in the KVS may have. A longer one
/// is refused where it is read.
pub const RECORD_BYTES_MAX: usize = 1 << 30;

/// Bytes of one job's log. A memo, a change of urgency or an exception that would make it
/// longer is refused, unless the exception ends the job. The events of the job itself are a
/// few lines more.
pub const JOB_LOG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Jobs that wait and whose texts are kept as they are. With one more, those of the job to
/// which nothing has happened for longest are packed.
pub const PLAIN_JOBS_MAX: usize = if cfg!(test) { 2 } else { 4096 };

/// Bytes of the note of an exception. The rest is cut off.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Policies that may be loaded. One more is refused.
pub const POLICIES_MAX: usize = 256;

/// Jobs that are notified of the end or start of those they waited for before it is stored
/// and others get their turn.
pub const TOLD_DEPENDENTS_MAX: usize = if cfg!(test) { 3 } else { 512 };

/// Bytes of the topic `job.dependency.SCHEME`. A job with a longer one is rejected.
pub const SCHEME_TOPIC_BYTES_MAX: usize = 127;

/// Bytes of `UID:NAME`, which singletons have in common. A singleton with a longer one is rejected.
pub const SINGLETON_KEY_BYTES_MAX: usize = 1023;

/// Bytes of the sentence with which a job is rejected. The rest is cut off.
pub const REJECTION_BYTES_MAX: usize = 159;

/// Jobs that may wait for the answer of one policy of a site's own. More are dealt with as if it
/// did not answer.
pub const REMOTE_JOBS_MAX: usize = 16_384;

/// Bytes of the jobspecs of those that it was not asked about yet, unless they came together.
pub const REMOTE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Jobs of one request to such a policy. The rest waits for the next.
pub const REMOTE_BATCH_JOBS_MAX: usize = 1024;

/// Bytes of the jobspecs of one such request, about. The rest waits for the next.
pub const REMOTE_BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Seconds until a policy of a site's own that returned no priorities is asked again.
pub const REMOTE_RANK_RETRY_S: f64 = 5.0;

/// Users, and banks, that may have a factor of their own for `priority-factor`. More are refused.
pub const FACTORS_MAX: usize = 1 << 20;

/// Frames of one level of the job log before they are folded into one.
pub const LOG_FOLD_FRAMES: usize = 16;

/// Bytes of records that are worth a frame of their own in a segment.
pub const LOG_FOLD_BYTES: usize = 128 * 1024;

/// Bytes of one frame of a segment, about. A larger record has a frame of its own.
pub const LOG_FRAME_BYTES: usize = 256 * 1024;

/// Frames of one segment of the job log.
pub const LOG_SEGMENT_FRAMES_MAX: usize = 64;

/// Bytes of one segment of the job log, about: the amount read, and written again, at a
/// time.
pub const LOG_SEGMENT_BYTES_MAX: usize = 1024 * 1024;

/// Dead weight allowed in the segments besides as much as is live, in units of a short
/// record: the rows of about two segments.
pub const LOG_DEAD_WEIGHT: u64 = if cfg!(test) { 1 << 10 } else { 1 << 17 };

/// Segments of the log whose rows are kept for a while when rows are needed that are in the
/// log only. With one more the first that came goes.
pub const SHELF_SEGMENTS_MAX: usize = 8;

/// Requests that wait for such rows. A further one is answered EBUSY.
pub const ROW_REQUESTS_MAX: usize = 1 << 14;

/// Rows that are put away in one turn.
pub const ROWS_PUT_AWAY_MAX: usize = 4096;

/// Jobs in which the log differs from the jobs' keys that are named. More are counted.
pub const DIFFERENCES_MAX: usize = 8;

/// Segments in flight while the job log is read at the start.
pub const LOG_LOOKUPS_MAX: usize = 8;

/// Processes on all ranks that may run at the same time for prologs, epilogs and
/// housekeeping. When there are as many, a command waits for its turn on further ranks.
pub const BULK_PROCESSES_MAX: usize = 16_384;

/// Regular expressions of `job-manager.perilog.log-ignore`. More are refused.
pub const LOG_IGNORE_MAX: usize = 256;

/// Bytes that one of them may take when it is compiled. A larger one is refused.
pub const LOG_IGNORE_BYTES_MAX: usize = 1 << 20;

/// Between two attempts of a commit for which there is no room.
pub const COMMIT_RETRY: Duration = Duration::from_secs(1);

// A job's record has its log, its jobspec of at most 16 MiB and its R, and goes in base64
// with a commit that was not full yet.
const _: () = assert!(
    (COMMIT_BYTES_MAX + JOB_LOG_BYTES_MAX + (16 << 20) + (14 << 20)) / 3 * 4
        < proto::kvs::COMMIT_BYTES_MAX
);
const _: () = assert!(LOG_FOLD_BYTES < LOG_FRAME_BYTES);
const _: () = assert!(LOG_FRAME_BYTES < LOG_SEGMENT_BYTES_MAX);
