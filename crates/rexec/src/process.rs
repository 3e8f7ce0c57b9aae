//! One process that a client has started: its clients, its open streams, and the room for
//! input.

use std::collections::BTreeMap;

use node::{ChildId, Cx, Host, Reply, Spawn, Stdio, StdioFd};
use proto::data::job::WaitStatus;
use proto::data::stdio::Data;
use proto::rexec::{Command, Exec, ProcessReply, Wait, Waited, flags};
use wire::Identity;

use super::audience::Audience;
use super::launch;
use super::retained::Retained;
use crate::lines::LoggedLines;

/// Standard input, as requests name it.
const STDIN: &str = "stdin";

/// A stream of output that a client is interested in.
struct Output {
    name: String,
    /// The bit by which a client asks for it.
    bit: u32,
    is_open: bool,
}

/// One process.
pub(super) struct Process<L> {
    child: ChildId,
    pub cmd: Command,
    /// 0 until it runs.
    pub pid: i32,
    leads_group: bool,
    pub in_background: bool,
    /// True if its exit status is kept for a client, and none has asked.
    pub is_waitable: bool,
    wants_credit: bool,
    pub audience: Option<Audience<L>>,
    /// True if its output is not read.
    is_paused: bool,
    /// The exec request, while its client is there.
    pub request: Option<(Identity, u32)>,
    /// Request that waits for its exit.
    pub waiter: Option<Reply<Wait>>,
    outputs: Vec<Output>,
    /// Bytes of input that may come, by stream.
    credit: BTreeMap<String, u64>,
    /// Bytes of input that may wait for it, all in all.
    pub granted: u64,
    /// Exit status.
    pub status: Option<i32>,
    lines: LoggedLines,
    retained: Retained,
}

impl<L> Process<L> {
    /// One that is being started as `spawn` says, with room for `credit` bytes of input.
    pub fn new(
        child: ChildId,
        request: Exec,
        spawn: &Spawn,
        in_background: bool,
        credit: u64,
    ) -> Process<L> {
        let mut outputs = Vec::new();
        let mut add = |name: &str, bit, is_piped| {
            let name = name.to_owned();
            if is_piped {
                let is_open = true;
                outputs.push(Output { name, bit, is_open });
            }
        };
        add("stdout", flags::STDOUT, spawn.stdout == Stdio::Pipe);
        add("stderr", flags::STDERR, spawn.stderr == Stdio::Pipe);
        for name in &request.cmd.channels {
            let bit = flags::CHANNEL;
            add(name, bit, request.flags & bit != 0);
        }
        let stdin = (spawn.stdin == Stdio::Pipe).then_some(STDIN);
        let inputs = stdin.into_iter();
        let inputs = inputs.chain(request.cmd.channels.iter().map(String::as_str));
        let credit: BTreeMap<String, u64> = inputs.map(|name| (name.to_owned(), credit)).collect();
        Process {
            child,
            pid: 0,
            leads_group: spawn.new_group,
            in_background,
            is_waitable: request.flags & flags::WAITABLE != 0,
            wants_credit: request.flags & flags::WRITE_CREDIT != 0,
            audience: None,
            is_paused: false,
            request: None,
            waiter: None,
            granted: credit.values().sum(),
            credit,
            cmd: request.cmd,
            outputs,
            status: None,
            lines: LoggedLines::default(),
            retained: Retained::default(),
        }
    }

    /// Name in the log.
    fn name(&self) -> String {
        match &self.cmd.label {
            Some(label) => label.clone(),
            None => format!("{}[{}]", launch::shown(&self.cmd), self.pid),
        }
    }

    /// Reads its output, or does not, as its audience does, whose link is read or not.
    pub fn pace<C: Host>(&mut self, cx: &mut Cx<C>, is_behind: impl Fn(&L) -> bool) {
        let audience = self.audience.as_ref();
        let is_paused = audience.is_some_and(|audience| {
            audience.is_full() || audience.link.as_ref().is_some_and(is_behind)
        });
        if std::mem::replace(&mut self.is_paused, is_paused) != is_paused {
            cx.pause_child(self.child, is_paused);
        }
    }

    /// True if it has exited and nothing more will come.
    pub fn is_over(&self) -> bool {
        self.status.is_some() && self.outputs.iter().all(|output| !output.is_open)
    }

    /// True if a client may still ask for it: it runs, or its exit status is kept.
    pub fn is_known(&self) -> bool {
        self.status.is_none() || self.is_waitable
    }

    /// Sends a signal, to the group that it leads if there is one.
    pub fn kill<C: Host>(&self, cx: &mut Cx<C>, signum: i32) {
        cx.kill_child(self.child, signum, self.leads_group);
    }

    fn send<C: Host>(&mut self, cx: &mut Cx<C>, told: &ProcessReply) {
        if let Some(audience) = &mut self.audience {
            audience.send(cx, told);
        }
    }

    /// Records that the process runs. The client of a background process has its one
    /// response now.
    pub fn started<C: Host>(&mut self, cx: &mut Cx<C>, pid: i32) {
        self.pid = pid;
        self.send(cx, &ProcessReply::Started { pid });
        if self.in_background {
            self.audience = None;
        } else if self.wants_credit && !self.credit.is_empty() {
            let channels = self.credit.clone();
            self.send(cx, &ProcessReply::AddCredit { channels });
        }
    }

    /// A signal has stopped it.
    pub fn stopped<C: Host>(&mut self, cx: &mut Cx<C>) {
        self.send(cx, &ProcessReply::Stopped);
    }

    /// Records that the process has ended; output may still follow.
    pub fn ended<C: Host>(&mut self, cx: &mut Cx<C>, status: i32) {
        self.status = Some(status);
        self.send(cx, &ProcessReply::Finished { status });
        if self.in_background {
            let (name, code) = (self.name(), WaitStatus(status).shell_code());
            tracing::info!("{name}: ended with code {code}");
        }
    }

    /// Sends its clients the output, or the end of a stream.
    pub fn wrote<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        rank: &str,
        name: &str,
        data: &[u8],
        eof: bool,
    ) {
        let shown = self.in_background.then(|| self.name());
        let mut outputs = self.outputs.iter_mut();
        let Some(output) = outputs.find(|output| output.name == name) else {
            return;
        };
        output.is_open &= !eof;
        match &mut self.audience {
            Some(audience) if audience.forwards & output.bit != 0 => {
                audience.take_room(data.len());
                let data = (!data.is_empty()).then_some(data);
                let io = Data::new(name, rank, data, eof);
                audience.send(cx, &ProcessReply::Output { pid: self.pid, io });
            }
            Some(_) => {}
            None => {
                let stream = match output.bit {
                    flags::STDERR => StdioFd::Stderr,
                    _ => StdioFd::Stdout,
                };
                if let Some(shown) = shown {
                    self.lines.push(&shown, stream, data, eof);
                    self.retained.push(name, rank, data);
                }
            }
        }
    }

    /// Takes input in, as far as there is credit for it.
    pub fn take_input<C: Host>(&mut self, cx: &mut Cx<C>, io: &Data) {
        let shown = self.name();
        let Some(credit) = self.credit.get_mut(&io.stream) else {
            return tracing::debug!("{shown}: input for unknown stream {}", io.stream);
        };
        let mut bytes = io.bytes().unwrap_or_else(|why| {
            tracing::error!("{shown}: input is dropped: {why}");
            Vec::new()
        });
        let len = bytes.len() as u64;
        if len > *credit {
            tracing::error!("{shown}: {len} bytes of input are dropped: the credit is {credit}");
            bytes.clear();
        }
        *credit -= bytes.len() as u64;
        let eof = io.is_eof();
        match io.stream.as_str() {
            STDIN => cx.child_input(self.child, bytes.into(), eof),
            name => cx.child_channel(self.child, name, bytes.into(), eof),
        }
    }

    /// Input has gone to the process, or nowhere: there is room for as much again.
    pub fn input_taken<C: Host>(&mut self, cx: &mut Cx<C>, name: Option<&str>, bytes: usize) {
        let name = name.unwrap_or(STDIN);
        let Some(credit) = self.credit.get_mut(name) else {
            return;
        };
        *credit += bytes as u64;
        if self.wants_credit && bytes > 0 {
            let channels = BTreeMap::from([(name.to_owned(), bytes as u64)]);
            self.send(cx, &ProcessReply::AddCredit { channels });
        }
    }

    /// Gives its streams to another client: output kept for it comes first, then the end
    /// of each stream that is closed, and its own end if it has ended.
    pub fn attach<C: Host>(&mut self, cx: &mut Cx<C>, mut audience: Audience<L>, rank: &str) {
        let (pid, cmd, forwards) = (self.pid, self.cmd.clone(), audience.forwards);
        audience.send(cx, &ProcessReply::Attached { pid, cmd });
        let wanted = |name: &str| {
            let mut outputs = self.outputs.iter();
            outputs.any(|output| output.name == name && output.bit & forwards != 0)
        };
        let kept = self.retained.take();
        for io in kept.into_iter().filter(|io| wanted(&io.stream)) {
            audience.take_room(io.bytes().map_or(0, |bytes| bytes.len()));
            audience.send(cx, &ProcessReply::Output { pid, io });
        }
        let closed = self.outputs.iter().filter(|output| !output.is_open);
        for output in closed.filter(|output| output.bit & forwards != 0) {
            let io = Data::new(&output.name, rank, None, true);
            audience.send(cx, &ProcessReply::Output { pid, io });
        }
        if let Some(status) = self.status {
            audience.send(cx, &ProcessReply::Finished { status });
        }
        self.audience = Some(audience);
    }

    /// Answers the request that waits for its end, which is reported once.
    pub fn answer_waiter<C: Host>(&mut self, cx: &mut Cx<C>) {
        if let (Some(status), Some(waiter)) = (self.status, self.waiter.take()) {
            self.is_waitable = false;
            let output = self.retained.take();
            waiter.send(cx, Ok(Waited { status, output }));
        }
    }
}
