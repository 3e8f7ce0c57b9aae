//! `flux ping`: asks a service to answer, and shows how long that takes.

use std::fmt;
use std::time::{Duration, Instant};

use client::{Arrival, Call, Handle, Untyped};
use proto::common::{Ping as PingRequest, Pong};
use proto::data::Hostlist;
use proto::{Payload, Refusal};
use serde_json::{Map, Value};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::values::bytes;

/// Bytes of padding that a request may carry.
const PAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Measure the round trip to a service
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux ping kvs
  flux ping --count=1 --rank=0 broker
  flux ping 0!kvs")]
pub struct Ping {
    /// Ping this rank: a number, a host, 'any' or 'upstream'
    #[arg(short, long)]
    rank: Option<String>,
    /// Add N bytes to each request, such as 100 or 10K
    #[arg(short, long, value_name = "BYTES", default_value = "0", value_parser = bytes)]
    pad: u64,
    /// Wait this many seconds between requests
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,
    /// Exit after N responses
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Send all requests before reading the first response
    #[arg(short, long, requires = "count")]
    batch: bool,
    /// Show the credential of the requests as received
    #[arg(short, long)]
    userid: bool,
    /// SERVICE, RANK or RANK!SERVICE; a host name may stand for the rank
    target: String,
}

impl Run for Ping {
    const NAME: &'static str = "ping";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if !self.interval.is_finite() || self.interval < 0.0 {
            return Err(CliError::usage("interval must be >= 0"));
        }
        if self.pad > PAD_BYTES_MAX {
            return Err(CliError::usage(format!("pad must be <= {PAD_BYTES_MAX}")));
        }
        if self.count == Some(0) {
            return Err(CliError::usage("count must be > 0"));
        }
        let mut handle = flux.connect()?;
        let target = Target::new(self.rank.as_deref(), &self.target, |name| {
            rank_of(&mut handle, name)
        })?;
        let round = Round {
            started: Instant::now(),
            pad: "p".repeat(self.pad as usize),
            target,
        };
        flux.line(format_args!("flux-ping {}", round.target.header()))?;
        flux.out.flush()?;
        self.go_on(&round, &mut handle, flux)
    }
}

impl Ping {
    /// Sends one request an interval, however long the answers take.
    fn go_on(&self, round: &Round, handle: &mut Handle, flux: &mut Flux) -> Result<(), CliError> {
        let interval = Duration::from_secs_f64(self.interval.min(1e9));
        let mut due = Some(Instant::now());
        let (mut sent, mut answered) = (0, 0);
        while self.count != Some(answered) {
            while due.is_some_and(|due| due <= Instant::now()) {
                handle.start(round.call(sent));
                sent += 1;
                due = match self.count {
                    Some(count) if sent == count => None,
                    _ if self.batch || interval.is_zero() && sent > answered => due,
                    _ => due.and_then(|due| due.checked_add(interval)),
                };
                // Without an interval the next request follows the answer.
                if interval.is_zero() && !self.batch {
                    break;
                }
            }
            let wait_for_answer = interval.is_zero() && sent > answered;
            let deadline = if wait_for_answer { None } else { due };
            match handle.next(&[], deadline)? {
                Arrival::Answer(_, answer) => {
                    let answer = answer.map_err(|refusal| round.target.failed(&refusal))?;
                    let pong = Pong::decode(answer.payload());
                    let pong = pong.map_err(|bad| CliError::new(bad.to_string()))?;
                    answered += 1;
                    let line = round.line(&pong, self.userid);
                    flux.line(&line)?;
                    flux.out.flush()?;
                }
                Arrival::Deadline | Arrival::Ready(_) => {}
                Arrival::Event(_) | Arrival::Request(_) => {}
            }
        }
        Ok(())
    }
}

/// Parameters of all requests.
struct Round {
    started: Instant,
    pad: String,
    target: Target,
}

impl Round {
    fn call(&self, seq: u64) -> Call<Untyped> {
        let since = self.started.elapsed();
        let mut object = Map::new();
        object.insert("seq".to_owned(), seq.into());
        object.insert("time.tv_sec".to_owned(), since.as_secs().into());
        object.insert("time.tv_nsec".to_owned(), since.subsec_nanos().into());
        object.insert("pad".to_owned(), self.pad.clone().into());
        let request = PingRequest(proto::Object(object));
        let topic = format!("{}.ping", self.target.service);
        let call = Call::raw(&topic).payload(request.encode());
        match self.target.rank {
            Rank::Any => call,
            Rank::Upstream => call.upstream(),
            Rank::Number(rank) => call.to(rank),
        }
    }

    fn line(&self, pong: &Pong, with_credential: bool) -> String {
        let number = |key: &str| {
            pong.rest
                .get(key)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        let sent = Duration::new(number("time.tv_sec"), 0)
            .saturating_add(Duration::from_nanos(number("time.tv_nsec")));
        let took = self.started.elapsed().saturating_sub(sent);
        let pad = pong
            .rest
            .get("pad")
            .and_then(Value::as_str)
            .map_or(0, str::len);
        let credential = match with_credential {
            true => format!(" userid={} rolemask=0x{:x}", pong.userid, pong.rolemask),
            false => String::new(),
        };
        format!(
            "{}!{}.ping pad={pad}{credential} seq={} time={:.3} ms ({})",
            pong.rank,
            self.target.service,
            number("seq"),
            took.as_secs_f64() * 1e3,
            pong.route
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Any,
    Upstream,
    Number(u32),
}

impl Rank {
    fn parse(text: &str) -> Option<Rank> {
        match text {
            "any" => Some(Rank::Any),
            "upstream" => Some(Rank::Upstream),
            number => number.parse().ok().map(Rank::Number),
        }
    }
}

/// The first rank on a host, if the instance has one.
fn rank_of(handle: &mut Handle, host: &str) -> Option<u32> {
    let hosts: Hostlist = handle.attr("hostlist").ok()?.parse().ok()?;
    let found = hosts.iter().position(|name| name == host)?;
    u32::try_from(found).ok()
}

/// Service and rank. Shows as `RANK!SERVICE`.
struct Target {
    rank: Rank,
    /// The host by which the rank was named.
    host: Option<String>,
    service: String,
}

impl Target {
    /// `rank_of` gives the rank of a host.
    fn new(
        rank: Option<&str>,
        text: &str,
        mut rank_of: impl FnMut(&str) -> Option<u32>,
    ) -> Result<Target, CliError> {
        let mut place = |word: &str| match Rank::parse(word) {
            Some(rank) => Some((rank, None)),
            None => rank_of(word).map(|rank| (Rank::Number(rank), Some(word.to_owned()))),
        };
        let bad = |word: &str| CliError::usage(format!("invalid nodeid/host: '{word}'"));
        let ((rank, host), service) = match (rank, text.split_once('!')) {
            (Some(_), Some(_)) => {
                let text = "--rank and TARGET both try to specify a nodeid";
                return Err(CliError::usage(text));
            }
            (None, Some((word, service))) => (place(word).ok_or_else(|| bad(word))?, service),
            (Some(word), None) => (place(word).ok_or_else(|| bad(word))?, text),
            // A rank alone stands for its broker.
            (None, None) => match place(text) {
                Some(place) => (place, "broker"),
                None => ((Rank::Any, None), text),
            },
        };
        if service.is_empty() {
            return Err(CliError::usage(format!("no service in '{text}'")));
        }
        Ok(Target {
            rank,
            host,
            service: service.to_owned(),
        })
    }

    /// Description of the service and its rank.
    fn header(&self) -> String {
        match (&self.host, self.rank) {
            (Some(host), Rank::Number(rank)) => format!("{host}!{} (rank {rank})", self.service),
            _ => self.to_string(),
        }
    }

    /// The error number is more useful here than the service's sentence, which repeats
    /// the topic.
    fn failed(&self, refusal: &Refusal) -> CliError {
        let subject = match self.rank {
            Rank::Any => format!("{}.ping", self.service),
            _ => format!("{self}.ping"),
        };
        CliError::new(refusal.errno.to_string()).about(subject)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank {
            Rank::Any => write!(f, "any!{}", self.service),
            Rank::Upstream => write!(f, "upstream!{}", self.service),
            Rank::Number(rank) => write!(f, "{rank}!{}", self.service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rank: Option<&str>, text: &str, expect: &str) {
        let rank_of = |host: &str| (host == "h7").then_some(7);
        let outcome = match Target::new(rank, text, rank_of) {
            Ok(target) => target.header(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{rank:?} {text}");
    }

    #[test]
    fn a_target_has_a_rank_and_a_service() {
        check(None, "kvs", "any!kvs");
        check(None, "0", "0!broker");
        check(None, "upstream", "upstream!broker");
        check(None, "any!x.y", "any!x.y");
        check(None, "3!kvs", "3!kvs");
        check(Some("1"), "kvs", "1!kvs");
        check(Some("1"), "2", "1!2");
        check(None, "h7", "h7!broker (rank 7)");
        check(None, "h7!kvs", "h7!kvs (rank 7)");
        check(Some("h7"), "kvs", "h7!kvs (rank 7)");
    }

    #[test]
    fn what_is_no_rank_is_refused() {
        check(Some("x"), "kvs", "invalid nodeid/host: 'x'");
        check(None, "-1!kvs", "invalid nodeid/host: '-1'");
        let both = "--rank and TARGET both try to specify a nodeid";
        check(Some("1"), "2!kvs", both);
        check(None, "1!", "no service in '1!'");
    }
}
