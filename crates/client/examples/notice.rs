//! News for everybody is sent as an event. Each event of an instance has a number, one more than
//! the one before, and so has each of a publisher's own: a subscriber sees by the numbers which
//! events it has missed, while it was not connected, say, and asks for them.
//!
//! `notice hear N` receives N notices; `notice publish FIRST LAST` publishes those of these
//! numbers.

use std::error::Error;

use client::{Handle, Options};
use proto::payload::{decode_json, encode_json};
use serde_json::{Value, json};
use wire::Kind;

/// The topic.
const NOTICE: &str = "example.notice";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let uri = std::env::var("FLUX_URI")?;
    let mut handle = Handle::open(Some(&uri), &Options::default())?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hear", n] => hear(&mut handle, n.parse()?),
        ["publish", first, last] => publish(&mut handle, first.parse()?, last.parse()?),
        _ => Err("usage: notice hear N | publish FIRST LAST".into()),
    }
}

/// Each notice has a number of the publisher's own.
fn publish(handle: &mut Handle, first: u64, last: u64) -> Result<(), Box<dyn Error>> {
    for seq in first..=last {
        let payload = encode_json(&json!({ "seq": seq }));
        handle.publish(&Handle::event(NOTICE, payload, false))?;
    }
    Ok(())
}

/// Prints the events missing between one notice and the next.
fn hear(handle: &mut Handle, n: usize) -> Result<(), Box<dyn Error>> {
    handle.subscribe(NOTICE)?;
    println!("listening");
    let (mut expected, mut sequence) = (None, 0);
    for _ in 0..n {
        let Some(event) = handle.next_event(None)? else {
            continue;
        };
        // The number of the instance grows; there are other events between ours.
        if let Kind::Event { sequence: now } = event.kind {
            assert!(now > sequence, "events come in their order");
            sequence = now;
        }
        let notice: Value = decode_json(event.payload())?;
        let seq = notice["seq"].as_u64().ok_or("a notice without a number")?;
        if let Some(missing) = expected.filter(|expected| *expected < seq) {
            println!("missed {missing} to {}", seq - 1);
        }
        println!("notice {seq}");
        expected = Some(seq + 1);
    }
    Ok(())
}
