//! Interface of a sub-command: its parser, its place in the help, and its action.

use std::ffi::OsString;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::complaint::Complaint;
use crate::error::CliError;
use crate::flux::Flux;

/// The two families of commands, which users and scripts distinguish by the way in which
/// they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `flux-NAME: TEXT`; a mistake on the command line ends with 1; long options may
    /// be abbreviated.
    Bare,
    /// `flux-NAME: ERROR: TEXT`; a mistake on the command line ends with 2.
    Tagged,
}

/// Group under which `flux help` lists a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Submitting jobs and following them.
    Jobs,
    /// Nodes, cores and queues.
    Resources,
    /// The instance itself.
    Instance,
    /// The key-value store and the content store.
    Data,
    /// Services, modules and messages.
    Services,
}

impl Group {
    /// Every group, in the order of the help.
    pub const ALL: &'static [Group] = &[
        Group::Jobs,
        Group::Resources,
        Group::Instance,
        Group::Data,
        Group::Services,
    ];

    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Jobs => "Jobs",
            Group::Resources => "Resources and queues",
            Group::Instance => "Instances",
            Group::Data => "Stored data",
            Group::Services => "Services and messages",
        }
    }
}

/// A sub-command, implemented on the struct of its arguments. The struct's doc comment
/// is the help; `after_help` holds the examples.
pub trait Run: clap::Parser {
    /// `getattr` for `flux getattr`.
    const NAME: &'static str;
    /// Group in the help.
    const GROUP: Group;
    /// Style of its errors.
    const STYLE: Style;

    /// Does it.
    fn run(self, flux: &mut Flux) -> Result<(), CliError>;

    /// The text of `--help=TOPIC`; most commands have no topics.
    fn help_topic(_topic: &str) -> Option<String> {
        None
    }
}

/// One row of the table of commands.
#[derive(Clone, Copy)]
pub struct Entry {
    /// See [`Run::NAME`].
    pub name: &'static str,
    /// See [`Run::GROUP`].
    pub group: Group,
    /// See [`Run::STYLE`].
    pub style: Style,
    clap: fn() -> clap::Command,
    help_topic: fn(&str) -> Option<String>,
    parse_and_run: fn(clap::ArgMatches, &mut Flux) -> Result<(), CliError>,
}

impl Entry {
    /// The row of the command `C`.
    pub const fn of<C: Run>() -> Entry {
        Entry {
            name: C::NAME,
            group: C::GROUP,
            style: C::STYLE,
            clap: C::command,
            help_topic: C::help_topic,
            parse_and_run: |matches, flux| {
                // Arguments accepted by the command's own parser also fill its struct.
                let command = C::from_arg_matches(&matches)
                    .map_err(|error| CliError::usage(Complaint::of(&error).message))?;
                command.run(flux)
            },
        }
    }

    /// The parser, named and set up as the style wants it.
    pub fn parser(&self) -> clap::Command {
        (self.clap)()
            .name(self.name)
            .bin_name(format!("flux {}", self.name))
            .disable_version_flag(true)
            .disable_help_subcommand(true)
            // The last occurrence counts: aliases and scripts have options in front.
            .args_override_self(true)
            .infer_long_args(self.style == Style::Bare)
    }

    /// Output of `--help`.
    pub fn help(&self) -> String {
        match self.parser().try_get_matches_from([self.name, "--help"]) {
            Err(help) if !help.use_stderr() => help.render().to_string(),
            // The command hands the option on to the program that it becomes.
            _ => self.parser().render_help().to_string(),
        }
    }

    /// Program name on standard error.
    pub fn program(&self) -> String {
        format!("flux-{}", self.name)
    }

    /// Parses `args`, which follow the command's name, and runs the command.
    pub fn run(&self, args: Vec<OsString>, flux: &mut Flux) -> Result<(), CliError> {
        flux.set_args(args.clone());
        let matches = self.matches(args, flux)?;
        (self.parse_and_run)(matches, flux)
    }

    /// Parses `args`. A mistake is reported in the style's words.
    pub fn matches(&self, args: Vec<OsString>, flux: &mut Flux) -> Result<ArgMatches, CliError> {
        let name = OsString::from(self.program());
        let words = std::iter::once(name).chain(args);
        match self.parser().try_get_matches_from(words) {
            Ok(matches) => Ok(matches),
            Err(error) => Err(self.refuse(&error, flux)?),
        }
    }

    /// Error of clap, in the command's style; or the requested help.
    fn refuse(&self, error: &clap::Error, flux: &mut Flux) -> Result<CliError, CliError> {
        if !error.use_stderr() {
            let help = error.render().to_string();
            writeln!(flux.out, "{}", help.trim_end())?;
            return Ok(CliError::exit(0));
        }
        if let Some(topic) = topic_of(error) {
            let missing = || CliError::new(format!("--help: no such option {topic}"));
            let text = (self.help_topic)(&topic).ok_or_else(missing)?;
            write!(flux.out, "{text}")?;
            return Ok(CliError::exit(0));
        }
        let mut complaint = Complaint::of(error);
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            complaint.message = "a sub-command is missing".to_owned();
            complaint.usage = Some(self.parser().render_usage().to_string());
            complaint.tip = Some(format!("'flux {} --help' lists them", self.name));
        }
        let usage = complaint.usage.as_deref().map(str::trim_end);
        let message = match (self.style, usage) {
            (Style::Tagged, usage) => {
                // Clap shows none when it is only a value that is wrong.
                let own = || self.parser().render_usage().to_string();
                writeln!(flux.err, "{}", usage.map_or_else(own, str::to_owned))?;
                complaint.message
            }
            (Style::Bare, Some(usage)) => format!("{}\n{usage}", complaint.message),
            (Style::Bare, None) => complaint.message,
        };
        let usage = CliError::usage(message);
        Ok(match complaint.tip {
            Some(tip) => usage.with_hint(tip),
            None => usage,
        })
    }
}

/// The topic of `--help=TOPIC`, which clap takes for a mistake.
fn topic_of(error: &clap::Error) -> Option<String> {
    let is_value = error.kind() == ErrorKind::TooManyValues;
    let option = text_of(error, ContextKind::InvalidArg).filter(|_| is_value)?;
    (option == "--help").then(|| text_of(error, ContextKind::InvalidValue))?
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}
