"""The handle: a connection to a broker, its calls, events and services."""

from __future__ import annotations

import errno
import os
import sys
from _thread import _local
from _weakref import ref

from flux import _core
from flux.constants import (
    FLUX_MATCHTAG_NONE,
    FLUX_MSGTYPE_ANY,
    FLUX_MSGTYPE_EVENT,
    FLUX_MSGTYPE_REQUEST,
    FLUX_NODEID_ANY,
    FLUX_O_NONBLOCK,
    FLUX_POLLERR,
    FLUX_POLLIN,
    FLUX_POLLOUT,
    FLUX_ROLE_OWNER,
)
from flux.core.watched import Watched
from flux.payload import encode, topic_of
from flux.rpc import RPC

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any, Optional

    from flux.future import Future
    from flux.message import Message
    from flux.reactor import Reactor

# A flag of attributes: their values can be kept.
_IMMUTABLE = 1


class Flux(Watched):
    """A connection to a broker.

    `url` is a URI such as local:///path, or the path of an enclosing instance: `..` is the
    parent, `/` the root. None means FLUX_URI, or the system instance. At the end of `with`
    the connection is closed.

    A handle is for one thread at a time and for the process that opened it; in others its
    methods raise RuntimeError.

    Raises OSError: there is no broker at `url`, or it does not let us in.
    """

    tls = _local()

    def __init__(self, url: Optional[str] = None, flags: int = 0, handle: Optional[_core.Handle] = None) -> None:
        if flags:
            raise OSError(errno.EINVAL, "a handle is opened without flags: none is supported")
        # Programs that have it from a socket give bytes.
        self.url = os.fsdecode(url) if isinstance(url, bytes) else url
        url = self.url
        self._core = _core.Handle(url) if handle is None else handle
        # Futures of calls by matchtag, weakly: one that nobody holds is forgotten.
        self._calls: dict[int, ref[RPC]] = {}
        # Futures with callbacks, for which the reactor runs; and those whose result was
        # there before the callback.
        self._pending: set[Future] = set()
        self._due: list[Future] = []
        self._watchers: set[Any] = set()
        self._watchers_of_messages: list[Any] = []
        self._streams: list[Any] = []
        self._reactor: Optional[Reactor] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._is_writing = False
        self._is_scheduled = False
        self._subscriptions: list[str] = []
        self._conf: Any = None
        # Attributes that cannot change.
        self._attrs: dict[str, str] = {}
        # What flux.kvs.put has collected.
        self._kvstxn: Any = None
        self._appname = ""

    def __enter__(self) -> Flux:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection once the broker has read what was sent. Futures that wait
        will not be fulfilled. May be called twice."""
        if self._loop is not None:
            from flux.aio import detach

            detach(self)
        self._pending.clear()
        self._core.close()

    def reconnect(self) -> None:
        """Connects again, to the same place, and renews subscriptions. Calls that wait are
        not repeated: they fail with ECONNRESET."""
        lost = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        calls, self._calls = self._calls, {}
        waiting = [call for call in (weak() for weak in calls.values()) if call is not None]
        if self._loop is not None:
            from flux.aio import detach

            detach(self)
        self._core.close()
        self._core = _core.Handle(self.url)
        self._attrs.clear()
        for call in waiting:
            call._arrive(lost)
        for topic in self._subscriptions:
            self.rpc("event.subscribe", {"topic": topic}).get()

    # Calls.

    def rpc(self, topic: str, payload: Any = None, nodeid: int = FLUX_NODEID_ANY, flags: int = 0) -> RPC:
        """Calls `topic` and gives back the future of its answers.

        `payload` is a str, or what JSON can hold. `nodeid` is the rank to ask, or
        FLUX_NODEID_ANY for the nearest that has the service, or FLUX_NODEID_UPSTREAM for the
        nearest above this one. `flags` are of FLUX_RPC_NORESPONSE and FLUX_RPC_STREAMING.
        """
        return RPC(self, topic, payload, nodeid, flags)

    rpc_create = rpc

    def attr_get(self, attr_name: str) -> str:
        """The value of a broker attribute; one that cannot change is asked for once. Raises FileNotFoundError: there is none."""
        if not isinstance(attr_name, str):
            raise ValueError("the name of an attribute is a str")
        value = self._attrs.get(attr_name)
        if value is None:
            answer = self.rpc("attr.get", {"name": attr_name}).get()
            value = str(answer["value"])
            host = os.environ.get("FLUX_PROXY_REMOTE")
            if attr_name == "parent-uri" and host and value.startswith("local://"):
                # The path of a socket on the host that a proxy has led us to.
                value = f"ssh://{host}{value[len('local://') :]}"
            if answer["flags"] & _IMMUTABLE:
                self._attrs[attr_name] = value
        return value

    def attr_set(self, attr: str, value: str) -> None:
        """Sets a broker attribute. Raises PermissionError: it cannot be changed."""
        if not isinstance(attr, str) or not isinstance(value, str):
            raise ValueError("the name and the value of an attribute are str")
        self.rpc("attr.set", {"name": attr, "value": value}).get()

    def attr_remove(self, attr: str) -> None:
        """Removes a broker attribute. Raises PermissionError: it cannot be changed."""
        if not isinstance(attr, str):
            raise ValueError("the name of an attribute is a str")
        self.rpc("attr.rm", {"name": attr}).get()

    def get_rank(self) -> int:
        """The rank of the broker at the other end."""
        return int(self.attr_get("rank"))

    def get_size(self) -> int:
        """The number of brokers in the instance."""
        return int(self.attr_get("size"))

    def conf_get(self, key: Optional[str] = None, default: Any = None, update: bool = False) -> Any:
        """A value of the configuration by its dotted name, such as `tbon.topo`; all of it
        without a key. It is fetched once, and again with `update`."""
        if self._conf is None or update:
            self._conf = self.rpc("config.get").get() or {}
        value = self._conf
        for part in key.split(".") if key else ():
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value

    def log(self, level: int, fstring: str) -> None:
        """Adds a line to the broker's log. `level` is one of `syslog.LOG_*`."""
        self._core.log(level, self.get_rank(), self._appname or _program(), fstring)
        self._touched()

    def log_set_appname(self, name: str) -> None:
        """Names this program in log lines; otherwise it is the name of its file."""
        self._appname = name

    # Messages.

    def send(self, message: Message) -> None:
        """Sends a message as it is."""
        self._core.send(message._core)
        self._touched()

    def recv(
        self,
        type_mask: int = FLUX_MSGTYPE_ANY,
        match_tag: int = FLUX_MATCHTAG_NONE,
        topic_glob: Optional[str] = None,
        flags: int = 0,
    ) -> Message:
        """Blocks until an event or a request has come that matches; other events are dropped,
        and other requests refused.

        Raises BlockingIOError: with FLUX_O_NONBLOCK in `flags`, there is none. Raises OSError
        with EINVAL: answers are asked for, which are taken by their futures.
        """
        from flux.message import Message, matches_glob

        if match_tag != FLUX_MATCHTAG_NONE or not type_mask & (FLUX_MSGTYPE_REQUEST | FLUX_MSGTYPE_EVENT):
            raise OSError(errno.EINVAL, "only events and requests are received: futures take answers")
        timeout = 0.0 if flags & FLUX_O_NONBLOCK else None
        has_looked = False
        while True:
            for mask, take in (
                (FLUX_MSGTYPE_REQUEST, self._core.take_request),
                (FLUX_MSGTYPE_EVENT, self._core.take_event),
            ):
                message = take() if type_mask & mask else None
                if message is not None:
                    if matches_glob(topic_glob, message.topic):
                        self._touched()
                        return Message(handle=message)
                    self._refuse(message, errno.ENOSYS)
                    break
            else:
                if timeout == 0.0 and has_looked:
                    raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
                self._core.turn(timeout)
                has_looked = True

    def event_subscribe(self, topic: str) -> None:
        """Asks for the events whose topic begins with `topic`."""
        topic = topic_of(topic)
        self.rpc("event.subscribe", {"topic": topic}).get()
        self._subscriptions.append(topic)

    def event_unsubscribe(self, topic: str) -> None:
        """Takes one subscription back."""
        topic = topic_of(topic)
        self.rpc("event.unsubscribe", {"topic": topic}).get()
        if topic in self._subscriptions:
            self._subscriptions.remove(topic)

    def event_recv(self, topic: Optional[str] = None) -> Message:
        """Blocks until the next event whose topic matches the pattern `topic`."""
        return self.recv(FLUX_MSGTYPE_EVENT, topic_glob=topic)

    def event_create(self, topic: str, payload: Any = None) -> Message:
        """An event to be sent. `payload` is a str, or what JSON can hold."""
        from flux.message import Message

        return Message.from_event_encode(topic, payload)

    def event_send(self, topic: str, payload: Any = None) -> None:
        """Publishes an event."""
        self.send(self.event_create(topic, payload))

    # Services.

    def service_register(self, name: str) -> RPC:
        """Has requests to `name.*` sent to this program. The future is fulfilled when they
        are; EEXIST: there is such a service already."""
        return self.rpc("service.add", {"service": name})

    def service_unregister(self, name: str) -> RPC:
        """Takes that back."""
        return self.rpc("service.remove", {"service": name})

    def respond(self, message: Message, payload: Any = None) -> None:
        """Answers a request; nothing is sent if its sender wants no answer. To a streaming
        request more answers can follow, and `respond_error` with ENODATA ends it."""
        self._core.respond(message._core, encode(payload))
        self._touched()

    def respond_error(self, message: Message, errnum: int, errstr: Optional[str] = None) -> None:
        """Refuses a request, with a text of its own if there is one."""
        if errnum <= 0:
            raise OSError(errno.EINVAL, "a refusal has an error number greater than 0")
        self._core.respond(message._core, encode(errstr), errnum)
        self._touched()

    # Descriptor.

    def pollfd(self) -> int:
        """The descriptor to poll, in a program with a loop of its own."""
        return self._core.fileno()

    fileno = pollfd

    def pollevents(self) -> int:
        """What the handle is ready for: a mask of FLUX_POLLIN, FLUX_POLLOUT, FLUX_POLLERR."""
        events = FLUX_POLLOUT
        try:
            self._core.turn(0.0)
        except OSError:
            events |= FLUX_POLLERR
        return events | (FLUX_POLLIN if self._core.has_arrivals() else 0)

    def __repr__(self) -> str:
        return f"<flux.core.Flux object at {id(self):#x}>"

    # What futures, the reactor and the loop of asyncio use.

    def _follow_loop(self) -> None:
        """Has the loop of asyncio that runs, if any, call what is registered here."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and (loop := asyncio._get_running_loop()) is not None:
            from flux.aio import attach

            attach(self, loop)

    def _touched(self) -> None:
        """Something was sent, or waited for: the loop has to look what else is to be done."""
        if self._loop is not None:
            from flux.aio import attach

            attach(self, self._loop)

    def _forget(self, matchtag: int) -> None:
        self._calls.pop(matchtag, None)
        try:
            self._core.forget(matchtag)
        except (RuntimeError, ValueError):
            # Closed, or another process's or thread's: there is nothing to forget here.
            pass

    def _has_work(self) -> bool:
        return bool(self._due) or self._core.has_arrivals()

    def _dispatch(self) -> None:
        """Hands out all that has arrived, until a callback stops the reactor."""
        while self._due:
            self._due.pop(0)._fire()
        reactor = self._reactor
        take = self._core.take
        while reactor is None or not reactor.is_stopped:
            taken = take()
            if taken is None:
                break
            matchtag, arrived = taken
            if matchtag:
                weak = self._calls.get(matchtag)
                call = None if weak is None else weak()
                if call is not None:
                    call._arrive(arrived)
            elif isinstance(arrived, OSError):
                self._lose_streams(arrived)
            else:
                self._deliver(arrived)
            while self._due:
                self._due.pop(0)._fire()

    def _deliver(self, message: _core.Message) -> None:
        from flux.message import Message

        is_request = message.type == FLUX_MSGTYPE_REQUEST
        for stream in self._streams:
            if not is_request and stream.takes(message):
                stream.put(Message(handle=message))
        for watcher in tuple(self._watchers_of_messages):
            if watcher.matches(message):
                if watcher.allows(message):
                    watcher.deliver(Message(handle=message))
                elif is_request:
                    self._refuse(message, errno.EPERM, watcher.rolemask)
                if is_request:
                    return
        if is_request:
            self._refuse(message, errno.ENOSYS)

    def _refuse(self, message: _core.Message, errnum: int, rolemask: int = 0) -> None:
        if message.type != FLUX_MSGTYPE_REQUEST:
            return
        if errnum == errno.ENOSYS:
            text = f"Unknown service method '{message.topic}'"
        elif rolemask == FLUX_ROLE_OWNER:
            text = "Request requires owner credentials"
        else:
            text = "Request rejected due to insufficient privilege"
        self._core.respond(message, encode(text), errnum)

    def _lose_streams(self, error: Optional[OSError] = None) -> None:
        for stream in self._streams:
            stream.fail(error or OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))


def _program() -> str:
    return os.path.basename(sys.argv[0] or "python") or "python"
