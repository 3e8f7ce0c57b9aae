//! Every limit of the job shell in one place.

/// Bytes of job output that wait to be stored before tasks are made to wait. From the half of it
/// on they are stored without delay, and a leading shell keeps the rest of the room for others.
pub const OUTPUT_PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one log that go into one commit, in whole lines. The rest waits for the next.
pub const COMMIT_LOG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Time for which events of the guest log are gathered, in milliseconds, unless output is
/// stored: those of a short job all go with its outcome.
pub const LOG_GATHER_MS: u64 = 20;

/// Bytes of messages of one shell to the leading one before its tasks are made to wait.
pub const OUTBOX_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of it that are sent at once, in whole messages, but one message at least.
pub const TELL_BYTES_MAX: usize = 256 * 1024;

/// Bytes that the tasks of the leading shell write in one turn, while other shells have more to
/// send than fits at once: as many as those send at once.
pub const TURN_BYTES_MAX: usize = TELL_BYTES_MAX;

/// Bytes of output in one word. As JSON they may be six times as many, which job-exec takes.
pub const WORD_BYTES_MAX: usize = 64 * 1024;

/// Time to wait for the processes of another shell, in seconds.
pub const PROCTABLE_WAIT_S: u64 = 5;

/// Bytes of one line of standard output that are held back for its end. A longer line is
/// passed on in pieces.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one message of the shell itself (protocol/23 section 4).
pub const LOG_MESSAGE_BYTES_MAX: usize = 4095;

/// Bytes of output per stream that go to the KVS by default, in an instance of one user
/// (protocol/13 section 11). Also the most that a job may ask for.
pub const OUTPUT_MAX: (u64, &str) = (1 << 30, "1G");

/// The same in an instance of many users.
pub const OUTPUT_GUEST_MAX: (u64, &str) = (10 << 20, "10M");

/// Bytes of output per stream in the KVS from which users are advised to use a file.
pub const OUTPUT_BYTES_HIGH: u64 = 100 << 20;

/// Bytes of standard input that are kept in the log `input`. Data beyond it goes to the tasks
/// alone; in a job of several shells, which all read the log, it ends the job, unless the job
/// sets another limit (protocol/23 section 11).
pub const INPUT_LOG_MAX: (u64, &str) = (10_000_000, "10M");

/// The most that a job may set as the limit of its input.
pub const INPUT_LIMIT_BYTES_MAX: u64 = 32 << 20;

/// Bytes of standard input that wait for one task. When full, its input ends there, which
/// is logged (protocol/23 section 11): one that does not read holds up no other.
pub const INPUT_TASK_BYTES_MAX: usize = 32 << 20;

/// Least size counted for a piece of standard input, in bytes.
pub const INPUT_PIECE_COST_BYTES: usize = 256;

/// Bytes of standard input that wait for the task that reads fastest before clients wait
/// for their answers.
pub const INPUT_BACKLOG_BYTES: usize = 1 << 20;

/// Clients' requests that wait for room. When full, the oldest one is answered.
pub const INPUT_WAITS_MAX: usize = 1024;

/// Bytes of standard input that the runtime has of each task.
pub const INPUT_WINDOW_BYTES: usize = 64 * 1024;

/// Tasks that one shell may run.
pub const TASKS_MAX: u64 = 65_536;

/// Tasks that are started before other work gets its turn.
pub const STARTS_PER_TURN: usize = 64;

/// Bytes of one argument after its templates were filled in.
pub const ARGUMENT_BYTES_MAX: usize = 1024 * 1024;

/// Time that tasks have to exit after a SIGTERM when the broker is lost, in milliseconds.
pub const ORPHAN_TERM_MS: u64 = 500;

/// Between two attempts to reach job-exec, in milliseconds; doubled each time.
pub const RETRY_FIRST_MS: u64 = 50;

/// The longest wait between two attempts, in milliseconds.
pub const RETRY_LAST_MS: u64 = 1000;

/// Writes to output files under way before tasks are made to wait.
pub const WRITES_MAX: usize = 1024;

/// Between two attempts to store output for which there is no room, or no kvs.
pub const STORE_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// Bytes of output of helpers that wait for the leading shell before the helpers are made to wait.
pub const COPROCESS_PENDING_BYTES_MAX: usize = 1024 * 1024;

/// Time for which the leading shell waits for the helpers of others after its own must have
/// ended, in seconds. Then their output is missing.
pub const COPROCESS_WAIT_S: u64 = 5;

/// Time limit of a job's scripts, in seconds; the job then ends without them. Their steps are
/// counted; this is for one that waits for something outside.
pub const SCRIPTS_S: u64 = 60;

/// Files of an archive that are written before other work gets its turn.
pub const STAGE_FILES_PER_TURN: usize = 64;

/// Blobs of one file of an archive that are loaded or written at the same time.
pub const STAGE_LOADS_MAX: usize = 4;

/// Words of 32 processors in a set of them. The rest is left out.
pub const CPU_WORDS_MAX: usize = 32;

/// Bytes of a file of hosts that are read. The rest is missing.
pub const HOSTFILE_BYTES_MAX: u64 = 1 << 20;

/// Time for which ends of elements of an array are gathered before they are logged, in
/// milliseconds. Elements that ended during the last of it are run again if the job is resumed
/// after a crash.
pub const ARRAY_LOG_GATHER_MS: u64 = 250;

/// Elements in one line of an array's log, and in one message about their ends. More make
/// several.
pub const ARRAY_LOG_LINE_ELEMENTS_MAX: usize = 16_384;

/// Between two notes of how far an array is, in seconds.
pub const ARRAY_MEMO_S: u64 = 5;

/// Time that an element has to exit after a SIGTERM when it timed out or is cancelled, in
/// seconds.
pub const ARRAY_KILL_S: u64 = 5;

/// Time for which ends of elements are gathered before another shell is notified, in
/// milliseconds, unless that shell has to hand out more.
pub const ARRAY_TELL_MS: u64 = 100;

/// Elements that one shell is given at once.
pub const ARRAY_SUPPLY_MAX: u64 = 1024;

/// Between the loss of the broker and the first look for another one, in milliseconds; each
/// further wait is twice as long.
pub const SEEK_FIRST_MS: u64 = 50;

/// The longest wait between two such looks, in milliseconds: well below the time that job-exec
/// gives shells to report after its start.
pub const SEEK_LAST_MS: u64 = 800;

/// Time that a broker has to admit us, in seconds. After that we look again.
pub const ADMIT_WAIT_S: u64 = 5;
