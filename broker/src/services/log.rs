//! log.*: the log ring, who follows it, and what goes to standard error.

use node::{Cx, Output, Peer, Routes, Sink, Stream};
use proto::attr::names;
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
    /// Takes in one line: ring, followers, standard error, file, syslog, and who watches a
    /// shutdown.
    fn log_line(&mut self, cx: &mut Cx<Broker>, text: &str) {
        let Some(line) = Line::parse(text) else {
            return;
        };
        let matches = |attr| i64::from(line.severity) <= self.attrs.number(attr);
        if !matches(&names::LOG_LEVEL) {
            return;
        }
        let size = self.attrs.number(&names::LOG_RING_SIZE);
        let bytes = self.log.add(text, u64::try_from(size).unwrap_or(0));
        for stream in self.dmesg.values_mut() {
            stream.send_bytes(cx, bytes.clone());
        }
        let long = || format!("{} {}", long_time(line.time), line.short());
        let local = || format!("<{}>{}", line.severity, line.short());
        let is_local = self.attrs.value(&names::LOG_STDERR_MODE) == Some("local");
        let mut write = |to, line| cx.output(Output::Log { to, line });
        if matches(&names::LOG_STDERR_LEVEL) {
            write(Sink::Stderr, if is_local { local() } else { long() });
        } else if matches(&names::LOG_CRITICAL_LEVEL) {
            write(Sink::Stderr, local());
        }
        if let Some(path) = self.attrs.value(&names::LOG_FILENAME)
            && !path.is_empty()
        {
            write(Sink::File(path.to_owned()), long());
        }
        if self.attrs.is_on(&names::LOG_SYSLOG_ENABLE) && matches(&names::LOG_SYSLOG_LEVEL) {
            let priority = SYSLOG_USER | line.severity;
            write(Sink::Syslog, format!("<{priority}>flux: {}", line.short()));
        }
        self.show_to_shutdown_watcher(cx, &line);
    }
}

/// Facility "user" of syslog, as the number in front of a line has it (RFC 3164).
const SYSLOG_USER: u8 = 1 << 3;

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
