//! Jobs by the thousand: running them, listing them, coming back with them.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use client::{Call, Handle};
use proto::job_manager::{EventsJournal, SENTINEL};

use crate::bench::floor;
use crate::bench::row::{Measure, Row};
use crate::bench::subject::Subject;

/// Everything but the processes: submit, schedule, log, finish.
pub const MOCK: Row = Row {
    name: "jobs-mock",
    what: "10,000 jobs, simulated execution, 64 cores",
    unit: "1/s",
    measure: Measure::Outside(|subject| {
        Ok(10_000.0 / subject.seconds_with_mock_cores("", &mock_jobs(10_000))?)
    }),
    floor: None,
};

/// Everything.
pub const REAL: Row = Row {
    name: "jobs-real",
    what: "1,000 jobs of true (floor: true, one after the other)",
    unit: "1/s",
    measure: Measure::Outside(|subject| {
        let work = "\"$FLUX\" submit --quiet --cc=1-1000 true && \"$FLUX\" queue drain";
        Ok(1_000.0 / subject.seconds(&[], "", work)?)
    }),
    floor: Some(floor::true_per_s),
};

/// A long list.
pub const LIST: Row = Row {
    name: "jobs-list",
    what: "flux jobs -nac0 with 10,240 inactive jobs (floor: true)",
    unit: "ms",
    measure: Measure::Outside(|subject| {
        let jobs = mock_jobs(HISTORY);
        Ok(subject.seconds_with_mock_cores(&jobs, "\"$FLUX\" jobs -nac0 >/dev/null")? * 1e3)
    }),
    floor: Some(floor::true_ms),
};

/// Time to send the data of all jobs to services.
pub const JOURNAL: Row = Row {
    name: "journal",
    what: "the past of 10,240 jobs from the journal, to its end",
    unit: "ms",
    measure: Measure::InsideAfter(|| mock_jobs(HISTORY), journal_ms),
    floor: None,
};

/// A service that comes back and knows everything again.
pub const RELOAD: Row = Row {
    name: "reload",
    what: "flux module reload job-list && flux jobs -nac0, 10,240 jobs",
    unit: "ms",
    measure: Measure::Outside(|subject| {
        let work = "\"$FLUX\" module reload job-list && \"$FLUX\" jobs -nac0 >/dev/null";
        Ok(subject.seconds_with_mock_cores(&mock_jobs(HISTORY), work)? * 1e3)
    }),
    floor: None,
};

/// An instance that comes back and knows everything again.
pub const RESTART: Row = Row {
    name: "restart",
    what: "from the command to the prompt on a statedir with 10,240 jobs",
    unit: "ms",
    measure: Measure::Outside(restart_ms),
    floor: None,
};

/// Jobs of an instance that has been used for a while.
pub const HISTORY: u32 = 10_240;

/// Shell commands that run `count` simulated jobs to their end.
pub fn mock_jobs(count: u32) -> String {
    format!(
        "\"$FLUX\" submit --quiet --cc=1-{count} --setattr=exec.test.run_duration=1ms true && \
         \"$FLUX\" queue drain"
    )
}

fn restart_ms(subject: &Subject) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let option = format!("-Sstatedir={}", folder.path().display());
    subject.seconds(&[&option], "", &mock_jobs(HISTORY))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    // The initial program's first act is to say how long it took to get there.
    let begin = format!("begin={}", now.as_nanos());
    Ok(subject.seconds(&[&option], "", &begin)? * 1e3)
}

fn journal_ms(handle: &mut Handle) -> Result<f64> {
    let request = EventsJournal {
        full: Some(true),
        ..EventsJournal::default()
    };
    let start = Instant::now();
    let mut stream = handle.stream(Call::new(&request));
    let mut jobs = 0;
    loop {
        let record = stream.next().context("the journal ended")??;
        if record.id == SENTINEL {
            break;
        }
        jobs += 1;
    }
    let took = start.elapsed();
    ensure!(jobs == HISTORY, "{jobs} jobs in the journal");
    Ok(took.as_secs_f64() * 1e3)
}
