//! `flux job eventlog`

use client::{Call, Cursor};
use proto::data::eventlog::split_log;
use proto::job_info::{EventlogWatch, Lookup, WAITCREATE};
use serde_json::Value;

use super::events::{Form, decode};
use super::parse_id;
use command::error::CliError;
use command::flux::Flux;

/// Print an event log of a job
#[derive(clap::Args)]
pub struct Eventlog {
    #[command(flatten)]
    form: Form,
    /// Follow the log as events are added
    #[arg(short = 'F', long)]
    follow: bool,
    /// Job id
    id: String,
}

impl Eventlog {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let id = parse_id(&self.id)?;
        let path = self.form.path().to_owned();
        let mut printer = self.form.printer(flux);
        let mut handle = flux.connect()?;
        let failed = |refusal| self.form.failed(&self.id, refusal);
        if self.follow {
            let request = EventlogWatch {
                id,
                path,
                flags: WAITCREATE,
            };
            let mut cursor = Cursor::default();
            let mut log = handle.stream(Call::new(&request).repeating());
            while let Some(watched) = log.next() {
                if let Some(line) = watched.map_err(failed)?.event
                    && cursor.is_new(log.repeats())
                {
                    printer.print(flux, &decode(&line)?)?;
                    flux.out.flush()?;
                }
            }
            return Ok(());
        }
        let request = Lookup {
            id,
            keys: vec![path.clone()],
            flags: 0,
        };
        let reply = handle.rpc(&request).map_err(failed)?;
        let log = reply.values.get(&path).and_then(Value::as_str);
        let lines = split_log(log.unwrap_or_default().as_bytes());
        for line in lines.map_err(|error| CliError::new(error.to_string()))? {
            printer.print(flux, &decode(line)?)?;
        }
        Ok(())
    }
}
