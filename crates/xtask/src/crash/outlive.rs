//! Jobs that run all the while. They write, each also into a file of its own, and every server
//! is killed or reloaded beneath them: modules alone, in pairs and all together, and the
//! broker, which is started again on the same state directory. In the end they are stopped.
//! Each must have run once, have the output that it has written, to the byte, and the outcome
//! that it has given itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;

use super::faults::{RELOADED, kill_broker, kill_modules, reload, wait_until};
use super::{CrashArgs, Tally};
use crate::site::{Folder, Rng, Site};

/// Longest pause before a kill, in milliseconds.
const PAUSE_MS: u64 = 200;
/// In one of N lives of a module it is reloaded in place of a kill.
const RELOAD_EVERY: u64 = 6;
/// One of N kills is the broker's.
const BROKER_EVERY: u64 = 12;
/// Upper bound of exit codes.
const CODES: u64 = 5;

/// Script of each job: leaves a mark, and writes lines until it is ended.
const SCRIPT: &str = "\
echo begun >>marks/$1
i=0
while test ! -e enough; do
    i=$((i + 1))
    for word in one two three four five six seven; do
        echo job $1 line $i $word >>made/$1
        echo job $1 line $i $word
    done
    sleep 1
done
exit $(($1 % 5))
";

/// The jobs and where they are.
struct Jobs<'a> {
    site: &'a Site,
    folder: PathBuf,
    ids: Vec<String>,
}

/// Kills N times, and adds up the results.
pub fn crash(args: &CrashArgs, programs: &Path, tally: &mut Tally) -> Result<()> {
    let folder = Folder::new(args.keep.as_deref(), "outlive")?;
    let path = folder.path().to_owned();
    let site = Site::new(programs, &path, "full")?.with(super::jobs::config(&path, args.running)?);
    for name in ["marks", "made"] {
        std::fs::create_dir(path.join(name))?;
    }
    std::fs::write(path.join("job"), SCRIPT)?;
    let mut broker = site.start()?;
    let mut jobs = Jobs {
        site: &site,
        folder: path,
        ids: Vec::new(),
    };
    jobs.begin(args.running)?;
    let mut rng = Rng::new(args.seed);
    let bar = ProgressBar::new(args.kills);
    let (mut lives, mut reloads) = (1, 0);
    for n in 1..=args.kills {
        rng.pause(PAUSE_MS);
        if n % BROKER_EVERY == 0 || n == args.kills {
            kill_broker(&mut broker, &mut rng)?;
            broker = site.start()?;
            lives += 1;
        } else if rng.below(RELOAD_EVERY) == 0 {
            reload(&site, rng.choose::<&str>(&RELOADED))?;
            reloads += 1;
        } else {
            kill_modules(broker.id(), &mut rng)?;
        }
        bar.inc(1);
    }
    jobs.end()?;
    let wrong = jobs.look()?;
    site.end(broker)?;
    bar.finish_and_clear();
    tally.figure("outlive", "kills", args.kills - reloads);
    tally.figure("outlive", "reloads", reloads);
    tally.figure("outlive", "lives of brokers", lives);
    tally.figure("outlive", "jobs that ran all the while", args.running);
    for (what, complaints) in wrong {
        tally.wrong("outlive", what, complaints);
    }
    Ok(())
}

impl Jobs<'_> {
    /// Submits all of them, and waits until they run.
    fn begin(&mut self, count: u64) -> Result<()> {
        for n in 0..count {
            let folder = self.folder.display();
            let (cwd, n) = (format!("--cwd={folder}"), n.to_string());
            let mut submit = self.site.flux(&["submit", &cwd, "sh", "job", &n]);
            let done = submit.output().context("flux submit")?;
            ensure!(done.status.success(), "flux submit: {done:?}");
            self.ids
                .push(String::from_utf8(done.stdout)?.trim().to_owned());
        }
        let made = self.folder.join("made");
        wait_until("jobs begin", || {
            Ok(std::fs::read_dir(&made)?.count() as u64 == count)
        })
    }

    /// Has all of them end, and waits until they have.
    fn end(&self) -> Result<()> {
        std::fs::write(self.folder.join("enough"), "")?;
        let mut handle = self.site.open()?;
        let drained = handle.rpc(&proto::job_manager::Drain);
        drained.context("job-manager.drain").map(drop)
    }

    /// Compares the data of each job with its effects.
    fn look(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        let [mut restarts, mut codes, mut outputs] = [const { Vec::new() }; 3];
        for (n, id) in self.ids.iter().enumerate() {
            let marks = std::fs::read_to_string(self.folder.join(format!("marks/{n}")))?;
            if marks != "begun\n" {
                restarts.push(format!("job {n}: begun {} times", marks.lines().count()));
            }
            let done = self.site.flux(&["job", "attach", id]).output()?;
            let code = (n as u64 % CODES) as i32;
            if done.status.code() != Some(code) {
                let said = String::from_utf8_lossy(&done.stderr);
                codes.push(format!("job {n} {id}: {}, not {code}: {said}", done.status));
            }
            let made = std::fs::read(self.folder.join(format!("made/{n}")))?;
            if made != done.stdout {
                let (is, was) = (done.stdout.len(), made.len());
                outputs.push(format!("job {n} {id}: {is} bytes, and {was} were written"));
            }
        }
        let listed = self.site.flux(&["jobs", "-nac0", "-o", "{id}"]).output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).lines().count();
        let (known, all) = (self.ids.len(), listed);
        let doubles = (known != all).then(|| format!("{known} were submitted, {all} are listed"));
        Ok(vec![
            ("jobs that were run again", restarts),
            ("outcomes lost or wrong", codes),
            ("outputs that are not what was written", outputs),
            ("jobs lost or doubled", doubles.into_iter().collect()),
        ])
    }
}
