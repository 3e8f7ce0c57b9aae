//! `flux jobtap`: plugins of the job manager.

use proto::job_manager::{self, Jobtap as Request, JobtapQuery};
use proto::{Errno, Refusal};
use serde_json::{Map, Value};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;
use submission::values::assignment;

/// List, load, remove and query plugins of the job manager
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux jobtap list -a
  flux jobtap load submit-hold
  flux jobtap query .dependency-after
  flux jobtap reprioritize")]
pub struct Jobtap {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    List(List),
    Load(Load),
    Remove(Remove),
    Query(Query),
    Reprioritize(Reprioritize),
}

/// List the loaded plugins in the order in which they are called
#[derive(clap::Args)]
struct List {
    /// List built-in plugins too, whose names begin with a dot
    #[arg(short, long)]
    all: bool,
}

/// Load a plugin
#[derive(clap::Args)]
struct Load {
    /// Remove the plugins of this name or pattern first; `all` for all
    #[arg(short, long, value_name = "NAME")]
    remove: Option<String>,
    /// Name of the plugin
    plugin: String,
    /// Plugin settings; a value may be JSON
    #[arg(value_name = "KEY=VALUE")]
    conf: Vec<String>,
}

/// Remove plugins
#[derive(clap::Args)]
struct Remove {
    /// Name or pattern; `all` for all whose names do not begin with a dot
    plugin: String,
}

/// Print a plugin's own data, as JSON
#[derive(clap::Args)]
struct Query {
    /// Name of the plugin
    plugin: String,
}

/// Recompute the priority of all pending jobs
#[derive(clap::Args)]
struct Reprioritize {}

impl Run for Jobtap {
    const NAME: &'static str = "jobtap";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::List(list) => list.run(flux),
            Verb::Load(load) => load.run(flux),
            Verb::Remove(remove) => remove.run(flux),
            Verb::Query(query) => query.run(flux),
            Verb::Reprioritize(Reprioritize {}) => {
                flux.connect()?.rpc(&job_manager::Reprioritize)?;
                Ok(())
            }
        }
    }
}

impl List {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = Request {
            query_only: Some(true),
            ..Request::default()
        };
        let listed = flux.connect()?.rpc(&request)?;
        for name in listed.plugins.unwrap_or_default() {
            if self.all || !name.starts_with('.') {
                flux.line(name)?;
            }
        }
        Ok(())
    }
}

impl Load {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut conf = Map::new();
        for text in &self.conf {
            let (key, value) = text
                .split_once('=')
                .map(|_| assignment(text))
                .ok_or_else(|| CliError::new(format!("{text}: expected KEY=VALUE")))?;
            conf.insert(key.to_owned(), value);
        }
        let request = Request {
            remove: self.remove,
            load: Some(self.plugin.clone()),
            conf: (!conf.is_empty()).then_some(Value::Object(conf)),
            ..Request::default()
        };
        let done = flux.connect()?.rpc(&request);
        done.map_err(|refusal| not_found(&self.plugin, refusal))?;
        Ok(())
    }
}

impl Remove {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let request = Request {
            remove: Some(self.plugin.clone()),
            ..Request::default()
        };
        let done = flux.connect()?.rpc(&request);
        done.map_err(|refusal| not_found(&self.plugin, refusal))?;
        Ok(())
    }
}

impl Query {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let name = self.plugin;
        let told = flux.connect()?.rpc(&JobtapQuery { name })?;
        Ok(flux.line(Value::Object(told.0))?)
    }
}

/// A missing plugin has one message, in whichever step it was not found.
fn not_found(plugin: &str, refusal: Refusal) -> CliError {
    match refusal.errno {
        Errno::ENOENT => CliError::new(format!("{plugin} not found")),
        _ => refusal.into(),
    }
}
