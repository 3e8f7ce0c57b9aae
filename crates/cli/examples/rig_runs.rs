//! Gives runs to the server `rigs`, each a word and a command, and waits for their results.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use client::{Call, Handle, Options};
use proto::worker::{Add, List};

fn main() -> Result<(), Box<dyn Error>> {
    let uri = std::env::var("FLUX_URI")?;
    let options = Options::from_env(|var| (var == "FLUX_URI").then_some(uri.as_str()))?;
    let mut handle = Handle::open(None, &options)?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runs = args.iter().filter_map(|arg| arg.split_once('='));
    let runs = runs.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let tasks: BTreeMap<String, String> = runs.collect();
    let names: Vec<String> = tasks.keys().cloned().collect();
    handle.call(Call::new(&Add { tasks }).topic("rigs.add"))?;
    loop {
        let listed = handle.call(Call::new(&List).topic("rigs.list"))?;
        if names.iter().all(|name| listed.done.contains_key(name)) {
            for name in names {
                println!("{name} {}", listed.done[&name]);
            }
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
