//! `flux job id` and `flux job namespace`

use proto::data::{JobId, JobIdEncoding};

use command::error::CliError;
use command::flux::Flux;

/// Convert job ids between encodings
#[derive(clap::Args)]
pub struct Id {
    /// Encoding: dec, kvs, hex, dothex, words, f58, f58plain or emoji
    #[arg(short, long, value_name = "SPELLING", default_value = "dec")]
    to: String,
    /// Job ids; read from standard input if there are none
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

impl Id {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let unknown = |_| CliError::new(format!("Unknown to={}", self.to));
        let encoding: JobIdEncoding = self.to.parse().map_err(unknown)?;
        print(flux, &self.ids, |id| id.encode(encoding))
    }
}

/// Print the KVS namespaces of jobs
#[derive(clap::Args)]
pub struct Namespace {
    /// Job ids; read from standard input if there are none
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

impl Namespace {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        print(flux, &self.ids, JobId::guest_namespace)
    }
}

fn print(
    flux: &mut Flux,
    words: &[String],
    show: impl Fn(JobId) -> String,
) -> Result<(), CliError> {
    let input;
    let words: Vec<&str> = match words.is_empty() {
        false => words.iter().map(String::as_str).collect(),
        true => {
            input = flux.read_input()?;
            let text = std::str::from_utf8(&input);
            let text = text.map_err(|_| CliError::new("malformed input"))?;
            text.split_whitespace().collect()
        }
    };
    for word in words {
        let malformed = |_| CliError::new(format!("{word}: malformed input"));
        let id = word.parse().map_err(malformed)?;
        flux.line(show(id))?;
    }
    Ok(())
}
