//! `flux shutdown`: ends an instance in order, and shows its messages on the way.

use std::io::BufRead;

use client::{Call, Handle};
use proto::kvs::{GetRoot, PRIMARY};
use proto::{Errno, Method, Payload, Refusal, attr, config, shutdown};

use crate::uri::open_target;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Severities of log lines that are shown: quiet, as a rule, and verbose.
const LEVEL_ERR: i64 = 3;
const LEVEL_INFO: i64 = 6;
const LEVEL_DEBUG: i64 = 7;

/// The rank that ends the instance, whichever is asked.
const LEADER: u32 = 0;

/// Value of `content.dump` with which the broker chooses the file.
const AUTO: &str = "auto";

/// Shut down an instance in order
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux shutdown
  flux shutdown --gc
  flux shutdown --background local:///run/flux/local")]
pub struct Shutdown {
    /// Return without waiting for the end
    #[arg(long)]
    background: bool,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
    /// Print every step
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1", conflicts_with = "quiet")]
    verbose: Option<u32>,
    /// Archive the key-value store to this file during shutdown
    #[arg(long, value_name = "PATH")]
    dump: Option<String>,
    /// Collect garbage: archive the key-value store in the state directory, for the next
    /// start
    #[arg(long, conflicts_with = "dump")]
    gc: bool,
    /// Do not ask about garbage collection
    #[arg(long, conflicts_with_all = ["gc", "dump"])]
    skip_gc: bool,
    /// Answer all questions with yes
    #[arg(short, long, conflicts_with = "no")]
    yes: bool,
    /// Answer all questions with no
    #[arg(short, long)]
    no: bool,
    /// Instance to shut down: a URI, a job id, or any target of 'flux uri'
    target: Option<String>,
}

impl Run for Shutdown {
    const NAME: &'static str = "shutdown";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = open_target(flux, self.target.as_deref())?;
        if let Some(dump) = self.dump(flux, &mut handle)? {
            let set = attr::Set {
                name: "content.dump".to_owned(),
                value: dump,
                force: None,
            };
            let failed = |refusal| CliError::from(refusal).about("error setting content.dump");
            handle.call(Call::new(&set).to(LEADER)).map_err(failed)?;
        }
        if self.background {
            // Not as a stream it is answered at once, and with nothing.
            let start = shutdown::Start { loglevel: None };
            let call = Call::raw(shutdown::Start::TOPIC).to(LEADER);
            handle.call(call.payload(start.encode()))?;
            return Ok(());
        }
        let level = match (self.quiet, self.verbose.is_some_and(|level| level > 0)) {
            (true, _) => LEVEL_ERR,
            (_, true) => LEVEL_DEBUG,
            _ => LEVEL_INFO,
        };
        let start = shutdown::Start {
            loglevel: Some(level),
        };
        let is_leader = handle.rank()? == LEADER;
        for line in handle.stream(Call::new(&start).to(LEADER)) {
            match line {
                Ok(line) => flux.note(line.log.trim_end_matches('\n'))?,
                // The broker that passes the lines on ends before the one that says them.
                Err(refusal) if !is_leader && has_ended(&refusal) => break,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(())
    }
}

/// True if a broker on the way has exited.
fn has_ended(refusal: &Refusal) -> bool {
    [Errno::ECONNRESET, Errno::EHOSTUNREACH, Errno::EPIPE].contains(&refusal.errno)
}

impl Shutdown {
    /// New value of the attribute `content.dump`, if it is to be set.
    fn dump(&self, flux: &mut Flux, handle: &mut Handle) -> Result<Option<String>, CliError> {
        if let Some(path) = &self.dump {
            if path == AUTO {
                return Ok(Some(path.clone()));
            }
            // The broker is in another folder.
            let path = std::path::absolute(path)?;
            return Ok(Some(path.to_string_lossy().into_owned()));
        }
        if !self.gc && (self.skip_gc || !self.wants_gc(flux, handle)?) {
            return Ok(None);
        }
        Ok(Some(AUTO.to_owned()))
    }

    /// True if enough was written for garbage collection, and the user agrees.
    fn wants_gc(&self, flux: &mut Flux, handle: &mut Handle) -> Result<bool, CliError> {
        let config = handle.rpc(&config::Get)?;
        let Some(threshold) = config::keys::KVS_GC_THRESHOLD.read(&config)? else {
            return Ok(false);
        };
        let namespace = PRIMARY.to_owned();
        // Without the kvs there is nothing to ask about.
        let version = handle.rpc(&GetRoot { namespace });
        let version = version.map_or(0, |root| root.rootseq);
        if threshold <= 0 || version <= threshold || self.no {
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !flux.err_is_tty() {
            flux.warn(format!(
                "{version} versions of the KVS exceed the gc-threshold of {threshold}: \
                 use --gc, or --yes, to collect garbage"
            ))?;
            return Ok(false);
        }
        write!(
            flux.err,
            "gc threshold of {threshold} exceeded. Collect garbage? [Y/n] "
        )?;
        flux.err.flush()?;
        let mut line = String::new();
        std::io::BufReader::new(&mut flux.input).read_line(&mut line)?;
        Ok(!line.trim_start().to_lowercase().starts_with('n'))
    }
}
