//! From the command line to a sub-command.
//!
//! The options before the sub-command's name are read by hand: building clap's parser of
//! every sub-command would cost more time than most of them take.

use std::ffi::OsString;

use command::entry::{Entry, Style};
use crate::commands::{self, ENTRIES};
use command::env::Env;
use command::error::CliError;
use crate::external;
use command::flux::{Flux, Io};
use proto::data::suggest;

/// What stands before the sub-command's name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Globals {
    /// How many instances to climb.
    parents: u32,
    /// Climb to the root instance.
    root: bool,
    /// Say which program is run.
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
        (Some(name), _) => (name.to_owned(), Vec::new()),
        (None, Some(name)) => (name, args.collect()),
        (None, None) => {
            let overview = commands::help::overview();
            flux.err.write_all(overview.as_bytes())?;
            return Err(CliError::exit(1));
        }
    };
    if globals.root || globals.parents > 0 {
        climb(flux, &globals)?;
    }
    if let Some(entry) = find(&name) {
        flux.set_command(entry.program(), entry.style);
        return entry.run(rest, flux);
    }
    let Some(program) = external::find(flux, &name) else {
        return Err(unknown(&name));
    };
    if globals.verbose {
        flux.note(format_args!("flux: {}", program.display()))?;
    }
    Err(external::become_program(flux, program.as_os_str(), &rest))
}

/// The row of the command `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

fn unknown(name: &str) -> CliError {
    let text = format!("`{name}' is not a flux command.  See 'flux --help'");
    let names = ENTRIES.iter().map(|entry| entry.name);
    match suggest::nearest(name, names) {
        Some(near) => CliError::new(text).with_hint(format!("did you mean 'flux {near}'?")),
        None => CliError::new(text),
    }
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
            "--help" => globals.instead = Some("help"),
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
            'h' => globals.instead = Some("help"),
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
