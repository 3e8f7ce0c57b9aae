//! Cost of ZeroMQ alone between two brokers: processes that exchange messages over one
//! encrypted link, without our code. It is the floor that the figures of a tree of
//! brokers are compared with, measured in the same run.
//!
//! Prints one JSON object: the median of round trips over ipc and TCP, `ipc_us` and
//! `tcp_us`; `socket_us`, the same over a UNIX socket without ZeroMQ; and `fan_out_per_s`,
//! messages that one process brings to each of `readers` others.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// About the size of a small request.
const MESSAGE_BYTES: usize = 200;
const WARM_UP: usize = 1_000;
const ROUND_TRIPS: usize = 20_000;
/// Followers of a flat tree of 16 brokers.
const READERS: usize = 15;
/// About the size of a small event.
const EVENT_BYTES: usize = 60;
const EVENTS: usize = 100_000;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(),
        ["echo", endpoint, key] => echo(endpoint, key),
        ["read", endpoint, key, name] => read(endpoint, key, name),
        ["socket"] => echo_on_stdin(),
        _ => bail!("usage: link_floor"),
    }
}

fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ipc = |name: &str| format!("ipc://{}/{name}", folder.path().display());
    let report = serde_json::json!({
        "message_bytes": MESSAGE_BYTES,
        "ipc_us": round_trip_us(&ipc("echo"))?,
        "tcp_us": round_trip_us("tcp://127.0.0.1:*")?,
        "socket_us": socket_us()?,
        "readers": READERS,
        "fan_out_per_s": fan_out_per_s(&ipc("fan"))?.round(),
    });
    println!("{report}");
    Ok(())
}

/// The parent's end of a link: a server that lets in everybody who knows its key.
fn serve(endpoint: &str) -> Result<(zmq::Context, zmq::Socket, String, String)> {
    let pair = zmq::CurveKeyPair::new()?;
    let context = zmq::Context::new();
    let socket = context.socket(zmq::ROUTER)?;
    socket.set_curve_server(true)?;
    socket.set_curve_secretkey(&pair.secret_key)?;
    socket.set_router_mandatory(true)?;
    socket.set_sndhwm(EVENTS as i32 + 1)?;
    socket.bind(endpoint)?;
    let bound = socket.get_last_endpoint()?;
    let bound = bound.map_err(|_| anyhow::anyhow!("no endpoint"))?;
    Ok((context, socket, bound, zmq::z85_encode(&pair.public_key)?))
}

/// A child's end.
fn join(endpoint: &str, key: &str, name: &str) -> Result<(zmq::Context, zmq::Socket)> {
    let pair = zmq::CurveKeyPair::new()?;
    let context = zmq::Context::new();
    let socket = context.socket(zmq::DEALER)?;
    socket.set_curve_publickey(&pair.public_key)?;
    socket.set_curve_secretkey(&pair.secret_key)?;
    socket.set_curve_serverkey(&zmq::z85_decode(key)?)?;
    socket.set_identity(name.as_bytes())?;
    socket.set_rcvhwm(EVENTS as i32 + 1)?;
    socket.connect(endpoint)?;
    Ok((context, socket))
}

fn round_trip_us(endpoint: &str) -> Result<f64> {
    let (_context, socket, bound, key) = serve(endpoint)?;
    let _echo = Helper::start(&["echo", &bound, &key], Stdio::null())?;
    let who = socket.recv_multipart(0)?.remove(0);
    median_us(|| {
        socket.send(&who[..], zmq::SNDMORE)?;
        socket.send(&[b'x'; MESSAGE_BYTES][..], 0)?;
        let answer = socket.recv_multipart(0)?;
        ensure!(
            answer[1].len() == MESSAGE_BYTES,
            "an answer of another length"
        );
        Ok(())
    })
}

fn echo(endpoint: &str, key: &str) -> Result<()> {
    let (_context, socket) = join(endpoint, key, "echo")?;
    socket.send("ready", 0)?;
    loop {
        let message = socket.recv_msg(0)?;
        socket.send(message, 0)?;
    }
}

fn socket_us() -> Result<f64> {
    let (mut here, there) = UnixStream::pair()?;
    let there = std::os::fd::OwnedFd::from(there);
    let _echo = Helper::start(&["socket"], there.into())?;
    median_us(|| {
        here.write_all(&[b'x'; MESSAGE_BYTES])?;
        Ok(here.read_exact(&mut [0; MESSAGE_BYTES])?)
    })
}

fn echo_on_stdin() -> Result<()> {
    let stdin = rustix::io::dup(rustix::stdio::stdin())?;
    let mut stream = UnixStream::from(stdin);
    let mut message = [0; MESSAGE_BYTES];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

fn median_us(mut round_trip: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for n in 0..WARM_UP + ROUND_TRIPS {
        let start = Instant::now();
        round_trip()?;
        if n >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let median: Duration = times[times.len() / 2];
    Ok(median.as_secs_f64() * 1e6)
}

fn fan_out_per_s(endpoint: &str) -> Result<f64> {
    let (_context, socket, bound, key) = serve(endpoint)?;
    let names: Vec<String> = (0..READERS).map(|n| format!("reader{n}")).collect();
    let mut helpers = Vec::new();
    for name in &names {
        helpers.push(Helper::start(&["read", &bound, &key, name], Stdio::null())?);
    }
    for _ in &names {
        socket.recv_multipart(0)?;
    }
    let start = Instant::now();
    for _ in 0..EVENTS {
        for name in &names {
            socket.send(name.as_bytes(), zmq::SNDMORE)?;
            socket.send(&[b'x'; EVENT_BYTES][..], 0)?;
        }
    }
    for _ in &names {
        socket.recv_multipart(0)?;
    }
    Ok(EVENTS as f64 / start.elapsed().as_secs_f64())
}

fn read(endpoint: &str, key: &str, name: &str) -> Result<()> {
    let (_context, socket) = join(endpoint, key, name)?;
    socket.send("ready", 0)?;
    for _ in 0..EVENTS {
        socket.recv_msg(0)?;
    }
    socket.send("done", 0)?;
    Ok(())
}

/// This program again in another role, ended with us.
struct Helper(Child);

impl Helper {
    fn start(args: &[&str], stdin: Stdio) -> Result<Helper> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(stdin).stdout(Stdio::null());
        let child = command.spawn();
        Ok(Helper(
            child.with_context(|| format!("cannot start {args:?}"))?,
        ))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
