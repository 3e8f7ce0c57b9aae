//! The options that the commands which submit jobs share.

use clap::{ArgMatches, CommandFactory as _, FromArgMatches};

use crate::environment::Rule;
use crate::instance::Instance;
use crate::resources::GivenResources;

/// Request of a job, and its submission. Numbers are texts until a job is made of them:
/// something may have to be replaced in them.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Options {
    /// Number of tasks
    #[arg(short = 'n', long, value_name = "N", help_heading = RESOURCES)]
    pub ntasks: Option<String>,
    /// Cores of each task
    #[arg(short, long, value_name = "N", help_heading = RESOURCES)]
    pub cores_per_task: Option<String>,
    /// GPUs of each task
    #[arg(short, long, value_name = "N", help_heading = RESOURCES)]
    pub gpus_per_task: Option<String>,
    /// Number of nodes
    #[arg(short = 'N', long, value_name = "N", help_heading = RESOURCES)]
    pub nodes: Option<String>,
    /// Allocate whole nodes; implied by --nodes without --ntasks
    #[arg(short = 'x', long, help_heading = RESOURCES)]
    pub exclusive: bool,
    /// Cores of the job, instead of cores of each task
    #[arg(long, value_name = "N", help_heading = PER_RESOURCE)]
    pub cores: Option<String>,
    /// Tasks on each node
    #[arg(long, value_name = "N", help_heading = PER_RESOURCE)]
    pub tasks_per_node: Option<String>,
    /// Tasks on each core
    #[arg(long, value_name = "N", help_heading = PER_RESOURCE)]
    pub tasks_per_core: Option<String>,
    /// GPUs of each node
    #[arg(long, value_name = "N", help_heading = PER_RESOURCE)]
    pub gpus_per_node: Option<String>,
    /// The list of resources, if it is given whole.
    #[command(flatten)]
    pub given: GivenResources,
    /// End the job after N minutes, or after a duration such as 30s or 2h
    #[arg(short, long, value_name = "MINUTES|DURATION")]
    pub time_limit: Option<String>,
    /// Submit to this queue
    #[arg(short, long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Charge this bank
    #[arg(short = 'B', long, value_name = "NAME")]
    pub bank: Option<String>,
    /// Name the job; default: the name of its command
    #[arg(long, value_name = "NAME")]
    pub job_name: Option<String>,
    /// Set the urgency: 0 to 31, hold, default or expedite
    #[arg(long, value_name = "N")]
    pub urgency: Option<String>,
    /// Set flags, separated by commas: debug, waitable, novalidate
    #[arg(long, value_name = "FLAGS")]
    pub flags: Vec<String>,
    /// Log debug events of the job, like --flags=debug
    #[arg(long)]
    pub debug: bool,
    /// Require or exclude properties, hosts and ranks
    #[arg(
        long,
        value_name = "CONSTRAINT",
        allow_hyphen_values = true,
        alias = "require"
    )]
    pub requires: Vec<String>,
    /// Wait for a dependency, such as afterok:JOBID
    #[arg(long, value_name = "URI")]
    pub dependency: Vec<String>,
    /// Do not start before this time: +DURATION or a date and time
    #[arg(long, value_name = "TIME")]
    pub begin_time: Option<String>,
    /// Set a shell option; without a value, to 1. '^KEY=FILE' reads JSON from a file
    #[arg(short = 'o', long, value_name = "KEY[=VALUE]")]
    pub setopt: Vec<String>,
    /// Set an attribute; without a value, to 1. '^KEY=FILE' reads JSON from a file
    #[arg(short = 'S', long, value_name = "KEY[=VALUE]")]
    pub setattr: Vec<String>,
    /// Part of our environment for the job.
    #[command(flatten)]
    pub env: EnvironmentRules,
    /// Propagate resource limits, or not: NAME, -NAME or NAME=VALUE
    #[arg(long, value_name = "RULE", allow_hyphen_values = true)]
    pub rlimit: Vec<String>,
    /// Write standard output to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<String>,
    /// Write standard error to this file
    #[arg(long, value_name = "FILE")]
    pub error: Option<String>,
    /// Read standard input from this file; for 'flux run', may be the ranks of the tasks that
    /// receive it
    #[arg(long, value_name = "FILE|RANKS")]
    pub input: Option<String>,
    /// Pass output on without buffering
    #[arg(short, long)]
    pub unbuffered: bool,
    /// Label each line of output with the task's rank
    #[arg(short, long)]
    pub label_io: bool,
    /// Add a file to the job: a path, or a name and its content if that has a newline
    #[arg(long, value_name = "[NAME[:PERM]=]FILE|CONTENT")]
    pub add_file: Vec<String>,
    /// Run the job in this directory
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,
    /// Send a signal this long before the end of the time limit
    #[arg(long, value_name = "[SIGNAL][@TIME]", num_args = 0..=1, require_equals = true,
        default_missing_value = "")]
    pub signal: Option<String>,
    /// Map tasks to nodes by this scheme
    #[arg(long, value_name = "SCHEME[:VALUE]")]
    pub taskmap: Option<String>,
    /// Print the jobspec and submit nothing
    #[arg(long, alias = "dry")]
    pub dry_run: bool,
    /// Do not print job ids
    #[arg(long)]
    pub quiet: bool,
    /// Print more; may be repeated
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// List the options that plugins provide
    #[arg(long)]
    pub list_plugins: bool,
    /// Print help; with --help=OPTION, help of the plugin that provides the option
    #[arg(long, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
    /// The shell option of an array.
    #[arg(skip)]
    pub array: Option<serde_json::Value>,
    /// The job is an instance.
    #[arg(skip)]
    pub instance: Option<Instance>,
    /// Program and its arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

const RESOURCES: &str = "Resources by task";
const PER_RESOURCE: &str = "Tasks by resource";

/// Rules on the environment in the order in which they stand on the command line, which
/// is the order in which they are applied.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentRules(pub Vec<Rule>);

/// The options as clap knows them.
#[derive(clap::Parser)]
struct RuleOptions {
    /// Change the environment: -PATTERN, ^FILE, NAME=VALUE or PATTERN
    #[arg(long = "env", value_name = "RULE", allow_hyphen_values = true)]
    env: Vec<String>,
    /// Remove variables that match
    #[arg(long = "env-remove", value_name = "PATTERN")]
    env_remove: Vec<String>,
    /// Read rules from a file
    #[arg(long = "env-file", value_name = "FILE")]
    env_file: Vec<String>,
}

impl clap::Args for EnvironmentRules {
    fn augment_args(command: clap::Command) -> clap::Command {
        let options = RuleOptions::command();
        command.args(options.get_arguments())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for EnvironmentRules {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut placed: Vec<(usize, Rule)> = Vec::new();
        for (option, rule) in [
            ("env", Rule::Any as fn(String) -> Rule),
            ("env_remove", Rule::Remove),
            ("env_file", Rule::File),
        ] {
            let texts = matches.get_many::<String>(option).into_iter().flatten();
            let places = matches.indices_of(option).into_iter().flatten();
            placed.extend(places.zip(texts.map(|text| rule(text.clone()))));
        }
        placed.sort_by_key(|(place, _)| *place);
        Ok(EnvironmentRules(
            placed.into_iter().map(|(_, rule)| rule).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
