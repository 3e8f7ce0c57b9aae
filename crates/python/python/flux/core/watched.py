"""The half of a handle that has to do with its reactor: watchers, running, stopping."""

from __future__ import annotations


from flux.constants import FLUX_MATCHTAG_NONE, FLUX_MSGTYPE_ANY, FLUX_POLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from flux.core.events import EventStream
    from flux.core.watchers import (
        CheckWatcher,
        FDWatcher,
        IdleWatcher,
        PrepareWatcher,
        SignalWatcher,
        TimerWatcher,
        Watcher,
    )
    from flux.message import MessageWatcher
    from flux.reactor import Reactor


class Watched:
    """Mixed into `flux.Flux`."""

    _reactor: Optional[Reactor]
    _watchers: set[Any]
    _streams: list[Any]
    tls: Any

    def get_reactor(self) -> Reactor:
        """The reactor of this handle."""
        if self._reactor is None:
            from flux.reactor import Reactor

            self._reactor = Reactor(self)  # type: ignore[arg-type]
        return self._reactor

    def reactor_run(self, reactor: Optional[Reactor] = None, flags: int = 0) -> int:
        """Runs callbacks until the reactor is stopped, or no watcher is active and no future
        with a callback waits. `flags` are of FLUX_REACTOR_NOWAIT and FLUX_REACTOR_ONCE.

        Gives back how many watchers are active, or -1 after `reactor_stop_error`. It raises
        what a callback raises, and KeyboardInterrupt on Ctrl-C.
        """
        self.reactor_enter()
        try:
            rc = (reactor or self.get_reactor()).run(flags)
        finally:
            self.reactor_exit()
        self.raise_if_exception()
        return rc

    def reactor_stop(self, reactor: Optional[Reactor] = None) -> None:
        """Ends `reactor_run`."""
        (reactor or self.get_reactor()).stop()

    def reactor_stop_error(self, reactor: Optional[Reactor] = None) -> None:
        """Ends `reactor_run`, which gives back -1."""
        (reactor or self.get_reactor()).stop_error()

    def reactor_incref(self, reactor: Optional[Reactor] = None) -> None:
        """Has the reactor run for one thing more."""
        (reactor or self.get_reactor()).n_active += 1

    def reactor_decref(self, reactor: Optional[Reactor] = None) -> None:
        """Takes that back."""
        (reactor or self.get_reactor()).n_active -= 1

    @classmethod
    def reactor_enter(cls) -> None:
        """Notes that a reactor of this thread runs."""
        cls.tls.depth = getattr(cls.tls, "depth", 0) + 1

    @classmethod
    def reactor_exit(cls) -> None:
        """Notes that it does not any more."""
        cls.tls.depth = max(0, getattr(cls.tls, "depth", 0) - 1)

    @classmethod
    def reactor_running(cls) -> bool:
        """Whether a reactor of this thread runs."""
        return getattr(cls.tls, "depth", 0) > 0

    in_reactor = reactor_running

    @classmethod
    def set_exception(cls, exception: Optional[BaseException]) -> Optional[BaseException]:
        """Has `reactor_run` of this thread raise `exception` at its end; gives back the one
        that was set before."""
        before: Optional[BaseException] = getattr(cls.tls, "exception", None)
        cls.tls.exception = exception
        return before

    @classmethod
    def raise_if_exception(cls) -> None:
        """Raises what was set with `set_exception`, once."""
        exception = cls.set_exception(None)
        if exception is not None:
            raise exception from None

    def add_watcher(self, watcher: Watcher) -> None:
        """Keeps a watcher that is active."""
        self._watchers.add(watcher)

    def del_watcher(self, watcher: Watcher) -> None:
        """Lets it go."""
        self._watchers.discard(watcher)

    def msg_watcher_create(
        self,
        callback: Callable[..., Any],
        type_mask: int = FLUX_MSGTYPE_ANY,
        topic_glob: str = "*",
        args: Any = None,
        match_tag: int = FLUX_MATCHTAG_NONE,
        rolemask: Optional[int] = None,
    ) -> MessageWatcher:
        """A watcher of events and requests: `flux.message.MessageWatcher`."""
        from flux.message import MessageWatcher

        return MessageWatcher(self, type_mask, callback, topic_glob, match_tag, rolemask, args)  # type: ignore[arg-type]

    def timer_watcher_create(
        self, after: float, callback: Callable[..., Any], repeat: float = 0.0, args: Any = None
    ) -> TimerWatcher:
        """A watcher that calls in `after` seconds, then every `repeat` seconds unless 0."""
        from flux.core.watchers import TimerWatcher

        return TimerWatcher(self, after, callback, repeat, args)  # type: ignore[arg-type]

    def fd_watcher_create(
        self, fd_int: int, callback: Callable[..., Any], events: Optional[int] = None, args: Any = None
    ) -> FDWatcher:
        """A watcher of a descriptor; `events` is FLUX_POLLIN unless given."""
        from flux.core.watchers import FDWatcher

        events = FLUX_POLLIN if events is None else events
        return FDWatcher(self, fd_int, events, callback, args)  # type: ignore[arg-type]

    def signal_watcher_create(self, signum: int, callback: Callable[..., Any], args: Any = None) -> SignalWatcher:
        """A watcher of a signal."""
        from flux.core.watchers import SignalWatcher

        return SignalWatcher(self, signum, callback, args)  # type: ignore[arg-type]

    def prepare_watcher_create(self, callback: Callable[..., Any], args: Any = None) -> PrepareWatcher:
        """A watcher that calls before the reactor waits."""
        from flux.core.watchers import PrepareWatcher

        return PrepareWatcher(self, callback, args)  # type: ignore[arg-type]

    def check_watcher_create(self, callback: Callable[..., Any], args: Any = None) -> CheckWatcher:
        """A watcher that calls after the reactor has waited."""
        from flux.core.watchers import CheckWatcher

        return CheckWatcher(self, callback, args)  # type: ignore[arg-type]

    def idle_watcher_create(self, callback: Optional[Callable[..., Any]] = None, args: Any = None) -> IdleWatcher:
        """A watcher that keeps the reactor from waiting."""
        from flux.core.watchers import IdleWatcher

        return IdleWatcher(self, callback, args)  # type: ignore[arg-type]

    def events(self, topic: str) -> EventStream:
        """The events whose topic begins with `topic`, for `async for`: see
        `flux.core.events.EventStream`."""
        from flux.core.events import EventStream

        return EventStream(self, topic)  # type: ignore[arg-type]
