//! Programs on every rank that ping ranks by chance. Over a branch that nobody has touched
//! every ping is answered; over any other it is answered or refused, in time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Call, Handle};
use proto::{Delivery, Errno, Refusal};
use serde_json::{Value, json};

use super::branches::path;
use super::{Fire, SIZE};
use crate::crash::Tally;
use crate::site::Rng;

/// A request that takes longer has hung.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// Between two pings, and until a broker that is not there is looked for again.
const PAUSE: Duration = Duration::from_millis(10);

/// Results of pings.
#[derive(Default)]
pub struct Pings {
    answered: AtomicU64,
    undisturbed: AtomicU64,
    refused: AtomicU64,
    longest_ms: AtomicU64,
    failed: Mutex<Vec<String>>,
    hung: Mutex<Vec<String>>,
}

impl Pings {
    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        let number = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let texts = |texts: &Mutex<Vec<String>>| {
            texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        tally.figure("tree", "pings answered", number(&self.answered));
        tally.figure(
            "tree",
            "pings over untouched branches",
            number(&self.undisturbed),
        );
        tally.figure(
            "tree",
            "pings refused over touched branches",
            number(&self.refused),
        );
        tally.figure(
            "tree",
            "ms that a ping took at most",
            number(&self.longest_ms),
        );
        tally.wrong("tree", "errors on untouched branches", texts(&self.failed));
        tally.wrong("tree", "requests that hung", texts(&self.hung));
    }
}

/// Pings until everything has ended.
pub fn ping(fire: &Fire, rank: u32, seed: u64) {
    let mut rng = Rng::new(seed.wrapping_mul(1_000).wrapping_add(u64::from(rank)));
    while !fire.is_over() {
        let Some(mut handle) = fire.hosts.open(rank) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let mut used = Instant::now();
        let mut is_of_use = true;
        while is_of_use && !fire.is_over() {
            is_of_use = ping_one(fire, &mut handle, rank, &mut rng, used);
            used = Instant::now();
            std::thread::sleep(PAUSE);
        }
    }
}

/// One ping; false if the connection is of no use any more.
fn ping_one(fire: &Fire, handle: &mut Handle, rank: u32, rng: &mut Rng, used: Instant) -> bool {
    let target = rng.below(u64::from(SIZE)) as u32;
    let request = Call::raw("broker.ping").json(&json!({})).to(target);
    let began = Instant::now();
    let answer = call(handle, request);
    let ended = Instant::now();
    let took = u64::try_from((ended - began).as_millis()).unwrap_or(u64::MAX);
    fire.pings.longest_ms.fetch_max(took, Ordering::Relaxed);
    if !is_excused(fire, rank, target, began, ended) {
        fire.pings.undisturbed.fetch_add(1, Ordering::Relaxed);
    }
    let complain = |complaints: &Mutex<Vec<String>>, why: &str| {
        let complaint = format!("{rank} to {target} after {took} ms: {why}");
        let complaints = complaints.lock();
        complaints
            .unwrap_or_else(PoisonError::into_inner)
            .push(complaint);
    };
    match answer {
        Ok(pong) => {
            fire.pings.answered.fetch_add(1, Ordering::Relaxed);
            let payload = pong.payload().map(|payload| payload.to_vec());
            let text = payload.unwrap_or_default();
            let pong = serde_json::from_slice(text.strip_suffix(b"\0").unwrap_or(&text));
            let pong: Value = pong.unwrap_or_default();
            if pong["rank"] != json!(target) {
                complain(&fire.pings.failed, &format!("answered by {pong}"));
            }
            true
        }
        Err(refusal) if refusal.errno == Errno::ETIMEDOUT => {
            complain(&fire.pings.hung, "no answer");
            true
        }
        Err(refusal) => {
            fire.pings.refused.fetch_add(1, Ordering::Relaxed);
            let is_of_use = is_on_the_way(&refusal);
            // The loss of the own broker is found by the next request.
            let since = if is_of_use { began } else { used };
            if !is_excused(fire, rank, target, since, ended) {
                complain(&fire.pings.failed, &refusal.to_string());
            }
            is_of_use
        }
    }
}

/// A call that has hung after [`DEADLINE`].
pub fn call<M: client::Answered>(handle: &mut Handle, call: Call<M>) -> Result<M::Answer, Refusal> {
    let deadline = Some(DEADLINE);
    handle.call(call.delivery(Delivery::Wait { deadline }))
}

/// True if an error between two ranks is explained by faults.
pub fn is_excused(fire: &Fire, one: u32, other: u32, from: Instant, to: Instant) -> bool {
    fire.is_over() || fire.branches.were_touched(&path(one, other), from, to)
}

/// True if the own broker reports that another one is lost.
pub fn is_on_the_way(refusal: &Refusal) -> bool {
    refusal.errno == Errno::EHOSTUNREACH
}
