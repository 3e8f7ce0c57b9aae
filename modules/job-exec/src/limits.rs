//! Every limit of job-exec in one place.

/// Operations in one commit to the primary namespace; the rest goes in the next.
pub const PRIMARY_OPS_MAX: usize = 4096;

/// Run time of a job before it gets a namespace of its own, in milliseconds. The log of a job
/// that ends before is stored in its place as a whole.
pub const NAMESPACE_WAIT_MS: u64 = 20;

/// Bytes of the guest logs of a job that ended soon which the job manager stores with its own.
/// Longer ones go to the KVS from here.
pub const HANDED_BYTES_MAX: usize = 64 * 1024;

/// Requests for the namespace of one job that wait until it is there. The kvs, which asks for
/// everybody, has one.
pub const MAKERS_MAX: usize = 16;

/// Bytes of log lines in one such commit, about; the rest goes in the next.
pub const PRIMARY_BYTES_MAX: usize = 8 << 20;

/// Shells that may wait for their job to be asked for. When full, a further one must ask
/// again.
pub const STRAY_SHELLS_MAX: usize = 4096;

/// Time that a shell that nobody asked for may wait, in seconds, before it is dismissed.
pub const STRAY_WAIT_S: u64 = 10;

/// Time that the shell of a job that was started before us has to report, in seconds.
pub const REATTACH_WAIT_S: u64 = 5;

/// Interval of checks whether awaited shells still run, in milliseconds: those of a lost
/// broker exit by themselves within that time.
pub const LOOK_INTERVAL_MS: u64 = 500;

/// Time that a shell that is not our child may be without a connection, in seconds.
pub const SHELL_GRACE_S: u64 = 2;

/// Time after `exec-hello` for which a namespace of a job that nobody asked for is kept, in
/// seconds.
pub const LEFTOVER_WAIT_S: u64 = 5;

/// Between two attempts to reach a service that is not there, in milliseconds.
pub const RETRY_DELAY_MS: u64 = 500;

/// Bytes of one `log` entry made from the output of a shell to its own standard streams.
pub const SHELL_LOG_BYTES_MAX: usize = 64 * 1024;

/// Bytes kept of the output of one shell to its own standard streams, in all. The rest is
/// dropped: a shell's messages are few.
pub const SHELL_LOG_TOTAL_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Time that a stop waits for outcomes that are being stored, in seconds.
pub const STOP_WAIT_S: u64 = 5;

/// Time to wait for the last output of a shell that exited, in milliseconds.
pub const SHELL_DRAIN_MS: u64 = 1000;

/// Results of ended jobs, kept for a job manager that has lost them. The oldest goes
/// first.
pub const OUTCOMES_MAX: usize = 16_384;

/// Bytes of one message from a shell to the leading one. A longer message is refused.
pub const TELL_BYTES_MAX: usize = 1 << 20;

/// Bytes that wait for one leading shell to take them. When full, the sender is to send
/// it again later.
pub const MAIL_BYTES_MAX: usize = 16 << 20;

/// Bytes of one answer to a leading shell, about; the rest comes with the next.
pub const HEARD_BYTES_MAX: usize = 1 << 20;

/// Bytes that the shells of one job bring along to a barrier. A barrier with more of them
/// does not open.
pub const BARRIER_BYTES_MAX: usize = 32 << 20;

/// The same for all leading shells on one broker together.
pub const MAILS_BYTES_MAX: usize = 128 << 20;

/// Bytes of messages between shells that wait here to be passed on to the job-exec above.
/// When full, the sender is to send it again later.
pub const TRANSIT_BYTES_MAX: usize = 64 << 20;

/// The same as [`BARRIER_BYTES_MAX`] for all jobs together, with the data that each keeps
/// of its last barrier. A barrier for which there is no room does not open.
pub const BARRIERS_BYTES_MAX: usize = 256 << 20;

/// Interval after which messages that the leading shell has not acknowledged are sent again,
/// in milliseconds: they may be lost with a job-exec on the way.
pub const RETELL_MS: u64 = 1000;

/// Time that a restarted job-exec below has to join, in seconds. Then its shells are
/// given up.
pub const LINK_WAIT_S: u64 = 10;

/// The first and the longest wait before the job-exec above is joined again, in milliseconds.
pub const JOIN_FIRST_MS: u64 = 20;
/// See [`JOIN_FIRST_MS`].
pub const JOIN_LAST_MS: u64 = 2000;

/// Time for shells that are late at the start barrier of a job to report themselves, in
/// milliseconds. Those that do not count as late.
pub const ROLL_CALL_MS: u64 = 1000;

/// Bytes of output of shells to their own standard streams that wait here to be passed on
/// to the job-exec above. The rest is dropped.
pub const WROTE_BYTES_MAX: usize = 4 << 20;
