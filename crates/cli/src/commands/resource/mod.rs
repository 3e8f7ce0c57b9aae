//! `flux resource`: nodes and cores, and taking nodes out of use.

mod drain;
mod eventlog;
pub mod list;
mod mute;
mod reload;
mod show;
mod status;
mod which;

use client::{Call, Handle, Refusal};
use proto::Method;
use proto::resource;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// The file of settings of all listings of resources.
const CONFIGURATION: format::File = format::File {
    stem: "flux-resource",
    tables: &["status", "list", "drain"],
};

/// Show resources, and drain or undrain nodes
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux resource list
  flux resource drain 3 broken fan
  flux resource undrain 3")]
pub struct Resource {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    List(list::List),
    Info(show::Info),
    #[command(name = "R")]
    R(show::R),
    Status(status::Status),
    Drain(drain::Drain),
    Undrain(drain::Undrain),
    Reload(reload::Reload),
    #[command(hide = true)]
    AcquireMute(mute::AcquireMute),
    Eventlog(eventlog::Eventlog),
}

impl Run for Resource {
    const NAME: &'static str = "resource";
    const GROUP: Group = Group::Resources;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::List(list) => list.run(flux),
            Verb::Info(info) => info.run(flux),
            Verb::R(r) => r.run(flux),
            Verb::Status(status) => status.run(flux),
            Verb::Drain(drain) => drain.run(flux),
            Verb::Undrain(undrain) => undrain.run(flux),
            Verb::Reload(reload) => reload.run(flux),
            Verb::AcquireMute(mute) => mute.run(flux),
            Verb::Eventlog(eventlog) => eventlog.run(flux),
        }
    }
}

/// Asks the service on rank 0, which alone has the inventory.
fn ask<M: Method>(handle: &mut Handle, request: &M) -> Result<M::Response, CliError> {
    handle.call(Call::new(request).to(0)).map_err(refused)
}

/// With the number in front, as users of this command know it.
fn refused(refusal: Refusal) -> CliError {
    CliError::new(format!("[Errno {}] {refusal}", refusal.errno.0))
}

/// All resources as a scheduler sees them, but for those that `which` leaves out.
fn sched_status(
    handle: &mut Handle,
    which: &which::Which,
) -> Result<resource::SchedStatusReply, CliError> {
    let mut all = ask(handle, &resource::SchedStatus)?;
    which.keep(handle, &mut all)?;
    Ok(all)
}
