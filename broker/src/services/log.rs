//! log.*: the log ring, its followers, and forwarding: see `log_rules.rs`.

use node::{Call, Cx, Output, Peer, Routes, Sink, Stream};
use proto::attr::names;
use proto::log::{Append, Clear, Dmesg, SetAttr, SetAttrError, Stats, StatsGet};
use proto::{Empty, Method, Never, Raw};
use wire::Message;

use crate::core::Broker;
use crate::log_rules::{self, Origin, Way};
use crate::logbook::{Line, Logbook};
use crate::router::Hop;
use crate::tree::Parent;

pub(super) fn routes(routes: Routes<Broker>) -> Routes<Broker> {
    routes
        .raw(Append::TOPIC, Append::ROLE, append)
        .on::<Clear>(clear)
        .stream::<Dmesg>(dmesg)
        .on::<SetAttr>(set_attr)
        .on::<StatsGet>(stats_get)
}

/// Answers only if the matchtag is not 0: clients log without waiting.
fn append(core: &mut Broker, cx: &mut Cx<Broker>, message: Message) {
    let sender = message.last_route();
    let origin = match sender.and_then(|sender| core.router.party(sender)) {
        Some(Hop::Child(_)) => Origin::Below,
        _ => Origin::Here,
    };
    if let Some(payload) = message.payload() {
        for line in Logbook::split(payload) {
            core.log_line(cx, origin, &line);
        }
    }
    if message.matchtag() != 0 && message.wants_response() {
        cx.send(message.into_response(0, bytes::Bytes::new()));
    }
}

fn clear(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: Clear) -> Result<Empty, Never> {
    core.log.clear();
    Ok(Empty)
}

fn dmesg(core: &mut Broker, cx: &mut Cx<Broker>, _: &Peer, req: Dmesg, mut stream: Stream<Dmesg>) {
    if req.nobacklog != Some(true) {
        for line in core.log.lines() {
            stream.send_bytes(cx, line.clone());
        }
    }
    if req.follow {
        core.dmesg.add((), stream);
    } else {
        stream.end(cx, Ok(()));
    }
}

fn set_attr(
    core: &mut Broker,
    _: &mut Cx<Broker>,
    _: &Peer,
    req: SetAttr,
) -> Result<Empty, SetAttrError> {
    if !req.name.starts_with("log-") {
        return Err(SetAttrError::Unknown);
    }
    match core.attrs.set(&req.name, &req.value, false) {
        Ok(()) => Ok(Empty),
        Err(_) => Err(SetAttrError::InvalidLevel),
    }
}

fn stats_get(core: &mut Broker, _: &mut Cx<Broker>, _: &Peer, _: StatsGet) -> Result<Stats, Never> {
    let (local, remote) = core.log.counts();
    Ok(Stats {
        ring_used: core.log.len(),
        count: local + remote,
        local,
        remote,
    })
}

impl Broker {
    /// Receives one line, and sends it where it belongs.
    fn log_line(&mut self, cx: &mut Cx<Broker>, origin: Origin, text: &str) {
        let Some(line) = Line::parse(text) else {
            return;
        };
        let ways = log_rules::ways(&self.attrs, origin, &line);
        if origin == Origin::Below {
            self.log.count_remote();
        } else if ways.contains(&Way::Ring) {
            self.shutdown.show(cx, &line);
        }
        for way in ways {
            let (to, line) = match way {
                Way::Ring => {
                    self.remember_line(cx, text);
                    continue;
                }
                Way::Parent => {
                    self.forward_line(cx, text.to_owned());
                    continue;
                }
                Way::Stderr(line) => (Sink::Stderr, line),
                Way::File(path, line) => (Sink::File(path), line),
                Way::Syslog(line) => (Sink::Syslog, line),
            };
            cx.output(Output::Log { to, line });
        }
    }

    fn remember_line(&mut self, cx: &mut Cx<Broker>, text: &str) {
        let size = self.attrs.number(&names::LOG_RING_SIZE);
        let bytes = self.log.add(text, u64::try_from(size).unwrap_or(0));
        self.dmesg.notify_bytes(cx, &bytes);
    }

    /// Nobody waits for the parent. Before it has let us in, lines are kept; without it they
    /// are for our own standard error.
    fn forward_line(&mut self, cx: &mut Cx<Broker>, line: String) {
        match (
            self.tree.parent,
            self.router.topology().parent(self.router.rank()),
        ) {
            (Parent::Joining, _) => self.log.keep_early(line),
            (Parent::Here, Some(parent)) => {
                let append = Append(Raw(line.into()));
                cx.notify_with(Call::new(&append).to(parent));
            }
            _ => {
                self.print_early_lines(cx);
                self.print_line(cx, &line);
            }
        }
    }

    fn print_line(&self, cx: &mut Cx<Broker>, line: &str) {
        let line = Line::parse(line);
        let line = line.and_then(|line| log_rules::in_place_of_parent(&self.attrs, &line));
        if let Some(line) = line {
            let to = Sink::Stderr;
            cx.output(Output::Log { to, line });
        }
    }

    /// The parent will not receive the lines kept for it: the broker ends without it.
    pub(crate) fn print_early_lines(&mut self, cx: &mut Cx<Broker>) {
        for line in self.log.take_early() {
            self.print_line(cx, &line);
        }
    }

    /// The parent has admitted us: it gets the earlier lines.
    pub(crate) fn forward_early_lines(&mut self, cx: &mut Cx<Broker>) {
        for line in self.log.take_early() {
            self.forward_line(cx, line);
        }
    }
}
