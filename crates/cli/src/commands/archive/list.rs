//! `flux archive list`

use command::error::CliError;
use command::flux::Flux;
use filemap::{FileObject, Kind};

use super::{Name, is_meant};

/// List files
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    name: Name,
    /// Show type, permissions and size
    #[arg(short, long)]
    long: bool,
    /// Print the objects of the files (RFC 37)
    #[arg(long)]
    raw: bool,
    /// List only files whose whole paths match
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
}

impl List {
    /// The request of `flux filemap list`.
    pub fn mapped(name: &str, long: bool, raw: bool, pattern: Option<String>) -> List {
        List {
            name: Name::primary(name),
            long,
            raw,
            pattern,
        }
    }

    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut stored = self.name.open(flux)?;
        let objects = stored.objects()?;
        for object in objects
            .iter()
            .filter(|object| is_meant(self.pattern.as_deref(), object))
        {
            match (self.raw, self.long) {
                (true, _) => write!(flux.out, "{}", object.to_json())?,
                (_, true) => flux.line(long(object))?,
                _ => flux.line(&object.path)?,
            }
        }
        Ok(())
    }
}

fn long(object: &FileObject) -> String {
    let kind = match object.kind() {
        Kind::File => 'f',
        Kind::Directory => 'd',
        Kind::Link => 'l',
        Kind::Other => '?',
    };
    let (permissions, size) = (object.permissions(), object.size.unwrap_or(0));
    format!("{kind} 0{permissions:o} {size:8} {}", object.path)
}
