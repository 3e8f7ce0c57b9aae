//! Display of traced messages: for `flux module trace` and `flux overlay trace`.

use client::{Call, Handle};
use proto::module::Traced;
use proto::{Method, Refusal};
use wire::Errno;

use command::clock::{self, HumanTimes};
use command::error::CliError;
use command::flux::Flux;

/// Message types: the name, the bit on the wire, and the sign for it.
const TYPES: [(&str, i64, char); 4] = [
    ("request", 1, '>'),
    ("response", 2, '<'),
    ("event", 4, 'e'),
    ("control", 8, 'c'),
];

/// Messages wanted, and their form.
#[derive(clap::Args)]
pub struct Options {
    /// Show payloads too
    #[arg(short, long)]
    pub full: bool,
    /// Show only these types: request, response, event, control
    #[arg(short, long, value_name = "TYPE,...", value_delimiter = ',')]
    r#type: Vec<String>,
    /// Print times in a readable form
    #[arg(short = 'H', long)]
    human: bool,
    /// With --human, print the time since the previous line
    #[arg(short, long)]
    delta: bool,
}

impl Options {
    /// The types wanted, as bits.
    pub fn typemask(&self) -> Result<i64, CliError> {
        if self.r#type.is_empty() {
            return Ok(TYPES.iter().map(|(_, bit, _)| bit).sum());
        }
        let mut mask = 0;
        for name in &self.r#type {
            let known = TYPES.iter().find(|(known, ..)| known == name);
            let (_, bit, _) = known.ok_or_else(|| {
                CliError::usage(format!("unknown message type '{name}'"))
                    .with_hint("valid types: request, response, event, control")
            })?;
            mask |= bit;
        }
        Ok(mask)
    }

    /// Shows messages until the user or the service ends it. `who` is the one on whose
    /// side a message was seen.
    pub fn show<M>(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
        request: &M,
        who: fn(&Traced) -> String,
    ) -> Result<(), CliError>
    where
        M: Method<Response = Traced>,
        Refusal: From<M::Error>,
    {
        let zone = clock::zone(&flux.env);
        let mut human = self.human.then(|| HumanTimes::new(&zone, self.delta));
        for traced in handle.stream(Call::new(request)) {
            let traced = traced?;
            let time = match &mut human {
                Some(times) => times.time(traced.timestamp),
                None => clock::iso_ms(&zone, traced.timestamp),
            };
            flux.line(format_args!("{time} {}", line(&traced, &who(&traced))))?;
            if !traced.payload.is_null() {
                writeln!(flux.out, "{}", traced.payload)?;
            }
            flux.out.flush()?;
        }
        Ok(())
    }

    /// Checks that the options go together.
    pub fn check(&self) -> Result<(), CliError> {
        if self.delta && !self.human {
            return Err(CliError::usage("--delta can only be used with --human"));
        }
        Ok(())
    }
}

/// `rx kvs > kvs.lookup [42]`: the direction, the observer, the type, the topic, and the
/// number of bytes; a response also has its result.
fn line(traced: &Traced, who: &str) -> String {
    let kind = TYPES.iter().find(|(_, bit, _)| *bit == traced.kind);
    let sign = kind.map_or('?', |(_, _, sign)| *sign);
    let (prefix, topic, size) = (&traced.prefix, &traced.topic, traced.payload_size);
    let mut line = format!("{prefix} {who} {sign} {topic} [{size}]");
    if let Some(delivery) = &traced.delivery {
        line.push_str(&format!(" {delivery}"));
    }
    if sign != '<' {
        return line;
    }
    let errno = Errno(u32::try_from(traced.errnum).unwrap_or(u32::MAX));
    match errno.0 {
        0 => line.push_str(" success"),
        _ => line.push_str(&format!(" {errno:?}")),
    }
    if !traced.errstr.is_empty() {
        line.push_str(&format!(": {}", traced.errstr));
    }
    if let Some(stopped) = &traced.stopped {
        line.push_str(&format!(" ({stopped})"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: i64, topic: &str, errnum: i64, errstr: &str, expect: &str) {
        let traced = Traced {
            prefix: "rx".to_owned(),
            rank: 1,
            kind,
            topic: topic.to_owned(),
            payload_size: 9,
            errnum,
            errstr: errstr.to_owned(),
            ..Traced::default()
        };
        assert_eq!(line(&traced, "1"), expect);
    }

    #[test]
    fn a_message_is_a_line() {
        check(1, "kvs.lookup", 0, "", "rx 1 > kvs.lookup [9]");
        check(2, "kvs.lookup", 0, "", "rx 1 < kvs.lookup [9] success");
        check(
            2,
            "kvs.lookup",
            113,
            "",
            "rx 1 < kvs.lookup [9] EHOSTUNREACH",
        );
        let why = "rx 1 < kvs.lookup [9] ENOENT: no such key";
        check(2, "kvs.lookup", 2, "no such key", why);
        check(4, "heartbeat.pulse", 0, "", "rx 1 e heartbeat.pulse [9]");
        check(8, "status 3", 0, "", "rx 1 c status 3 [9]");
    }
}
