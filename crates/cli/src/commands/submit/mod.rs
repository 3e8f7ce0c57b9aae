//! `flux submit`: submits jobs, many at once if wanted, and prints their ids.
//!
//! The parts shared with `flux bulksubmit` are in `many.rs` (its options), `plan.rs` (the jobs,
//! one by one) and `send.rs` (handing them in and following them).

pub mod many;
pub mod plan;
pub mod send;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use many::{ManyOptions, Template};
use submission::{ArrayOptions, Options};

/// Submit a job, or many like it, and print the ids
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux submit -n4 ./a.out
  flux submit --cc=1-100 ./a.out {cc}
  flux submit --watch --cc=0-3 --label-io hostname
  flux submit -n4 --array=1-10000 --output=out.{{array.index}} ./a.out {{array.index}}")]
pub struct Submit {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    array: ArrayOptions,
    #[command(flatten)]
    many: ManyOptions,
}

impl Run for Submit {
    const NAME: &'static str = "submit";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.options.notify_plugins(flux)? {
            return Ok(());
        }
        let template = Template::new(self.options, self.many, &self.array)?;
        template.options.refuse_input_ranks(Self::NAME)?;
        template.options.warn_of_deprecated(flux)?;
        let total = template.copies()?.count();
        let settings = template.settings();
        let is_dry = template.options.dry_run;
        let mut plan = plan::Plan::new(flux.env.clone(), std::iter::once(Ok(template)));
        if is_dry {
            // The others would be like it.
            let first = plan.next().transpose()?;
            return first.map_or(Ok(()), |first| first.request.print(&mut flux.out));
        }
        send::run(flux, plan, &settings, total)
    }

    fn help_topic(topic: &str) -> Option<String> {
        submission::help_topic(topic)
    }
}
