//! Practices that RFC 9 advises against, done on purpose, for the test of `flux lint
//! rfc9`.
//!
//! `bad_practices WHAT`, where WHAT is `chained-watch`, `replaced-stream`, `unwaited-version`,
//! `unicast-event` or `polling`; or an allowed practice that looks similar: `counter`,
//! `two-watches`, `waited-version`.

use std::error::Error;
use std::time::{Duration, Instant};

use client::{Call, Handle, Options, Pending};
use proto::kvs::{Commit, Lookup, PRIMARY, WATCH, WATCH_APPEND};
use proto::kvs_watch;
use proto::payload::encode_json;
use serde_json::json;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let uri = std::env::var("FLUX_URI")?;
    let mut handle = Handle::open(Some(&uri), &Options::default())?;
    let what = std::env::args().nth(1).unwrap_or_default();
    match what.as_str() {
        "chained-watch" => chained_watch(&mut handle, &uri),
        "two-watches" => two_watches(&mut handle),
        "replaced-stream" => replaced_stream(&mut handle),
        "counter" => counter(&mut handle),
        "unwaited-version" => look_when_told(&mut handle, false),
        "waited-version" => look_when_told(&mut handle, true),
        "unicast-event" => unicast_event(&mut handle, &uri),
        "polling" => polling(&mut handle),
        _ => Err(format!("{what}: no practice is called so").into()),
    }
}

fn put(handle: &mut Handle, key: &str, value: &str) -> Done {
    let commit = Commit::new(PRIMARY).put(key, value.to_owned());
    handle.rpc(&commit)?;
    Ok(())
}

fn watch(handle: &mut Handle, key: &str, flags: u32) -> Result<Watch, Box<dyn Error>> {
    let watch = handle.start_stream(Call::new(&kvs_watch::Lookup::new(PRIMARY, key, flags)));
    handle.wait(watch)?;
    Ok(watch)
}

type Watch = Pending<kvs_watch::Lookup>;

/// A step has been taken: the next one is watched now, and may have been taken as well.
fn chained_watch(handle: &mut Handle, uri: &str) -> Done {
    let mut other = Handle::open(Some(uri), &Options::default())?;
    put(&mut other, "bad.step1", "waiting")?;
    put(&mut other, "bad.step2", "waiting")?;
    let first = watch(handle, "bad.step1", WATCH)?;
    let later = Instant::now() + Duration::from_millis(50);
    handle.next(&[], Some(later))?;
    put(&mut other, "bad.step1", "done")?;
    handle.wait(first)?;
    watch(handle, "bad.step2", WATCH)?;
    Ok(())
}

/// Both are watched from the beginning.
fn two_watches(handle: &mut Handle) -> Done {
    put(handle, "good.step1", "waiting")?;
    put(handle, "good.step2", "waiting")?;
    let first = watch(handle, "good.step1", WATCH)?;
    watch(handle, "good.step2", WATCH)?;
    put(handle, "good.step1", "done")?;
    handle.wait(first)?;
    Ok(())
}

/// A log that is overwritten with every line, while it is being followed.
fn replaced_stream(handle: &mut Handle) -> Done {
    put(handle, "bad.log", "one\n")?;
    watch(handle, "bad.log", WATCH | WATCH_APPEND)?;
    put(handle, "bad.log", "one\ntwo\n")?;
    put(handle, "bad.log", "one\ntwo\nthree\n")
}

/// Of a number that grows, the newest value is enough.
fn counter(handle: &mut Handle) -> Done {
    for n in [1, 12, 123, 1234] {
        put(handle, "good.counter", &format!("{n}"))?;
    }
    Ok(())
}

/// An event names a version; the look that follows waits for it, or does not.
fn look_when_told(handle: &mut Handle, waits: bool) -> Done {
    put(handle, "bad.data", "here")?;
    let version = handle.kvs_get_version(PRIMARY)?;
    handle.subscribe("bad.ready")?;
    let payload = encode_json(&json!({ "rootseq": version }));
    handle.publish(&Handle::event("bad.ready", payload, false))?;
    handle.next_event(None)?;
    if waits {
        handle.kvs_wait_version(PRIMARY, version)?;
    }
    let key = "bad.data".to_owned();
    handle.rpc(&Lookup {
        key,
        namespace: Some(PRIMARY.to_owned()),
        ..Lookup::default()
    })?;
    Ok(())
}

/// A service answers with events, which go to everybody, and one listens.
fn unicast_event(service: &mut Handle, uri: &str) -> Done {
    service.register_service("bad")?;
    let mut asker = Handle::open(Some(uri), &Options::default())?;
    asker.subscribe("bad.answer")?;
    for n in 0..3 {
        asker.notify(Call::raw("bad.ask"));
        asker.flush()?;
        service.next_request()?;
        let payload = encode_json(&json!({ "n": n }));
        service.publish(&Handle::event("bad.answer", payload, false))?;
        asker.next_event(None)?;
    }
    Ok(())
}

/// Is it there now? And now?
fn polling(handle: &mut Handle) -> Done {
    let key = "bad.never".to_owned();
    let lookup = Lookup {
        key,
        namespace: Some(PRIMARY.to_owned()),
        ..Lookup::default()
    };
    for _ in 0..8 {
        // A missing key is an error, and the same one each time.
        let _ = handle.rpc(&lookup);
        let next = Instant::now() + Duration::from_millis(50);
        handle.next(&[], Some(next))?;
    }
    Ok(())
}
