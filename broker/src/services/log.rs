//! log.*: the log ring, who follows it, and what goes to standard error.

use node::{Cx, Output, Peer, Routes, Stream};
use proto::log::{Append, Clear, Dmesg, SetAttr, SetAttrError, Stats, StatsGet};
use proto::{Empty, Method, Never};
use wire::Message;

use crate::core::Broker;
use crate::logbook::{Line, Logbook};

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
    if let Some(payload) = message.payload() {
        for line in Logbook::split(payload) {
            core.log_line(cx, &line);
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
        core.dmesg.insert(stream.id(), stream);
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
    let count = core.log.count;
    Ok(Stats {
        ring_used: core.log.len(),
        count,
        local: count,
        remote: 0,
    })
}

impl Broker {
    /// Takes in one line: ring, followers, standard error, whoever watches a shutdown.
    fn log_line(&mut self, cx: &mut Cx<Broker>, text: &str) {
        let Some(line) = Line::parse(text) else {
            return;
        };
        let severity = u64::from(line.severity);
        if severity <= self.attrs.number("log-level", 7) {
            let bytes = self.log.add(text, self.attrs.number("log-ring-size", 1024));
            for stream in self.dmesg.values_mut() {
                stream.send_bytes(cx, bytes.clone());
            }
        }
        if severity <= self.attrs.number("log-stderr-level", 3) {
            let line = match self.attrs.value("log-stderr-mode") {
                Some("local") => format!("<{severity}>{}", line.short()),
                _ => format!("{} {}", long_time(line.time), line.short()),
            };
            cx.output(Output::Stderr { line });
        }
        self.show_to_shutdown_watcher(cx, &line);
    }
}

/// `2026-11-22T06:41:30.527664Z` as `Nov 22 06:41:30.527664 UTC 2026`; other text as
/// it is.
fn long_time(time: &str) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let long = || {
        let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
        let mut parts = date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{month} {day} {clock} UTC {year}"))
    };
    long().unwrap_or_else(|| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::long_time;

    #[test]
    fn times_are_shown_as_the_leader_does() {
        let long = long_time("2026-11-22T06:41:30.527664Z");
        assert_eq!(long, "Nov 22 06:41:30.527664 UTC 2026");
        assert_eq!(long_time("-"), "-");
    }
}
