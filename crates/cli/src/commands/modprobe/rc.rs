//! `flux modprobe rc1`: the start of an instance.
//!
//! The broker starts the modules of an instance by itself. It calls this command where there is more
//! to know than it does: files of a site, or changes in the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use client::Call;
use command::clock;
use command::error::{CliError, io_text};
use command::flux::Flux;
use proto::attr::names;
use proto::kvs::{Commit, Op, PRIMARY};
use proto::rc::{self, Personality};
use serde_json::json;

use super::definition::Definition;
use super::known::Known;
use super::live::{Choices, Live};
use super::load::{print_loads, request};
use super::plan::Order;
use super::scripts::{EXTRA, files_in, run_flux, run_scripts};

/// Key of the times that a start took.
const STATS: &str = "modprobe.stats";

const RESTORE: &str = "restore";
const CRON_LOAD: &str = "cron-load";
const RUN_ALL_RC1: &str = "run-all-rc1";
pub(super) const RUN_ALL_RC3: &str = "run-all-rc3";

/// True if it is the name of a task of the start or of the end.
pub(super) fn is_task(name: &str) -> bool {
    [RESTORE, CRON_LOAD, RUN_ALL_RC1, RUN_ALL_RC3].contains(&name)
}

/// Load the modules of the instance, and run its start scripts
#[derive(clap::Args)]
pub(super) struct Rc1 {
    /// Print each step
    #[arg(short, long)]
    verbose: bool,
    /// Store the time of each step in the KVS, as modprobe.stats
    #[arg(long)]
    timing: bool,
    /// Print the steps without carrying them out
    #[arg(long)]
    dry_run: bool,
    /// Print the dependencies of the steps
    #[arg(long)]
    show_deps: bool,
    /// Leave all but the modules to the broker
    #[arg(long, hide = true)]
    only_modules: bool,
}

/// Something that takes time.
struct Span {
    name: String,
    start: f64,
    end: f64,
}

/// The steps of a start and their inputs.
struct Start {
    live: Live,
    known: Known,
    order: Order,
    /// Archive that replaces the contents of the store.
    archive: Option<String>,
    is_verbose: bool,
    spans: Vec<Span>,
}

impl Rc1 {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let begun = clock::now();
        let live = Live::open(flux, &Choices::default(), self.verbose)?;
        let configured = clock::now();
        let mut start = Start::new(flux, live, self.verbose, self.only_modules)?;
        start.note("configure", begun, configured);
        start.note("solve", configured, clock::now());
        if self.show_deps {
            let deps: BTreeMap<_, _> = start.order.before().iter().collect();
            writeln!(flux.out, "{}", json!(deps))?;
            return Ok(());
        }
        let solved = clock::now();
        let steps = start.order.steps().map_err(CliError::new)?;
        start.note("deps", solved, clock::now());
        start.note("prepare", clock::now(), clock::now());
        for step in steps {
            match self.dry_run {
                true => start.print(flux, &step)?,
                false => start.run(flux, &step)?,
            }
        }
        if self.timing && !self.dry_run {
            start.keep_times()?;
        }
        Ok(())
    }
}

impl Start {
    fn new(
        flux: &Flux,
        mut live: Live,
        is_verbose: bool,
        only_modules: bool,
    ) -> Result<Start, CliError> {
        let loaded = live.loaded()?;
        let known = live.known.clone();
        let personality = live.attr(names::FERROFLUX_PERSONALITY.name)?;
        let personality = personality.and_then(|name| Personality::named(&name));
        let is_part = |module: &&Definition| {
            let mut entries = rc::MODULES.iter();
            let entry = entries.find(|entry| entry.name == module.name);
            entry.is_none_or(|entry| personality.is_none_or(|some| entry.from <= some))
        };
        let missing = known.wanted().filter(is_part);
        let missing = missing.filter(|module| !loaded.contains(&module.name));
        let missing: Vec<&Definition> = missing.collect();
        let mut order = Order::of(&missing);
        let archive = match missing.iter().any(|module| module.name == "content") && live.rank == 0
        {
            true => live
                .attr(names::CONTENT_RESTORE.name)?
                .filter(|path| !path.is_empty()),
            false => None,
        };
        if archive.as_deref() == Some("auto") {
            let text = "content.restore=auto cannot be combined with changes of modules: name \
                the archive";
            return Err(CliError::new(text));
        }
        if archive.is_some() {
            order.add(RESTORE);
            order.put_before("content", RESTORE);
            order.put_before(RESTORE, "kvs");
        }
        if !only_modules && live.rank == 0 {
            let has_crontabs = live.attr(names::CRON_DIRECTORY.name)?.is_some();
            if has_crontabs && !live.leaves_out(flux, CRON_LOAD) {
                order.add(CRON_LOAD);
                order.put_before("cron", CRON_LOAD);
            }
        }
        if !only_modules && !live.leaves_out(flux, RUN_ALL_RC1) {
            order.add_last(RUN_ALL_RC1);
        }
        Ok(Start {
            live,
            known,
            order,
            archive,
            is_verbose,
            spans: Vec::new(),
        })
    }

    fn note(&mut self, name: &str, start: f64, end: f64) {
        self.spans.push(Span {
            name: name.to_owned(),
            start,
            end,
        });
    }

    fn print(&self, flux: &mut Flux, step: &[String]) -> Result<(), CliError> {
        for name in step {
            match self.known.named(name) {
                Some(module) => print_loads(flux, &[module])?,
                None => flux.line(format_args!("run {name}"))?,
            }
        }
        Ok(())
    }

    /// Loads the modules of a step, all at the same time, and carries out its other
    /// tasks.
    fn run(&mut self, flux: &mut Flux, step: &[String]) -> Result<(), CliError> {
        let known = self.known.clone();
        let (modules, tasks): (Vec<_>, Vec<_>) =
            step.iter().partition(|name| known.named(name).is_some());
        let modules = modules.into_iter().filter_map(|name| known.named(name));
        let mut loading = Vec::new();
        for module in modules {
            let more = match (&self.archive, module.name.as_str()) {
                (Some(_), "content") => vec!["truncate".to_owned()],
                _ => Vec::new(),
            };
            let request = request(module, &more);
            if self.is_verbose {
                let shown = serde_json::to_string(&request).unwrap_or_default();
                flux.note(format_args!("start {}", module.name))?;
                flux.note(format_args!("module.load {shown}"))?;
            }
            let begun = clock::now();
            let pending = self.live.handle.start(Call::new(&request));
            loading.push((&module.name, begun, pending));
        }
        let mut has_failed = false;
        for name in tasks {
            has_failed |= !self.try_task(flux, name)?;
        }
        for (name, begun, pending) in loading {
            match self.live.handle.wait(pending) {
                Ok(_) if self.is_verbose => {
                    flux.note(format_args!("loaded {name}"))?;
                    flux.note(format_args!("completed {name}"))?;
                }
                Ok(_) => {}
                Err(refusal) => {
                    flux.note(format_args!("{name}: {refusal}"))?;
                    has_failed = true;
                }
            }
            self.note(name, begun, clock::now());
        }
        match has_failed {
            true => Err(CliError::exit(1)),
            false => Ok(()),
        }
    }

    /// Does a task, and prints its failure. `false` if it has.
    fn try_task(&mut self, flux: &mut Flux, name: &str) -> Result<bool, CliError> {
        let begun = clock::now();
        if self.is_verbose {
            flux.note(format_args!("start {name}"))?;
        }
        let done = self.run_task(flux, name);
        self.note(name, begun, clock::now());
        match &done {
            Ok(()) if self.is_verbose => flux.note(format_args!("completed {name}"))?,
            Ok(()) => {}
            Err(error) => flux.note(format_args!("{name}: {}", error.text()))?,
        }
        Ok(done.is_ok())
    }

    fn run_task(&mut self, flux: &mut Flux, name: &str) -> Result<(), CliError> {
        match name {
            RESTORE => {
                let path = self.archive.clone().unwrap_or_default();
                flux.line(format_args!("restoring content from {path}"))?;
                run_flux(flux, &["restore", "--quiet", "--checkpoint", &path])
            }
            CRON_LOAD => {
                let folder = self
                    .live
                    .attr(names::CRON_DIRECTORY.name)?
                    .unwrap_or_default();
                let failed = |error| CliError::new(io_text(&error)).about(&folder);
                for file in files_in(Path::new(&folder)).map_err(failed)? {
                    let path = file.to_string_lossy().into_owned();
                    run_flux(flux, &["cron", "tab", &path])
                        .map_err(|_| CliError::new(format!("could not load crontab: {path}")))?;
                }
                Ok(())
            }
            _ => {
                let extra = self.live.variable(flux, EXTRA);
                run_scripts(flux, extra.as_deref(), "rc1.d")
            }
        }
    }

    /// Keeps how long each step took.
    fn keep_times(&mut self) -> Result<(), CliError> {
        let spans = self.spans.iter().map(|span| {
            json!({"name": span.name, "starttime": span.start, "duration": span.end - span.start})
        });
        let stats = json!(spans.collect::<Vec<_>>());
        let put = Commit::new(PRIMARY).op(Op::put(STATS, stats.to_string()));
        self.live.handle.rpc(&put)?;
        Ok(())
    }
}
