//! `flux lptest`: lines of characters in rotation, to try output with.

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// The printable characters of ASCII but for the blank.
const CHARACTERS: std::ops::RangeInclusive<u8> = b'!'..=b'~';

/// Print rotating lines of characters to test output
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux lptest
  flux run -n4 flux lptest 79 10")]
pub struct Lptest {
    /// Characters per line
    #[arg(default_value = "79")]
    length: String,
    /// Number of lines
    #[arg(default_value = "200")]
    count: String,
}

impl Run for Lptest {
    const NAME: &'static str = "lptest";
    const GROUP: Group = Group::Services;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let length = parse(&self.length, "length")?;
        let count = parse(&self.count, "count")?;
        let characters: Vec<u8> = CHARACTERS.collect();
        for line in 0..count {
            let mut left = length;
            let mut from = line % characters.len();
            while left > 0 {
                let piece = &characters[from..];
                let piece = &piece[..piece.len().min(left)];
                flux.out.write_all(piece)?;
                (left, from) = (left - piece.len(), 0);
            }
            flux.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn parse(number: &str, name: &str) -> Result<usize, CliError> {
    let number = number.parse();
    number.map_err(|_| CliError::new(format!("error parsing {name}")))
}
