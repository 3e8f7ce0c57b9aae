//! The options of commands that submit many jobs, and the jobs made from them.

use proto::data::IdSet;

use attach::Wanted;
use command::error::CliError;
use submission::replace::{Place, Values, fill_command, ordered};
use submission::{ArrayOptions, Options};

use crate::limits::COPIES_MAX;

/// Number of copies of a job, and the handling of them.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ManyOptions {
    /// Submit one job for each id, with {cc} replaced by the id and FLUX_JOB_CC set to it
    #[arg(long, value_name = "IDSET")]
    cc: Option<String>,
    /// Like --cc, without FLUX_JOB_CC
    #[arg(long, value_name = "IDSET")]
    bcc: Option<String>,
    /// Wait until the jobs have ended, and exit with the largest of their exit codes
    #[arg(long)]
    wait: bool,
    /// Wait for this event; 'exec.' in front selects the execution log
    #[arg(long, value_name = "EVENT")]
    wait_event: Option<String>,
    /// Print the output of the jobs; implies --wait
    #[arg(long)]
    watch: bool,
    /// Write ids, output and errors to this file, whose name may contain {cc}
    #[arg(long, value_name = "FILE")]
    pub log: Option<String>,
    /// Write errors to this file, whose name may contain {cc}
    #[arg(long, value_name = "FILE")]
    pub log_stderr: Option<String>,
    /// Show progress on a terminal: jobs submitted, or with --wait and --watch, jobs
    /// ended
    #[arg(long)]
    pub progress: bool,
    /// With --progress, show the number of jobs per second
    #[arg(long)]
    jps: bool,
}

/// Options of one or more jobs.
#[derive(Debug, Clone)]
pub struct Template {
    /// Options of the job itself.
    pub options: Options,
    /// Number of copies, and the files for messages about them.
    pub many: ManyOptions,
}

/// The copies of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copies {
    /// One job that is no copy.
    One,
    /// A job for each id, which may be in the job's environment.
    Each(IdSet, InEnvironment),
}

/// Presence of the number of its copy in a job's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InEnvironment {
    /// `--cc`
    Yes,
    /// `--bcc`
    No,
}

impl Copies {
    /// Total number of jobs.
    pub fn count(&self) -> u64 {
        match self {
            Copies::One => 1,
            Copies::Each(ids, _) => ids.count(),
        }
    }
}

/// Handling of submitted jobs, the same for all.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Do not print ids.
    pub quiet: bool,
    /// Show how far the jobs are.
    pub progress: bool,
    /// With the number of jobs a second.
    pub jps: bool,
    /// Output wanted, if they are followed.
    pub wanted: Option<Wanted>,
}

impl Template {
    /// From the options of the command line.
    pub fn new(
        mut options: Options,
        many: ManyOptions,
        array: &ArrayOptions,
    ) -> Result<Template, CliError> {
        if many.cc.is_some() && many.bcc.is_some() {
            return Err(CliError::new("specify only one of --cc or --bcc"));
        }
        options.array = array.option()?;
        if options.array.is_some() && (many.cc.is_some() || many.bcc.is_some()) {
            let text = "--array makes one job of many tasks: it cannot be combined with --cc or \
                --bcc";
            return Err(CliError::new(text));
        }
        Ok(Template { options, many })
    }

    /// Every place but the command in which something may be replaced.
    pub fn places(&mut self) -> Vec<Place<'_>> {
        let mut places = self.options.places();
        places.extend([
            Place::one("--cc", &mut self.many.cc),
            Place::one("--bcc", &mut self.many.bcc),
            Place::one("--log", &mut self.many.log),
            Place::one("--log-stderr", &mut self.many.log_stderr),
            Place::one("--wait-event", &mut self.many.wait_event),
        ]);
        ordered(places)
    }

    /// True if the number of its copies depends on replaced texts.
    pub fn has_variable_copies(&self) -> bool {
        let texts = [&self.many.cc, &self.many.bcc].into_iter().flatten();
        texts.into_iter().any(|text| text.contains('{'))
    }

    /// True if it has any copies.
    pub fn has_copies(&self) -> bool {
        self.many.cc.is_some() || self.many.bcc.is_some()
    }

    /// The copies that are wanted.
    pub fn copies(&self) -> Result<Copies, CliError> {
        let (text, which) = match (&self.many.cc, &self.many.bcc) {
            (Some(text), _) => (text, InEnvironment::Yes),
            (None, Some(text)) => (text, InEnvironment::No),
            (None, None) => return Ok(Copies::One),
        };
        let ids: Result<IdSet, _> = text.parse();
        let bad = |_| CliError::new(format!("IDset(): Invalid argument: {text}"));
        let ids = ids.map_err(bad)?;
        match ids.count() > COPIES_MAX {
            true => Err(CliError::new(format!("more than {COPIES_MAX} copies"))),
            false => Ok(Copies::Each(ids, which)),
        }
    }

    /// The copy with this number.
    pub fn copy(&self, id: u32, which: InEnvironment) -> Result<Template, CliError> {
        let mut copy = self.clone();
        let cc = id.to_string();
        let values = Values {
            cc: Some(&cc),
            ..Values::default()
        };
        for mut place in copy.places() {
            place.fill(&values)?;
        }
        fill_command(&mut copy.options.command, &values)?;
        if which == InEnvironment::Yes {
            copy.options.set_copy(id);
        }
        Ok(copy)
    }

    /// Handling of the jobs.
    pub fn settings(&self) -> Settings {
        let many = &self.many;
        let until = match (&many.wait_event, many.wait || many.watch) {
            (Some(event), _) => Some(event.clone()),
            (None, true) => Some("clean".to_owned()),
            (None, false) => None,
        };
        Settings {
            quiet: self.options.quiet,
            progress: many.progress,
            jps: many.jps,
            wanted: until.map(|until| Wanted {
                output: many.watch,
                label: self.options.label_io,
                verbose: self.options.verbose,
                until,
            }),
        }
    }
}
