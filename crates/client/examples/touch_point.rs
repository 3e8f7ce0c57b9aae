//! Many may ask, one answers: all requests are appended to one key, which the service follows.
//! Nothing is missed, however late it begins, and all that was ever asked stays there to be read.
//!
//! `touch_point serve N` answers N requests; `touch_point ask TEXT` is one.

use std::error::Error;

use client::{Call, Handle, Options};
use proto::kvs::{Commit, PRIMARY, WAITCREATE, WATCH, WATCH_APPEND};
use proto::kvs_watch::Lookup;

/// The one key that is watched.
const REQUESTS: &str = "example.requests";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let uri = std::env::var("FLUX_URI")?;
    let mut handle = Handle::open(Some(&uri), &Options::default())?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", n] => serve(&mut handle, n.parse()?),
        ["ask", text] => ask(&mut handle, text),
        _ => Err("usage: touch_point serve N | ask TEXT".into()),
    }
}

/// Appends a request. Concurrent appends of others are not lost.
fn ask(handle: &mut Handle, text: &str) -> Result<(), Box<dyn Error>> {
    let line = format!("{text}\n");
    handle.rpc(&Commit::new(PRIMARY).append(REQUESTS, line))?;
    Ok(())
}

/// Takes the requests in their order: first those that are there, then each that comes.
fn serve(handle: &mut Handle, n: usize) -> Result<(), Box<dyn Error>> {
    let flags = WATCH | WATCH_APPEND | WAITCREATE;
    let watch = handle.start_stream(Call::new(&Lookup::new(PRIMARY, REQUESTS, flags)));
    let mut served = 0;
    while served < n {
        // Lines since the previous answer: one or more.
        let Some(added) = handle.wait(watch)?.bytes() else {
            continue;
        };
        for request in String::from_utf8(added.to_vec())?.lines() {
            println!("served {request}");
            served += 1;
        }
    }
    Ok(())
}
