//! `flux orphans`: messages that came too late or to nobody.

use client::Call;
use proto::data::Fsd;
use proto::orphans::{Clear, List, Orphan};

use command::clock;
use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// Show undeliverable and late messages, with the cause
///
/// A message that cannot be delivered leaves a record in the broker where it ended. The causes
/// are server-down (its service is not loaded, does not come back, or died with it),
/// after-close (a response whose requester has disconnected, or was answered before),
/// taken-over (work done by a replaced worker), expired, no-peer (an unknown rank or sender),
/// dropped (a full queue, or no receiver for a best-effort message) and unasked (a response
/// without a request).
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux orphans
  flux orphans --rank=3 --json
  flux orphans --follow
  flux orphans --clear")]
pub struct Orphans {
    /// Follow new records as they arrive
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Delete the records
    #[arg(short = 'C', long, conflicts_with_all = ["follow", "json"])]
    clear: bool,
    /// Ask this rank instead of the nearest broker
    #[arg(short, long, value_name = "RANK")]
    rank: Option<u32>,
    /// Do not print the header
    #[arg(short = 'n', long)]
    no_header: bool,
}

impl Run for Orphans {
    const NAME: &'static str = "orphans";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if self.clear {
            handle.call(self.call(Call::new(&Clear)))?;
            return Ok(());
        }
        if !self.json && !self.no_header {
            flux.line(format_args!("{}", heading()))?;
            flux.out.flush()?;
        }
        let list = List {
            follow: self.follow,
        };
        let plain = flux.plain();
        for batch in handle.stream(self.call(Call::new(&list))) {
            for orphan in &batch?.orphans {
                let line = match self.json {
                    true => serde_json::json!(orphan).to_string(),
                    false => plain.line(&row(orphan, clock::now())).into_owned(),
                };
                writeln!(flux.out, "{line}")?;
            }
            flux.out.flush()?;
        }
        Ok(())
    }
}

impl Orphans {
    fn call<M>(&self, call: Call<M>) -> Call<M> {
        match self.rank {
            Some(rank) => call.to(rank),
            None => call,
        }
    }
}

/// The line above the rows.
fn heading() -> String {
    columns(["AGE", "CAUSE", "RANK", "SENDER", "TOPIC", "JOB", "NOTE"])
}

/// One orphan as a line, at this time.
fn row(orphan: &Orphan, now: f64) -> String {
    let age = Fsd::from_secs((now - orphan.timestamp).max(0.0));
    let age = age.map_or(String::new(), |age| age.to_text(2));
    let rank = orphan.rank.to_string();
    let job = orphan.job.map_or("-".to_owned(), |job| job.to_string());
    let note = orphan.note.as_deref().unwrap_or_default();
    let (cause, sender, topic) = (orphan.cause.as_str(), &orphan.sender, &orphan.topic);
    columns([&age, cause, &rank, sender, topic, &job, note])
}

fn columns([age, cause, rank, sender, topic, job, note]: [&str; 7]) -> String {
    let line = format!("{age:>7} {cause:<11} {rank:>4} {sender:<24} {topic:<28} {job:<12} {note}");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proto::data::JobId;
    use proto::orphans::Cause;

    use super::*;

    #[test]
    fn an_orphan_is_a_line_below_the_heading() {
        let orphan = Orphan {
            timestamp: 100.0,
            rank: 3,
            cause: Cause::AfterClose,
            sender: "module kvs".to_owned(),
            userid: 1000,
            topic: "kvs.lookup".to_owned(),
            job: None,
            late: Some(0.25),
            note: Some("the requester has disconnected".to_owned()),
        };
        let rows = [
            heading(),
            row(&orphan, 190.0),
            row(
                &Orphan {
                    job: Some(JobId(4)),
                    note: None,
                    ..orphan
                },
                99.0,
            ),
        ];
        let expect = [
            "    AGE CAUSE       RANK SENDER                   TOPIC                        JOB          NOTE",
            "   1.5m after-close    3 module kvs               kvs.lookup                   -            the requester has disconnected",
            "     0s after-close    3 module kvs               kvs.lookup                   ƒ5",
        ];
        assert_eq!(rows, expect);
    }
}
