//! The command against a broker made of one function: whole command lines in, whole output
//! out. Environment, streams and socket are the test's own.

#![allow(clippy::unwrap_used, reason = "a test")]

mod archive;
mod batch;
mod bulksubmit;
mod cron;
mod dump;
mod exec;
mod frame;
mod housekeeping;
mod ingest;
mod instance;
mod jobs;
mod jobs_changed;
mod kvs;
mod messages;
mod options;
mod pgrep;
mod plain;
mod pstree;
mod r;
mod resources;
mod submission;
mod terminals;
mod tools;
mod uri;
mod watch;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::rc::Rc;

use cli::Io;
use client::Refusal;
use client::fake::{Act, FakeBroker, answer, object_of, refuse};
use proto::Errno;
use serde_json::Value;
use wire::Message;

/// A stream that can be looked into afterwards.
#[derive(Clone, Default)]
struct Captured(Rc<RefCell<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

/// Runs the command in an environment; output, errors and a code that is not 0, in a row.
fn run(env: &[(&str, &str)], words: &[&str], input: &str) -> String {
    let (out, err) = (Captured::default(), Captured::default());
    let io = Io {
        input: Box::new(std::io::Cursor::new(input.to_owned())),
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        out_is_tty: false,
        err_is_tty: false,
    };
    let args = words.iter().map(OsString::from).collect();
    let code = cli::run(args, env.iter().copied().collect(), io);
    let mut all = out.text();
    if !err.text().is_empty() {
        all.push_str("-- stderr\n");
        all.push_str(&err.text());
    }
    if code != 0 {
        all.push_str(&format!("-- code {code}\n"));
    }
    all
}

/// Runs `flux LINE` (words split at blanks) against a broker that answers as `handle` says,
/// and compares all that it does.
fn check(line: &str, handle: impl FnMut(&Message) -> Vec<Act> + Send + 'static, expect: &str) {
    check_input(line, "", handle, expect);
}

/// The same with standard input.
fn check_input(
    line: &str,
    input: &str,
    handle: impl FnMut(&Message) -> Vec<Act> + Send + 'static,
    expect: &str,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = FakeBroker::listen(&folder.path().join("local"), handle).expect("a socket");
    let words: Vec<&str> = line.split_whitespace().collect();
    let env = [
        ("FLUX_URI", broker.uri()),
        ("TZ", "UTC".to_owned()),
        // No formats of this machine.
        ("XDG_CONFIG_DIRS", "/nonexistent".to_owned()),
    ];
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(run(&env, &words, input), expect, "flux {line}");
}

/// Answers every request with the result of `object` on its topic and object.
fn answering(
    mut object: impl FnMut(&str, Value) -> Result<Value, Refusal> + Send + 'static,
) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| {
        vec![match object(request.topic(), object_of(request)) {
            Ok(value) => answer(request, &value),
            Err(refusal) => refuse(request, &refusal),
        }]
    }
}

/// Refuses every request with this number.
fn refusing(errno: Errno) -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    move |request| vec![refuse(request, &Refusal::bare(errno))]
}
