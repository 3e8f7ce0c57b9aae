//! `flux hostlist`: lists of hosts from the instance, from jobs and from text, put together
//! and picked from.

mod pick;
mod sources;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use proto::data::Hostlist;

use pick::Pick;

/// Print and combine lists of hosts
///
/// A source is 'instance', 'local' (the job that this command runs in, else the instance),
/// 'avail' (the instance without down and drained nodes), 'stdin' or '-', a job id, or a
/// host list.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux hostlist instance
  flux hostlist -led'\\n' >hostfile
  flux hostlist --minus instance $(flux jobs -c 100 -ano {id})")]
pub struct HostlistCommand {
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    output: Output,
    /// Keep hosts that are in all sources
    #[arg(short, long, conflicts_with_all = ["minus", "xor"])]
    intersect: bool,
    /// Keep hosts of the first source that are in no other source
    #[arg(short, long, conflicts_with = "xor")]
    minus: bool,
    /// Keep hosts that are in an odd number of sources
    #[arg(short = 'X', long)]
    xor: bool,
    /// Treat a source that looks like a job id but is none as a host name
    #[arg(short, long)]
    fallback: bool,
    /// Default to the source 'local' instead of 'stdin'
    #[arg(short, long)]
    local: bool,
    /// Host lists
    #[arg(value_name = "SOURCES")]
    sources: Vec<String>,
}

/// Form of the result.
#[derive(clap::Args)]
struct Output {
    /// Print each host separately
    #[arg(short, long)]
    expand: bool,
    /// With --expand, separate hosts by this text
    #[arg(
        short,
        long,
        value_name = "S",
        default_value = " ",
        hide_default_value = true
    )]
    delimiter: String,
    /// Print the number of hosts
    #[arg(short, long)]
    count: bool,
    /// Print the positions of these hosts in the result
    #[arg(short = 'F', long, value_name = "HOSTS")]
    find: Option<String>,
    /// Print nothing, and exit with 1 if the result is empty
    #[arg(short, long)]
    quiet: bool,
}

impl Run for HostlistCommand {
    const NAME: &'static str = "hostlist";
    const GROUP: Group = Group::Resources;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let default = if self.local { "local" } else { "stdin" };
        let mut sources = self.sources.clone();
        if sources.is_empty() {
            sources.push(default.to_owned());
        }
        let mut lists = sources::Sources::new(flux, self.fallback)
            .read(&sources)?
            .into_iter();
        let mut hosts = lists.next().unwrap_or_default();
        for list in lists {
            match (self.intersect, self.minus, self.xor) {
                (true, ..) => pick::intersect(&mut hosts, &list),
                (_, true, _) => pick::subtract(&mut hosts, &list),
                (_, _, true) => pick::xor(&mut hosts, &list)?,
                _ => hosts.extend(&list).map_err(bad)?,
            }
        }
        self.pick.narrow(&mut hosts)?;
        if self.output.quiet {
            return Err(CliError::exit(u8::from(hosts.is_empty())));
        }
        let hosts = self.pick.nth(&hosts)?;
        self.output.print(flux, &hosts)
    }
}

fn bad(error: impl std::fmt::Display) -> CliError {
    CliError::new(error.to_string())
}

impl Output {
    fn print(&self, flux: &mut Flux, hosts: &Hostlist) -> Result<(), CliError> {
        if let Some(wanted) = &self.find {
            let wanted: Hostlist = wanted.parse().map_err(bad)?;
            let places = wanted.iter().map(|host| match hosts.find(host) {
                Some(place) => Ok(place.to_string()),
                None => Err(CliError::new(format!("host '{host}' not found"))),
            });
            let places: Vec<String> = places.collect::<Result<_, _>>()?;
            return Ok(flux.line(places.join(" "))?);
        }
        if self.count {
            return Ok(flux.line(hosts.len())?);
        }
        if hosts.is_empty() {
            return Err(CliError::exit(1));
        }
        if !self.expand {
            return Ok(flux.line(hosts)?);
        }
        let delimiter = unescape(&self.delimiter);
        let shown: Vec<_> = hosts.iter().map(|host| flux.plain().line(host)).collect();
        writeln!(flux.out, "{}", shown.join(&delimiter))?;
        Ok(())
    }
}

/// The text with the escapes that shells leave in place.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => plain.push(c),
            (_, true) => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                Some('0') => plain.push('\0'),
                Some('\\') | None => plain.push('\\'),
                Some(other) => plain.extend(['\\', other]),
            },
        }
    }
    plain
}
