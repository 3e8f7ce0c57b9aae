//! `flux R`: makes, reads and combines resource sets, "R" of RFC 20 (protocol/25 section 14).
//! Needs no instance.

mod config;
mod decode;
mod encode;
mod local;
mod property;
mod read;
mod sets;
mod verify;
mod xml;

use proto::data::Rset;
use serde_json::{Map, Value};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Make, read and combine resource sets
///
/// A sub-command reads R objects from standard input and prints one R object.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux R encode -r 0-3 -c 0-7 -H node[0-3] -p batch:0-1
  flux resource R | flux R decode --short
  cat a.json b.json | flux R append")]
pub struct R {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Encode(encode::Encode),
    Append(sets::Append),
    Diff(sets::Diff),
    Intersect(sets::Intersect),
    Remap(sets::Remap),
    Rerank(sets::Rerank),
    Decode(decode::Decode),
    Verify(verify::Verify),
    SetProperty(property::SetProperty),
    ParseConfig(config::ParseConfig),
}

impl Run for R {
    const NAME: &'static str = "R";
    const GROUP: Group = Group::Resources;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Encode(encode) => encode.run(flux),
            Verb::Append(append) => append.run(flux),
            Verb::Diff(diff) => diff.run(flux),
            Verb::Intersect(intersect) => intersect.run(flux),
            Verb::Remap(remap) => remap.run(flux),
            Verb::Rerank(rerank) => rerank.run(flux),
            Verb::Decode(decode) => decode.run(flux),
            Verb::Verify(verify) => verify.run(flux),
            Verb::SetProperty(set) => set.run(flux),
            Verb::ParseConfig(parse) => parse.run(flux),
        }
    }
}

/// Prints a set as this command does: with times, and GPUs before cores.
fn print(flux: &mut Flux, mut set: Rset) -> Result<(), CliError> {
    let started = set.starttime().unwrap_or(0.0);
    set.set_times(started, set.expiration()).map_err(failed)?;
    let mut json = serde_json::to_value(&set).map_err(failed)?;
    let groups = json.pointer_mut("/execution/R_lite");
    for group in groups.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::Object(children)) = group.get_mut("children") {
            let gpus = children.shift_remove_entry("gpu");
            let rest = std::mem::take(children);
            *children = gpus.into_iter().chain(rest).collect::<Map<_, _>>();
        }
    }
    writeln!(flux.out, "{json}")?;
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::new(error.to_string())
}

/// The name of this host.
fn hostname() -> Result<String, CliError> {
    let name = nix::unistd::gethostname().map_err(std::io::Error::from)?;
    Ok(name.to_string_lossy().into_owned())
}
