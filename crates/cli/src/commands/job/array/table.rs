//! The elements of an array as a table, and as JSON.

use proto::data::array::{Ended, How};
use proto::data::{Fsd, IdSet};
use serde_json::{Value, json};

use super::history::Elements;
use command::clock;
use command::error::CliError;
use command::flux::Flux;

/// One line.
enum Row<'a> {
    Ended(&'a Ended),
    Running { index: u32, shell: u32 },
}

impl Elements {
    /// Elements that have begun or never will, in the order of their indices.
    fn rows(&self, only_failed: bool) -> Vec<Row<'_>> {
        let running = self.running.iter();
        let running = running.flat_map(|(shell, set)| set.iter().map(|index| (index, *shell)));
        let mut rows: Vec<(u32, Row)> = running
            .filter(|_| !only_failed)
            .map(|(index, shell)| (index, Row::Running { index, shell }))
            .collect();
        let is_running = |index| self.running.values().any(|set| set.contains(index));
        let ended = self.history.ended.values();
        let ended = ended.filter(|ended| !only_failed || !ended.how.is_good());
        // One that is run again has ended before.
        let ended = ended.filter(|ended| !is_running(ended.index));
        rows.extend(ended.map(|ended| (ended.index, Row::Ended(ended))));
        rows.sort_by_key(|(index, _)| *index);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Number of elements in each state, and those that have not begun.
    fn sums(&self) -> (Vec<(&'static str, u64)>, IdSet) {
        const WORDS: [&str; 5] = ["done", "failed", "timeout", "canceled", "lost"];
        let mut counts = WORDS.map(|word| (word, 0)).to_vec();
        let mut waiting = self.spec.indices.difference(&self.history.before);
        let mut running = IdSet::new();
        self.running.values().for_each(|set| running.add(set));
        waiting.subtract(&running);
        let ended = self.history.ended.values();
        for ended in ended.filter(|ended| !running.contains(ended.index)) {
            let word = ended.how.word();
            counts
                .iter_mut()
                .filter(|(known, _)| *known == word)
                .for_each(|(_, count)| *count += 1);
        }
        let ended: IdSet = self.history.ended.keys().copied().collect();
        waiting.subtract(&ended);
        let rest = match self.is_over {
            true => "not run",
            false => "pending",
        };
        counts.push(("before", self.history.before.count()));
        counts.push(("running", running.count()));
        counts.push((rest, waiting.count()));
        (counts, waiting)
    }
}

/// End of an element, in the words of `STATUS`.
fn status(how: How) -> String {
    let wait = how.status();
    match (
        wait.and_then(|it| it.exit_code()),
        wait.and_then(|it| it.signal()),
        how,
    ) {
        (Some(code), _, _) => format!("exit {code}"),
        (None, Some(signal), _) => format!("signal {signal}"),
        (None, None, How::NotStarted(errno)) => {
            let errno = proto::Errno(errno);
            errno
                .text()
                .map_or_else(|| errno.to_string(), str::to_owned)
        }
        (None, None, _) => "-".to_owned(),
    }
}

/// Prints a line an element, and the number in each state.
pub fn print(flux: &mut Flux, elements: &Elements, only_failed: bool) -> Result<(), CliError> {
    let zone = clock::zone(&flux.env);
    flux.line(format_args!(
        "{:>10} {:<8} {:<11} {:<15} {:<23} {:>9} {:>5}",
        "INDEX", "STATE", "STATUS", "HOST", "START", "RUNTIME", "TRIES"
    ))?;
    for row in elements.rows(only_failed) {
        let line = match row {
            Row::Running { index, shell } => {
                let host = elements.host(shell);
                format!("{index:>10} {:<8} {:<11} {host:<15} -", "running", "-")
            }
            Row::Ended(ended) => {
                let has_run = ended.how != How::NeverRan;
                let [host, start, runtime] = match has_run {
                    true => [
                        elements.host(ended.shell).to_owned(),
                        clock::iso_ms(&zone, ended.start),
                        Fsd::from_secs(ended.runtime)
                            .map_or_else(|_| "-".to_owned(), |it| it.to_listing()),
                    ],
                    false => ["-", "-", "-"].map(str::to_owned),
                };
                let (index, tries, word) = (ended.index, ended.tries, ended.how.word());
                let status = status(ended.how);
                format!(
                    "{index:>10} {word:<8} {status:<11} {host:<15} {start:<23} {runtime:>9} {tries:>5}"
                )
            }
        };
        let line = flux.plain().line(&line).into_owned();
        flux.line(line)?;
    }
    let (counts, waiting) = elements.sums();
    let shown = counts.iter().filter(|(_, count)| *count > 0);
    let shown: Vec<String> = shown
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let all = elements.spec.indices.count();
    flux.line(format_args!("{all} elements: {}", shown.join(", ")))?;
    if !waiting.is_empty() && !only_failed {
        flux.line(format_args!("{}: {waiting}", counts[counts.len() - 1].0))?;
    }
    Ok(())
}

/// All of it as one object.
pub fn json(elements: &Elements, only_failed: bool) -> Value {
    let rows = elements.rows(only_failed);
    let rows = rows.iter().map(|row| match row {
        Row::Running { index, shell } => json!({
            "index": index,
            "state": "running",
            "host": elements.host(*shell),
        }),
        Row::Ended(ended) => of_ended(elements, ended),
    });
    let rows: Vec<Value> = rows.collect();
    let (counts, waiting) = elements.sums();
    let counts = counts.into_iter();
    let counts: serde_json::Map<String, Value> = counts
        .map(|(word, count)| (word.replace(' ', "_"), json!(count)))
        .collect();
    json!({
        "id": elements.id,
        "indices": elements.spec.indices.to_string(),
        "count": elements.spec.indices.count(),
        "counts": counts,
        "waiting": waiting.to_string(),
        "before": elements.history.before.to_string(),
        "elements": rows,
    })
}

fn of_ended(elements: &Elements, ended: &Ended) -> Value {
    let mut row = json!({
        "index": ended.index,
        "state": ended.how.word(),
        "tries": ended.tries,
    });
    if ended.how != How::NeverRan {
        row["host"] = json!(elements.host(ended.shell));
        row["start"] = json!(ended.start);
        row["runtime"] = json!(ended.runtime);
    }
    if let Some(status) = ended.how.status() {
        row["wait_status"] = json!(status.0);
        if let Some(code) = status.exit_code() {
            row["exit_code"] = json!(code);
        }
        if let Some(signal) = status.signal() {
            row["signal"] = json!(signal);
        }
    }
    if let How::NotStarted(errno) = ended.how {
        row["errno"] = json!(errno);
    }
    row
}
