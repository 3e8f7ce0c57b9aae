//! Options of every listing: `-o FORMAT`, named formats, `-n` and `--sort`.

use crate::configured::{File, NamedFormat, configured};
use crate::parse::{Format, FormatError};
use crate::table::TableOptions;
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// A format with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// Name for the user.
    pub name: &'static str,
    /// Purpose.
    pub about: &'static str,
    /// The format.
    pub text: &'static str,
}

/// The formats of one listing, and where further ones are.
#[derive(Debug, Clone, Copy)]
pub struct Formats {
    /// Built-in formats.
    pub named: &'static [Named],
    /// The variable that names another default.
    pub variable: &'static str,
    /// The file of settings.
    pub file: File,
    /// The listing's own table in the file, if it has one.
    pub table: Option<&'static str>,
    /// Further keys beside `formats`, which hold lists of texts.
    pub lists: &'static [&'static str],
}

/// Options of listings.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct FormatOptions {
    /// Print in this format, or the format of this name; 'help' lists the names
    #[arg(short = 'o', long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Do not print the header
    #[arg(short = 'n', long, visible_alias = "suppress-header")]
    pub no_header: bool,
}

impl FormatOptions {
    /// Format requested by the user, or by the variable: a name or a format.
    pub fn wanted<'f>(&'f self, flux: &'f Flux, formats: &Formats) -> &'f str {
        let wanted = self.format.as_deref();
        wanted
            .or_else(|| flux.env.get(formats.variable))
            .unwrap_or("default")
    }

    /// The text of the format. `None` when the user asked about formats, which is answered
    /// here.
    pub fn choose(&self, flux: &mut Flux, formats: &Formats) -> Result<Option<String>, CliError> {
        let named = configured(&flux.env, formats)?;
        let wanted = self.wanted(flux, formats).to_owned();
        if wanted == "help" {
            let program = flux.program().to_owned();
            writeln!(flux.out, "\nConfigured {program} output formats:\n")?;
            for NamedFormat { name, about, .. } in &named {
                flux.line(format_args!("  {name:<12} {about}").to_string().trim_end())?;
            }
            return Ok(None);
        }
        if let Some(name) = wanted.strip_prefix("get-config=") {
            let text = text_of(name, &named)?;
            let about = named.iter().find(|format| format.name == name);
            let about = about.map_or("", |format| format.about.as_str());
            // Quoted as TOML wants it: a format may have quotes and backslashes.
            let quote = |text: &str| toml::Value::from(text).to_string();
            let table = formats
                .table
                .map_or(String::new(), |table| format!("{table}."));
            writeln!(flux.out, "[{table}formats.{name}]")?;
            writeln!(flux.out, "description = {}", quote(about))?;
            writeln!(flux.out, "format = {}", quote(&text))?;
            return Ok(None);
        }
        text_of(&wanted, &named).map(Some)
    }

    /// Options of the table.
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
