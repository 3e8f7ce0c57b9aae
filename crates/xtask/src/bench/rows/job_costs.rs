//! Cost of a job, in processor time of everything involved, compared with the cost of
//! starting `true`: rates differ from machine to machine, this hardly does.

use anyhow::Result;

use super::jobs::mock_jobs;
use crate::bench::floor;
use crate::bench::row::{Measure, Measured, Row};
use crate::bench::subject::{MOCK_CORES, Subject};
use crate::proc::{TICKS_PER_SECOND, ticks_of_the_ended};

/// Services only.
pub const MOCK: Row = Row {
    name: "cost-mock",
    what: "processor time of each of 10,000 simulated jobs, 64 cores (floor: starting true)",
    unit: "ms",
    measure: Measure::Outside(|subject| cost_ms(subject, MOCK_CORES, &mock_jobs(10_000), 10_000)),
    floor: Some(floor::true_cpu_ms),
};

/// Services, shells and tasks, where much is under way at once.
pub const REAL: Row = Row {
    name: "cost-real",
    what: "processor time of each of 2,000 jobs of true, 64 cores (floor: starting true)",
    unit: "ms",
    measure: Measure::Outside(|subject| cost_ms(subject, MOCK_CORES, &real_jobs(), REAL_JOBS)),
    floor: Some(floor::true_cpu_ms),
};

/// The same where little is.
pub const REAL_FEW: Row = Row {
    name: "cost-real-2",
    what: "the same, 2 cores (floor: starting true)",
    unit: "ms",
    measure: Measure::Outside(|subject| cost_ms(subject, 2, &real_jobs(), REAL_JOBS)),
    floor: Some(floor::true_cpu_ms),
};

/// Number of them that end per second.
pub const RATE: Row = Row {
    name: "rate-real",
    what: "2,000 jobs of true, 64 cores (beside: 2 cores)",
    unit: "1/s",
    measure: Measure::Beside(|subject| {
        let many = subject.seconds_with_cores(MOCK_CORES, &real_jobs())?;
        let few = subject.seconds_with_cores(2, &real_jobs())?;
        Ok(Measured {
            figure: f64::from(REAL_JOBS) / many,
            beside: Some(f64::from(REAL_JOBS) / few),
        })
    }),
    floor: None,
};

/// Slowdown of new jobs by earlier ones.
pub const FLAT: Row = Row {
    name: "rate-flat",
    what: "the tenth 10,000 simulated jobs of an instance on disk (beside: the first)",
    unit: "1/s",
    measure: Measure::Beside(flat),
    floor: None,
};

/// Jobs that are only taken in.
pub const SUBMIT: Row = Row {
    name: "rate-submit",
    what: "10,000 jobs submitted to a queue that is stopped",
    unit: "1/s",
    measure: Measure::Outside(|subject| {
        let work = "\"$FLUX\" submit --quiet --cc=1-10000 true";
        let seconds = subject.seconds(&[], "\"$FLUX\" queue stop --quiet", work)?;
        Ok(10_000.0 / seconds)
    }),
    floor: None,
};

/// Bytes kept of an inactive job.
pub const STORE: Row = Row {
    name: "store-job",
    what: "bytes of the state directory for each of 10,000 jobs that are over, after gc",
    unit: "KB",
    measure: Measure::Outside(|subject| store_kb(subject, "")),
    floor: None,
};

/// The same of jobs that have more of an environment, all the same one.
pub const STORE_ENV: Row = Row {
    name: "store-job-env",
    what: "the same where each job has 5 KB more of the same environment",
    unit: "KB",
    measure: Measure::Outside(|subject| {
        store_kb(
            subject,
            "export BENCH_NOISE=$(head -c 3750 /dev/urandom | base64 -w0)",
        )
    }),
    floor: None,
};

const REAL_JOBS: u32 = 2_000;

fn real_jobs() -> String {
    format!("\"$FLUX\" submit --quiet --cc=1-{REAL_JOBS} true && \"$FLUX\" queue drain")
}

/// Milliseconds of each of `jobs` jobs: an instance that runs `work`, less one that does
/// not.
pub(super) fn cost_ms(subject: &Subject, cores: usize, work: &str, jobs: u32) -> Result<f64> {
    let spent = |work: &str| -> Result<u64> {
        let before = ticks_of_the_ended()?;
        subject.seconds_with_cores(cores, work)?;
        Ok(ticks_of_the_ended()? - before)
    };
    let (idle, busy) = (spent("true")?, spent(work)?);
    let ticks = busy.saturating_sub(idle) as f64;
    Ok(ticks / TICKS_PER_SECOND * 1e3 / f64::from(jobs))
}

fn flat(subject: &Subject) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let option = format!("-Sstatedir={}", folder.path().display());
    let jobs = mock_jobs(10_000);
    let script = format!(
        "took() {{
	begin=$(date +%s%N)
	{jobs}
	echo $(( 10000000000000 / ($(date +%s%N) - begin) ))
}}
first=$(took)
for n in 2 3 4 5 6 7 8 9; do took >/dev/null; done
echo \"figure $(took)\"
echo \"beside $first\""
    );
    subject.figures_with_cores(&[&option], MOCK_CORES, &script)
}

/// KB of the state directory for each job, submitted after these shell commands.
fn store_kb(subject: &Subject, setup: &str) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let option = format!("-Sstatedir={}", folder.path().display());
    // Only what a checkpoint no longer has is collected.
    let script = format!(
        "{setup}
{} && \"$FLUX\" kvs put --sync bench=1 && \"$FLUX\" gc >/dev/null && echo figure 0",
        mock_jobs(10_000)
    );
    subject.figures_with_cores(&[&option], MOCK_CORES, &script)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.path())? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64 / 1e3 / 10_000.0)
}
