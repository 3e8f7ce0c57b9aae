//! `flux web`: the address of the instance's web page.

use client::Handle;
use proto::web::Address;
use proto::{Errno, module};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Name of the module that has the page.
const MODULE: &str = "web";

/// Print the address of the instance's web page, with the token that opens it
#[derive(clap::Parser)]
#[command(after_help = "\
The module web is loaded if it is not, with the settings in [web]. The page is on this host alone \
unless these say otherwise; from elsewhere, reach it by a tunnel: ssh -L PORT:127.0.0.1:PORT HOST. \
It shows the whole instance to everyone who has the address: keep it to yourself.

Examples:
  flux web
  xdg-open $(flux web)
  flux module load web port=8080")]
pub struct Web {}

impl Run for Web {
    const NAME: &'static str = "web";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let place = match handle.rpc(&Address) {
            Err(refusal) if refusal.errno == Errno::ENOSYS => {
                load(&mut handle)?;
                handle.rpc(&Address)?
            }
            place => place?,
        };
        writeln!(flux.out, "{}", place.url)?;
        Ok(())
    }
}

fn load(handle: &mut Handle) -> Result<(), CliError> {
    let request = module::Load {
        path: MODULE.to_owned(),
        args: Vec::new(),
        name: None,
        loader: None,
        exec: None,
    };
    match handle.rpc(&request) {
        // Another one was quicker.
        Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
        Err(refusal) => {
            let error = CliError::new(format!("cannot load the module {MODULE}: {refusal}"));
            Err(match refusal.errno {
                Errno::ENOENT => error.with_hint(
                    "it is built when asked for: 'cargo build --release -p web' beside the other programs",
                ),
                _ => error,
            })
        }
        Ok(_) => Ok(()),
    }
}
