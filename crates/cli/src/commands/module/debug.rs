//! `flux module debug`

use client::Call;
use proto::common;

use super::topic_of;
use command::error::CliError;
use command::flux::Flux;

/// Print or change the debug bits of a module, which trigger rare code paths
#[derive(clap::Args)]
pub struct Debug {
    /// Set exactly these bits
    #[arg(short = 'S', long, value_name = "MASK", value_parser = number)]
    set: Option<i64>,
    /// Set these bits in addition
    #[arg(short, long, value_name = "BIT", value_parser = number, conflicts_with = "set")]
    setbit: Option<i64>,
    /// Clear these bits
    #[arg(short, long, value_name = "BIT", value_parser = number,
        conflicts_with_all = ["set", "setbit"])]
    clearbit: Option<i64>,
    /// Clear all bits
    #[arg(short = 'C', long, conflicts_with_all = ["set", "setbit", "clearbit"])]
    clear: bool,
    /// Name of the module
    name: String,
}

impl Debug {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let (op, flags) = match (self.set, self.setbit, self.clearbit) {
            (Some(mask), _, _) => ("set", mask),
            (_, Some(bit), _) => ("setbit", bit),
            (_, _, Some(bit)) => ("clrbit", bit),
            _ if self.clear => ("clr", 0),
            // Setting none leaves all as they are, and tells them.
            _ => ("setbit", 0),
        };
        let op = op.to_owned();
        let topic = topic_of::<common::Debug>(&self.name);
        let mut handle = flux.connect()?;
        let bits = handle.call(Call::new(&common::Debug { op, flags }).topic(&topic));
        let bits = bits.map_err(|refusal| CliError::from(refusal).about(&topic))?;
        flux.line(format_args!("0x{:x}", bits.flags))?;
        Ok(())
    }
}

/// A number as C writes it: decimal, or hexadecimal behind 0x.
fn number(text: &str) -> Result<i64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}
