//! Every limit of the commands in one place, unit last.

use std::time::Duration;

/// Submissions without an answer yet. The next one waits until one is answered.
pub const SUBMITS_IN_FLIGHT_MAX: usize = 1024;

/// Requests about single jobs without an answer yet.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 512;

/// Records of the journal that may be on their way to 'flux job journal'.
pub const JOURNAL_WINDOW: u32 = 256;

/// Ranks of a job whose job-exec is asked by 'flux job trace'. Of the others it says how many
/// they are.
pub const TRACED_RANKS_MAX: usize = 256;

/// Responses that may be on their way to 'flux jobs --follow'.
pub const FOLLOW_WINDOW: u32 = 64;

/// Time for which 'flux job journal' tries to find a lost journal again.
pub const JOURNAL_PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts.
pub const JOURNAL_RETRY: Duration = Duration::from_millis(50);

/// Bytes of output of one process that may be on their way to 'flux exec'. Until they are
/// written the process is not read from.
pub const OUTPUT_CREDIT_BYTES: u64 = 256 * 1024;

/// Jobs that one response of a listing may hold.
pub const LISTED_CHUNK_JOBS: u32 = 256;

/// Instances that run as jobs of which `flux jobs` asks N at once, by default.
pub const INSTANCES_ASKED_AT_ONCE: usize = 8;
/// The most that may be asked for.
pub const INSTANCES_ASKED_AT_ONCE_MAX: i64 = 256;

/// Least interval between queries of jobs and resources by `flux top`.
pub const TOP_REFRESH: Duration = Duration::from_secs(2);

/// Content requests under way unless asked otherwise: few, because jobs go on.
pub const LOADS_IN_FLIGHT: usize = 2;

/// The same for stores, which the service puts into one transaction.
pub const STORES_IN_FLIGHT: usize = 64;

/// Content requests under way at most.
pub const CONTENT_REQUESTS_IN_FLIGHT_MAX: usize = 4096;

/// Blobs that are checked at a time unless asked otherwise.
pub const VALIDATES_IN_FLIGHT: usize = 64;

/// Blobs that one step of a collection deletes, and rows that it looks at: the store has
/// other work between two steps.
pub const SWEEP_DELETES: i64 = 2048;
/// See [`SWEEP_DELETES`].
pub const SWEEP_WINDOW_ROWS: i64 = 65_536;

/// Bytes of one line with a jobspec: the maximum of job-ingest, and the submitter.
pub const JOBSPEC_LINE_BYTES_MAX: u64 = 17 * 1024 * 1024;

/// Places at which `flux lint` finds something; further ones are not reported.
pub const LINT_FINDINGS_MAX: usize = 4096;

/// Modules and programs that `flux lint` keeps data of, for each rule; further ones are ignored,
/// and so it is with the limits below.
pub const LINT_PARTIES_MAX: usize = 16_384;

/// Watches of one of them.
pub const LINT_WATCHES_MAX: usize = 4096;

/// Keys of the KVS.
pub const LINT_KEYS_MAX: usize = 16_384;

/// The longest value of which is known whether the next one begins with it.
pub const LINT_VALUE_BYTES_MAX: usize = 4096;

/// Topics of events.
pub const LINT_TOPICS_MAX: usize = 4096;

/// Methods of which one asks something.
pub const LINT_QUESTIONS_MAX: usize = 1024;

/// Letters in which a suggested command may differ from the typed one.
pub const SUGGESTED_EDITS_MAX: usize = 3;

/// Commands that are suggested.
pub const SUGGESTED_MAX: usize = 3;

/// Files with help on commands of a site; further ones are not read.
pub const HELP_FILES_MAX: usize = 256;

/// Bytes of one of them.
pub const HELP_FILE_BYTES_MAX: u64 = 1 << 20;

/// Copies of one job that '--cc' and '--bcc' may ask for.
pub const COPIES_MAX: u64 = 10_000_000;

/// Jobs that the inputs of 'flux bulksubmit' may be combined to, without copies.
pub const BULK_JOBS_MAX: u64 = 10_000_000;

/// Bytes of inputs in one file, or on standard input.
pub const BULK_INPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Requests of one client of a proxy without their last answer. The next one is answered
/// EAGAIN.
pub const FORWARDED_REQUESTS_MAX: usize = 65_536;

/// Services that are notified when a client of a proxy leaves.
pub const FORWARDED_NOTICES_MAX: usize = 4096;

/// Clients of a proxy. The next one is refused.
pub const FORWARDED_CLIENTS_MAX: usize = 4096;

/// Bytes that a client of a proxy may leave unread before it is let go.
pub const FORWARDED_BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that one read(2) from a client of a proxy takes at most.
pub const FORWARDED_READ_BYTES: usize = 64 * 1024;

/// Time between two attempts of a proxy to reconnect to a broker.
pub const PROXY_RETRY: Duration = Duration::from_secs(2);

/// Bytes of blobs of an archive that are stored or loaded at a time.
pub const ARCHIVE_BYTES_IN_FLIGHT: usize = 16 << 20;

/// References to blobs of an archive in one commit.
pub const ARCHIVE_REFS_A_COMMIT: usize = 4096;
