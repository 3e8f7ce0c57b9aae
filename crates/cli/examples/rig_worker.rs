//! A site's own worker: a test rig that takes runs from the server `rigs`, one at a time, and
//! reports the result of each. Its argument is its name. Server and broker may be restarted
//! under it as often as they like.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use client::{Options, Worker};
use proto::Errno;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("Usage: rig_worker NAME")?;
    let uri = std::env::var("FLUX_URI")?;
    let options = Options::from_env(|var| (var == "FLUX_URI").then_some(uri.as_str()))?;
    let mut rig = Worker::open("rigs", &name, &options)?;
    loop {
        let run = rig.take()?;
        let mut test = Command::new("sh")
            .args(["-c", &run.text])
            .stdin(Stdio::null())
            .spawn()?;
        let status = loop {
            if let Some(status) = test.try_wait()? {
                break status;
            }
            rig.renew_in_time(&run)?;
            std::thread::sleep(Duration::from_millis(20));
        };
        match rig.complete(&run, json!({ "rig": name, "code": status.code() })) {
            Err(refusal) if refusal.errno == Errno::EEXIST => eprintln!("{}: {refusal}", run.name),
            answer => answer?,
        }
    }
}
