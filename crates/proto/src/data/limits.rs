//! Every limit of the data formats, unit last, with the behaviour beyond it.

/// Hosts in one host list. A longer expansion is refused with `TooManyHosts`.
pub const HOSTS_MAX: usize = 131_072;

/// Bytes of one host name in a host list. A longer one is refused.
pub const HOST_NAME_BYTES_MAX: usize = 256;

/// Ids written one by one when an idset is printed without ranges; more is refused.
pub const IDSET_LISTED_IDS_MAX: u64 = 1_048_576;

/// Components of one KVS key. A deeper key is refused, so walking a tree may recurse.
pub const KEY_COMPONENTS_MAX: usize = 512;

/// Bytes of one KVS key. A longer one is refused.
pub const KEY_BYTES_MAX: usize = 65_536;

/// Nested operators in one constraint object or query. Deeper ones are refused.
pub const CONSTRAINT_DEPTH_MAX: usize = 64;

/// Operators of one constraint object and the values below them. More is refused: each may
/// be checked for each rank.
pub const CONSTRAINT_TERMS_MAX: usize = 16_384;

/// Bytes of one constraint query. A longer one is refused; the object a query becomes is no
/// deeper than the query is long.
pub const QUERY_BYTES_MAX: usize = 16_384;

/// Components of a dotted path into jobspec or annotations. A longer one is refused, so that
/// setting it cannot build an object too deep to walk.
pub const DOTTED_COMPONENTS_MAX: usize = 64;

/// Tasks of one task map, once expanded. A larger map is refused.
pub const TASKMAP_TASKS_MAX: u64 = 4_194_304;

/// Numbers of one range list and names of one node list, once expanded. A longer one is refused.
pub const RANGELIST_NUMBERS_MAX: usize = TASKMAP_TASKS_MAX as usize;

/// Nodes of one task map. A larger map is refused.
pub const TASKMAP_NODES_MAX: u64 = 1_048_576;

/// Ranks of one resource set. A larger set is refused. Every rank has a host, so one limit
/// serves both.
pub const RSET_RANKS_MAX: u64 = HOSTS_MAX as u64;

/// Nodes, slots, cores, GPUs and tasks of one jobspec, each by itself and their products. More
/// is refused at submission.
pub const JOBSPEC_COUNT_MAX: u64 = i32::MAX as u64;

/// Time limit of one job, in seconds. A longer one is refused at submission.
pub const JOBSPEC_DURATION_S_MAX: f64 = 1e12;

/// Bytes of the names and values of one job's environment: the maximum for execve(2). More is
/// refused at submission.
pub const JOBSPEC_ENVIRONMENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Files attached to one job. More is refused at submission.
pub const JOBSPEC_FILES_MAX: usize = 4096;

/// Dependencies of one job. More is refused at submission.
pub const JOBSPEC_DEPENDENCIES_MAX: usize = 16_384;

/// Bytes of the type of one exception. A longer one is refused.
pub const EXCEPTION_TYPE_BYTES_MAX: usize = 4096;

/// Bytes of a log line's application name and the other header fields; the rest is cut off.
pub const LOG_NAME_BYTES_MAX: usize = 64;

/// Bytes of one log line's message; the rest is cut off.
pub const LOG_MESSAGE_BYTES_MAX: usize = 65_536;

/// Bytes of a line that a process writes. A longer one is split into several.
pub const OUTPUT_LINE_BYTES_MAX: usize = 16 * 1024;

/// Elements of one array. A larger one is refused at submission.
pub const ARRAY_ELEMENTS_MAX: u64 = 10_000_000;

/// Times that one element of an array is started, on its own. A job that asks for more is refused.
pub const ARRAY_TRIES_MAX: u32 = 255;
