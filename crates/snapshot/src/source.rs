//! Where a tree begins: at the current root, or at the last checkpoint.

use client::Handle;
use proto::content::{Checkpoint, CheckpointGet, CheckpointPut, Damage, Finding, Flush};
use proto::data::BlobRef;
use proto::kvs::{GetRoot, PRIMARY};
use proto::{Errno, content_backing, kvs};

use command::error::CliError;

/// The current root of the primary namespace.
pub fn current_root(handle: &mut Handle) -> Result<kvs::Root, CliError> {
    let namespace = PRIMARY.to_owned();
    let root = handle.rpc(&GetRoot { namespace });
    root.map_err(|refusal| CliError::from(refusal).about("error fetching current KVS root"))
}

/// The checkpoints that are kept, newest first.
pub fn checkpoints(handle: &mut Handle, is_direct: bool) -> Result<Vec<Checkpoint>, CliError> {
    let checkpoints = match is_direct {
        true => handle.rpc(&content_backing::CheckpointGet),
        false => handle.rpc(&CheckpointGet),
    };
    match checkpoints {
        Ok(checkpoints) => Ok(checkpoints.value),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(Vec::new()),
        Err(refusal) => Err(CliError::from(refusal).about("error fetching checkpoints")),
    }
}

/// Damage and losses that the store has recorded. Stores of others do not say.
pub fn findings(handle: &mut Handle) -> Result<Vec<Finding>, CliError> {
    match handle.rpc(&Damage) {
        Ok(found) => Ok(found.findings),
        Err(refusal) if refusal.errno == Errno::ENOSYS => Ok(Vec::new()),
        Err(refusal) => Err(CliError::from(refusal).about("error fetching damage")),
    }
}

/// The newest checkpoint.
pub fn last_checkpoint(handle: &mut Handle, is_direct: bool) -> Result<Checkpoint, CliError> {
    let newest = checkpoints(handle, is_direct)?.into_iter().next();
    newest.ok_or_else(|| {
        CliError::new("there is no checkpoint yet")
            .with_hint("'flux kvs sync' makes one, and so does removing the kvs module")
    })
}

/// Reads a blobref.
pub fn blobref(text: &str) -> Result<BlobRef, CliError> {
    text.parse()
        .map_err(|error| CliError::new(format!("{error}")).about(text))
}

/// Refuses when the kvs is loaded, which would not notice that the checkpoint changes.
pub fn check_kvs_is_not_loaded(handle: &mut Handle, option: &str) -> Result<(), CliError> {
    let namespace = PRIMARY.to_owned();
    match handle.rpc(&GetRoot { namespace }) {
        Err(refusal) if refusal.errno == Errno::ENOSYS => Ok(()),
        _ => Err(CliError::new(format!(
            "please unload kvs module before using {option}"
        ))),
    }
}

/// Makes a checkpoint of the stored blobs.
pub fn write_checkpoint(
    handle: &mut Handle,
    value: Checkpoint,
    is_direct: bool,
) -> Result<(), CliError> {
    match handle.rpc(&Flush) {
        Ok(_) => {}
        // There is nothing behind the service's memory, but nothing is in that either.
        Err(refusal) if refusal.errno == Errno::ENOSYS && is_direct => {}
        Err(refusal) => {
            return Err(CliError::from(refusal).about("error flushing content cache"));
        }
    }
    let put = match is_direct {
        true => handle.rpc(&content_backing::CheckpointPut { value }),
        false => handle.rpc(&CheckpointPut { value }),
    };
    put.map(|_| ())
        .map_err(|refusal| CliError::from(refusal).about("error updating checkpoint"))
}
