//! `cargo xtask attack`: a guest and a program of the owner's that means ill, against a
//! live instance.
//!
//! Expected answers are read from the declarations in `proto`: a guest is refused the owner's
//! methods, no invalid payload is accepted, and no matter which messages are sent, a job and a
//! key of the owner stay as they are, no process dies, and memory keeps its bound. Read on in
//! `attack/assault.rs` (the messages), `enemy.rs` (their sending) and `watch.rs` (the things
//! that must stay).

mod assault;
mod enemy;
mod watch;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use comfy_table::Table;
use indicatif::ProgressBar;

use crate::site::{Rng, Site};
use assault::{Assault, Kind};
use enemy::{Enemy, Who};
use watch::Watch;

/// Send an instance everything that it must withstand
#[derive(clap::Args)]
pub struct AttackArgs {
    /// Send N messages
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    messages: u64,
    /// Seed the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The most that broker and modules may take together, in MiB
    #[arg(long, value_name = "N", default_value_t = 256)]
    memory: u64,
    /// Take the programs from here instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

impl AttackArgs {
    /// Options of the tests: seconds, not minutes.
    pub fn short(programs: &Path) -> AttackArgs {
        AttackArgs {
            messages: 1_000,
            seed: 1,
            memory: 256,
            programs: Some(programs.to_path_buf()),
        }
    }
}

/// Messages of one connection, which then ends without a word.
const MESSAGES_PER_CONNECTION: u64 = 50;

/// Attacks as long as asked; true when nothing gave way.
pub fn attack(args: &AttackArgs) -> Result<bool> {
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => crate::bench::build("release")?,
    };
    let folder = tempfile::tempdir()?;
    // The guest's user must reach the socket.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let site = Site::new(&programs, folder.path(), "job")?;
    let broker = site.start()?;
    let mut watch = Watch::begin(&site, broker.id())?;
    let mut assault = Assault::new(Rng::new(args.seed));
    let whos = Who::all(&site);
    let bar = ProgressBar::new(args.messages);
    while bar.position() < args.messages {
        let count = MESSAGES_PER_CONNECTION.min(args.messages - bar.position());
        let who = whos[(bar.position() / MESSAGES_PER_CONNECTION) as usize % whos.len()];
        let mut enemy = Enemy::connect(&site, who)?;
        assault.round(&mut enemy, who, count)?;
        drop(enemy);
        watch.look(&site, &mut assault.wrong);
        bar.inc(count);
    }
    bar.finish_and_clear();
    let mib = watch.end(&site, args.memory, &mut assault.wrong)?;
    site.end(broker)?;
    let mut table = Table::new();
    table.set_header(["what", "sent", "answered", "refused EPERM", "other errors"]);
    for kind in Kind::ALL {
        let count = assault.counts[kind as usize];
        table.add_row([
            kind.name().to_owned(),
            count.sent.to_string(),
            count.answered.to_string(),
            count.not_permitted.to_string(),
            count.other_errors.to_string(),
        ]);
    }
    println!("{table}");
    assault.wrong.iter().for_each(|what| eprintln!("{what}"));
    let wrong = assault.wrong.len();
    println!("as {whos:?}: {mib} MiB in all processes, {wrong} wrong");
    Ok(assault.wrong.is_empty())
}
