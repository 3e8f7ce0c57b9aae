//! Every limit of the commands in one place, unit last.

use std::time::Duration;

/// Submissions without an answer yet. The next one waits until one is answered.
pub const SUBMITS_IN_FLIGHT_MAX: usize = 1024;

/// Jobs that are followed at once; the others wait for their turn.
pub const FOLLOWED_JOBS_MAX: usize = 512;

/// Requests about single jobs without an answer yet.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 512;

/// Records of the journal that may be on their way to 'flux job journal'.
pub const JOURNAL_WINDOW: u32 = 256;

/// Responses that may be on their way to 'flux jobs --follow'.
pub const FOLLOW_WINDOW: u32 = 64;

/// How long 'flux job journal' tries to find the journal again when it is gone.
pub const JOURNAL_PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts.
pub const JOURNAL_RETRY: Duration = Duration::from_millis(50);

/// Bytes of standard input that one request hands to a job.
pub const INPUT_BYTES_MAX: usize = 32 * 1024;

/// Bytes of output of one process that may be on their way to 'flux exec'. Until they are
/// written the process is not read from.
pub const OUTPUT_CREDIT_BYTES: u64 = 256 * 1024;

/// Jobs that one response of a listing may hold.
pub const LISTED_CHUNK_JOBS: u32 = 256;

/// Bytes of one file that is put into a jobspec.
pub const ADDED_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of one value that is restored from an archive: what the content store takes as
/// one blob unless it is told otherwise.
pub const RESTORED_VALUE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of values on their way to the store while an archive is restored.
pub const RESTORE_BYTES_IN_FLIGHT_MAX: usize = 32 * 1024 * 1024;

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

/// Bytes of one line with a jobspec: what job-ingest takes, and who submits it.
pub const JOBSPEC_LINE_BYTES_MAX: u64 = 17 * 1024 * 1024;

/// Places at which `flux lint` finds something; further ones are not told of.
pub const LINT_FINDINGS_MAX: usize = 4096;

/// Modules and programs that `flux lint` keeps something of, for each rule; what further ones do is
/// not looked at, and so it is with the limits below.
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
