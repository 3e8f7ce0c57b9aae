//! `flux job submit`: submits a jobspec that was made elsewhere

use proto::data::job::{SubmitFlags, Urgency};

use command::error::{CliError, io_text};
use command::flux::Flux;
use submission::start_signed;

/// Submit a jobspec from a file or from standard input
#[derive(clap::Args)]
pub struct Submit {
    /// Set the urgency: 0 to 31, hold, default or expedite
    #[arg(short, long, value_name = "N", default_value = "default")]
    urgency: String,
    /// Set flags, separated by commas: debug, waitable, novalidate
    #[arg(short, long, value_name = "FLAGS")]
    flags: Vec<String>,
    /// File with the jobspec; '-' or none for standard input
    file: Option<String>,
}

impl Submit {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let urgency = match self.urgency.parse::<Urgency>() {
            Ok(urgency) => i64::from(urgency.get()),
            Err(_) => self.urgency.parse().map_err(|_| {
                CliError::new(format!("error parsing urgency: \"{}\"", self.urgency))
            })?,
        };
        let mut flags = SubmitFlags::NONE;
        for name in self.flags.iter().flat_map(|names| names.split(',')) {
            let unknown = |_| CliError::new(format!("unknown flag: {name}"));
            flags = flags | name.parse().map_err(unknown)?;
        }
        let bytes = match self.file.as_deref() {
            None | Some("-") => flux.read_input()?,
            Some(path) => std::fs::read(path)
                .map_err(|error| CliError::new(format!("{path}: {}", io_text(&error))))?,
        };
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| CliError::new("jobspec is not UTF-8"))?;
        if text.trim().is_empty() {
            return Err(CliError::usage("required jobspec is empty"));
        }
        let mut handle = flux.connect()?;
        let pending = start_signed(&text, urgency, flags.bits(), &mut handle);
        let id = handle.wait(pending)?.id;
        flux.line(id)?;
        Ok(())
    }
}
