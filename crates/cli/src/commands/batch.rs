//! `flux batch`: submits a script that has an instance of its own.

use std::ffi::OsString;

use clap::{ArgMatches, FromArgMatches as _};

use command::entry::{Entry, Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::answered;
use submission::directives::{self, Directive};
use submission::instance::{InstanceOptions, Script, SlotOptions};

/// Submit a script that runs in an instance of its own, and print the job id
///
/// Lines of the script that begin with '# flux:' hold options, which are read before those
/// of the command line.
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux batch -n8 script.sh
  flux batch -N2 --time-limit=1h --output=log.{{id}} script.sh input
  flux batch -n4 --wrap ./a.out
  flux batch -N1 --conf=resource.noverify=true --dump script.sh")]
pub struct Batch {
    #[command(flatten)]
    slots: SlotOptions,
    #[command(flatten)]
    instance: InstanceOptions,
    /// Wrap the command in an sh(1) script, or read the script from standard input
    #[arg(long)]
    wrap: bool,
}

/// Default file of standard output.
const OUTPUT_DEFAULT: &str = "flux-{{id}}.out";

impl Run for Batch {
    const NAME: &'static str = "batch";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.slots.0.notify_plugins(flux)? {
            return Ok(());
        }
        let script = Script::read(flux, &self.slots.0.command, self.wrap)?;
        let batch = match script.is_made {
            true => self,
            false => self.with_directives(flux, &script)?,
        };
        batch.submit(flux, &script)
    }

    fn help_topic(topic: &str) -> Option<String> {
        submission::help_topic(topic)
    }
}

impl Batch {
    /// The same with the options that stand in the script.
    fn with_directives(self, flux: &mut Flux, script: &Script) -> Result<Batch, CliError> {
        let directives = directives::parse(&script.text);
        let directives =
            directives.map_err(|why| CliError::new(why).about(&script.name).in_lines())?;
        if directives.is_empty() {
            return Ok(self);
        }
        for directive in &directives {
            Batch::check(flux, script, directive)?;
        }
        let words = directives.into_iter().flat_map(|directive| directive.words);
        let words = words.map(OsString::from).chain(flux.args().iter().cloned());
        Batch::of(&Batch::matches(flux, words.collect())?)
    }

    /// Prints a directive that makes no sense.
    fn check(flux: &mut Flux, script: &Script, directive: &Directive) -> Result<(), CliError> {
        let words = directive.words.iter().map(OsString::from).collect();
        let outcome = Batch::matches(flux, words).and_then(|matches| Batch::of(&matches));
        let outcome = outcome.and_then(|batch| match batch.slots.0.command.first() {
            None => Ok(()),
            Some(word) => Err(CliError::usage(format!(
                "unexpected argument '{word}' found"
            ))),
        });
        let Err(error) = outcome else {
            return Ok(());
        };
        if error.text().is_empty() {
            return Err(error);
        }
        flux.complain(&error)?;
        let (name, line) = (&script.name, directive.line);
        let text = format!("argument parsing failed at {name} line {line}");
        Err(CliError::new(text).with_code(error.code(Batch::STYLE)))
    }

    fn matches(flux: &mut Flux, words: Vec<OsString>) -> Result<ArgMatches, CliError> {
        Entry::of::<Batch>().matches(words, flux)
    }

    fn of(matches: &ArgMatches) -> Result<Batch, CliError> {
        Batch::from_arg_matches(matches).map_err(|error| CliError::usage(error.to_string()))
    }

    fn submit(self, flux: &mut Flux, script: &Script) -> Result<(), CliError> {
        self.slots.check()?;
        let mut options = self.slots.0;
        let mut instance = self.instance.instance(&flux.env, options.nodes()?)?;
        instance.add_script(script);
        options.instance = Some(instance);
        options.job_name.get_or_insert(script.job_name.clone());
        options.output.get_or_insert(OUTPUT_DEFAULT.to_owned());
        let request = options.request(&flux.env)?;
        options.warn_of_deprecated(flux)?;
        if options.dry_run {
            return request.print(&mut flux.out);
        }
        let mut handle = flux.connect()?;
        let pending = request.start(&mut handle);
        let id = answered(handle.wait(pending))?;
        if !options.quiet {
            flux.line(id)?;
        }
        Ok(())
    }
}
