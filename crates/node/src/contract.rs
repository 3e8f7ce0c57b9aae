//! Inputs and outputs of a node. Both lists are closed: a new cause of work is a new
//! variant here, seen by the runtime and the simulator.

use std::any::Any;
use std::ffi::CString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wire::Message;

/// The time, passed in with everything that happens.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Now {
    /// Since an arbitrary start; never goes back.
    pub mono: Duration,
    /// Seconds since the epoch, for time stamps only.
    pub wall: f64,
}

/// The other end of a link. The runtime numbers links; a number is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

impl PeerId {
    /// A module's or program's one link: to its broker.
    pub const BROKER: PeerId = PeerId(0);
    /// A broker's link to its parent in the tree.
    pub const PARENT: PeerId = PeerId(1);
}

/// Peer at the other end of a new link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerKind {
    /// The broker we belong to.
    Broker,
    /// The broker above us in the tree, which may not be there yet.
    Parent,
    /// A broker below us in the tree, by the identity under which it sends.
    Child {
        /// UUID.
        identity: String,
        /// The public key that it has proved to hold, in Z85.
        key: String,
    },
    /// A module process, by the identity that we gave it.
    Module {
        /// UUID.
        identity: String,
        /// Process group, as the kernel reports it.
        group: i32,
    },
    /// A program on the local socket, as identified by the kernel.
    Client {
        /// User id.
        uid: u32,
        /// Groups, main one first, as far as they could be read.
        gids: Vec<u32>,
        /// Process id.
        pid: i32,
    },
}

/// A child process as its parent numbers it. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId(pub u64);

/// A piece of work given to the worker thread. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(pub u64);

/// Everything that can happen to a node.
pub enum Input {
    /// A message arrived.
    Message {
        /// On this link.
        from: PeerId,
        /// This one.
        message: Message,
    },
    /// A link came up.
    PeerUp {
        /// Number from now on.
        peer: PeerId,
        /// Kind of peer.
        kind: PeerKind,
    },
    /// A link is lost; everything that it had sent was delivered before.
    PeerDown {
        /// Number.
        peer: PeerId,
    },
    /// A link has many bytes of ours to read, or has read most of them. Further requests of
    /// a peer that is behind only make its backlog longer.
    PeerFlow {
        /// Number.
        peer: PeerId,
        /// True if it is behind.
        is_behind: bool,
    },
    /// The time that [`Node::deadline`] named has come.
    Deadline,
    /// Everything that had arrived was handled: the moment to send off batches.
    Settled,
    /// A signal arrived, by number.
    Signal(i32),
    /// Something happened to a child process.
    Child {
        /// Child.
        child: ChildId,
        /// Event.
        event: ChildEvent,
    },
    /// The worker finished.
    Work {
        /// Id under which it was given.
        work: WorkId,
        /// Result.
        result: WorkResult,
    },
}

/// Result of a piece of work.
pub type WorkResult = Box<dyn Any + Send>;

/// A piece of work for the one ordered worker thread, on the value that the thread owns: a
/// `Host::Worker`, which [`crate::Cx::work`] takes it for.
pub type Work = Box<dyn FnOnce(&mut (dyn Any + Send)) -> WorkResult + Send>;

/// Event of a child process.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildEvent {
    /// The child runs.
    Started {
        /// Process id.
        pid: i32,
    },
    /// The child could not be started.
    Failed {
        /// Error number.
        errno: wire::Errno,
    },
    /// The child wrote something, or the stream has ended (`eof`, perhaps with `data`):
    /// with the child at the latest, also when that has left behind a process that could
    /// write.
    Output {
        /// Stream.
        stream: StdioFd,
        /// Bytes read.
        data: Bytes,
        /// Nothing more will come on this stream.
        eof: bool,
    },
    /// Input that was sent to it is out of our hands: it went into the pipe, or was thrown
    /// away because nobody reads it. Every byte of [`Output::ChildInput`] is reported
    /// once.
    InputTaken {
        /// Number of bytes.
        bytes: usize,
        /// Nothing that is sent further goes anywhere.
        closed: bool,
    },
    /// It wrote to one of its [`Spawn::socketpairs`], or that socket has ended (`eof`,
    /// perhaps with `data`).
    Channel {
        /// Name of the socket pair.
        name: String,
        /// Bytes read.
        data: Bytes,
        /// Nothing more will come on this socket.
        eof: bool,
    },
    /// Bytes written to one of its [`Spawn::socketpairs`] have left our buffer, as with
    /// [`ChildEvent::InputTaken`].
    ChannelTaken {
        /// Name of the socket pair.
        name: String,
        /// Number of bytes.
        bytes: usize,
    },
    /// A signal has stopped it; reported if [`Spawn::tell_stops`]. Nothing reports that it
    /// goes on.
    Stopped,
    /// The child ended. Its remaining output may still follow.
    Exited {
        /// Status as wait(2) gives it.
        status: i32,
    },
}

/// A standard stream of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StdioFd {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Destination of a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Our own standard error.
    Stderr,
    /// The file of this path, to whose end it is added.
    File(String),
    /// The system's log.
    Syslog,
}

/// Connection of a standard stream of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stdio {
    /// The same as ours.
    Inherit,
    /// Nothing.
    #[default]
    Null,
    /// Us: input is sent with [`Output::ChildInput`], output comes as [`ChildEvent::Output`].
    Pipe,
    /// Input only: a pipe that we hold open and never write to, so that the child sees
    /// end of file when we have exited.
    Lifeline,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinSize {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub cols: u16,
}

/// Parameters of a child process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spawn {
    /// Program and arguments. The program is looked up in PATH if it has no slash.
    pub argv: Vec<String>,
    /// The whole environment; `None` means ours.
    pub env: Option<Vec<(String, String)>>,
    /// Variables to set on top of `env`.
    pub env_add: Vec<(String, String)>,
    /// Working directory; `None` means ours.
    pub cwd: Option<String>,
    /// Standard input.
    pub stdin: Stdio,
    /// A file to read standard input from, in place of `stdin`.
    pub stdin_path: Option<String>,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// The child leads a session of its own, whose terminal has this size and is its standard
    /// streams, in place of `stdin`, `stdout` and `stderr`; input may still come from a file. Its
    /// output comes as output of [`StdioFd::Stdout`]; input has no end.
    pub terminal: Option<WinSize>,
    /// True if it leads a process group of its own.
    pub new_group: bool,
    /// True if its program can be kept ready, to be forked for each child and not loaded again.
    /// Holds for a child with no more to its start than words, added variables, and output that
    /// is piped; others are started one by one.
    pub zygote: bool,
    /// True if a file that the kernel cannot run fails with ENOEXEC; otherwise it is a script
    /// for the shell, as in execvp(3).
    pub no_shell: bool,
    /// True if [`ChildEvent::Stopped`] is of interest.
    pub tell_stops: bool,
    /// True if it is stopped as it becomes its program, before that does anything, until it gets a
    /// SIGCONT. One that ends earlier could not be started, for ECHILD. Not for one of many.
    pub stop_at_exec: bool,
    /// Signal that it gets when we die, in any way.
    pub end_with_us: Option<i32>,
    /// Socket pairs to share with the child besides the three standard streams. Each is
    /// named after the environment variable with the number of the child's end. Ours is
    /// written with [`Output::ChildChannel`] and read as [`ChildEvent::Channel`].
    pub socketpairs: Vec<String>,
    /// Resource limits to set in the child: name without `RLIMIT_` in lower case,
    /// soft limit (`-1` unlimited).
    pub rlimits: Vec<(String, i64)>,
    /// CPUs to bind to, as an idset; `None` leaves the binding alone.
    pub cpus: Option<String>,
    /// The child is one of many, and this is their shared part: `argv` is empty if the
    /// command is in it, `env_add` are its own variables, and the working directory is ours.
    /// Such a child has no socket pairs and no input but from a file.
    pub alike: Option<Arc<Alike>>,
    /// Files to write standard output and error to, in place of `stdout` and `stderr`; they may
    /// be the same.
    pub out_paths: [Option<OutPath>; 2],
}

/// Parameters shared by similar children, prepared once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alike {
    /// The program's file, found already.
    pub program: CString,
    /// Words.
    pub argv: Vec<CString>,
    /// Variables as `NAME=VALUE`, without those that each child has of its own.
    pub env: Vec<CString>,
}

/// A file that a child writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutPath {
    /// Path.
    pub path: String,
    /// True to keep its contents.
    pub append: bool,
}

/// Everything a node can do to the world.
pub enum Output {
    /// Send a message. To a lost link it vanishes.
    Send {
        /// Receiver.
        to: PeerId,
        /// Message.
        message: Message,
    },
    /// Let a new client in, which puts one zero byte on its socket.
    Accept {
        /// Peer.
        peer: PeerId,
    },
    /// Turn a new client away with an error number in its one byte.
    Reject {
        /// Peer.
        peer: PeerId,
        /// Error number.
        errno: wire::Errno,
    },
    /// End a link once everything queued for it is out.
    Close {
        /// Peer.
        peer: PeerId,
    },
    /// Start a child process.
    Spawn {
        /// Number from now on.
        child: ChildId,
        /// Parameters.
        spawn: Box<Spawn>,
    },
    /// Write to a child's standard input, or close it.
    ChildInput {
        /// Child.
        child: ChildId,
        /// Bytes to write.
        data: Bytes,
        /// True to close it after that.
        eof: bool,
    },
    /// Write to one of a child's [`Spawn::socketpairs`], or close it.
    ChildChannel {
        /// Child.
        child: ChildId,
        /// Name of the socket pair.
        name: String,
        /// Bytes to write.
        data: Bytes,
        /// True to close it after that.
        eof: bool,
    },
    /// Stop reading a child's standard output, error and socket pairs, or resume: later output
    /// stays in the pipe, and a full pipe makes it wait.
    ChildFlow {
        /// Child.
        child: ChildId,
        /// True to pause.
        paused: bool,
    },
    /// Give a child's terminal another size, which signals its foreground processes.
    ChildSize {
        /// Child.
        child: ChildId,
        /// Size.
        size: WinSize,
    },
    /// Send a signal to a child, or to the process group that it leads.
    Kill {
        /// Child.
        child: ChildId,
        /// By number.
        signum: i32,
        /// The whole group.
        group: bool,
    },
    /// Give work to the worker thread. Work is done in the order given.
    Work {
        /// Number.
        work: WorkId,
        /// Work.
        job: Work,
        /// True if it takes less time than starting a thread: then it may be done on the
        /// spot, unless the thread exists.
        is_quick: bool,
    },
    /// Use this stream as the link to the broker, in place of a lost one. Answered with
    /// [`Input::PeerUp`].
    Uplink {
        /// A connection that the broker has let in.
        stream: OwnedFd,
    },
    /// Write a line of the log.
    Log {
        /// Destination.
        to: Sink,
        /// Without its newline.
        line: String,
    },
    /// Give the system the memory that was in use and is not any more.
    GiveBackMemory,
    /// End the process once everything queued is out.
    Exit {
        /// Exit code.
        code: i32,
    },
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { to, message } => write!(f, "send {to:?} {message:?}"),
            Self::Accept { peer } => write!(f, "accept {peer:?}"),
            Self::Reject { peer, errno } => write!(f, "reject {peer:?} {errno:?}"),
            Self::Close { peer } => write!(f, "close {peer:?}"),
            Self::Spawn { child, spawn } => write!(f, "spawn {child:?} {:?}", spawn.argv),
            Self::ChildInput { child, data, eof } => {
                write!(f, "input {child:?} {} bytes eof={eof}", data.len())
            }
            Self::ChildChannel {
                child,
                name,
                data,
                eof,
            } => write!(f, "channel {child:?} {name} {} bytes eof={eof}", data.len()),
            Self::ChildFlow { child, paused } => write!(f, "flow {child:?} paused={paused}"),
            Self::ChildSize { child, size } => {
                write!(f, "size {child:?} {}x{}", size.rows, size.cols)
            }
            Self::Kill { child, signum, .. } => write!(f, "kill {child:?} {signum}"),
            Self::Work { work, .. } => write!(f, "work {work:?}"),
            Self::Uplink { .. } => write!(f, "uplink"),
            Self::Log { to, line } => write!(f, "log {to:?} {line}"),
            Self::GiveBackMemory => write!(f, "give back memory"),
            Self::Exit { code } => write!(f, "exit {code}"),
        }
    }
}

/// A component: broker, module, or job shell.
pub trait Node {
    /// Handles one input.
    fn handle(&mut self, now: Now, input: Input);

    /// Notes the time for which the last input has held the loop. Told by a loop that has a
    /// clock.
    fn took(&mut self, _time: Duration) {}

    /// The next thing to do, until `None`.
    fn poll(&mut self) -> Option<Output>;

    /// When to hand in [`Input::Deadline`], if nothing happens before.
    fn deadline(&self) -> Option<Duration>;

    /// Number of requests for which it keeps state: see [`crate::Cx::n_tokens`].
    fn n_tokens(&self) -> usize {
        0
    }

    /// Walks the cross-references and panics on one that is broken. Called after
    /// every step in tests and simulation.
    fn check_invariants(&self) {}
}
