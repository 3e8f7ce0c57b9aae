//! `flux keygen`: makes the certificate by which brokers know each other (protocol/20
//! section 3.1).

use std::path::{Path, PathBuf};

use keys::{Certificate, KeyPair};
use proto::attr::CORE_VERSION;

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Create the certificate that the brokers of an instance share
///
/// Brokers configured by a table [bootstrap] all need the same file, named there as
/// curve_cert. Anyone who can read it can join the instance.
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux keygen /etc/flux/system/curve.cert
  flux keygen --name=cluster --meta=contact=ops,site=hq curve.cert")]
pub struct Keygen {
    /// Name the certificate; default: the name of this host
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Add metadata
    #[arg(long, value_name = "KEY=VALUE[,KEY=VALUE...]")]
    meta: Vec<String>,
    /// File to write; an existing file is replaced
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

impl Run for Keygen {
    const NAME: &'static str = "keygen";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let hostname = nix::unistd::gethostname().map_err(std::io::Error::from)?;
        let hostname = hostname.to_string_lossy().into_owned();
        let now = clock::iso(&clock::zone(&flux.env), clock::now());
        let mut metadata = vec![
            (
                "name",
                self.name.clone().unwrap_or_else(|| hostname.clone()),
            ),
            ("keygen.flux-core-version", CORE_VERSION.to_owned()),
            ("keygen.hostname", hostname),
            ("keygen.time", now),
            ("keygen.userid", nix::unistd::getuid().to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        note(&mut metadata, &self.meta)?;
        let pair = KeyPair::new()?;
        let certificate = Certificate { metadata, pair };
        match &self.path {
            Some(path) => save(&certificate, path),
            None => Ok(flux.note(UNSAVED)?),
        }
    }
}

const UNSAVED: &str = "flux-keygen: WARNING: add PATH argument to save generated certificate";

/// Adds the words of `--meta`; one that is there already gets the value that is said.
fn note(metadata: &mut Vec<(String, String)>, options: &[String]) -> Result<(), CliError> {
    for word in options.iter().flat_map(|words| words.split(',')) {
        let Some((key, value)) = word
            .split_once('=')
            .filter(|(key, _)| Certificate::is_key(key))
        else {
            let text = format!("--meta={word}: expected KEY=VALUE");
            return Err(CliError::new(text).with_hint(
                "a key consists of letters, digits, '-' and \
                '.'",
            ));
        };
        if value.contains(['"', '\n', '\r']) {
            let text = format!("--meta={key}: a value is one line without quotes");
            return Err(CliError::new(text));
        }
        match metadata.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => metadata.push((key.to_owned(), value.to_owned())),
        }
    }
    Ok(())
}

fn save(certificate: &Certificate, path: &Path) -> Result<(), CliError> {
    let saved = certificate.save(path);
    saved.map_err(|error| CliError::from(error).about(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &[&str], expect: &str) {
        let mut metadata = vec![("name".to_owned(), "host".to_owned())];
        let options: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        let outcome = match note(&mut metadata, &options) {
            Ok(()) => format!("{metadata:?}"),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{options:?}");
    }

    #[test]
    fn words_are_added_and_replaced() {
        check(
            &["a=1,b=", "name=x y"],
            r#"[("name", "x y"), ("a", "1"), ("b", "")]"#,
        );
        check(&["a=b=c"], r#"[("name", "host"), ("a", "b=c")]"#);
    }

    #[test]
    fn what_would_not_be_read_back_is_refused() {
        check(&["a"], "--meta=a: expected KEY=VALUE");
        check(&["a_b=1"], "--meta=a_b=1: expected KEY=VALUE");
        check(&["a=\"x\""], "--meta=a: a value is one line without quotes");
    }
}
