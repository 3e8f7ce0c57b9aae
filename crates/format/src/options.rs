//! What every listing has: `-o FORMAT`, named formats, `-n` and `--sort`.

use crate::configured::{NamedFormat, configured};
use crate::parse::{Format, FormatError};
use crate::table::TableOptions;
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// A format with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// What the user calls it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The format.
    pub text: &'static str,
}

/// Options of listings.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct FormatOptions {
    /// What to show: a format, the name of one, or 'help' for the names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Leave the header out
    #[arg(short = 'n', long, visible_alias = "suppress-header")]
    pub no_header: bool,
}

impl FormatOptions {
    /// The text of the format. `variable` names another default. `None` when the user
    /// asked about formats, which is answered here.
    pub fn choose(
        &self,
        flux: &mut Flux,
        named: &[Named],
        variable: &str,
    ) -> Result<Option<String>, CliError> {
        let named = &configured(&flux.env, variable, named)?;
        let Some(wanted) = &self.format else {
            let default = flux.env.get(variable).unwrap_or("default");
            return Ok(Some(text_of(default, named)?));
        };
        if wanted == "help" {
            let program = flux.program().to_owned();
            writeln!(flux.out, "\nConfigured {program} output formats:\n")?;
            for NamedFormat { name, about, .. } in named {
                writeln!(flux.out, "  {name:<12} {about}")?;
            }
            return Ok(None);
        }
        if let Some(name) = wanted.strip_prefix("get-config=") {
            let text = text_of(name, named)?;
            let about = named.iter().find(|format| format.name == name);
            let about = about.map_or("", |format| format.about.as_str());
            // Quoted as TOML wants it: a format may have quotes and backslashes.
            let quote = |text: &str| toml::Value::from(text).to_string();
            writeln!(flux.out, "[formats.{name}]")?;
            writeln!(flux.out, "description = {}", quote(about))?;
            writeln!(flux.out, "format = {}", quote(&text))?;
            return Ok(None);
        }
        text_of(wanted, named).map(Some)
    }

    /// How the table is printed.
    pub fn table(&self, flux: &Flux, width: Option<usize>) -> TableOptions {
        TableOptions {
            header: !self.no_header,
            columns_max: width.or_else(|| flux.terminal_columns()),
            zone: clock::zone(&flux.env),
            plain: flux.plain(),
        }
    }
}

/// The named format, or the text itself if it has fields.
fn text_of(wanted: &str, named: &[NamedFormat]) -> Result<String, CliError> {
    match named.iter().find(|format| format.name == wanted) {
        Some(format) => Ok(format.text.clone()),
        None if wanted.contains('{') => Ok(wanted.to_owned()),
        None => {
            let text = format!("--format: No such format {wanted} (Did you mean '{{{wanted}}}'?)");
            Err(CliError::new(text).with_hint("'-o help' lists the names"))
        }
    }
}

impl<F> Format<F> {
    /// Reads a format that the user gave.
    pub fn of_user(
        text: &str,
        resolve: impl Fn(&str) -> Option<(F, String)>,
    ) -> Result<Format<F>, CliError> {
        Format::parse(text, resolve).map_err(in_user_format)
    }
}

/// The sentence about a format that is wrong.
pub fn in_user_format(error: FormatError) -> CliError {
    match error {
        FormatError::UnknownConversion(_) => CliError::new(error.to_string()),
        error => CliError::new(format!("Error in user format: {error}")),
    }
}
