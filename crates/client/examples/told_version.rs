//! Data in the KVS, and an event with the version in which the data is: a receiver waits for that
//! version before it looks. Without that it might look too early: on another rank, the event can be
//! there before the data.
//!
//! `told_version hear N` looks up N keys that events name; `told_version tell KEY VALUE` publishes
//! one.

use std::error::Error;

use client::{Handle, Options};
use proto::kvs::{Commit, Lookup, PRIMARY};
use proto::payload::{decode_json, encode_json};
use serde_json::{Value, json};

/// The event: there is something to read.
const READY: &str = "example.ready";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let uri = std::env::var("FLUX_URI")?;
    let mut handle = Handle::open(Some(&uri), &Options::default())?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hear", n] => hear(&mut handle, n.parse()?),
        ["tell", key, value] => tell(&mut handle, key, value),
        _ => Err("usage: told_version hear N | tell KEY VALUE".into()),
    }
}

/// Commits, and then publishes the version.
fn tell(handle: &mut Handle, key: &str, value: &str) -> Result<(), Box<dyn Error>> {
    let value = value.to_owned();
    handle.rpc(&Commit::new(PRIMARY).put(key, value))?;
    let version = handle.kvs_get_version(PRIMARY)?;
    let payload = encode_json(&json!({ "key": key, "rootseq": version }));
    handle.publish(&Handle::event(READY, payload, false))?;
    Ok(())
}

/// Waits for the version in the event, and looks.
fn hear(handle: &mut Handle, n: usize) -> Result<(), Box<dyn Error>> {
    handle.subscribe(READY)?;
    println!("listening");
    for _ in 0..n {
        let Some(event) = handle.next_event(None)? else {
            continue;
        };
        let told: Value = decode_json(event.payload())?;
        let (Some(key), Some(version)) = (told["key"].as_str(), told["rootseq"].as_i64()) else {
            continue;
        };
        handle.kvs_wait_version(PRIMARY, version)?;
        let lookup = Lookup {
            key: key.to_owned(),
            namespace: Some(PRIMARY.to_owned()),
            ..Lookup::default()
        };
        let value = handle.rpc(&lookup)?.bytes().unwrap_or_default();
        println!("{key}={}", String::from_utf8_lossy(&value));
    }
    Ok(())
}
