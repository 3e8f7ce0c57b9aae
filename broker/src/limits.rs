//! Every limit of the broker in one place.

/// Requests held for one module while it restarts. When full, a further one is
/// answered EHOSTUNREACH at once.
pub const HELD_REQUESTS_MAX: usize = 65_536;

/// Of those, the share of all guests together.
pub const HELD_OF_GUESTS_MAX: usize = HELD_REQUESTS_MAX / 2;

/// Of those, the share of one guest over all its connections.
pub const HELD_OF_GUEST_MAX: usize = 8_192;

/// Time for which a request is held for a restarting module, in seconds. After that it is
/// answered EHOSTUNREACH.
pub const HOLD_S: u64 = 30;

/// Restarts of one module within [`RESTART_WINDOW_S`], none of which has answered a
/// request. When there would be one more the module is given up: it is unloaded, requests
/// held for it are answered ENOSYS, and its services are unknown. A process that is
/// killed from outside, or that ends for want of room, is not broken and never given up.
pub const RESTARTS_MAX: usize = 10;

/// See [`RESTARTS_MAX`], in seconds.
pub const RESTART_WINDOW_S: u64 = 60;

/// Processes of a module that may die with one and the same request. After the last the
/// request is answered EHOSTUNREACH instead of being handed on: it may be the cause of the
/// deaths.
pub const DEATHS_MAX: usize = 10;

/// Requests to modules and to services of clients that may be without an answer, all in
/// all. When full, a further one is answered ENOBUFS, here and at the three limits below.
pub const PENDING_MAX: usize = 1 << 20;

/// Of those, the share of one client or module.
pub const PENDING_OF_ONE_MAX: usize = 1 << 18;

/// Of those, the share of all guests together: the owner always finds room.
pub const PENDING_OF_GUESTS_MAX: usize = 1 << 19;

/// Of those, the share of one guest over all its connections.
pub const PENDING_OF_GUEST_MAX: usize = 1 << 15;

/// Ways back of answers that are remembered after their end: a link that answers too late is
/// recognised by it. An old one is written over, and an answer to it counts as one to nothing.
pub const TOMBSTONES_MAX: usize = 1 << 14;

/// Number of entries that share a place in the table; the oldest of them is written over.
pub const TOMBSTONE_WAYS: usize = 4;

/// Providers that are looked at for who else has a request that is answered by the wrong one.
/// With more of them the answer counts as one to nothing.
pub const JUDGED_PROVIDERS_MAX: usize = 1024;

/// Least time between two checks for expired requests, in milliseconds.
pub const EXPIRY_LOOK_MS: u64 = 5;

/// Records of orphaned messages of the owner. When full, the oldest is dropped, here and at
/// the three limits below; counters count all.
pub const ORPHANS_MAX: usize = 4096;

/// Of those, the share of one module, client or broker.
pub const ORPHANS_OF_ONE_MAX: usize = 1024;

/// The same of all guests, who take none of the owner's room.
pub const ORPHANS_OF_GUESTS_MAX: usize = 1024;

/// Of those, the share of one guest over all its connections.
pub const ORPHANS_OF_GUEST_MAX: usize = 128;

/// Longest text in the record of an orphaned message, in bytes. The rest is cut off.
pub const ORPHAN_TEXT_BYTES_MAX: usize = 128;

/// Longest payload in which the job is looked for that an orphaned message is about, in bytes.
pub const ORPHAN_PAYLOAD_BYTES_MAX: usize = 4096;

/// Records in one batch. Those who follow get one of the last ones at a time; the
/// counters have their number.
pub const ORPHANS_IN_BATCH_MAX: usize = 256;

/// Bytes of answers to requests for bulk that one client may be expected to get from one
/// module at a time. Further requests wait in the broker until it has read; then they go.
pub const CREDIT_BYTES: usize = 1 << 20;

/// Requests of one client that may wait so for one module. A further one is answered
/// ENOBUFS.
pub const CREDIT_WAITING_MAX: usize = 1 << 17;

/// The same for a client of a guest.
pub const CREDIT_WAITING_OF_GUEST_MAX: usize = 1 << 12;

/// Answers to subscriptions that wait until the brokers above know of them. When full, a
/// further one is answered ENOBUFS.
pub const SUBSCRIBING_MAX: usize = 65_536;

/// Groups that a broker is in. A further one is answered ENOBUFS.
pub const GROUPS_MAX: usize = 4096;

/// Least time between two log lines on responses that answer nothing, in seconds. Lines
/// dropped meanwhile are counted, and the next line gives their number.
pub const STRAY_LINES_S: u64 = 10;

/// Services that one client or module, with the programs behind it, may use and be
/// disconnected from. When full, a request to a further one is answered ENOBUFS: that
/// service could not be notified when its client leaves.
pub const DISCONNECT_NOTICES_MAX: usize = 1024;

/// Subscriptions of one client or module. When full, a further one is refused ENOBUFS.
pub const SUBSCRIPTIONS_MAX: usize = 1 << 20;

/// Bytes of all topics that one client has subscribed to. When full, a further one is
/// refused ENOBUFS.
pub const SUBSCRIBED_BYTES_MAX: usize = 1 << 20;

/// Longest payload of a request that the broker answers itself, in bytes. Decoded it may
/// take many times as much. A longer one is refused EMSGSIZE.
pub const OWN_REQUEST_BYTES_MAX: usize = 64 << 20;

/// Longest payload that a trace shows, in bytes. Of a longer one it shows the size.
pub const TRACED_BYTES_MAX: usize = 1 << 20;

/// Services that all clients and modules together may register. When full, a
/// further one is refused ENOBUFS.
pub const SERVICES_MAX: usize = 1 << 16;

/// Longest name of a service, in bytes. A longer one is refused EINVAL.
pub const SERVICE_NAME_BYTES_MAX: usize = 255;

/// Longest log line, in bytes. Longer lines are cut.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;

/// Log lines kept for the parent broker until it has let us in. When full, the oldest is
/// dropped.
pub const EARLY_LINES_MAX: usize = 1024;

/// Commands on one `runat` list. When full, a further one is refused ENOBUFS.
pub const RUNAT_COMMANDS_MAX: usize = 1024;

/// Time that modules have to stop when the broker shuts down, in seconds. After that they
/// are killed.
pub const UNLOAD_WAIT_S: u64 = 20;

/// Time that a module may run without its link, in seconds: after it, the module exits by
/// itself, or is killed and restarted.
pub const LINK_LOST_WAIT_S: u64 = 5;

/// Time that a start waits for another broker to release its directories, in seconds.
/// After that it is refused.
pub const FOLDER_WAIT_S: u64 = 3;

/// Longest rundir, in bytes: socket paths below it must fit in a `sockaddr_un`.
pub const RUNDIR_BYTES_MAX: usize = 96;

/// Time that processes have to exit when the broker shuts down, in seconds. After that they
/// are killed.
pub const PROCESS_TERM_WAIT_S: u64 = 5;

/// Time that the broker waits for processes that it has killed, in seconds. After that it
/// ends without them.
pub const PROCESS_KILL_WAIT_S: u64 = 5;

/// Events of the state machine that may wait for their turn. More are our bug.
pub const STATE_EVENTS_MAX: usize = 64;

/// Longest text with which a module may explain why it ends, in bytes. The rest is cut off.
pub const MODULE_ERROR_BYTES_MAX: usize = 1024;

const _: () = assert!(PENDING_OF_GUESTS_MAX < PENDING_MAX);
const _: () = assert!(PENDING_OF_GUEST_MAX < PENDING_OF_GUESTS_MAX);
const _: () = assert!(RUNDIR_BYTES_MAX + "/local-4294967295".len() < 108 + 6);
