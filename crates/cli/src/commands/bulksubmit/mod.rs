//! `flux bulksubmit`: submits a job for each combination of inputs.
//!
//! Lists of inputs and their combinations are in `inputs.rs`; replacement in commands and options
//! is `submission::replace`, and submission is that of `flux submit`.

mod inputs;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::replace::{Definitions, Values, fill_command};
use submission::{ArrayOptions, Options};

use super::submit::many::{ManyOptions, Template};
use super::submit::{plan, send};
use inputs::{Combinations, Words};

/// Submit one job for each input, or each combination of inputs, and print the ids
///
/// Inputs are the words after ':::', the lines of the file after '::::', or the lines of standard
/// input. Several lists are combined with each other; a list that begins with ':::+' or '::::+'
/// is read in step with the list before it. In the command and in most options, {} and {N} are
/// replaced by the input, {.%} by the input without its extension, {./} by its last part, {.//}
/// by its folder, {./%} by its last part without extension, and {seq} and {seq1} by the number of
/// the job.
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux bulksubmit ./a.out {} ::: in/*.dat
  seq 1 4 | flux bulksubmit --watch echo {}
  flux bulksubmit --dry-run echo {1} {0} ::: 1 2 ::: 3 4
  flux bulksubmit --job-name={./%} --output={.%}.out ./a.out {} :::: list
  flux bulksubmit --define=p2='2**int(x)' -n {.p2} hostname ::: 0 1 2")]
pub struct Bulksubmit {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    array: ArrayOptions,
    #[command(flatten)]
    many: ManyOptions,
    /// Split inputs in files at this text, which may have escapes such as \t; 'none' for any
    /// blanks
    #[arg(
        long,
        value_name = "STRING",
        default_value = "\\n",
        allow_hyphen_values = true
    )]
    sep: String,
    /// Define {.NAME} as this Python expression, where x is the input
    #[arg(long, value_name = "NAME=CODE")]
    define: Vec<String>,
    /// Submit the jobs in random order
    #[arg(long)]
    shuffle: bool,
}

impl Run for Bulksubmit {
    const NAME: &'static str = "bulksubmit";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.options.notify_plugins(flux)? {
            return Ok(());
        }
        let words = Words::split(std::mem::take(&mut self.options.command))?;
        self.options.command = words.command.clone();
        let lists = words.read(flux, &self.sep)?;
        let mut combinations = Combinations::new(lists)?;
        if self.shuffle {
            combinations.shuffle();
        }
        let is_dry = self.options.dry_run;
        let is_told = is_dry || self.options.verbose > 0;
        let mut bulk = Bulk {
            template: Template::new(self.options, self.many, &self.array)?,
            combinations,
            definitions: Definitions::new(&self.define)?,
        };
        bulk.evaluate(flux)?;
        let total = bulk.total()?;
        if bulk.template.many.progress && is_told {
            let text = format!("bulksubmit: submitting a total of {total} jobs");
            flux.line(text)?;
        }
        if is_dry {
            for place in 0..bulk.combinations.len() {
                let (_, line) = bulk.job(place, RunMode::Dry)?;
                flux.line(line)?;
            }
            return Ok(());
        }
        bulk.template.options.warn_of_deprecated(flux)?;
        let settings = bulk.template.settings();
        let count = bulk.combinations.len();
        if is_told {
            // All that is to be submitted, before the first id.
            for place in 0..count {
                let (_, line) = bulk.job(place, RunMode::Submitted)?;
                flux.line(line)?;
            }
        }
        let templates = (0..count).map(|place| {
            let (template, _) = bulk.job(place, RunMode::Submitted)?;
            template.options.refuse_input_ranks(Self::NAME)?;
            Ok(template)
        });
        send::run(
            flux,
            plan::Plan::new(flux.env.clone(), templates),
            &settings,
            total,
        )
    }

    fn help_topic(topic: &str) -> Option<String> {
        submission::help_topic(topic)
    }
}

/// Handling of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunMode {
    /// The job is only shown.
    Dry,
    /// The job is submitted.
    Submitted,
}

/// All jobs.
struct Bulk {
    template: Template,
    combinations: Combinations,
    definitions: Definitions,
}

impl Bulk {
    /// Evaluates the Python expressions of the template on the inputs.
    fn evaluate(&mut self, flux: &Flux) -> Result<(), CliError> {
        let mut template = self.template.clone();
        let command = template.options.command.clone();
        let places = template.places();
        let texts = places.iter().flat_map(|place| place.texts());
        let texts = texts.chain(command.iter().map(String::as_str));
        self.definitions
            .evaluate(&flux.env, texts, &self.combinations.distinct())
    }

    /// Number of jobs, with all copies.
    fn total(&self) -> Result<u64, CliError> {
        let count = self.combinations.len();
        if !self.template.has_variable_copies() {
            return Ok(count.saturating_mul(self.template.copies()?.count()));
        }
        let counts = (0..count).map(|place| {
            let (template, _) = self.job(place, RunMode::Submitted)?;
            Ok(template.copies()?.count())
        });
        let counts: Result<Vec<u64>, CliError> = counts.collect();
        Ok(counts?.iter().sum())
    }

    /// The job at a place, and the line about it.
    fn job(&self, place: u64, told: RunMode) -> Result<(Template, String), CliError> {
        let (seq, inputs) = self.combinations.at(place);
        let mut template = self.template.clone();
        // The copies have their numbers put in later.
        let cc = match told == RunMode::Dry || template.has_copies() {
            true => "{cc}",
            false => "",
        };
        let values = Values {
            inputs,
            seq: Some(seq),
            cc: Some(cc),
            definitions: Some(&self.definitions),
        };
        let mut line = "bulksubmit: submit".to_owned();
        for mut place in template.places() {
            let is_changed = place.fill(&values)?;
            let is_copies = place.is("--cc") || place.is("--bcc");
            if is_changed || (is_copies && place.is_set()) {
                line.push(' ');
                line.push_str(&place.to_string());
            }
        }
        fill_command(&mut template.options.command, &values)?;
        for word in &template.options.command {
            line.push(' ');
            line.push_str(word);
        }
        Ok((template, line))
    }
}
