//! Every limit of the kvs, unit last.

use std::time::Duration;

use proto::kvs::{COMMIT_BYTES_MAX, COMMIT_OPS_MAX};

/// Symlinks followed in one lookup or write. One more is ELOOP (protocol/04 section 7).
pub const LINKS_MAX: usize = 10;

/// Components of a path once its symlinks are followed. A longer one is refused EINVAL, so
/// that walking a tree may recurse.
pub const PATH_COMPONENTS_MAX: usize = 1024;

/// Largest directory or value in bytes, as large as a blob may be. A larger one is EFBIG.
pub const OBJECT_BYTES_MAX: usize = 1 << 30;

/// Largest value that a lookup answers with in one piece: in base64 it must fit into a
/// message. A larger one is EFBIG; it can still be streamed.
pub const ANSWER_BYTES_MAX: usize = 700 << 20;

/// From this size on a directory is stored as its difference from the one before; in
/// tests all are.
pub const EDITED_DIR_BYTES_MIN: usize = if cfg!(test) { 1 } else { 8 << 10 };

/// Largest blob of a value that is kept in memory: larger ones are read once or never. With a
/// low `kvs.cache-size` it is a fourth of the cache.
pub const KEPT_BLOB_BYTES_MAX: usize = 1 << 20;

/// Small blobs at the end of a value that grows. One more, and they become one blob.
pub const SMALL_BLOBS_MAX: usize = 64;

/// Bytes that such a blob has at most.
pub const MERGED_BYTES_MAX: usize = 64 << 10;

/// Batches under way to the content store. Later transactions join the next one.
pub const BATCHES_MAX: usize = 2;

/// Bytes of one commit's payload: nobody else is answered while it is taken in. A longer one
/// is refused EFBIG before it is parsed.
pub const TRANSACTION_BYTES_MAX: usize = COMMIT_BYTES_MAX;

/// Operations of one transaction, with the entries of directories that it puts: they are
/// applied in one turn, in less than a second. One with more is refused E2BIG.
pub const TRANSACTION_OPS_MAX: usize = COMMIT_OPS_MAX;

/// Operations that one batch takes on: nobody else is answered while they are applied. A
/// transaction that would have more waits for the next batch; one that has more by itself is a
/// batch of its own.
pub const BATCH_OPS_MAX: usize = 1000;

/// Bytes that the transactions of one batch bring, or new blobs that they make. The rest
/// waits for the next batch, in the same way: the content store accepts larger ones, but
/// their answers would wait for each other.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Transactions waiting in all namespaces. A further one is refused EBUSY.
pub const QUEUED_TRANSACTIONS_MAX: usize = 1 << 18;

/// Namespaces. A further one is refused ENOBUFS.
pub const NAMESPACES_MAX: usize = 1 << 17;

/// Bytes in the name of a namespace. A longer one is refused EINVAL.
pub const NAMESPACE_NAME_BYTES_MAX: usize = 256;

/// Writers of `once` tokens remembered in a namespace. The one whose last commit is oldest
/// is forgotten.
pub const ONCE_WRITERS_MAX: usize = 64;

/// Bytes in the name of such a writer. A longer one is refused EINVAL.
pub const ONCE_WRITER_BYTES_MAX: usize = 64;

/// Requests that wait for namespaces of jobs that are being made. A further one is refused EBUSY.
pub const UNMADE_REQUESTS_MAX: usize = 4096;

/// Requests that wait for blobs or versions. A further one is refused EBUSY.
pub const WAITING_REQUESTS_MAX: usize = 1 << 17;

/// Blobs that one request asks of the content store at a time. The rest is asked for when
/// these have come.
pub const LOADS_AT_ONCE_MAX: usize = 4096;

/// Blobs asked of the content store by all requests. A further lookup is refused EBUSY.
pub const LOADS_MAX: usize = 1 << 18;

/// Time that an unused object is kept in memory on ranks other than 0: content has it for longer.
/// It leaves with the next heartbeat.
pub const OBJECT_AGE_MAX: Duration = Duration::from_secs(10);

/// Time that an unused namespace is followed there (protocol/21 section 2).
pub const NAMESPACE_AGE_MAX: Duration = Duration::from_secs(3600);

/// Versions in a row that nobody asks about, after which a namespace is not followed there any
/// more: those cost more by then than to ask the parent when it is used again.
pub const UNUSED_VERSIONS_MAX: u32 = 64;

/// Interval at which a followed namespace is compared with the parent's, with the next
/// heartbeat.
pub const COMPARE_PERIOD: Duration = Duration::from_secs(30);

/// Namespaces whose roots are asked for at a time. A request about a further one is refused
/// EBUSY.
pub const ASKED_NAMESPACES_MAX: usize = 4096;

/// Relays under way to rank 0. Later transactions join the next one.
pub const RELAYS_MAX: usize = 4;

/// Bytes of transactions in one relay. A longer transaction goes alone.
pub const RELAY_BYTES_MAX: usize = 8 << 20;

/// Bytes of transactions on their way to rank 0, from this rank and those below. A further
/// one is refused EBUSY.
pub const RELAYED_BYTES_MAX: usize = 256 << 20;

/// Bytes of one relay's payload: a transaction of the longest kind with the fields around
/// it, written as another JSON text. A longer one is refused EFBIG.
pub const RELAY_PAYLOAD_BYTES_MAX: usize = 2 * COMMIT_BYTES_MAX;

/// Brokers of one rank that are remembered after another has taken their place. Messages
/// of an older one are taken for those of a new broker.
pub const FORMER_BROKERS_MAX: usize = 4;

const _: () = assert!(RELAY_PAYLOAD_BYTES_MAX >= 2 * RELAY_BYTES_MAX);
const _: () = assert!(MERGED_BYTES_MAX <= KEPT_BLOB_BYTES_MAX);
const _: () = assert!(LOADS_AT_ONCE_MAX < LOADS_MAX);
const _: () = assert!(ANSWER_BYTES_MAX / 3 * 4 < OBJECT_BYTES_MAX);
const _: () = assert!(PATH_COMPONENTS_MAX >= proto::data::limits::KEY_COMPONENTS_MAX);
