//! Cost of ZeroMQ alone: a client, a relay and an echo, three processes over ipc.
//!
//! The shape of a request to a module and its response, with nothing of ours but
//! `link.rs`: no message is decoded and no route is looked up. It is the floor that
//! the figures of a real instance are compared with, measured in the same run.
//!
//! Prints one JSON object: `latency_p50_us` and `latency_p99_us` of round trips one
//! at a time, and `round_trips_per_s` with `outstanding` of them under way.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use runtime::link::{Context, DealerLink, LinkLimits, RouterLink};
use rustix::event::epoll;

/// About the size of a small request.
const MESSAGE_BYTES: usize = 200;
/// Round trips before anything is measured.
const WARM_UP: usize = 2_000;
const LATENCY_ROUND_TRIPS: usize = 20_000;
const THROUGHPUT_ROUND_TRIPS: usize = 500_000;
const OUTSTANDING: usize = 1_000;

const CLIENT: &[u8] = b"client";
const ECHO: &[u8] = b"echo";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(),
        ["relay", endpoint] => relay(endpoint),
        ["echo", endpoint] => echo(endpoint),
        _ => bail!("usage: relay_floor"),
    }
}

/// The client, and the parent of the other two.
fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = format!("ipc://{}/relay", folder.path().display());
    let mut relay = Helper::start("relay", &endpoint)?;
    relay.wait_for_line()?;
    let _echo = Helper::start("echo", &endpoint)?;
    relay.wait_for_line()?;

    let context = Context::new()?;
    let link = DealerLink::connect(&context, &endpoint, CLIENT, LinkLimits::default())?;
    let waiter = Waiter::new(link.fd())?;
    exchange(&link, &waiter, WARM_UP, 1, |_| {})?;

    let mut times = Vec::with_capacity(LATENCY_ROUND_TRIPS);
    exchange(&link, &waiter, LATENCY_ROUND_TRIPS, 1, |time| {
        times.push(time)
    })?;
    times.sort_unstable();

    let start = Instant::now();
    exchange(&link, &waiter, THROUGHPUT_ROUND_TRIPS, OUTSTANDING, |_| {})?;
    let seconds = start.elapsed().as_secs_f64();

    let microseconds = |at: usize| times[at].as_nanos() as f64 / 1000.0;
    let report = serde_json::json!({
        "message_bytes": MESSAGE_BYTES,
        "latency_p50_us": microseconds(times.len() / 2),
        "latency_p99_us": microseconds(times.len() * 99 / 100),
        "outstanding": OUTSTANDING,
        "round_trips_per_s": (THROUGHPUT_ROUND_TRIPS as f64 / seconds).round(),
    });
    println!("{report}");
    Ok(())
}

/// Sends `count` messages, at most `window` of them unanswered, and reports the time
/// from the last send to each answer: the round trip when the window is 1.
fn exchange(
    link: &DealerLink,
    waiter: &Waiter,
    count: usize,
    window: usize,
    mut each: impl FnMut(Duration),
) -> Result<()> {
    let (mut sent, mut answered) = (0, 0);
    let mut last_sent = Instant::now();
    while answered < count {
        while sent < count && sent - answered < window {
            last_sent = Instant::now();
            link.send(vec![b'x'; MESSAGE_BYTES])?;
            sent += 1;
        }
        let before = answered;
        while let Some(answer) = link.recv()? {
            ensure!(
                answer.len() == MESSAGE_BYTES,
                "an answer of {} bytes",
                answer.len()
            );
            each(last_sent.elapsed());
            answered += 1;
        }
        if answered == before && !link.ready()?.readable {
            waiter.wait()?;
        }
    }
    Ok(())
}

/// The broker's place: hands every message of one peer to the other.
fn relay(endpoint: &str) -> Result<()> {
    let context = Context::new()?;
    let link = RouterLink::bind(&context, endpoint, LinkLimits::default())?;
    let waiter = Waiter::new(link.fd())?;
    report_ready()?;
    loop {
        while let Some((from, message)) = link.recv()? {
            match &from[..] {
                CLIENT => link.send(ECHO, message.into())?,
                // Its first message only says that it is there.
                ECHO if message.len() == 1 => report_ready()?,
                _ => link.send(CLIENT, message.into())?,
            }
        }
        if !link.ready()?.readable {
            waiter.wait()?;
        }
    }
}

/// The module's place: answers every message with itself.
fn echo(endpoint: &str) -> Result<()> {
    let context = Context::new()?;
    let link = DealerLink::connect(&context, endpoint, ECHO, LinkLimits::default())?;
    let waiter = Waiter::new(link.fd())?;
    link.send(vec![b'h'])?;
    loop {
        while let Some(message) = link.recv()? {
            link.send(message.into())?;
        }
        if !link.ready()?.readable {
            waiter.wait()?;
        }
    }
}

fn report_ready() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    Ok(out.flush()?)
}

/// Waits for news of one link, as the loop of a broker or a module does.
struct Waiter(rustix::fd::OwnedFd);

impl Waiter {
    fn new(fd: rustix::fd::BorrowedFd<'_>) -> Result<Waiter> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, fd, epoll::EventData::new_u64(0), flags)?;
        Ok(Waiter(epoll))
    }

    fn wait(&self) -> Result<()> {
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 1];
        epoll::wait(&self.0, &mut events, None)?;
        Ok(())
    }
}

/// This program again in another role, ended with us.
struct Helper {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Helper {
    fn start(role: &str, endpoint: &str) -> Result<Helper> {
        let mut child = Command::new(env::current_exe()?)
            .args([role, endpoint])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the {role}"))?;
        let output = child.stdout.take().context("no output to read")?;
        Ok(Helper {
            child,
            output: BufReader::new(output),
        })
    }

    fn wait_for_line(&mut self) -> Result<()> {
        let mut line = String::new();
        ensure!(
            self.output.read_line(&mut line)? > 0,
            "a helper ended early"
        );
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
