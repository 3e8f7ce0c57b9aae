//! `flux module trace`: shows the messages that modules send and receive.

use client::Call;
use proto::module::{self, Traced};
use wire::Errno;

use crate::clock;
use crate::error::CliError;
use crate::flux::Flux;

/// Names of the message types, with their bits on the wire.
const TYPES: [(&str, i64); 4] = [
    ("request", 1),
    ("response", 2),
    ("event", 4),
    ("control", 8),
];

/// Show the messages that modules send and receive
#[derive(clap::Args)]
pub struct Trace {
    /// Show payloads too
    #[arg(short, long)]
    full: bool,
    /// Types wanted: request, response, event, control
    #[arg(short, long, value_name = "TYPE,...", value_delimiter = ',')]
    r#type: Vec<String>,
    /// Only topics that match this glob
    #[arg(short = 'T', long, value_name = "GLOB", default_value = "*")]
    topic: String,
    /// Print times for people
    #[arg(short = 'H', long)]
    human: bool,
    /// Modules to watch; all if there is none
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Trace {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = module::Trace {
            typemask: self.typemask()?,
            topic_glob: self.topic.clone(),
            names: (!self.names.is_empty()).then(|| self.names.clone()),
            nodeid: None,
            full: self.full.then_some(true),
        };
        let offset = clock::utc_offset(&clock::zone(&flux.env), clock::now());
        let form = match self.human {
            true => proto::data::eventlog::TimeForm::Human,
            false => proto::data::eventlog::TimeForm::Iso,
        };
        let mut times = proto::data::eventlog::EntryFormatter::new(form, offset);
        let mut handle = flux.connect()?;
        for traced in handle.stream(Call::new(&request)) {
            let traced = traced?;
            let time = times.time(traced.timestamp);
            flux.line(format_args!("{time} {}", line(&traced)))?;
            if !traced.payload.is_null() {
                writeln!(flux.out, "{}", traced.payload)?;
            }
            flux.out.flush()?;
        }
        Ok(())
    }

    fn typemask(&self) -> Result<i64, CliError> {
        if self.r#type.is_empty() {
            return Ok(TYPES.iter().map(|(_, bit)| bit).sum());
        }
        let mut mask = 0;
        for name in &self.r#type {
            let known = TYPES.iter().find(|(known, _)| known == name);
            let (_, bit) = known.ok_or_else(|| {
                CliError::usage(format!("unknown message type '{name}'"))
                    .with_hint("one of request, response, event, control")
            })?;
            mask |= bit;
        }
        Ok(mask)
    }
}

/// `kvs rx > request kvs.lookup [42]`: the module, the direction as it sees it, and what.
fn line(traced: &Traced) -> String {
    let kind = TYPES.iter().find(|(_, bit)| *bit == traced.kind);
    let kind = kind.map_or("unknown", |(name, _)| name);
    let arrow = if traced.prefix == "rx" { '>' } else { '<' };
    let (name, topic, size) = (&traced.name, &traced.topic, traced.payload_size);
    let mut line = format!("{name} {} {arrow} {kind} {topic} [{size}]", traced.prefix);
    if let (true, Ok(errnum)) = (traced.errnum != 0, u32::try_from(traced.errnum)) {
        let text = match traced.errstr.is_empty() {
            true => Errno(errnum).to_string(),
            false => traced.errstr.clone(),
        };
        line.push_str(&format!(" {:?}: {text}", Errno(errnum)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line() {
        let mut traced = Traced {
            timestamp: 0.0,
            prefix: "rx".to_owned(),
            rank: -1,
            name: "kvs".to_owned(),
            kind: 1,
            topic: "kvs.lookup".to_owned(),
            payload_size: 9,
            payload: serde_json::Value::Null,
            errnum: 0,
            errstr: String::new(),
        };
        assert_eq!(line(&traced), "kvs rx > request kvs.lookup [9]");
        traced.prefix = "tx".to_owned();
        traced.kind = 2;
        traced.errnum = 2;
        let expect = "kvs tx < response kvs.lookup [9] ENOENT: No such file or directory";
        assert_eq!(line(&traced), expect);
    }
}
