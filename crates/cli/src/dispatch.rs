//! From the command line to a sub-command.
//!
//! The options before the sub-command's name are read by hand: building clap's parser of
//! every sub-command would cost more time than most of them take.

use std::ffi::{OsStr, OsString};

use crate::commands::{self, ENTRIES};
use crate::external;
use crate::layout::{Layout, VARIABLES};
use crate::limits::{SUGGESTED_EDITS_MAX, SUGGESTED_MAX};
use command::entry::{Entry, Style};
use command::env::Env;
use command::error::CliError;
use command::flux::{Flux, Io};
use proto::data::suggest;

/// Command behind `-h` and `--help`.
const HELP: &str = "help";

/// Options before the sub-command's name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Globals {
    /// Number of instances to climb.
    parents: u32,
    /// Climb to the root instance.
    root: bool,
    /// Print the program before running it.
    verbose: bool,
    /// A sub-command that an option stands for.
    instead: Option<&'static str>,
}

/// Runs `flux ARGS...` and returns its exit code. Everything it prints is written when
/// it returns.
pub fn run(args: Vec<OsString>, env: Env, io: Io) -> u8 {
    let mut flux = Flux::new(env, io);
    let outcome = dispatch(args, &mut flux);
    let outcome = outcome.and_then(|()| Ok(flux.out.flush()?));
    let Err(error) = outcome else {
        return 0;
    };
    // When standard error is closed too there is nobody left to tell.
    let _ = flux.out.flush();
    let _ = flux.complain(&error);
    error.code(flux.style())
}

fn dispatch(args: Vec<OsString>, flux: &mut Flux) -> Result<(), CliError> {
    let mut args = args.into_iter();
    let (globals, name) = read_globals(&mut args)?;
    let (name, rest) = match (globals.instead, name) {
        (Some(HELP), _) => return Err(show_overview(flux, 0)?),
        (Some(name), _) => (name.to_owned(), Vec::new()),
        (None, Some(name)) => (name, args.collect()),
        (None, None) => return Err(show_overview(flux, 1)?),
    };
    if globals.root || globals.parents > 0 {
        climb(flux, &globals)?;
    }
    if globals.verbose {
        show_environment(flux)?;
    }
    if let Some(entry) = find(&name) {
        flux.set_command(entry.program(), entry.style);
        return entry.run(rest, flux);
    }
    if name.contains('/') {
        // A command named by its path is not searched.
        return Err(external::become_program(flux, OsStr::new(&name), &rest).with_code(1));
    }
    if let Some(error) = commands::python::become_version(flux, &name, &rest) {
        return Err(error);
    }
    let Some(external) = external::find(flux, &name) else {
        return Err(unknown(flux, &name)?);
    };
    if globals.verbose {
        let path = external.path.display();
        flux.note(format_args!("trying to exec {path}"))?;
    }
    Err(external.become_it(flux, &rest))
}

/// Shows the commands on standard error, as scripts expect it of the options.
fn show_overview(flux: &mut Flux, code: u8) -> Result<CliError, CliError> {
    let overview = commands::help::overview(&flux.env);
    flux.err.write_all(overview.as_bytes())?;
    Ok(CliError::exit(code))
}

/// Shows the environment of programs, and their search path.
fn show_environment(flux: &mut Flux) -> Result<(), CliError> {
    let env = external::environment(&flux.env);
    for name in VARIABLES {
        if let Some(value) = env.get(name) {
            flux.note(format_args!("{name}={value}"))?;
        }
    }
    let path = std::env::join_paths(external::search_path(&env)).unwrap_or_default();
    flux.note(format_args!("sub-command search path: {}", path.display()))?;
    Ok(())
}

/// The row of the command `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// Error: there is no such command; names similar commands.
fn unknown(flux: &mut Flux, name: &str) -> Result<CliError, CliError> {
    let text = format!("`{name}' is not a flux command.  See 'flux --help'");
    flux.complain(&CliError::new(text))?;
    // Our own folder has no commands but ours.
    let own = Layout::find().map(|layout| layout.exec).ok();
    let env = external::environment(&flux.env);
    let path = env.get_os("FLUX_EXEC_PATH").into_iter();
    let folders = path.flat_map(std::env::split_paths);
    let externals = external::names_in(folders.filter(|folder| Some(folder) != own.as_ref()));
    let names = ENTRIES.iter().map(|entry| entry.name);
    let names = names.chain(externals.iter().map(String::as_str));
    let near = suggest::near(name, names, SUGGESTED_EDITS_MAX, SUGGESTED_MAX);
    match near.len() {
        0 => return Ok(CliError::exit(1)),
        1 => flux.note("flux: The most similar command is")?,
        _ => flux.note("flux: The most similar commands are")?,
    }
    for name in near {
        writeln!(flux.err, "flux: \t{}", flux.plain().line(name))?;
    }
    Ok(CliError::exit(1))
}

/// Reads up to and including the sub-command's name.
fn read_globals(
    args: &mut impl Iterator<Item = OsString>,
) -> Result<(Globals, Option<String>), CliError> {
    let mut globals = Globals::default();
    for arg in args {
        let arg = arg.to_string_lossy().into_owned();
        match arg.as_str() {
            "--parent" => globals.parents += 1,
            "--root" => globals.root = true,
            "--verbose" => globals.verbose = true,
            "--version" => globals.instead = Some("version"),
            "--help" => globals.instead = Some(HELP),
            "--" => continue,
            _ if arg.starts_with("--") || arg == "-" => return Err(unknown_option(&arg)),
            _ if arg.starts_with('-') => read_letters(&arg, &mut globals)?,
            _ => return Ok((globals, Some(arg))),
        }
    }
    Ok((globals, None))
}

fn read_letters(arg: &str, globals: &mut Globals) -> Result<(), CliError> {
    for letter in arg.chars().skip(1) {
        match letter {
            'p' => globals.parents += 1,
            'r' => globals.root = true,
            'v' => globals.verbose = true,
            'V' => globals.instead = Some("version"),
            'h' => globals.instead = Some(HELP),
            _ => return Err(unknown_option(&format!("-{letter}"))),
        }
    }
    Ok(())
}

fn unknown_option(option: &str) -> CliError {
    CliError::usage(format!("unrecognized option '{option}'"))
        .with_hint("'flux help' lists the options and commands")
}

/// Points the environment at an enclosing instance. At the root there is none, and
/// nothing changes.
fn climb(flux: &mut Flux, globals: &Globals) -> Result<(), CliError> {
    debug_assert_eq!(flux.style(), Style::Bare);
    let mut left = globals.parents;
    while globals.root || left > 0 {
        left = left.saturating_sub(1);
        let mut handle = flux.connect()?;
        let Some(uri) = optional_attr(&mut handle, "parent-uri")? else {
            break;
        };
        match optional_attr(&mut handle, "parent-kvs-namespace")? {
            Some(namespace) => flux.env.set("FLUX_KVS_NAMESPACE", namespace),
            None => flux.env.unset("FLUX_KVS_NAMESPACE"),
        }
        flux.env.set("FLUX_URI", uri);
    }
    Ok(())
}

fn optional_attr(handle: &mut client::Handle, name: &str) -> Result<Option<String>, CliError> {
    match handle.attr(name) {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.errno == proto::Errno::ENOENT => Ok(None),
        Err(refusal) => Err(CliError::from(refusal).about(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expect: &str) {
        let mut args = args.iter().map(OsString::from);
        let outcome = match read_globals(&mut args) {
            Ok((globals, name)) => format!(
                "parents={} root={} instead={:?} name={:?} rest={}",
                globals.parents,
                globals.root,
                globals.instead.unwrap_or_default(),
                name.unwrap_or_default(),
                args.count()
            ),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn options_before_the_command_are_ours() {
        check(
            &["-p", "--parent", "-rv", "kvs", "-p", "x"],
            r#"parents=2 root=true instead="" name="kvs" rest=2"#,
        );
        check(
            &["-V"],
            r#"parents=0 root=false instead="version" name="" rest=0"#,
        );
        check(&["--frob"], "unrecognized option '--frob'");
        check(&["-px"], "unrecognized option '-x'");
    }
}
