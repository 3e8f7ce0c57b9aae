//! The brokers and their states.

use node::{ChildEvent, ChildId, Cx, Host, Output, Peer, Reply, Routes, Sink};
use pmi::{Effect, Server};
use proto::data::job::signal_description;
use proto::start::{Ended, Kill, Proc, Procs, RankError, Run, Status, Wait};
use proto::{Empty, Refusal};

use crate::plan::{ExitMode, PMI_FD, Plan, StartMode};

/// Name of the space that PMI says the brokers share (protocol/20 section 11).
const KVSNAME: &str = "-";

const SIGHUP: i32 = 1;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// All brokers of the instance.
pub struct Launcher {
    plan: Plan,
    brokers: Vec<Broker>,
    pmi: Server,
    /// Highest exit code so far, or that of rank 0.
    code: i32,
    is_ending: bool,
}

/// One broker, which may have been started several times.
#[derive(Default)]
struct Broker {
    child: Option<ChildId>,
    pid: Option<i32>,
    /// Last exit status.
    ended: Option<i32>,
    waiting: Option<Reply<Wait>>,
}

/// The methods that it answers.
pub(crate) fn routes() -> Routes<Launcher> {
    Routes::new()
        .on::<Status>(status)
        .on::<Kill>(kill)
        .later::<Wait>(wait)
        .on::<Run>(run)
}

impl Launcher {
    /// Starts the brokers that are to be there at the beginning.
    pub(crate) fn start(cx: &mut Cx<Launcher>, plan: Plan) -> Launcher {
        let size = plan.size as usize;
        let first = match plan.start_mode {
            StartMode::All => plan.size,
            StartMode::Leader => 1,
        };
        let mut launcher = Launcher {
            brokers: (0..size).map(|_| Broker::default()).collect(),
            pmi: Server::new(KVSNAME, size, plan.preset()),
            plan,
            code: 0,
            is_ending: false,
        };
        for rank in 0..first {
            launcher.run(cx, rank);
        }
        launcher
    }

    fn run(&mut self, cx: &mut Cx<Launcher>, rank: u32) {
        if self.plan.verbose {
            print_line(cx, self.plan.shown(rank));
        }
        let child = cx.spawn(self.plan.spawn(rank));
        if let Some(broker) = self.brokers.get_mut(rank as usize) {
            broker.child = Some(child);
            broker.ended = None;
        }
    }

    fn broker(&mut self, rank: i64) -> Result<(u32, &mut Broker), RankError> {
        let at = usize::try_from(rank).map_err(|_| RankError::NoRank)?;
        let broker = self.brokers.get_mut(at).ok_or(RankError::NoRank)?;
        Ok((at as u32, broker))
    }

    fn rank_of(&self, child: ChildId) -> Option<usize> {
        let of = |broker: &Broker| broker.child == Some(child);
        self.brokers.iter().position(of)
    }

    fn do_pmi(&mut self, cx: &mut Cx<Launcher>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { task, line, close } => {
                    let child = self.brokers.get(task).and_then(|broker| broker.child);
                    if let Some(child) = child {
                        cx.child_channel(child, PMI_FD, line.into(), close);
                    }
                }
                Effect::Abort { task, message } => {
                    let message = message.map_or(String::new(), |text| format!(": {text}"));
                    print(cx, &format!("{task}: PMI_Abort(){message}"));
                    self.kill_all(cx);
                }
                // The brokers have one server, which exchanges nothing.
                Effect::Exchange(_) => {}
                Effect::Version2 { task } if task > 0 => {}
                Effect::Version2 { .. } => print(cx, pmi::VERSION_2),
                Effect::Malformed { task, line } => {
                    print(cx, &format!("protocol error by task {task}: {line}"));
                }
                Effect::Warn(text) => print(cx, &text),
            }
        }
    }

    /// Gives the ranks that it killed.
    fn kill_all(&mut self, cx: &mut Cx<Launcher>) -> Vec<String> {
        let mut killed = Vec::new();
        for (rank, broker) in self.brokers.iter().enumerate() {
            if let Some(child) = broker.child {
                cx.kill_child(child, SIGKILL, false);
                killed.push(rank.to_string());
            }
        }
        killed
    }

    fn exited(&mut self, cx: &mut Cx<Launcher>, rank: usize, status: i32) {
        let Some(broker) = self.brokers.get_mut(rank) else {
            return;
        };
        let pid = broker.pid.take().unwrap_or(-1);
        broker.child = None;
        let code = code_of(status);
        broker.ended = Some(code);
        if let Some(reply) = broker.waiting.take() {
            reply.send(cx, Ok(Ended { exit_rc: code }));
        }
        if code > 128 && status & 0x7f != 0 {
            let signal = signal_description(status & 0x7f);
            print(cx, &format!("{rank} (pid {pid}) {signal}"));
        } else if code != 0 {
            print(cx, &format!("{rank} (pid {pid}) exited with rc={code}"));
        }
        let leads = rank == 0 || self.plan.exit_mode == ExitMode::Any;
        if leads {
            self.code = self.code.max(code);
        }
        if self.brokers.iter().all(|broker| broker.child.is_none()) && (leads || self.is_ending) {
            cx.output(Output::Exit { code: self.code });
        } else if leads {
            self.begin_to_end(cx);
        }
    }

    /// From now on the others have a limited time.
    fn begin_to_end(&mut self, cx: &mut Cx<Launcher>) {
        if std::mem::replace(&mut self.is_ending, true) {
            return;
        }
        if let Some(timeout) = self.plan.exit_timeout {
            cx.timer(timeout, |launcher: &mut Launcher, cx| {
                let killed = launcher.kill_all(cx).join(",");
                print(cx, &format!("Exit timeout: killed rank {killed}"));
            });
        }
    }
}

fn print(cx: &mut Cx<Launcher>, text: &str) {
    print_line(cx, format!("flux-start: {text}"));
}

fn print_line(cx: &mut Cx<Launcher>, line: String) {
    let to = Sink::Stderr;
    cx.output(Output::Log { to, line });
}

/// The exit code of a shell for a status of wait(2).
fn code_of(status: i32) -> i32 {
    match status & 0x7f {
        0 => (status >> 8) & 0xff,
        signal => 128 + signal,
    }
}

fn status(
    launcher: &mut Launcher,
    _: &mut Cx<Launcher>,
    _: &Peer,
    _: Status,
) -> Result<Procs, Refusal> {
    let procs = launcher.brokers.iter().map(|broker| Proc {
        pid: broker.pid.unwrap_or(-1),
    });
    Ok(Procs {
        procs: procs.collect(),
    })
}

fn kill(
    launcher: &mut Launcher,
    cx: &mut Cx<Launcher>,
    _: &Peer,
    req: Kill,
) -> Result<Empty, RankError> {
    let (_, broker) = launcher.broker(req.rank)?;
    if let Some(child) = broker.child {
        cx.kill_child(child, req.signum, false);
    }
    Ok(Empty)
}

fn wait(launcher: &mut Launcher, cx: &mut Cx<Launcher>, _: &Peer, req: Wait, reply: Reply<Wait>) {
    match launcher.broker(req.rank) {
        Err(error) => reply.send(cx, Err(error)),
        Ok((_, broker)) if broker.waiting.is_some() => reply.send(cx, Err(RankError::Busy)),
        Ok((_, broker)) if broker.child.is_some() => broker.waiting = Some(reply),
        Ok((_, broker)) => {
            let exit_rc = broker.ended.unwrap_or(0);
            reply.send(cx, Ok(Ended { exit_rc }));
        }
    }
}

fn run(
    launcher: &mut Launcher,
    cx: &mut Cx<Launcher>,
    _: &Peer,
    req: Run,
) -> Result<Empty, RankError> {
    let (rank, broker) = launcher.broker(req.rank)?;
    if broker.child.is_some() {
        return Err(RankError::Busy);
    }
    let was_here = broker.ended.is_some();
    if was_here {
        launcher.pmi.begin_again(rank as usize);
    }
    launcher.run(cx, rank);
    Ok(Empty)
}

impl Host for Launcher {
    const NAME: &'static str = "start";
    type Worker = ();
    const HOPS_SINCE_STAMP: usize = 0;

    fn child(&mut self, cx: &mut Cx<Launcher>, child: ChildId, event: ChildEvent) {
        let Some(rank) = self.rank_of(child) else {
            return;
        };
        match event {
            ChildEvent::Started { pid } => self.brokers[rank].pid = Some(pid),
            ChildEvent::Failed { errno } => {
                print(cx, &format!("{rank}: {}: {errno}", self.plan.broker[0]));
                self.exited(cx, rank, 127 << 8);
            }
            ChildEvent::Channel { data, eof, .. } => {
                let mut effects = self.pmi.receive(rank, &data);
                if eof {
                    effects.extend(self.pmi.hang_up(rank));
                }
                self.do_pmi(cx, effects);
            }
            ChildEvent::Exited { status } => self.exited(cx, rank, status),
            ChildEvent::Output { .. }
            | ChildEvent::InputTaken { .. }
            | ChildEvent::ChannelTaken { .. }
            | ChildEvent::Stopped => {}
        }
    }

    /// A terminal's interrupt goes to the brokers as well as to us: they decide.
    fn signal(&mut self, cx: &mut Cx<Launcher>, signum: i32) {
        if !matches!(signum, SIGTERM | SIGHUP) {
            return;
        }
        if let Some(child) = self.brokers.first().and_then(|broker| broker.child) {
            cx.kill_child(child, signum, false);
        } else {
            self.kill_all(cx);
        }
    }
}
