"""Following a key."""

from __future__ import annotations

import errno

from flux.constants import (
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_FULL,
    FLUX_KVS_WATCH_UNIQ,
    FLUX_NODEID_ANY,
    FLUX_RPC_STREAMING,
)
from flux.kvs.lookup import bytes_of, value_of
from flux.kvs.namespace import name_of
from flux.rpc import RPC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from flux.core.handle import Flux


class WatchFuture(RPC):
    """A stream of values that ends with None, or with an error."""

    def decode(self, answer: Any) -> Any:
        """The value that an answer, read as JSON, has."""
        return answer

    def get(self, autoreset: bool = True) -> Any:
        """The next value; blocks until there is one. None means that the stream has ended.

        Without `autoreset` it gives the same again until `reset` is called.
        """
        try:
            value = self.decode(super().get())
        except OSError as error:
            if error.errno == errno.ENODATA:
                return None
            raise
        if autoreset:
            self.reset()
        return value

    def cancel(self, stop: bool = False, topic: Optional[str] = None) -> None:
        """Ends the stream. With `stop` the callback is not called any more."""
        super().cancel(stop, topic)


class KVSWatchFuture(WatchFuture):
    """The values of a key: the first, and one for each change."""

    def decode(self, answer: Any) -> Any:
        """The value at the key: JSON, else text, else bytes."""
        return value_of(bytes_of(answer["val"]))


def kvs_watch_async(
    flux_handle: Flux,
    key: str,
    namespace: Optional[str] = None,
    waitcreate: bool = False,
    uniq: bool = False,
    full: bool = False,
) -> KVSWatchFuture:
    """Follows `key`. With `waitcreate` it need not be there yet; with `uniq` a value that is
    the same as before is left out; with `full` changes by way of directories and links above
    it count too.

    The future's `get` raises FileNotFoundError: the key is not there, or was removed.
    """
    flags = FLUX_KVS_WATCH
    flags |= FLUX_KVS_WAITCREATE if waitcreate else 0
    flags |= FLUX_KVS_WATCH_UNIQ if uniq else 0
    flags |= FLUX_KVS_WATCH_FULL if full else 0
    request = {"namespace": name_of(namespace), "key": key, "flags": flags}
    return KVSWatchFuture(flux_handle, "kvs-watch.lookup", request, FLUX_NODEID_ANY, FLUX_RPC_STREAMING)
