//! `flux archive extract`

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Arrival, Call, Pending};
use command::error::{CliError, io_text};
use command::flux::Flux;
use filemap::{Content, FileObject, Growing, Region, Target};
use proto::content::Load;
use proto::data::Fsd;
use proto::kvs::WAITCREATE;
use proto::kvs_watch;

use super::bar::Bar;
use super::{Name, Stored, is_meant};
use crate::limits::ARCHIVE_BYTES_IN_FLIGHT;

/// Extract files
#[derive(clap::Args)]
pub struct Extract {
    #[command(flatten)]
    name: Name,
    /// List the files on standard error
    #[arg(short, long, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
        default_missing_value = "1")]
    verbose: Vec<u8>,
    /// Replace files that exist
    #[arg(long)]
    overwrite: bool,
    /// Extract to this directory
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// List the files without extracting them
    #[arg(short = 't', long)]
    list_only: bool,
    /// Wait at most this time until the archive exists
    #[arg(long, value_name = "FSD", num_args = 0..=1, require_equals = true,
        default_missing_value = "inf")]
    waitcreate: Option<Fsd>,
    /// Extract only files whose whole paths match
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
}

impl Extract {
    /// The request of `flux filemap get`.
    pub fn mapped(
        name: &str,
        verbose: Vec<u8>,
        directory: Option<PathBuf>,
        overwrite: bool,
        pattern: Option<String>,
    ) -> Extract {
        Extract {
            name: Name::primary(name),
            verbose,
            overwrite,
            directory,
            list_only: false,
            waitcreate: None,
            pattern,
        }
    }

    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut stored = self.name.open(flux)?;
        let mut objects = match self.waitcreate {
            Some(patience) => await_objects(&mut stored, patience)?,
            None => stored.objects()?,
        };
        objects.retain(|object| is_meant(self.pattern.as_deref(), object));
        if let (true, Some(pattern)) = (objects.is_empty(), &self.pattern) {
            let program = flux.program().to_owned();
            flux.note(format_args!(
                "{program}: No files matched pattern '{pattern}'"
            ))?;
        }
        if self.list_only {
            return objects
                .iter()
                .try_for_each(|object| Ok(flux.line(&object.path)?));
        }
        self.write(flux, &mut stored, &objects)
    }

    fn write(
        &self,
        flux: &mut Flux,
        stored: &mut Stored,
        objects: &[FileObject],
    ) -> Result<(), CliError> {
        let directory = self.directory.as_deref().unwrap_or(Path::new("."));
        let target = Target::open(directory, self.overwrite);
        let target =
            target.map_err(|error| CliError::new(io_text(&error)).about(directory.display()))?;
        let is_verbose = self.verbose.iter().any(|level| *level > 0);
        let regions = objects.iter().flat_map(regions_of);
        let bytes = regions.map(|Region(_, bytes, _)| *bytes).sum();
        let mut filling = Filling {
            bar: Bar::new(flux, bytes, is_verbose),
            under_way: VecDeque::new(),
            bytes_under_way: 0,
        };
        for object in objects {
            if is_verbose {
                flux.note(&object.path)?;
            }
            let growing = target
                .unpack(object)
                .map_err(|error| CliError::new(error.to_string()))?;
            if let Some(growing) = growing {
                filling.fill(stored, growing, regions_of(object))?;
            }
        }
        filling.finish(stored)
    }
}

/// The blobs of a file.
fn regions_of(object: &FileObject) -> &[Region] {
    match &object.content {
        Content::Blobs(regions) => regions,
        _ => &[],
    }
}

/// The objects of an archive that may still have to be made.
fn await_objects(stored: &mut Stored, patience: Fsd) -> Result<Vec<FileObject>, CliError> {
    let patience = Duration::try_from_secs_f64(patience.secs()).ok();
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    let lookup = kvs_watch::Lookup::new(&stored.namespace, &stored.key, WAITCREATE);
    let pending = stored.handle.start(Call::new(&lookup));
    loop {
        match stored.handle.next(&[], deadline)? {
            Arrival::Answer(id, answer) if id == pending.id() => {
                let found = pending
                    .decode(answer)
                    .map_err(|refusal| stored.failed(refusal))?;
                return stored.decode(&found.bytes().unwrap_or_default());
            }
            Arrival::Deadline => {
                let key = &stored.key;
                let text = format!("{key}: key was not created within timeout window");
                return Err(CliError::new(text));
            }
            _ => {}
        }
    }
}

/// Files that wait for their blobs, of which several are under way.
struct Filling {
    bar: Bar,
    under_way: VecDeque<(Pending<Load>, Region, Rc<Growing>)>,
    bytes_under_way: u64,
}

impl Filling {
    /// Asks for the blobs of a file; waits when much is under way.
    fn fill(
        &mut self,
        stored: &mut Stored,
        growing: Growing,
        regions: &[Region],
    ) -> Result<(), CliError> {
        let growing = Rc::new(growing);
        for region in regions {
            let Region(_, bytes, blobref) = region;
            let is_much = |filling: &Filling| {
                filling.bytes_under_way + bytes > ARCHIVE_BYTES_IN_FLIGHT as u64
            };
            while is_much(self) && !self.under_way.is_empty() {
                self.take(stored)?;
            }
            let load = Load(Bytes::copy_from_slice(blobref.digest()));
            let pending = stored.handle.start(Call::new(&load));
            self.under_way
                .push_back((pending, *region, Rc::clone(&growing)));
            self.bytes_under_way += bytes;
        }
        end(growing)
    }

    fn finish(&mut self, stored: &mut Stored) -> Result<(), CliError> {
        while !self.under_way.is_empty() {
            self.take(stored)?;
        }
        Ok(())
    }

    fn take(&mut self, stored: &mut Stored) -> Result<(), CliError> {
        let Some((pending, region, growing)) = self.under_way.pop_front() else {
            return Ok(());
        };
        let Region(_, bytes, blobref) = region;
        self.bytes_under_way -= bytes;
        let blob = stored.handle.wait(pending);
        let blob = blob
            .map_err(|refusal| CliError::from(refusal).about(blobref))?
            .0;
        growing
            .write(&region, &blob)
            .map_err(|error| CliError::new(error.to_string()))?;
        self.bar.add(bytes);
        end(growing)
    }
}

/// Finishes a file for which nothing is under way.
fn end(growing: Rc<Growing>) -> Result<(), CliError> {
    match Rc::into_inner(growing) {
        Some(growing) => growing
            .finish()
            .map_err(|error| CliError::new(error.to_string())),
        None => Ok(()),
    }
}
