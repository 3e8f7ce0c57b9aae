"""The key-value store.

Functions that change something collect it in the transaction of their handle, which `commit`
makes one step of; or in a `KVSTxn` of your own. Values are what JSON can hold; bytes are kept
as they are. Keys are dotted paths.

`namespace` is that of FLUX_KVS_NAMESPACE unless given, and `primary` without it. Failures are
OSError: FileNotFoundError for a key that is not there, IsADirectoryError for a directory,
PermissionError, and EOPNOTSUPP for an unknown namespace.
"""

from flux.kvs.directory import KVSDir, get_dir, walk
from flux.kvs.lookup import dropcache, exists, get, get_key_direct, get_key_raw, isdir, join, listdir
from flux.kvs.namespace import namespace_create, namespace_list, namespace_remove
from flux.kvs.transaction import (
    KVSTxn,
    commit,
    commit_async,
    put,
    put_mkdir,
    put_symlink,
    put_unlink,
)
from flux.kvs.watch import KVSWatchFuture, WatchFuture, kvs_watch_async

__all__ = [
    "KVSDir",
    "KVSTxn",
    "KVSWatchFuture",
    "WatchFuture",
    "commit",
    "commit_async",
    "dropcache",
    "exists",
    "get",
    "get_dir",
    "get_key_direct",
    "get_key_raw",
    "isdir",
    "join",
    "kvs_watch_async",
    "listdir",
    "namespace_create",
    "namespace_list",
    "namespace_remove",
    "put",
    "put_mkdir",
    "put_symlink",
    "put_unlink",
    "walk",
]
