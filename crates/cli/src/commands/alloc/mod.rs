//! `flux alloc`: an instance of one's own, with our terminal or in the background.
//!
//! Read on in `background.rs` (waiting until it is there).

mod background;

use std::ffi::OsString;
use std::io::IsTerminal;

use client::Handle;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use proto::data::JobId;
use serde_json::json;
use submission::answered;
use submission::instance::{InstanceOptions, SlotOptions};

use crate::external::become_program;

/// Start an instance on newly allocated resources, and run a command or your shell in it
#[derive(clap::Parser)]
#[command(disable_help_flag = true)]
#[command(after_help = "Examples:
  flux alloc -n4
  flux alloc -N2 --time-limit=1h flux run -N2 hostname
  flux alloc -N2 --bg")]
pub struct Alloc {
    #[command(flatten)]
    slots: SlotOptions,
    #[command(flatten)]
    instance: InstanceOptions,
    /// Print the job id as soon as the instance accepts jobs, and do not attach
    #[arg(long)]
    bg: bool,
}

/// An instance that lasts until it is ended needs no program.
const NO_PROGRAM: &str = "-Sbroker.rc2_none=1";

impl Run for Alloc {
    const NAME: &'static str = "alloc";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        if self.slots.0.notify_plugins(flux)? {
            return Ok(());
        }
        self.slots.check()?;
        let mut options = self.slots.0;
        let mut instance = self.instance.instance(&flux.env, options.nodes()?)?;
        if self.bg {
            instance.set_option("pty.capture", json!(1));
            if options.command.is_empty() {
                instance.push_words([NO_PROGRAM.to_owned()]);
            }
        } else if std::io::stdin().is_terminal() {
            instance.set_option("pty.interactive", json!(1));
        }
        instance.push_words(options.command.iter().cloned());
        options.instance = Some(instance);
        let request = options.request(&flux.env)?;
        options.warn_of_deprecated(flux)?;
        if options.dry_run {
            return request.print(&mut flux.out);
        }
        let mut handle = flux.connect()?;
        let pending = request.start(&mut handle);
        let id = answered(handle.wait(pending))?;
        let is_verbose = options.verbose > 0;
        match self.bg {
            true => background::wait(flux, &mut handle, id, is_verbose),
            false => attach(flux, handle, id, is_verbose),
        }
    }

    fn help_topic(topic: &str) -> Option<String> {
        submission::help_topic(topic)
    }
}

/// Becomes the command that follows the job.
fn attach(flux: &mut Flux, handle: Handle, id: JobId, is_verbose: bool) -> Result<(), CliError> {
    if is_verbose {
        flux.note(format_args!("jobid: {id}"))?;
    }
    drop(handle);
    let words = attach_words(id);
    let program = std::env::current_exe()?;
    Err(become_program(flux, program.as_os_str(), &words))
}

fn attach_words(id: JobId) -> Vec<OsString> {
    vec!["job".into(), "attach".into(), id.to_string().into()]
}
