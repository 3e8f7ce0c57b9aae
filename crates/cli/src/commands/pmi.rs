//! `flux pmi`: tries the process management interface of a launcher (protocol/23 section
//! 18).

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pmi::{Begun, Client};
use proto::data::{Fsd, IdSet};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Test the process management interface of a launcher
///
/// It is started by the launcher, like every process of a parallel program.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux run -n2 flux pmi barrier
  flux run -n2 flux pmi -v exchange --count=10
  flux run flux pmi get PMI_process_mapping")]
pub struct Pmi {
    /// Print every step
    #[arg(short, long)]
    verbose: bool,
    /// Give the launcher at most this long in total
    #[arg(short, long, value_name = "FSD")]
    timeout: Option<Fsd>,
    /// Use this method: config, simple, libpmi2[:PATH], libpmi[:PATH], single; default:
    /// the first available
    #[arg(long, value_name = "URI")]
    method: Option<String>,
    /// Ignore PMI libraries of Flux, as is always done
    #[arg(long)]
    libpmi_noflux: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Barrier(Barrier),
    Exchange(Exchange),
    Get(Get),
}

/// Wait until all processes have reached the barrier
#[derive(clap::Args)]
struct Barrier {
    /// Repeat N times
    #[arg(long, value_name = "N", default_value_t = 1)]
    test_count: u32,
    /// Let the process of this rank abort
    #[arg(long, value_name = "RANK")]
    test_abort: Option<u32>,
    /// Print the time it took
    #[arg(long)]
    test_timing: bool,
}

/// Exchange a value with every process
#[derive(clap::Args)]
struct Exchange {
    /// Repeat N times
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
}

/// Print the values of keys of the launcher
#[derive(clap::Args)]
struct Get {
    /// Print them on these ranks, or on all
    #[arg(long, value_name = "IDSET|all", default_value = "0")]
    ranks: String,
    /// Keys
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

impl Run for Pmi {
    const NAME: &'static str = "pmi";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut client = self.begin(flux)?;
        match &self.verb {
            Verb::Barrier(barrier) => barrier.run(flux, &mut client),
            Verb::Exchange(exchange) => exchange.run(flux, &mut client),
            Verb::Get(get) => get.run(flux, &mut client),
        }?;
        client.finalize().map_err(failed("finalize"))
    }
}

impl Pmi {
    fn begin(&self, flux: &Flux) -> Result<Client, CliError> {
        let pairs = flux.env.iter();
        let env = pairs.filter_map(|(name, value)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        });
        let env = env.collect();
        let mut options = pmi::Options {
            methods: pmi::methods(self.method.as_deref(), &env),
            env,
            ..pmi::Options::default()
        };
        if let Some(timeout) = &self.timeout {
            options.interrupt = Some(alarm(timeout)?);
        }
        if self.verbose || flux.env.get("FLUX_PMI_DEBUG").is_some() {
            // Output of the command goes to its own streams; this is a trace of the library.
            options.trace = Some(Box::new(|line| eprintln!("{line}")));
        }
        match pmi::begin(options) {
            Ok(Begun::Client(client)) => Ok(client),
            Ok(Begun::Config) => Err(CliError::new("bootstrap configuration not found")),
            Err(error @ pmi::Error::Unknown(_)) => Err(CliError::new(error.to_string())),
            Err(error) => Err(failed("initialize")(error)),
        }
    }
}

/// A descriptor that is readable after the timeout.
fn alarm(timeout: &Fsd) -> Result<OwnedFd, CliError> {
    let time = Duration::try_from_secs_f64(timeout.secs())
        .map_err(|error| CliError::new(error.to_string()).about("--timeout"))?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
        .map_err(std::io::Error::from)?;
    let once = Itimerspec {
        it_interval: Timespec::default(),
        // A timer of 0 never rings.
        it_value: Timespec::try_from(time.max(Duration::from_nanos(1)))
            .map_err(|_| CliError::new("too long").about("--timeout"))?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once).map_err(std::io::Error::from)?;
    Ok(timer)
}

impl Barrier {
    fn run(&self, flux: &mut Flux, client: &mut Client) -> Result<(), CliError> {
        let (rank, size) = (client.info().rank, client.info().size);
        for _ in 0..self.test_count {
            if self.test_abort == Some(rank) {
                return abort(client, rank);
            }
            let started = Instant::now();
            client.barrier().map_err(failed("barrier"))?;
            if rank == 0 {
                let text = format!("completed pmi barrier on {size} tasks");
                print(flux, &text, self.test_timing.then(|| started.elapsed()))?;
            }
        }
        Ok(())
    }
}

/// Ends all processes, of which we are one: the launcher is waited for.
fn abort(client: &mut Client, rank: u32) -> Result<(), CliError> {
    let text = format!("flux-pmi: rank {rank} is aborting");
    client.abort(1, &text).map_err(failed("abort"))?;
    if client.method() != "single" {
        nix::unistd::pause();
    }
    Err(CliError::exit(1))
}

impl Exchange {
    fn run(&self, flux: &mut Flux, client: &mut Client) -> Result<(), CliError> {
        let (rank, size) = (client.info().rank, client.info().size);
        for round in 0..self.count {
            let started = Instant::now();
            let key = |rank: u32| format!("key.{round}.{rank}");
            let value = |rank: u32| format!("value.{round}.{rank}");
            let put = client.put(&key(rank), &value(rank));
            put.map_err(failed(format!("put {}", key(rank))))?;
            client.barrier().map_err(failed("barrier"))?;
            for other in 0..size {
                let got = client.get_from(other, &key(other));
                let got = got.map_err(failed(format!("get {}", key(other))))?;
                if got != value(other) {
                    let text = format!("get {}: unexpected value '{got}'", key(other));
                    return Err(CliError::new(text));
                }
            }
            client.barrier().map_err(failed("barrier"))?;
            if rank == 0 {
                let text = format!("completed pmi exchange on {size} tasks");
                print(flux, &text, Some(started.elapsed()))?;
            }
        }
        Ok(())
    }
}

impl Get {
    fn run(&self, flux: &mut Flux, client: &mut Client) -> Result<(), CliError> {
        let shows = match self.ranks.as_str() {
            "all" => true,
            ranks => {
                let ranks = ranks.parse::<IdSet>();
                let ranks = ranks.map_err(|error| CliError::new(error.to_string()));
                ranks?.contains(client.info().rank)
            }
        };
        for key in self.keys.iter().filter(|_| shows) {
            let value = client.get(key).map_err(failed(format!("get {key}")))?;
            flux.line(value)?;
        }
        Ok(())
    }
}

/// Prints the result seen by rank 0, with its job and its duration.
fn print(flux: &mut Flux, text: &str, took: Option<Duration>) -> Result<(), CliError> {
    let job = ["FLUX_JOB_CC", "FLUX_JOB_ID"].map(|name| flux.env.get(name));
    let job = job.into_iter().flatten().next().unwrap_or("0").to_owned();
    let took = took.map(|took| format!(" in {:.3}s.", took.as_secs_f64()));
    Ok(flux.line(format_args!("{job}: {text}{}", took.unwrap_or_default()))?)
}

/// A failure, with the action that was tried. Nothing but the alarm interrupts us.
fn failed(what: impl std::fmt::Display) -> impl FnOnce(pmi::Error) -> CliError {
    move |error| match error {
        pmi::Error::Interrupted => CliError::new("timeout expired before PMI operation completed"),
        error => CliError::new(error.to_string()).about(what),
    }
}
