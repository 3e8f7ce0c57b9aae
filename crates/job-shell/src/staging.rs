//! Option `stage-in`: before tasks start, the files of archives in the KVS are written below the
//! job's temporary directory, or another one (protocol/23 section 13, RFC 37). An archive is
//! looked up, its small files are written some at a time, the blobs of large ones as they come.

use std::collections::VecDeque;
use std::time::Duration;

use filemap::{Content, FileObject, Region};
use node::Cx;
use proto::Refusal;
use proto::content::{Blob, Load};
use proto::data::glob::glob_matches;
use proto::kvs::{Found, Lookup, PRIMARY};
use serde_json::Value;

use crate::JobShell;
use crate::limits::{STAGE_FILES_PER_TURN, STAGE_LOADS_MAX};
use crate::log::Level;
use crate::options::{Failure, StageIn};
use crate::signals::{SIGKILL, SIGTERM};
use crate::worker::Files;

/// The part of the shell that stages files.
const STAGE_IN: &str = "stage-in";

/// Files still to be staged.
#[derive(Debug)]
pub(crate) struct Staging {
    names: VecDeque<String>,
    pattern: Option<String>,
    files: VecDeque<FileObject>,
    /// Blobs to load for the file that is being written.
    regions: VecDeque<Region>,
    /// Blobs that are loaded or written at the moment.
    in_flight: usize,
    n_files: u64,
    n_bytes: u64,
    began: Duration,
}

impl JobShell {
    /// Stages files if the job wants some, and goes on.
    pub(crate) fn stage_in(&mut self, cx: &mut Cx<Self>) {
        let wanted = self
            .job
            .as_ref()
            .and_then(|job| job.options.stage_in.clone());
        let wanted = wanted.filter(|wanted| !wanted.is_global || self.place.is_leader());
        let (Some(wanted), Some(prepared)) = (wanted, &self.prepared) else {
            return self.write_topology(cx);
        };
        let StageIn {
            names,
            pattern,
            destination,
            ..
        } = wanted;
        let folder = destination.unwrap_or_else(|| prepared.tmpdir.clone());
        self.staging = Some(Staging {
            names: names.into(),
            pattern,
            files: VecDeque::new(),
            regions: VecDeque::new(),
            in_flight: 0,
            n_files: 0,
            n_bytes: 0,
            began: cx.now().mono,
        });
        let open = move |files: &mut Files| match files.open_target(&folder) {
            Ok(()) => Ok(folder),
            Err(why) => Err(format!("chdir {folder}: {why}")),
        };
        cx.work(open, |core: &mut JobShell, cx, opened| match opened {
            Ok(folder) => {
                core.debug(cx, STAGE_IN, &format!("=> {folder}"));
                core.next_archive(cx);
            }
            Err(why) => core.staging_failed(cx, &why),
        });
    }

    fn staging_failed(&mut self, cx: &mut Cx<Self>, why: &str) {
        if self.staging.take().is_some() {
            let failure = Failure::of_plugin(STAGE_IN, STAGE_IN, why.into());
            self.remark(cx, &failure.remarks);
            self.fatal(cx, 1, &failure.fatal);
        }
    }

    fn next_archive(&mut self, cx: &mut Cx<Self>) {
        let Some(staging) = &mut self.staging else {
            return;
        };
        let Some(name) = staging.names.pop_front() else {
            let secs = (cx.now().mono - staging.began).as_secs_f64();
            let rate = staging.n_bytes as f64 / f64::from(1 << 20) / secs.max(1e-6);
            let message = format!("{} files {rate:.1}MB/s", staging.n_files);
            self.staging = None;
            self.debug(cx, STAGE_IN, &message);
            cx.quick_work(Files::close_target, |core: &mut JobShell, cx, ()| {
                core.write_topology(cx);
            });
            return;
        };
        let key = format!("archive.{name}");
        let lookup = Lookup::new(PRIMARY, &key, 0);
        cx.call(
            &lookup,
            move |core: &mut JobShell, cx, found| match read_archive(&key, found) {
                Ok(files) => core.take_archive(cx, files),
                Err(why) => core.staging_failed(cx, &why),
            },
        );
    }

    fn take_archive(&mut self, cx: &mut Cx<Self>, files: Vec<FileObject>) {
        if let Some(staging) = &mut self.staging {
            let pattern = staging.pattern.clone();
            let is_wanted = |file: &FileObject| {
                let matches = |glob: &String| glob_matches(glob.as_bytes(), file.path.as_bytes());
                pattern.as_ref().is_none_or(matches)
            };
            staging.files = files.into_iter().filter(is_wanted).collect();
            self.unpack_some(cx);
        }
    }

    /// Writes the next files, up to one with blobs.
    fn unpack_some(&mut self, cx: &mut Cx<Self>) {
        let is_ending = [SIGTERM, SIGKILL];
        let is_ending = |signum: &i32| is_ending.contains(signum);
        let Some(staging) = &mut self.staging else {
            return;
        };
        if self.early_signals.iter().any(is_ending) {
            // The tasks will not run for long.
            staging.files.clear();
            staging.names.clear();
        }
        if staging.files.is_empty() {
            return self.next_archive(cx);
        }
        let has_blobs = |file: &FileObject| matches!(file.content, Content::Blobs(_));
        let small = staging.files.iter().take_while(|file| !has_blobs(file));
        let n = (small.count() + 1).min(STAGE_FILES_PER_TURN);
        let n = n.min(staging.files.len());
        let batch: Vec<FileObject> = staging.files.drain(..n).collect();
        staging.n_files += n as u64;
        let bytes = batch.iter().map(|file| file.size.unwrap_or(0));
        staging.n_bytes += bytes.sum::<u64>();
        if let Some(Content::Blobs(regions)) = batch.last().map(|file| &file.content) {
            staging.regions = regions.iter().copied().collect();
        }
        let is_traced = self.job.as_ref().is_some_and(|job| job.options.verbose > 1);
        let paths = batch.iter().filter(|_| is_traced).map(|file| &file.path);
        let paths: Vec<String> = paths.cloned().collect();
        for path in paths {
            self.log(cx, Level::Trace, Some(STAGE_IN), &path);
        }
        let unpack = move |files: &mut Files| files.unpack(&batch);
        cx.work(unpack, |core: &mut JobShell, cx, unpacked| match unpacked {
            Ok(()) => core.load_some(cx),
            Err(why) => core.staging_failed(cx, &why),
        });
    }

    /// Asks for the next blobs of the file that is being written, or is done with it.
    fn load_some(&mut self, cx: &mut Cx<Self>) {
        let Some(staging) = &mut self.staging else {
            return;
        };
        if staging.regions.is_empty() && staging.in_flight == 0 {
            let finish = |files: &mut Files| files.finish_file();
            return cx.work(finish, |core: &mut JobShell, cx, done| match done {
                Ok(()) => core.unpack_some(cx),
                Err(why) => core.staging_failed(cx, &why),
            });
        }
        while staging.in_flight < STAGE_LOADS_MAX {
            let Some(region) = staging.regions.pop_front() else {
                return;
            };
            staging.in_flight += 1;
            let load = Load(region.2.digest().to_vec().into());
            cx.call(&load, move |core: &mut JobShell, cx, loaded| match loaded {
                Ok(Blob(blob)) => {
                    let write = move |files: &mut Files| files.write_region(&region, &blob);
                    cx.work(write, JobShell::blob_written);
                }
                Err(error) => core.staging_failed(cx, &format!("{}: {error}", region.2)),
            });
        }
    }

    fn blob_written(&mut self, cx: &mut Cx<Self>, written: Result<(), String>) {
        if let Some(staging) = &mut self.staging {
            staging.in_flight -= 1;
            match written {
                Ok(()) => self.load_some(cx),
                Err(why) => self.staging_failed(cx, &why),
            }
        }
    }
}

/// The files of an archive, or why there are none.
fn read_archive(key: &str, found: Result<Found, Refusal>) -> Result<Vec<FileObject>, String> {
    let found = found.map_err(|error| {
        let why = error.errno.text().map_or(error.to_string(), str::to_owned);
        format!("could not lookup {key} in primary KVS namespace: {why}")
    })?;
    let bytes = found.bytes().ok_or(format!("{key} is not a value"))?;
    let objects: Vec<Value> =
        serde_json::from_slice(&bytes).map_err(|error| format!("{key}: {error}"))?;
    let files = objects.into_iter().map(FileObject::from_json);
    files
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{key}: {error}"))
}
