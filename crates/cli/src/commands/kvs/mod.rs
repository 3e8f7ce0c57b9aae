//! `flux kvs`: keys and values, one file a sub-command or two that belong together.

pub mod at;
mod copy;
mod dir;
mod eventlog;
mod follow;
mod get;
mod link;
mod ls;
mod mkdir;
mod namespace;
mod put;
mod root;
mod unlink;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Read and write the instance's key-value store
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux kvs put a.b=1 a.c=hello
  flux kvs get a.b
  flux kvs dir -R a")]
pub struct Kvs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Get(get::Get),
    Put(put::Put),
    Ls(ls::Ls),
    Dir(dir::Dir),
    Unlink(unlink::Unlink),
    Link(link::Link),
    Readlink(link::Readlink),
    Mkdir(mkdir::Mkdir),
    Copy(copy::Copy),
    Move(copy::Move),
    Getroot(root::Getroot),
    Version(root::Version),
    Wait(root::Wait),
    Sync(root::Sync),
    Dropcache(root::Dropcache),
    Namespace(namespace::Namespace),
    Eventlog(eventlog::Eventlog),
}

impl Run for Kvs {
    const NAME: &'static str = "kvs";
    const GROUP: Group = Group::Data;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Get(get) => get.run(flux),
            Verb::Put(put) => put.run(flux),
            Verb::Ls(ls) => ls.run(flux),
            Verb::Dir(dir) => dir.run(flux),
            Verb::Unlink(unlink) => unlink.run(flux),
            Verb::Link(link) => link.run(flux),
            Verb::Readlink(readlink) => readlink.run(flux),
            Verb::Mkdir(mkdir) => mkdir.run(flux),
            Verb::Copy(copy) => copy.run(flux),
            Verb::Move(r#move) => r#move.run(flux),
            Verb::Getroot(getroot) => getroot.run(flux),
            Verb::Version(version) => version.run(flux),
            Verb::Wait(wait) => wait.run(flux),
            Verb::Sync(sync) => sync.run(flux),
            Verb::Dropcache(dropcache) => dropcache.run(flux),
            Verb::Namespace(namespace) => namespace.run(flux),
            Verb::Eventlog(eventlog) => eventlog.run(flux),
        }
    }
}
