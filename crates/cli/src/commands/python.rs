//! `flux python`: becomes the Python interpreter, which finds our bindings. So does
//! `flux pythonX.Y`, if there are bindings for that version.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

use crate::bindings::{Bindings, Version, interpreters, version_named};
use crate::external::{self, PYTHON};
use crate::layout::Layout;

/// Run Python with the Flux bindings of this installation in its path
///
/// All other options are Python's own.
#[derive(clap::Parser)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:
  flux python script.py
  PYTHONPATH=$(flux python --get-path) python3 script.py"
)]
pub struct Python {
    /// Print the directory of the bindings
    #[arg(long)]
    get_path: bool,
    /// Print the Python versions that have bindings, as commands
    #[arg(long)]
    list_versions: bool,
    /// Options and arguments of the interpreter
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Run for Python {
    const NAME: &'static str = "python";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let layout = Layout::find()?;
        if self.list_versions {
            return list_versions(flux, &layout);
        }
        let bindings = Bindings::of(&layout).pop().map(|bindings| bindings.path);
        if self.get_path {
            return print_path(flux, &layout, bindings.as_deref());
        }
        layout.apply_bindings(&mut flux.env, bindings.as_deref());
        Err(external::become_program(
            flux,
            OsStr::new(PYTHON),
            &self.args,
        ))
    }
}

fn print_path(flux: &mut Flux, layout: &Layout, bindings: Option<&Path>) -> Result<(), CliError> {
    let Some(bindings) = bindings else {
        let place = layout.prefix.join("lib/flux");
        return Err(CliError::new("no Python bindings are installed")
            .with_hint(format!("install them in {}/pythonX.Y", place.display())));
    };
    writeln!(flux.out, "{}", bindings.display())?;
    Ok(())
}

/// The interpreters that have our bindings, and those of other installations on the search path.
fn list_versions(flux: &mut Flux, layout: &Layout) -> Result<(), CliError> {
    let env = external::environment(&flux.env);
    let folders = |name| env.get_os(name).into_iter().flat_map(std::env::split_paths);
    let names = external::names_in(folders("FLUX_EXEC_PATH"));
    let mut versions: BTreeSet<Version> = names
        .iter()
        .filter_map(|name| version_named(name))
        .collect();
    let bindings = Bindings::of(layout);
    let is_served = |version: &Version| bindings.iter().any(|bindings| bindings.serves(*version));
    versions.extend(interpreters(folders("PATH")).into_iter().filter(is_served));
    for (major, minor) in versions {
        flux.line(format!("python{major}.{minor}"))?;
    }
    Ok(())
}

/// Becomes the interpreter `name`, such as `python3.11`, if there are bindings for it. Comes
/// back when there are none, or with why that failed.
pub fn become_version(flux: &mut Flux, name: &str, args: &[OsString]) -> Option<CliError> {
    let version = version_named(name)?;
    let layout = Layout::find().ok()?;
    let mut bindings = Bindings::of(&layout).into_iter();
    let Bindings { path, .. } = bindings.rfind(|bindings| bindings.serves(version))?;
    if args.iter().any(|arg| arg == "--get-path") {
        return match print_path(flux, &layout, Some(&path)) {
            Ok(()) => Some(CliError::exit(0)),
            Err(error) => Some(error),
        };
    }
    layout.apply_bindings(&mut flux.env, Some(&path));
    Some(external::become_program(flux, OsStr::new(name), args))
}
