//! `flux event`: publishes and shows events.

use bytes::Bytes;
use client::Handle;
use wire::Message;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use command::plain::Plain;

/// Publish events, or show them as they arrive
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux event sub heartbeat.pulse
  flux event pub my.event '{\"a\":1}'")]
pub struct Event {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Pub(Pub),
    Sub(Sub),
}

impl Run for Event {
    const NAME: &'static str = "event";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Pub(publish) => publish.run(flux),
            Verb::Sub(subscribe) => subscribe.run(flux),
        }
    }
}

/// Publish an event
#[derive(clap::Args)]
struct Pub {
    /// Send the payload without a NUL at its end
    #[arg(short, long)]
    raw: bool,
    /// Wait until the event has its sequence number, and print it
    #[arg(short, long)]
    synchronous: bool,
    /// Wait until the event is received again
    #[arg(short, long)]
    loopback: bool,
    /// Show the event only to the instance owner and its own user
    #[arg(short, long)]
    private: bool,
    /// Topic of the event
    topic: String,
    /// Payload, JSON unless --raw; several words are joined by blanks
    payload: Vec<String>,
}

impl Pub {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if self.loopback {
            handle.subscribe(&self.topic)?;
        }
        let event = Handle::event(&self.topic, self.payload(), self.private);
        if self.synchronous {
            let seq = handle.publish(&event)?;
            flux.line(format_args!("seq={seq}"))?;
        } else {
            handle.publish_unsequenced(event);
            handle.flush()?;
        }
        while self.loopback
            && let Some(event) = handle.next_event(None)?
        {
            if event.topic() == self.topic {
                break;
            }
        }
        Ok(())
    }

    fn payload(&self) -> Bytes {
        let mut payload = self.payload.join(" ").into_bytes();
        if !self.payload.is_empty() && !self.raw {
            payload.push(0);
        }
        payload.into()
    }
}

/// Show events as they arrive
#[derive(clap::Args)]
struct Sub {
    /// Exit after N events
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Print payloads unchanged
    #[arg(short, long)]
    raw: bool,
    /// Topic prefixes to subscribe to; all if none is given
    topic: Vec<String>,
}

impl Sub {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let topics = match self.topic.is_empty() {
            true => vec![String::new()],
            false => self.topic,
        };
        for topic in &topics {
            handle.subscribe(topic)?;
        }
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0
            && let Some(event) = handle.next_event(None)?
        {
            flux.out.write_all(&line(&event, self.raw, flux.plain()))?;
            flux.out.flush()?;
            left -= 1;
        }
        Ok(())
    }
}

/// `TOPIC<TAB>PAYLOAD`
fn line(event: &Message, raw: bool, plain: Plain) -> Vec<u8> {
    let payload = event.payload().map(|payload| &payload[..]);
    let payload = payload.unwrap_or_default();
    let topic = plain.line(event.topic());
    let mut line = format!("{topic}\t").into_bytes();
    match raw {
        true => line.extend_from_slice(payload),
        false => {
            let text = String::from_utf8_lossy(payload.strip_suffix(b"\0").unwrap_or(payload));
            line.extend_from_slice(plain.line(&text).as_bytes());
        }
    }
    line.push(b'\n');
    line
}
