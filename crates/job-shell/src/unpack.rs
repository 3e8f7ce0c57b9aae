//! Files of archives, as the worker writes them.

use std::path::Path;

use filemap::{FileObject, Growing, Region, Target};

use crate::worker::{Files, text_of};

/// Directory into which archives are extracted.
#[derive(Debug)]
pub struct Unpacking {
    target: Target,
    /// The file whose blobs are yet to come.
    growing: Option<Growing>,
}

impl Files {
    /// Files go below this directory from now on.
    pub fn open_target(&mut self, folder: &str) -> Result<(), String> {
        let target = Target::open(Path::new(folder), false).map_err(|error| text_of(&error))?;
        self.unpacking = Some(Unpacking {
            target,
            growing: None,
        });
        Ok(())
    }

    /// Writes files, of which the last may have blobs that are yet to come.
    pub fn unpack(&mut self, files: &[FileObject]) -> Result<(), String> {
        let Some(unpacking) = &mut self.unpacking else {
            return Ok(());
        };
        for file in files {
            let growing = unpacking.target.unpack(file);
            unpacking.growing = growing.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Writes a blob of that file.
    pub fn write_region(&mut self, region: &Region, blob: &[u8]) -> Result<(), String> {
        match self.unpacking.as_ref().and_then(|it| it.growing.as_ref()) {
            Some(growing) => {
                let written = growing.write(region, blob);
                written.map_err(|error| error.to_string())
            }
            None => Ok(()),
        }
    }

    /// All its blobs have come.
    pub fn finish_file(&mut self) -> Result<(), String> {
        match self.unpacking.as_mut().and_then(|it| it.growing.take()) {
            Some(growing) => growing.finish().map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// No more files.
    pub fn close_target(&mut self) {
        self.unpacking = None;
    }
}
